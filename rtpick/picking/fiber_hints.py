"""Read what the event heads of a network say off their coarse grid.

J, U channel and time of the grid, N hints.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from rtpick.picking.fiber_engine import FiberAnswer
from rtpick.picking.fiber_stack import BoolArray
from rtpick.picking.fiber_trigger import IntArray, Peaks
from rtpick.vocabulary.errors import NetworkError
from rtpick.vocabulary.fiber import FiberEventHints, FiberLayout
from rtpick.vocabulary.time import SampleGrid
from rtpick.vocabulary.waveform import Float32Array


def hint_planes(answer: FiberAnswer, tile: int) -> Float32Array:
    """Put an answer's event centre and travel time one upon the other, shape (2, J, U).

    Raises
    ------
    NetworkError
        If the network promised answers about events and gave none.
    """
    if answer.center_BJU is None or answer.travel_BJU is None:
        raise NetworkError("the network gives no event centres: use one with event heads, or none of them")
    return np.stack([answer.center_BJU[tile], answer.travel_BJU[tile]])


def coarse(usable_KT: BoolArray, step: tuple[int, int]) -> BoolArray:
    """Say which points of the coarse grid may be believed: those with a usable sample on any channel.

    Examples
    --------
    >>> usable_KT = np.zeros((16, 32), bool)
    >>> usable_KT[3, 16] = True
    >>> coarse(usable_KT, (16, 16)).tolist()
    [[False, True]]
    """
    if not usable_KT.size:
        return usable_KT
    by_row_KU = usable_KT[:, :: step[1]]
    usable_JU: BoolArray = np.any(by_row_KU.reshape(-1, step[0], by_row_KU.shape[1]), axis=1)
    return usable_JU


def tell_hints(
    peaks: Peaks,
    travel_N: Float32Array,
    step: tuple[int, int],
    layout: FiberLayout,
    grid: SampleGrid,
    phase_ns: Callable[[int], int],
) -> FiberEventHints:
    """Turn peaks on the coarse grid into times.

    Parameters
    ----------
    peaks : Peaks
        Indices of the coarse grid.
    travel_N : ndarray of float32
        Samples since the origin.
    step : tuple of int
        Channels and samples between points of the grid.
    layout : FiberLayout
        Of the channels that tiles are cut from.
    grid : SampleGrid
        Of the network's rate.
    phase_ns : callable
        How far a sample lies behind the grid.
    """
    row_N = np.minimum(peaks.row_N * step[0] + step[0] // 2, layout.channel_count - 1)
    center_N = peaks.index_N * step[1]
    origin_N = np.round(center_N - travel_N.astype(np.float64)).astype(np.int64)
    return FiberEventHints(
        layout.fiber,
        layout.channel_numbers[row_N],
        times_ns(center_N, grid, phase_ns),
        times_ns(origin_N, grid, phase_ns),
        peaks.height_N,
    )


def times_ns(index_N: IntArray, grid: SampleGrid, phase_ns: Callable[[int], int]) -> IntArray:
    """Times of indices of the grid.

    Examples
    --------
    >>> times_ns(np.array([100, 101]), SampleGrid(100.0), lambda _: 5).tolist()
    [1000000005, 1010000005]
    """
    times = (grid.time_ns(int(index)) + phase_ns(int(index)) for index in index_N)
    return np.fromiter(times, np.int64, len(index_N))
