"""One instrument's way from windows of probability to picks: stack, peaks, lives.

Arrays: P phase, T time. Indices are grid indices at the network's rate. A lane sees its instrument's windows
in order, one at a time; which windows were inferred together, and when, never shows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from rtpick.picking.life import Change, Life, LifeRule, Peak, forget_before, live_on
from rtpick.picking.stitch import (
    BoolArray,
    Curve,
    Stacking,
    curve_probability,
    empty_curve,
    stack_window,
)
from rtpick.picking.trigger import keep_best, local_maxima, peak_sigma
from rtpick.vocabulary.waveform import Float32Array


@dataclass(frozen=True, slots=True)
class LaneRule:
    """All lengths in samples; `thresholds` one a phase.

    `guard`: how far a peak must stand clear of the newest sample. `width_reach`: where the flanks of a peak
    are sought. `memory`: how long closed clusters are remembered.
    """

    thresholds: tuple[float, ...]
    window: int
    stride: int
    stacking: Stacking
    life: LifeRule
    guard: int
    blinding: tuple[int, int] = (0, 0)
    minimum_rise: float = 0.0
    width_reach: int = 50
    memory: int = 18_000

    @property
    def surroundings(self) -> int:
        """Samples of final curve that a decision about a peak looks at on either side."""
        return max(self.life.reach, self.width_reach) + 1

    @property
    def look_ahead(self) -> int:
        """Samples behind a peak that must be final before it is."""
        return self.life.reach if self.minimum_rise > 0 else 0


@dataclass(frozen=True, slots=True, eq=False)
class Lane:
    """What is remembered of an instrument; `coverages` holds (window start, coverage), newest last."""

    curve: Curve
    lives: tuple[Life, ...]
    final_index: int
    end_index: int
    coverages: tuple[tuple[int, float], ...] = ()

    @property
    def busy(self) -> bool:
        """Whether a pick or a peak is waiting for its end."""
        return any(life.tracks or life.hot_index >= life.closed_index for life in self.lives)


@dataclass(frozen=True, slots=True, eq=False)
class LaneWindow:
    """One window's probabilities; `top_P` is their maximum over time."""

    start_index: int
    prob_PT: Float32Array
    top_P: Float32Array
    coverage: float
    usable_T: BoolArray | None = None


def new_lane(first_index: int, rule: LaneRule) -> Lane:
    """Begin an instrument; picks before `first_index` are somebody else's."""
    life = Life(closed_index=first_index, hot_index=first_index - 1)
    curve_start = first_index - rule.surroundings
    phase_count = len(rule.thresholds)
    curve = empty_curve(curve_start, phase_count, rule.stacking)
    return Lane(curve, (life,) * phase_count, final_index=curve_start, end_index=curve_start)


def step_lane(lane: Lane, window: LaneWindow, rule: LaneRule) -> tuple[Lane, list[tuple[int, Change]]]:
    """Stack one window and follow the picks.

    Parameters
    ----------
    lane : Lane
        The instrument before.
    window : LaneWindow
        Starts behind the windows before it.
    rule : LaneRule
        Lengths and thresholds.

    Returns
    -------
    Lane
    list of (int, Change)
        Row of the phase, and what changed.

    Notes
    -----
    Windows that were skipped (too little data) are passed over; what only they could have changed becomes
    final.
    """
    lane, changes = finish_before(lane, window.start_index + rule.blinding[0], rule)
    end_index = window.start_index + rule.window
    lane = replace(
        lane,
        curve=_stack(lane, window, rule),
        lives=tuple(_warm(life, row, window, rule) for row, life in enumerate(lane.lives)),
        end_index=end_index,
        coverages=_remember(lane.coverages, window, rule),
    )
    lane, news = _live(lane, max(window.start_index + rule.stride + rule.blinding[0], lane.final_index), rule)
    return lane, changes + news


def finish_before(lane: Lane, final_index: int, rule: LaneRule) -> tuple[Lane, list[tuple[int, Change]]]:
    """Make final what no window to come can change.

    Parameters
    ----------
    lane : Lane
        The instrument before.
    final_index : int
        First sample that a window may still speak of.
    rule : LaneRule
        Lengths and thresholds.
    """
    if final_index <= lane.final_index:
        return lane, []
    if not lane.busy:
        return _pass_by(lane, final_index, rule), []
    return _live(lane, final_index, rule)


