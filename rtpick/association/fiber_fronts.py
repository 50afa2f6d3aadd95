"""Fronts: arrivals at neighbouring groups of channels that one wave made, followed along the cable.

Arrays: A arrival (ordered by group, then time), F member of a front (ordered by group).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import median_filter

from rtpick.association.fiber_groups import Arrivals
from rtpick.association.fiber_options import FiberOptions
from rtpick.association.fiber_pool import FloatArray, IntArray
from rtpick.numeric.compiled import compiled

_LOOK_BACK = 6  # members that say where the front goes
_FEWEST_FOR_SLOPE = 4
_FARTHEST = 8  # groups that a front may skip
_GATE_S, _GATE_GROWTH_S, _WIDEST_GATE_S = 0.25, 0.06, 0.6
_FIRST_GATE_S = 0.2
_WORTH_S = 0.02  # how much nearer a channel more makes an arrival
_FILLED = 0.5  # least share of the groups between a front's ends that it was seen at


@dataclass(frozen=True, slots=True, eq=False)
class Front:
    """A wave along the cable: groups, times (s) and numbers of channels."""

    group_F: IntArray
    time_F: FloatArray
    count_F: IntArray

    def time_at(self, channel_N: IntArray, channels_per_group: int) -> FloatArray:
        """Interpolate between the middles of groups; beyond the ends the last time holds."""
        middle_F = (self.group_F + 0.5) * channels_per_group - 0.5
        return np.interp(channel_N, middle_F, self.time_F)


@compiled
def _predict(group_F: IntArray, time_F: FloatArray, group: int, step_s: float) -> tuple[float, bool]:
    """Continue a front from its last members, the outermost first; tell whether it has a slope yet."""
    if len(group_F) < _FEWEST_FOR_SLOPE:
        return time_F[0], False
    away = group_F - group_F.mean()
    slope = min(max((away * time_F).sum() / (away * away).sum(), -step_s), step_s)
    return np.median(time_F - slope * group_F) + slope * group, True


@compiled
def _choose(arrivals: Arrivals, front_A: IntArray, begin: int, end: int, time_s: float, gate_s: float) -> int:
    """Return the free arrival at one group that fits best, or -1."""
    best, least = -1, np.inf
    for i in range(begin, end):
        away = abs(arrivals.time_A[i] - time_s)
        if front_A[i] < 0 and away <= gate_s and away - _WORTH_S * arrivals.count_A[i] < least:
            best, least = i, away - _WORTH_S * arrivals.count_A[i]
    return best


@compiled
def _next(arrivals: Arrivals, first_G: IntArray, front_A: IntArray, group_F: IntArray, time_F: FloatArray,
          way: int, step_s: float) -> int:  # fmt: skip
    """Return the arrival that continues a front one way, or -1."""
    for skip in range(1, _FARTHEST + 1):
        group = group_F[0] + way * skip
        if group < 0 or group >= len(first_G) - 1:
            break
        time_s, has_slope = _predict(group_F, time_F, group, step_s)
        gate_s = min(_GATE_S + _GATE_GROWTH_S * skip, _WIDEST_GATE_S)
        gate_s = gate_s if has_slope else _FIRST_GATE_S + 0.8 * step_s * skip
        best = _choose(arrivals, front_A, first_G[group], first_G[group + 1], time_s, gate_s)
        if best >= 0:
            return best
    return -1


@compiled
def _follow(arrivals: Arrivals, first_G: IntArray, order_A: IntArray, step_s: float, fewest: int) -> IntArray:
    """Number the front of each arrival, strongest fronts first; -1 where there is none."""
    front_A = np.full(len(order_A), -1, np.int64)
    size = 2 * len(first_G) + 1
    member = np.zeros(size, np.int64)
    found = 0
    for seed in order_A:
        if front_A[seed] >= 0:
            continue
        low = high = size // 2
        member[low] = seed
        for way in (1, -1):
            while True:
                row = member[max(high - _LOOK_BACK + 1, low) : high + 1][::-1] if way > 0 else (
                    member[low : min(low + _LOOK_BACK, high + 1)]
                )
                best = _next(arrivals, first_G, front_A, arrivals.group_A[row], arrivals.time_A[row],
                             way, step_s)  # fmt: skip
                if best < 0:
                    break
                if way > 0:
                    high += 1
                    member[high] = best
                else:
                    low -= 1
                    member[low] = best
        if high - low + 1 >= fewest:
            front_A[member[low : high + 1]] = found
            found += 1
    return front_A


def find_fronts(arrivals: Arrivals, options: FiberOptions) -> tuple[Front, ...]:
    """Follow the waves of one phase along the cable.

    Notes
    -----
    A front goes on from its last six members, over up to eight silent groups, so that two fronts that
    cross stay two. It needs enough groups and channels, and most groups between its ends.
    """
    if not len(arrivals.group_A):
        return ()
    lowest = int(arrivals.group_A.min())
    shifted = Arrivals(arrivals.group_A - lowest, arrivals.time_A, arrivals.count_A)
    first_G = np.searchsorted(shifted.group_A, np.arange(int(shifted.group_A.max()) + 2)).astype(np.int64)
    order_A = np.argsort(-shifted.count_A, kind="stable").astype(np.int64)
    front_A = _follow(shifted, first_G, order_A, options.group_step_s, options.fewest_groups // 2)
    fronts = []
    for number in range(int(front_A.max()) + 1):
        mine = front_A == number
        fronts.append(Front(arrivals.group_A[mine], arrivals.time_A[mine], arrivals.count_A[mine]))
    joined = _join_parts(fronts, options.group_step_s)
    return tuple(_smoothed(front, options) for front in joined if _is_convincing(front, options))


def _smoothed(front: Front, options: FiberOptions) -> Front:
    if options.smooth_groups == 1:
        return front
    return replace(front, time_F=median_filter(front.time_F, options.smooth_groups, mode="nearest"))


def _join_parts(fronts: list[Front], step_s: float) -> list[Front]:
    """Join fronts where one goes on as another does, the best fit first."""
    while True:
        fits = [
            (away_s, i, j)
            for i, one in enumerate(fronts)
            for j, other in enumerate(fronts)
            if i != j and (away_s := _mismatch_s(one, other, step_s)) <= _WIDEST_GATE_S
        ]
        if not fits:
            return fronts
        _, i, j = min(fits)
        whole = _joined(fronts[i], fronts[j])
        fronts = [front for k, front in enumerate(fronts) if k not in (i, j)] + [whole]


def _mismatch_s(one: Front, other: Front, step_s: float) -> float:
    """Return by how much two fronts miss each other where the other begins."""
    gap = int(other.group_F[0] - one.group_F[-1])
    if not 0 < gap <= _FARTHEST or min(len(one.group_F), len(other.group_F)) < _FEWEST_FOR_SLOPE:
        return np.inf
    back, forth = slice(None, -_LOOK_BACK - 1, -1), slice(None, _LOOK_BACK)
    there_s, _ = _predict(one.group_F[back], one.time_F[back], int(other.group_F[0]), step_s)
    here_s, _ = _predict(other.group_F[forth], other.time_F[forth], int(one.group_F[-1]), step_s)
    return float(min(abs(there_s - other.time_F[0]), abs(here_s - one.time_F[-1])))


def _joined(one: Front, other: Front) -> Front:
    return Front(
        np.concatenate((one.group_F, other.group_F)),
        np.concatenate((one.time_F, other.time_F)),
        np.concatenate((one.count_F, other.count_F)),
    )


def _is_convincing(front: Front, options: FiberOptions) -> bool:
    span = int(front.group_F[-1] - front.group_F[0]) + 1
    groups = len(front.group_F)
    return bool(
        groups >= options.fewest_groups
        and groups >= _FILLED * span
        and front.count_F.sum() >= options.fewest_front_picks
    )
