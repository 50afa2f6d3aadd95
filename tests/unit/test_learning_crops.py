from __future__ import annotations

import numpy as np
import pytest

from rtpick.learning.crops import EDGE_SAMPLES, cut, draw_start, draw_stretch
from rtpick.learning.dataset import Recording
from rtpick.learning.sampler import lengthen


@pytest.fixture(name="ramp")
def make_ramp():
    samples_CT = np.tile(np.arange(1000, dtype=np.float32), (3, 1))
    return Recording("ramp", "manual", samples_CT, np.array([400.5]), np.array([500.0, 600.0]))


def test_a_cut_carries_its_samples_and_arrivals(ramp):
    crop = cut(ramp, 350, 200)
    assert crop.samples_CT.shape == (3, 200)
    assert crop.samples_CT[0, 0] == 350
    assert crop.arrival_2A[0].tolist()[0] == 50.5
    assert crop.arrival_2A[1].tolist()[0] == 150.0
    assert np.isnan(crop.arrival_2A[:, 1]).all()


def test_what_lies_outside_is_missing(ramp):
    before, after = cut(ramp, -100, 200), cut(ramp, 900, 200)
    assert np.isnan(before.samples_CT[:, :100]).all()
    assert before.samples_CT[0, 100] == 0
    assert np.isnan(after.samples_CT[:, 100:]).all()
    assert np.isnan(after.arrival_2A).all()
    assert np.isnan(cut(ramp, 5000, 10).samples_CT).all()


@pytest.mark.parametrize("stretch", [0.75, 1.25, 1.4])
def test_a_slower_pace_moves_arrivals_with_the_samples(ramp, stretch):
    crop = cut(ramp, 350, 300, stretch)
    # The ramp's value is the sample that it was recorded at.
    arrival = crop.arrival_2A[0, 0]
    at_arrival = np.interp(arrival, np.arange(300), crop.samples_CT[0])
    assert at_arrival == pytest.approx(400.5, abs=0.01)
    assert crop.samples_CT[0, 100] == pytest.approx(350 + 100 / stretch, abs=0.01)


def test_windows_show_the_arrival_anywhere(ramp):
    rng = np.random.default_rng(0)
    one = Recording("one", "manual", ramp.samples_CT, np.array([400.0]))
    places = [400 - draw_start(one, 300, 1.0, rng) for _ in range(2000)]
    assert min(places) == EDGE_SAMPLES
    assert max(places) == 300 - EDGE_SAMPLES - 1
    assert np.mean(places) == pytest.approx(150, abs=5)


def test_recordings_without_arrivals_are_cut_inside(ramp):
    rng = np.random.default_rng(0)
    blank = Recording("blank", "noise", ramp.samples_CT)
    starts = [draw_start(blank, 300, 1.0, rng) for _ in range(500)]
    assert min(starts) >= 0
    assert max(starts) <= 700


def test_short_recordings_are_placed_anywhere_in_the_window():
    rng = np.random.default_rng(0)
    short = Recording("short", "continuous", np.zeros((3, 100), np.float32))
    starts = [draw_start(short, 300, 1.0, rng) for _ in range(500)]
    assert min(starts) >= -200
    assert max(starts) <= 0


def test_paces_stay_within_their_range():
    rng = np.random.default_rng(0)
    paces = np.array([draw_stretch(0.5, rng) for _ in range(1000)])
    assert 350 < (paces == 1.0).sum() < 650
    assert paces.min() > 1 / 1.41
    assert paces.max() < 1.41


def test_lengthened_noise_has_no_step(ramp):
    longer_CT = lengthen(ramp).samples_CT
    assert longer_CT.shape == (3, 2000)
    assert np.abs(np.diff(longer_CT)).max() == 1
