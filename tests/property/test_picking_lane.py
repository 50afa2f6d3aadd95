"""A lane's finals are what the whole curve gives at once; where it was stopped and resumed never shows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtpick.picking.lane import LaneRule, LaneWindow, end_lane, new_lane, step_lane
from rtpick.picking.life import LifeRule, settled_index
from rtpick.picking.resume import first_window_after
from rtpick.picking.trigger import find_peaks
from rtpick.vocabulary.pick import PickStatus

WINDOW, STRIDE = 40, 8


def _rule(**changes):
    life = LifeRule(reach=changes.pop("reach", 4), hold=400, features=6)
    defaults = {"guard": 5, "width_reach": 4, "memory": 4000, "stacking": "mean"}
    return LaneRule((0.5, 0.6), WINDOW, STRIDE, life=life, **{**defaults, **changes})


def _windows(seed: int, count: int, sparsity: float, skipped: frozenset[int]):
    """Every window has probabilities of its own, as a network's windows have."""
    rng = np.random.default_rng(seed)
    windows = []
    for number in range(count):
        prob_PT = rng.random((2, WINDOW)).astype(np.float32) * (rng.random((2, WINDOW)) > sparsity)
        prob_PT = (prob_PT + np.roll(prob_PT, 1, axis=1)) / 2
        if number not in skipped:
            windows.append(LaneWindow(number * STRIDE, prob_PT, prob_PT.max(axis=1), 1.0))
    return windows


def _run(lane, windows, rule):
    changes = []
    for window in windows:
        lane, news = step_lane(lane, window, rule)
        changes += news
    return lane, changes


def _finals(changes):
    return [
        (item.row, c.track.birth_index, c.track.peak.index, c.track.peak.probability, item.sigma)
        for item in changes
        for c in [item.change]
        if c.status is PickStatus.FINAL
    ]


def _whole_curve(windows, rule):
    """Stack everything, then look for peaks: the slow way."""
    length = windows[-1].start_index + WINDOW
    count_T = np.zeros(length, np.float32)
    stack_PT = np.zeros((2, length), np.float32)
    for window in windows:
        span = slice(window.start_index, window.start_index + WINDOW)
        count_T[span] += 1
        if rule.stacking == "mean":
            stack_PT[:, span] += window.prob_PT
        else:
            stack_PT[:, span] = np.maximum(stack_PT[:, span], window.prob_PT)
    with np.errstate(invalid="ignore", divide="ignore"):
        divisor_T = count_T if rule.stacking == "mean" else np.where(count_T > 0, 1, 0)
        return stack_PT / divisor_T


cases = {
    "seed": st.integers(0, 10_000),
    "sparsity": st.sampled_from([0.2, 0.6, 0.9, 0.97]),
    "stacking": st.sampled_from(["mean", "max"]),
    "skipped": st.frozensets(st.integers(0, 39), max_size=15),
    "rise": st.sampled_from([0.0, 0.2]),
}


@settings(max_examples=40, deadline=None)
@given(**cases)
def test_final_picks_are_the_peaks_of_the_whole_curve(seed, sparsity, stacking, skipped, rise):
    windows = _windows(seed, 40, sparsity, skipped)
    rule = _rule(stacking=stacking, minimum_rise=rise)
    lane, changes = _run(new_lane(windows[0].start_index, rule), windows, rule)
    lane, rest = end_lane(lane, rule)
    curve_PT = _whole_curve(windows, rule)
    got = sorted((row, index) for row, _, index, _, _ in _finals(changes + rest))
    expected = [
        (row, int(index))
        for row in range(2)
        for index in find_peaks(curve_PT[row], rule.thresholds[row], rule.life.reach, rise)
    ]
    assert got == expected
    assert not lane.busy


@settings(max_examples=40, deadline=None)
@given(**cases)
def test_every_pick_ends_once_and_keeps_its_name(seed, sparsity, stacking, skipped, rise):
    windows = _windows(seed, 40, sparsity, skipped)
    rule = _rule(stacking=stacking, minimum_rise=rise)
    lane, changes = _run(new_lane(windows[0].start_index, rule), windows, rule)
    changes += end_lane(lane, rule)[1]
    revisions: dict[tuple[int, int], list] = {}
    for item in changes:
        revisions.setdefault((item.row, item.change.track.birth_index), []).append(item.change)
    for history in revisions.values():
        assert [change.track.revision for change in history] == list(range(len(history)))
        assert PickStatus.FINAL not in [change.status for change in history[:-1]]
        assert history[-1].status in (PickStatus.FINAL, PickStatus.WITHDRAWN)


@settings(max_examples=60, deadline=None)
@given(stop=st.integers(1, 39), **cases)
def test_a_run_resumed_from_its_settled_index_makes_the_same_revisions(
    stop, seed, sparsity, stacking, skipped, rise
):
    windows = _windows(seed, 40, sparsity, skipped)
    rule = _rule(stacking=stacking, minimum_rise=rise)
    _, whole = _run(new_lane(windows[0].start_index, rule), windows, rule)
    before_lane, before = _run(new_lane(windows[0].start_index, rule), windows[:stop], rule)
    settled = settled_index(before_lane.lives, rule.life.reach)
    again = [window for window in windows if window.start_index >= first_window_after(settled, rule)]
    _, after = _run(new_lane(settled, rule), again, rule)

    def since(changes):
        return [
            (item.row, c.track.birth_index, c.track.revision, c.track.peak, c.status, repr(item.sigma))
            for item in changes
            for c in [item.change]
            if c.track.birth_index >= settled
        ]

    assert since(after) == since(whole)
    assert all(peak >= settled for _, _, peak, _, _ in _finals(after))
    done = [final for final in _finals(before) if final[2] < settled]
    assert sorted(done + _finals(after)) == sorted(_finals(whole))


@pytest.mark.parametrize("stacking", ["mean", "max"])
def test_windows_are_not_modified(stacking):
    windows = _windows(3, 12, 0.6, frozenset())
    rule = _rule(stacking=stacking)
    copies = [window.prob_PT.copy() for window in windows]
    _run(new_lane(0, rule), windows, rule)
    for window, copy_PT in zip(windows, copies, strict=True):
        np.testing.assert_array_equal(window.prob_PT, copy_PT)
