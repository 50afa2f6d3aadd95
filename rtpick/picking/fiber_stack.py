"""Lay the overlapping tiles of a fiber onto one sheet, each weighted less towards its edges.

P plane (phase), K fiber channel, T time. Indices are grid indices at the network's rate.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rtpick.numeric.compiled import compiled
from rtpick.vocabulary.waveform import Float32Array

BoolArray = npt.NDArray[np.bool_]
ALL: BoolArray = np.empty((0, 0), np.bool_)
EDGE_WEIGHT = 1e-3
"""What a tile's outermost sample counts, in the place where no other tile speaks."""


class TaperedStack:
    """The weighted sum of the tiles so far, over a span of time that moves along.

    Parameters
    ----------
    plane_count, channel_count : int
    length : int
        Samples kept.
    start : int
        First index kept.

    Notes
    -----
    Tiles are added up in the order of the calls, so that the same order gives the same bits.

    Examples
    --------
    >>> stack = TaperedStack(1, 2, 4, start=10)
    >>> one = np.ones(2, np.float32)
    >>> stack.add(np.full((1, 2, 2), 0.5, np.float32), 0, 10, one, one)
    >>> stack.add(np.full((1, 2, 2), 1.0, np.float32), 0, 11, one, 3 * one)
    >>> stack.mean(10, 14)[0, 0].tolist()
    [0.5, 0.875, 1.0, nan]
    """

    def __init__(self, plane_count: int, channel_count: int, length: int, start: int) -> None:
        self.start = start
        self.length = length
        self._sum_PKT = np.zeros((plane_count, channel_count, length), np.float32)
        self._weight_KT = np.zeros((channel_count, length), np.float32)

    @property
    def end(self) -> int:
        """Index just after the last sample kept."""
        return self.start + self.length

    def add(
        self,
        values_PKT: Float32Array,
        row: int,
        index: int,
        weight_K: Float32Array,
        weight_T: Float32Array,
        usable_KT: BoolArray = ALL,
    ) -> None:
        """Add what a tile says.

        Parameters
        ----------
        values_PKT : ndarray of float32
        row, index : int
            Place of its first value; what lies outside of the stack is left out.
        weight_K, weight_T : ndarray of float32
            Their product is what each value counts.
        usable_KT : ndarray of bool, optional
            False where the tile must not be believed.
        """
        place = index - self.start
        _lay(self._sum_PKT, self._weight_KT, values_PKT, row, place, weight_K, weight_T, usable_KT)

    def mean(self, start: int, end: int) -> Float32Array:
        """Copy the weighted mean over ``[start, end)``; NaN where no tile speaks."""
        first, last = max(start, self.start), max(min(end, self.end), start, self.start)
        mean_PKT = np.full((*self._sum_PKT.shape[:2], end - start), np.nan, np.float32)
        inside = slice(first - self.start, last - self.start)
        weight_KT = self._weight_KT[:, inside]
        target_PKT = mean_PKT[:, :, first - start : last - start]
        np.divide(self._sum_PKT[:, :, inside], weight_KT, out=target_PKT, where=weight_KT > 0)
        return mean_PKT

    def move_to(self, start: int) -> None:
        """Forget what lies before `start`."""
        shift = min(start - self.start, self.length)
        if shift <= 0:
            return
        for array in (self._sum_PKT, self._weight_KT):
            array[..., : self.length - shift] = array[..., shift:]
            array[..., self.length - shift :] = 0
        self.start = start


def taper(length: int, *, tapered: bool) -> Float32Array:
    """Weights that fall to the edges of a tile as a squared sine.

    Examples
    --------
    >>> (taper(4, tapered=True) + taper(4, tapered=True)[[2, 3, 0, 1]]).round(2).tolist()
    [1.0, 1.0, 1.0, 1.0]
    """
    if not tapered:
        return np.ones(length, np.float32)
    height_T = np.sin(np.pi * (np.arange(length) + 0.5) / length) ** 2
    weight_T: Float32Array = np.maximum(height_T, EDGE_WEIGHT).astype(np.float32)
    return weight_T


def usable_samples(samples_KT: Float32Array, guard: int) -> BoolArray:
    """Mark the samples of a tile that no gap spoils; empty where every sample may be used.

    Parameters
    ----------
    samples_KT : ndarray of float32, shape (K, T)
        NaN where missing.
    guard : int
        Samples to either side of the edge of a gap that are not to be believed.

    Examples
    --------
    >>> usable_samples(np.float32([[1, 1, 1, np.nan]]), 1).tolist()
    [[True, True, False, False]]
    """
    if not np.isnan(samples_KT.sum()):  # a sum with one that is missing is missing
        return ALL
    usable_KT = np.empty(samples_KT.shape, np.bool_)
    _mark(samples_KT, guard, usable_KT)
    return usable_KT


@compiled
def _lay(
    sum_PKT: Float32Array,
    weight_KT: Float32Array,
    values_PKT: Float32Array,
    row: int,
    place: int,
    tile_weight_K: Float32Array,
    tile_weight_T: Float32Array,
    usable_KT: BoolArray,
) -> None:
    first, last = max(-place, 0), min(values_PKT.shape[2], sum_PKT.shape[2] - place)
    weight_T = np.empty(values_PKT.shape[2], np.float32)
    for k in range(max(-row, 0), min(values_PKT.shape[1], sum_PKT.shape[1] - row)):
        for t in range(first, last):
            weight_T[t] = tile_weight_K[k] * tile_weight_T[t]
        if usable_KT.size:
            weight_T *= usable_KT[k]
        for t in range(first, last):
            weight_KT[row + k, place + t] += weight_T[t]
        for p in range(values_PKT.shape[0]):
            for t in range(first, last):
                sum_PKT[p, row + k, place + t] += weight_T[t] * values_PKT[p, k, t]


@compiled
def _mark(samples_KT: Float32Array, guard: int, usable_KT: BoolArray) -> None:
    """Mark what is valid and not near an edge of what is not."""
    count = samples_KT.shape[1]
    for k in range(samples_KT.shape[0]):
        missing = 0
        for t in range(count):
            usable_KT[k, t] = not np.isnan(samples_KT[k, t])
            missing += not usable_KT[k, t]
        if 0 < missing < count:
            for t in range(1, count):
                before, here = np.isnan(samples_KT[k, t - 1]), np.isnan(samples_KT[k, t])
                if before != here:
                    usable_KT[k, max(t - guard, 0) : t + guard] = False
