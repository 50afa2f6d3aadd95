"""Steps of the interrogator: picks on all channels at one moment, P and S labels mixed.

No wave crosses a cable at infinite speed with P and S at once; a flat front that follows such a step
within seconds, as an S a constant while later, is a step too.

Arrays: N pick.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rtpick.association.fiber_pool import BoolArray, FloatArray, IntArray

_TIGHT_S, _WIDE_S = 0.04, 0.12
_TIGHT_SHARE = 0.7  # of the picks within the wider window that lie in the narrow one
_CHANNEL_SHARE = 0.15
_MIXED_SHARE = 0.15  # of the rarer label
_FOLLOWS_S = 10.0
RIPE_S = 2.0 * _WIDE_S  # what has to be known after a pick before it is judged


@dataclass(frozen=True, slots=True, eq=False)
class Bursts:
    """Which of the picks asked about belong to a step, and the times of steps with mixed labels (s)."""

    is_burst_N: BoolArray
    mixed_s: FloatArray


def judge_bursts(
    time_s_N: FloatArray, is_s_N: BoolArray, asked_N: IntArray, live_channels: int, mixed_before_s: FloatArray
) -> Bursts:
    """Find the steps among picks.

    Parameters
    ----------
    time_s_N : ndarray of float64
        Sorted.
    is_s_N : ndarray of bool
    asked_N : ndarray of int64
        Rows to judge, sorted.
    live_channels : int
    mixed_before_s : ndarray of float64
        Times of the mixed steps found before.
    """
    if not len(asked_N):
        return Bursts(np.zeros(0, bool), mixed_before_s)
    ends_s = time_s_N[asked_N[[0, -1]]] + np.array([-_WIDE_S, _WIDE_S])
    begin, end = np.searchsorted(time_s_N, ends_s)
    probe_s = time_s_N[begin:end]
    tight = _within(time_s_N, probe_s, _TIGHT_S)
    flat = (tight > _CHANNEL_SHARE * live_channels) & (
        tight > _TIGHT_SHARE * _within(time_s_N, probe_s, _WIDE_S)
    )
    if not flat.any():
        return Bursts(np.zeros(len(asked_N), bool), mixed_before_s)
    of_s = _within(time_s_N[is_s_N], probe_s, _TIGHT_S)
    mixed = flat & (np.minimum(of_s, tight - of_s) > _MIXED_SHARE * tight)
    mixed_s = np.concatenate((mixed_before_s, probe_s[mixed]))
    steps_s = probe_s[mixed | (flat & _follows(probe_s, np.sort(mixed_s)))]
    return Bursts(_within(steps_s, time_s_N[asked_N], _WIDE_S) > 0, _thinned(mixed_s))


def _within(sorted_s: FloatArray, probe_s: FloatArray, half_s: float) -> IntArray:
    """Count times about each probe."""
    ends = np.searchsorted(sorted_s, probe_s + half_s, "right"), np.searchsorted(sorted_s, probe_s - half_s)
    return (ends[0] - ends[1]).astype(np.int64)


def _follows(probe_s: FloatArray, mixed_s: FloatArray) -> BoolArray:
    return np.searchsorted(mixed_s, probe_s) > np.searchsorted(mixed_s, probe_s - _FOLLOWS_S)


def _thinned(times_s: FloatArray) -> FloatArray:
    """Keep one time of each step."""
    times_s = np.unique(times_s)
    return times_s[np.diff(times_s, prepend=-np.inf) > _WIDE_S / 10.0]
