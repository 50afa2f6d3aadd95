"""The newest samples of all channels of a fiber, preallocated and addressed by absolute index.

K channel, T time. A missing sample is NaN: the ring is its own validity mask.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rtpick.numeric.compiled import compiled
from rtpick.vocabulary.waveform import Float32Array

IntArray = npt.NDArray[np.int64]


class FiberRing:
    """The newest `length` samples of every channel.

    The one owner writes, in order of time, and reads; nothing is locked.

    Parameters
    ----------
    channel_count, length : int

    Examples
    --------
    >>> ring = FiberRing(1, 4)
    >>> ring.write(10, np.array([[1, 2]], np.float32))
    >>> ring.write(13, np.array([[4]], np.float32))
    >>> ring.read(11, 15)
    array([[ 2., nan,  4., nan]], dtype=float32)
    >>> ring.count_present(9, 15)
    3
    """

    def __init__(self, channel_count: int, length: int) -> None:
        self.channel_count = channel_count
        self.length = length
        self._memory_KT = np.full((channel_count, length), np.nan, np.float32)
        self._present_T = np.zeros(length, np.bool_)
        self._first: int | None = None
        self._head = 0

    @property
    def head(self) -> int:
        """End (exclusive) of the newest sample."""
        return self._head

    @property
    def first(self) -> int | None:
        """Oldest index that may be there, or None before the first sample."""
        return None if self._first is None else max(self._first, self._head - self.length)

    @property
    def allocated_bytes(self) -> int:
        """Memory that the samples take."""
        return self._memory_KT.nbytes

    def write(self, start: int, samples_KT: Float32Array) -> None:
        """Append samples; what lies between the head and `start` becomes NaN.

        Raises
        ------
        ValueError
            If `start` lies before the head.
        """
        if self._first is None:
            self._first = self._head = start
        if start < self._head:
            raise ValueError(f"samples from {start} on lie before the ring's head {self._head}: append only")
        self._erase(self._head, start)
        end = start + samples_KT.shape[1]
        for begin, place, count in self._parts(max(start, end - self.length), end):
            self._memory_KT[:, place : place + count] = samples_KT[:, begin - start : begin - start + count]
            self._present_T[place : place + count] = True
        self._head = end

    def read(self, start: int, end: int) -> Float32Array:
        """Copy the samples ``[start, end)`` of all channels, NaN where missing."""
        out_KT = np.empty((self.channel_count, end - start), np.float32)
        self.read_into(start, 0, out_KT)
        return out_KT

    def read_into(self, start: int, row: int, out_KT: Float32Array) -> None:
        """Copy samples from `start` and channel `row` on into `out_KT`, NaN where there are none."""
        top, bottom = max(-row, 0), min(out_KT.shape[0], self.channel_count - row)
        first, last = self._known(start, start + out_KT.shape[1])
        out_KT[:top] = out_KT[bottom:] = np.nan
        out_KT[:, : first - start] = out_KT[:, last - start :] = np.nan
        for begin, place, count in self._parts(first, last):
            part_KT = self._memory_KT[row + top : row + bottom, place : place + count]
            out_KT[top:bottom, begin - start : begin - start + count] = part_KT

    def largest(self, row_N: IntArray, start_N: IntArray, end_N: IntArray) -> Float32Array:
        """Find the largest absolute sample of each row's span; NaN where the ring has lost its start."""
        largest_N = np.empty(len(row_N), np.float32)
        oldest = self._head if self.first is None else self.first
        ends_N = np.clip(end_N, start_N, self._head)
        _largest(self._memory_KT, row_N, start_N, np.where(start_N < oldest, start_N, ends_N), largest_N)
        return largest_N

    def count_present(self, start: int, end: int) -> int:
        """Count the times at which samples were written."""
        parts = self._parts(*self._known(start, end))
        return sum(int(self._present_T[place : place + count].sum()) for _, place, count in parts)

    def _known(self, start: int, end: int) -> tuple[int, int]:
        """Clip a span to what the ring holds; empty at its start where it holds nothing of it."""
        oldest = self._head if self.first is None else self.first
        first = min(max(start, oldest), end)
        return first, max(min(end, self._head), first)

    def _parts(self, start: int, end: int) -> list[tuple[int, int, int]]:
        """Divide a span where the memory wraps: index, place, count."""
        if end <= start:
            return []
        place = start % self.length
        count = min(self.length - place, end - start)
        parts = [(start, place, count)]
        return parts if count == end - start else [*parts, (start + count, 0, end - start - count)]

    def _erase(self, start: int, end: int) -> None:
        for _, place, count in self._parts(max(start, end - self.length), end):
            self._memory_KT[:, place : place + count] = np.nan
            self._present_T[place : place + count] = False


@compiled
def _largest(
    memory_KT: Float32Array, row_N: IntArray, start_N: IntArray, end_N: IntArray, out_N: Float32Array
) -> None:
    """Find the largest absolute sample of each span; NaN where it has none."""
    length = memory_KT.shape[1]
    for n in range(len(row_N)):
        out_N[n] = np.nan
        for i in range(start_N[n], end_N[n]):
            size = abs(memory_KT[row_N[n], i % length])
            if size == size and not out_N[n] >= size:  # noqa: PLR0124 - not NaN
                out_N[n] = size
