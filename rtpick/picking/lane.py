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
from rtpick.picking.trigger import FWHM_PER_SIGMA, keep_best, local_maxima, peak_sigma
from rtpick.vocabulary.pick import PickStatus
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


@dataclass(frozen=True, slots=True)
class News:
    """A change of a pick of the phase in `row`; `sigma` is the width of its peak in samples."""

    row: int
    change: Change
    sigma: float


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
        return any(life.tracks or life.hot_to >= life.closed_index for life in self.lives)


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
    life = Life(closed_index=first_index, hot_from=first_index, hot_to=first_index - 1)
    curve_start = first_index - rule.surroundings
    phase_count = len(rule.thresholds)
    curve = empty_curve(curve_start, phase_count, rule.stacking)
    return Lane(curve, (life,) * phase_count, final_index=curve_start, end_index=curve_start)


def step_lane(lane: Lane, window: LaneWindow, rule: LaneRule) -> tuple[Lane, list[News]]:
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
    list of News
        What downstream must hear of.

    Notes
    -----
    Windows that were skipped (too little data) are passed over; what only they could have changed becomes
    final.
    """
    lane, news = finish_before(lane, window.start_index + rule.blinding[0], rule)
    stacked = Lane(
        _stack(lane, window, rule),
        tuple(_warm(life, row, window, rule) for row, life in enumerate(lane.lives)),
        lane.final_index,
        window.start_index + rule.window,
        _remember(lane.coverages, window, rule),
    )
    final_index = max(window.start_index + rule.stride + rule.blinding[0], lane.final_index)
    stacked, more = _live(stacked, final_index, rule)
    return stacked, news + more


def finish_before(lane: Lane, final_index: int, rule: LaneRule) -> tuple[Lane, list[News]]:
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
    return _live(lane, final_index, rule)


def end_lane(lane: Lane, rule: LaneRule) -> tuple[Lane, list[News]]:
    """Make everything final: nothing more will come, or not for long.

    Parameters
    ----------
    lane : Lane
        The instrument before.
    rule : LaneRule
        Lengths and thresholds.
    """
    beyond = lane.end_index + rule.life.reach + rule.look_ahead + 2
    ended, news = finish_before(lane, beyond, rule)
    lives = tuple(
        replace(life, closed_index=min(life.closed_index, lane.end_index)) for life in ended.lives
    )
    return replace(ended, lives=lives, final_index=lane.end_index), news


def mean_coverage(lane: Lane, index: int, rule: LaneRule) -> float:
    """Average the coverage of the windows that speak of a sample."""
    values = [value for start, value in lane.coverages if start <= index < start + rule.window]
    return float(np.mean(values)) if values else 0.0


def _stack(lane: Lane, window: LaneWindow, rule: LaneRule) -> Curve:
    keep_from = min(life.closed_index for life in lane.lives) - rule.surroundings
    return stack_window(
        lane.curve, window.start_index, window.prob_PT, keep_from, window.usable_T, rule.blinding
    )


def _warm(life: Life, row: int, window: LaneWindow, rule: LaneRule) -> Life:
    """Note where the curve may stand above the threshold: nowhere else need peaks be sought."""
    if window.top_P[row] < rule.thresholds[row]:
        return life
    places = np.flatnonzero(window.prob_PT[row] >= rule.thresholds[row])
    first, last = window.start_index + int(places[0]), window.start_index + int(places[-1])
    if life.hot_to >= life.closed_index:
        first, last = min(first, life.hot_from), max(last, life.hot_to)
    return replace(life, hot_from=first, hot_to=last)


def _remember(
    coverages: tuple[tuple[int, float], ...], window: LaneWindow, rule: LaneRule
) -> tuple[tuple[int, float], ...]:
    oldest = window.start_index - rule.window - rule.life.hold
    kept = coverages[1:] if coverages and coverages[0][0] < oldest else coverages
    return (*kept, (window.start_index, window.coverage))


def _live(lane: Lane, final_index: int, rule: LaneRule) -> tuple[Lane, list[News]]:
    lives: list[Life] = []
    news: list[News] = []
    for row, life in enumerate(lane.lives):
        if life.tracks or life.hot_to >= life.closed_index:
            grown, told = _live_phase(lane, row, final_index, rule)
            news += told
        else:
            closed_index = max(life.closed_index, final_index - 1 - rule.look_ahead)
            grown = Life(closed_index, life.hot_from, life.hot_to, (), life.clusters)
        lives.append(forget_before(grown, final_index - rule.memory))
    return Lane(lane.curve, tuple(lives), final_index, lane.end_index, lane.coverages), news


def _live_phase(lane: Lane, row: int, final_index: int, rule: LaneRule) -> tuple[Life, list[News]]:
    """Look for peaks from the first open cluster to where the curve is clear of the newest sample."""
    life = lane.lives[row]
    origin = max(life.closed_index, life.hot_from) - rule.surroundings
    stop = min(life.hot_to + rule.surroundings + 1, lane.end_index)
    prob_T = curve_probability(lane.curve, row, origin, stop)
    clear = max(lane.end_index - rule.guard, final_index - 1) - origin
    found = local_maxima(prob_T, rule.thresholds[row], rule.life.reach, rule.minimum_rise)
    found = found[(found >= rule.surroundings) & (found < clear)]
    best = keep_best(found, prob_T[found], rule.life.reach)
    kept = [Peak(place + origin, float(prob_T[place])) for place in best.tolist()]
    seen = (found + origin).tolist()
    grown, changes = live_on(life, seen, kept, final_index - rule.look_ahead, lane.end_index, rule.life)
    return grown, [News(row, change, _sigma(prob_T, change, origin, rule)) for change in changes]


def _sigma(prob_T: Float32Array, change: Change, origin: int, rule: LaneRule) -> float:
    """Measure the width of a peak; that of a withdrawn pick, which has none any more, is the widest."""
    if change.status is PickStatus.WITHDRAWN:
        return 2 * rule.width_reach / FWHM_PER_SIGMA
    return peak_sigma(prob_T, change.track.peak.index - origin, rule.width_reach)
