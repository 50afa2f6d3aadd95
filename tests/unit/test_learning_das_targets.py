"""Targets of fibers, and the losses against them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rtpick.learning.das_losses import (
    TargetBatch,
    center_loss,
    event_time_loss,
    measure,
    phase_loss,
    stack_targets,
)
from rtpick.learning.das_targets import (
    LabelledEvent,
    group_events,
    hold_where_known,
    make_targets,
    pair_onsets,
    thin_events,
)
from rtpick.networks.eqnet_unet import UNetAnswer

CHANNELS, SAMPLES = 32, 768

onsets = st.dictionaries(
    st.integers(0, CHANNELS - 1), st.floats(0, SAMPLES - 1, allow_nan=False), max_size=6
).map(lambda found: list(found.items()))


@st.composite
def events(draw) -> LabelledEvent:
    p = draw(onsets)
    lags = draw(st.lists(st.floats(1, 300), min_size=len(p), max_size=len(p)))
    s = [(k, t + lag) for (k, t), lag in zip(p, lags, strict=True) if t + lag < SAMPLES]
    return pair_onsets(p, s)


@settings(max_examples=40, deadline=None)
@given(st.lists(events(), max_size=3))
def test_targets_are_probabilities_where_onsets_do_not_overlap(labelled):
    targets = make_targets(labelled, CHANNELS, SAMPLES)
    assert (targets.phase_PKT >= 0).all()
    assert (targets.phase_PKT[0] <= 1).all()
    apart = targets.phase_PKT[1:].sum(axis=0) <= 1
    assert np.allclose(targets.phase_PKT.sum(axis=0)[apart], 1, atol=1e-6)
    for mask in (targets.phase_mask_KT, targets.center_mask_KT, targets.event_time_mask_KT):
        assert set(np.unique(mask)) <= {0.0, 1.0}


@settings(max_examples=40, deadline=None)
@given(st.lists(events(), max_size=3))
def test_the_order_of_events_matters_to_their_times_alone(labelled):
    one = make_targets(labelled, CHANNELS, SAMPLES)
    other = make_targets(labelled[::-1], CHANNELS, SAMPLES)
    for name in ("phase_PKT", "phase_mask_KT", "center_KT", "center_mask_KT", "event_time_mask_KT"):
        assert np.allclose(getattr(one, name), getattr(other, name), atol=1e-6), name


@settings(max_examples=40, deadline=None)
@given(events(), st.integers(0, CHANNELS - 1))
def test_a_channel_is_labelled_by_its_own_onsets(event, channel):
    def only(found):
        return [(k, value) for k, value in found if k == channel]

    alone = LabelledEvent(
        only(event.p_onsets), only(event.s_onsets), only(event.centers), only(event.intervals)
    )
    all_of_it = make_targets([event], CHANNELS, SAMPLES)
    its_own = make_targets([alone], CHANNELS, SAMPLES)
    assert np.array_equal(all_of_it.phase_PKT[:, channel], its_own.phase_PKT[:, channel])
    assert np.array_equal(all_of_it.event_time_KT[channel], its_own.event_time_KT[channel])


def test_a_bump_peaks_at_its_onset_and_ends():
    targets = make_targets([LabelledEvent([(3, 200.0)])], CHANNELS, SAMPLES)
    row_T = targets.phase_PKT[1, 3]
    assert row_T[200] == 1
    assert row_T[224] == pytest.approx(math.exp(-0.5 * 2.4**2))
    assert row_T[225] == 0
    assert row_T.sum() == row_T[176:225].sum()
    assert targets.phase_PKT[1].sum() == row_T.sum()


@pytest.mark.parametrize("sample", [0.0, 0.4, SAMPLES - 1.0])
def test_onsets_at_the_edges_are_cut(sample):
    targets = make_targets([pair_onsets([(0, sample)], [(0, sample + 5)])], CHANNELS, SAMPLES)
    assert np.isfinite(targets.phase_PKT).all()
    assert targets.phase_PKT[1, 0].max() > 0.9


def test_the_event_time_is_zero_at_the_origin():
    travel_s, vp, vs = 3.0, 6.0, 6.0 / 1.73
    distance_km = travel_s * vp
    p, s = 100 + 100 * travel_s, 100 + 100 * distance_km / vs
    targets = make_targets([pair_onsets([(0, p)], [(0, s)])], CHANNELS, SAMPLES)
    center = (p + s) / 2
    sample = int(center)
    assert targets.event_time_mask_KT[0, sample] == 1
    assert sample - targets.event_time_KT[0, sample] == pytest.approx(100, abs=0.01)


def test_noise_is_asked_for_where_it_is_certain():
    event = pair_onsets([(0, 200.0), (1, 210.0)], [(0, 300.0)])
    known_KT = np.ones((CHANNELS, SAMPLES), bool)
    known_KT[5, 100:150] = False
    targets = make_targets([event], CHANNELS, SAMPLES)
    assert targets.phase_mask_KT[1:].sum() == 0
    held = hold_where_known(targets, [event], known_KT)
    assert np.array_equal(held.phase_mask_KT, known_KT.astype(np.float32))
    assert held.center_mask_KT[0].all()
    assert not held.center_mask_KT[1].any()
    assert held.center_mask_KT[2].all()
    empty = hold_where_known(make_targets([], CHANNELS, SAMPLES), [], None)
    assert empty.phase_mask_KT.all()
    assert empty.center_mask_KT.all()
    assert not empty.event_time_mask_KT.any()


def test_a_table_of_picks_becomes_events():
    table = group_events(
        np.array([0, 0, 1, 2]),
        np.array(["P", "S", "P", "S"]),
        np.array([1.0, 5, 2, 9]),
        np.array([4, 4, 4, -1]),
    )
    assert table[0] == LabelledEvent([], [(2, 9.0)])
    assert table[1].pairs == [(0, 3.0, 4.0)]
    assert table[1].p_onsets == [(0, 1.0), (1, 2.0)]


def random_batch(masked: float = 1.0) -> TargetBatch:
    event = pair_onsets([(k, 200.0 + k) for k in range(20)], [(k, 400.0 + k) for k in range(18)])
    tile = hold_where_known(make_targets([event], CHANNELS, SAMPLES), [event], None)
    batch = stack_targets([thin_events(tile)] * 2)
    return TargetBatch(*(t * masked if "mask" in name else t for name, t in vars(batch).items()))


def perfect_answer(target: TargetBatch) -> UNetAnswer:
    return UNetAnswer(
        target.phase_BPKT.clamp(min=1e-30).log(),
        torch.logit(target.center_BKT, eps=1e-7),
        target.event_time_BKT,
    )


def test_the_loss_of_a_perfect_answer_is_nothing():
    target = random_batch()
    parts = measure(perfect_answer(target), target)
    assert float(parts.phase) == pytest.approx(0, abs=1e-6)
    assert float(parts.center) == pytest.approx(0, abs=1e-5)
    assert float(parts.event_time) == 0
    assert float(parts.total()) < 1e-4


def test_the_loss_of_any_other_answer_is_more():
    target = random_batch()
    torch.manual_seed(1)
    perfect = perfect_answer(target)
    other = UNetAnswer(
        perfect.phase_BPKT + torch.randn_like(perfect.phase_BPKT),
        perfect.event_center_BKT + 1.0,
        perfect.event_time_BKT + 50.0,
    )
    parts = measure(other, target)
    assert float(parts.phase) > 0.01
    assert float(parts.center) > 1e-4
    assert float(parts.event_time) == pytest.approx(0.05, rel=1e-4)
    assert float(parts.total(2.0, 3.0)) == pytest.approx(
        float(parts.phase + 2 * parts.center + 3 * parts.event_time)
    )


def test_nothing_known_costs_nothing_and_teaches_nothing():
    target = random_batch(masked=0.0)
    logits = torch.randn(2, 3, CHANNELS, SAMPLES, requires_grad=True)
    parts = measure(UNetAnswer(logits, torch.randn(2, 2, 48), torch.randn(2, 2, 48)), target)
    parts.total().backward()
    assert float(parts.total().detach()) == 0
    assert not logits.grad.any()


def test_what_is_unknown_does_not_matter():
    target = random_batch()
    mask = target.phase_mask_BKT.clone()
    mask[:, :, 300:500] = 0
    logits = torch.randn(2, 3, CHANNELS, SAMPLES)
    before = phase_loss(logits, target.phase_BPKT, mask)
    logits[..., 300:500] += 9 * torch.randn(2, 3, CHANNELS, 200)
    assert float(phase_loss(logits, target.phase_BPKT, mask)) == pytest.approx(float(before))


def test_arrivals_count_more_if_asked():
    target = random_batch()
    logits = torch.zeros(2, 3, CHANNELS, SAMPLES)
    logits[:, 0] = 8.0
    plain = phase_loss(logits, target.phase_BPKT, target.phase_mask_BKT)
    assert float(phase_loss(logits, target.phase_BPKT, target.phase_mask_BKT, 5.0)) > 2 * float(plain)


def test_an_answer_on_another_grid_is_interpolated():
    target = random_batch()
    coarse = torch.zeros(2, 1, 24)
    assert float(center_loss(coarse, target.center_BKT, target.center_mask_BKT)) > 0
    assert float(event_time_loss(coarse, target.event_time_BKT, target.event_time_mask_BKT)) > 0
    assert measure(UNetAnswer(torch.zeros(2, 3, 16, 384)), target).phase > 0
