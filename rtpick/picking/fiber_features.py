"""Measure the amplitude behind the onsets on a fiber.

N picks, M all picks that are known.
"""

from __future__ import annotations

import numpy as np

from rtpick.buffer.fiber_ring import FiberRing
from rtpick.picking.fiber_trigger import IntArray, Peaks
from rtpick.vocabulary.waveform import Float32Array


def measure_amplitudes(ring: FiberRing, picks: Peaks, later: Peaks, reach_P: IntArray) -> Float32Array:
    """Find the largest absolute sample behind each onset, up to the channel's next pick.

    Parameters
    ----------
    ring : FiberRing
        Samples at the network's rate.
    picks : Peaks
        To be measured.
    later : Peaks
        Those that are known behind them.
    reach_P : ndarray of int64
        Samples behind an onset of each phase.

    Returns
    -------
    ndarray of float32, shape (N,)
        In the ring's unit; NaN where it has no sample.

    Examples
    --------
    >>> ring = FiberRing(1, 100)
    >>> ring.write(0, np.arange(50, dtype=np.float32)[None])
    >>> one = np.ones(2, np.float32)
    >>> picks = Peaks(np.array([0, 1]), np.array([0, 0]), np.array([10, 20]), one)
    >>> measure_amplitudes(ring, picks, picks.take(np.array([], int)), np.array([15, 15])).tolist()
    [19.0, 34.0]
    """
    row_M = np.concatenate([picks.row_N, later.row_N])
    index_M = np.concatenate([picks.index_N, later.index_N])
    next_N = next_on_channel(row_M, index_M)[: len(picks.row_N)]
    end_N = np.minimum(picks.index_N + reach_P[picks.phase_N], next_N)
    return ring.largest(picks.row_N, picks.index_N, end_N)


def next_on_channel(row_M: IntArray, index_M: IntArray) -> IntArray:
    """Find when the next pick of the same channel comes; the largest number where there is none.

    Examples
    --------
    >>> next_on_channel(np.array([1, 0, 1]), np.array([5, 6, 9])).tolist()[0]
    9
    """
    order = np.lexsort((index_M, row_M))
    row_O, index_O = row_M[order], index_M[order]
    next_O = np.full(len(order), np.iinfo(np.int64).max)
    after = np.iinfo(np.int64).max
    for place in range(len(order) - 2, -1, -1):
        if row_O[place + 1] != row_O[place]:
            after = np.iinfo(np.int64).max
        elif index_O[place + 1] > index_O[place]:
            after = index_O[place + 1]
        next_O[place] = after
    next_M = np.empty_like(next_O)
    next_M[order] = next_O
    return next_M
