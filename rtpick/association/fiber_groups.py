"""Arrivals at groups of neighbouring channels: many channels within a moment, against chance.

A flooding channel counts once, whatever it says.

Arrays: N pick (ordered by group, then time), A arrival (ordered likewise).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rtpick.association.fiber_options import FiberOptions
from rtpick.association.fiber_pool import BoolArray, FloatArray, IntArray
from rtpick.numeric.compiled import compiled

_NOISE_S = 8.0  # how far back chance is measured
_NEAR_S = 0.5  # what is nearer may be the wave itself


class Arrivals(NamedTuple):
    """When waves passed groups of channels, and how many channels say so."""

    group_A: IntArray
    time_A: FloatArray
    count_A: IntArray


@compiled
def _count_channels(
    time_N: FloatArray, channel_N: IntArray, group_N: IntArray, window_s: float
) -> tuple[IntArray, FloatArray]:
    """Count the channels with a pick within a window from each pick on, and those expected by chance."""
    size = len(time_N)
    count_N, chance_N = np.zeros(size, np.int64), np.zeros(size)
    seen = np.full(max(channel_N.max() + 1, 1), -1, np.int64) if size else np.zeros(1, np.int64)
    for i in range(size):
        j = i
        while j < size and group_N[j] == group_N[i] and time_N[j] < time_N[i] + window_s:
            if seen[channel_N[j]] != i:
                seen[channel_N[j]] = i
                count_N[i] += 1
            j += 1
        k, before = i, 0
        while k >= 0 and group_N[k] == group_N[i] and time_N[k] > time_N[i] - _NOISE_S:
            before += time_N[k] < time_N[i] - _NEAR_S
            k -= 1
        chance_N[i] = before * window_s / (_NOISE_S - _NEAR_S)
    return count_N, chance_N


@compiled
def _is_crest(time_N: FloatArray, group_N: IntArray, count_N: IntArray, i: int, window_s: float) -> bool:
    """Tell whether no window that overlaps has more channels; of equal ones the first stands."""
    j = i - 1
    while j >= 0 and group_N[j] == group_N[i] and time_N[j] > time_N[i] - window_s:
        if count_N[j] >= count_N[i]:
            return False
        j -= 1
    j = i + 1
    while j < len(time_N) and group_N[j] == group_N[i] and time_N[j] < time_N[i] + window_s:
        if count_N[j] > count_N[i]:
            return False
        j += 1
    return True


@compiled
def _find_crests(
    time_N: FloatArray, group_N: IntArray, count_N: IntArray, least_N: FloatArray, window_s: float
) -> tuple[BoolArray, FloatArray]:
    """Mark the windows that stand out and take the median time of each."""
    is_crest_N, median_N = np.zeros(len(time_N), np.bool_), np.zeros(len(time_N))
    for i in range(len(time_N)):
        if count_N[i] < least_N[i] or not _is_crest(time_N, group_N, count_N, i, window_s):
            continue
        j = i
        while j < len(time_N) and group_N[j] == group_N[i] and time_N[j] < time_N[i] + window_s:
            j += 1
        is_crest_N[i], median_N[i] = True, np.median(time_N[i:j])
    return is_crest_N, median_N


def find_arrivals(time_N: FloatArray, channel_N: IntArray, options: FiberOptions) -> Arrivals:
    """Find when a wave of one phase passed groups of channels.

    Parameters
    ----------
    time_N : ndarray of float64
        Seconds since some moment, sorted.
    channel_N : ndarray of int64
    options : FiberOptions

    Notes
    -----
    An arrival needs `fewest_in_group` channels and `sigmas` standard deviations above what the last
    seconds let expect.

    Examples
    --------
    >>> times = np.array([1.0, 1.01, 1.02, 1.03, 1.04, 5.0])
    >>> find_arrivals(times, np.arange(6), FiberOptions()).time_A.tolist()
    [1.02]
    """
    group_N = channel_N // options.channels_per_group
    order = np.argsort(group_N, kind="stable")
    time_N, channel_N, group_N = time_N[order], channel_N[order], group_N[order]
    lowest = int(channel_N.min()) if len(channel_N) else 0
    count_N, chance_N = _count_channels(time_N, channel_N - lowest, group_N, options.window_s)
    least_N = np.maximum(options.fewest_in_group, chance_N + options.sigmas * np.sqrt(chance_N))
    is_crest_N, median_N = _find_crests(time_N, group_N, count_N, least_N, options.window_s)
    return Arrivals(group_N[is_crest_N], median_N[is_crest_N], count_N[is_crest_N])