def end_lane(lane: Lane, rule: LaneRule) -> tuple[Lane, list[tuple[int, Change]]]:
    """Make everything final: nothing more will come, or not for long.

    Parameters
    ----------
    lane : Lane
        The instrument before.
    rule : LaneRule
        Lengths and thresholds.
    """
    beyond = lane.end_index + rule.life.reach + rule.look_ahead + 2
    ended, changes = finish_before(lane, beyond, rule)
    lives = tuple(
        replace(life, closed_index=min(life.closed_index, lane.end_index)) for life in ended.lives
    )
    return replace(ended, lives=lives, final_index=lane.end_index), changes


def mean_coverage(lane: Lane, index: int, rule: LaneRule) -> float:
    """Average the coverage of the windows that speak of a sample."""
    values = [value for start, value in lane.coverages if start <= index < start + rule.window]
    return float(np.mean(values)) if values else 0.0


def _pass_by(lane: Lane, final_index: int, rule: LaneRule) -> Lane:
    lives = tuple(
        forget_before(
            replace(life, closed_index=max(life.closed_index, final_index - 1 - rule.look_ahead)),
            final_index - rule.memory,
        )
        for life in lane.lives
    )
    return replace(lane, lives=lives, final_index=final_index)


def _stack(lane: Lane, window: LaneWindow, rule: LaneRule) -> Curve:
    keep_from = min(life.closed_index for life in lane.lives) - rule.surroundings
    return stack_window(
        lane.curve, window.start_index, window.prob_PT, keep_from, window.usable_T, rule.blinding
    )


def _warm(life: Life, row: int, window: LaneWindow, rule: LaneRule) -> Life:
    """Note how far the curve may stand above the threshold: nowhere else need peaks be sought."""
    if window.top_P[row] < rule.thresholds[row]:
        return life
    last = int(np.flatnonzero(window.prob_PT[row] >= rule.thresholds[row])[-1])
    return replace(life, hot_index=max(life.hot_index, window.start_index + last))


def _remember(
    coverages: tuple[tuple[int, float], ...], window: LaneWindow, rule: LaneRule
) -> tuple[tuple[int, float], ...]:
    oldest = window.start_index - rule.window - rule.life.hold
    kept = coverages[1:] if coverages and coverages[0][0] < oldest else coverages
    return (*kept, (window.start_index, window.coverage))


def _live(lane: Lane, final_index: int, rule: LaneRule) -> tuple[Lane, list[tuple[int, Change]]]:
    if not lane.busy:
        return _pass_by(lane, final_index, rule), []
    lives: list[Life] = []
    news: list[tuple[int, Change]] = []
    for row, life in enumerate(lane.lives):
        seen, kept = _peaks(lane, row, life, final_index, rule)
        known = final_index - rule.look_ahead
        grown, changes = live_on(life, seen, kept, known, lane.end_index, rule.life)
        lives.append(forget_before(grown, final_index - rule.memory))
        news += [(row, change) for change in changes]
    return replace(lane, lives=tuple(lives), final_index=final_index), news


def _peaks(
    lane: Lane, row: int, life: Life, final_index: int, rule: LaneRule
) -> tuple[list[int], list[Peak]]:
    """List the peaks from the first open cluster to where the curve is clear of the newest sample."""
    if life.hot_index < life.closed_index:
        return [], []
    origin = life.closed_index - rule.surroundings
    prob_T = curve_probability(lane.curve, origin, lane.end_index)[row]
    limit = max(lane.end_index - rule.guard, final_index - 1) - origin
    found = local_maxima(prob_T, rule.thresholds[row], rule.life.reach, rule.minimum_rise)
    found = found[(found >= rule.surroundings) & (found < limit)]
    best = keep_best(found, prob_T[found], rule.life.reach)
    peaks = [_peak(prob_T, int(i), origin, rule) for i in best]
    return [int(i) + origin for i in found], peaks


def _peak(prob_T: Float32Array, place: int, origin: int, rule: LaneRule) -> Peak:
    return Peak(place + origin, float(prob_T[place]), peak_sigma(prob_T, place, rule.width_reach))
