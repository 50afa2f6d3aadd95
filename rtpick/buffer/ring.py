"""Samples of many channels in preallocated rows, addressed by absolute index.

T time. A sample missing is NaN: a row is its own validity mask.
"""

from __future__ import annotations

import numpy as np

from rtpick.numeric.compiled import compiled_brief
from rtpick.vocabulary.waveform import Float32Array

_FIRST_ROWS = 64


class Ring:
    """The newest `length` samples of each row.

    The one owner writes and reads; nothing is locked. A row keeps the samples ``[head - length,
    head)``, where the head is the end of the newest one written; reading elsewhere gives NaN, so
    that a row without data for long has nothing stale to show.

    Parameters
    ----------
    length : int
        Samples a row.
    maximum_rows : int
        Rows that may be opened in all.

    Notes
    -----
    Memory is taken in blocks, each as large as all before it, and no block is ever moved.

    Examples
    --------
    >>> ring = Ring(4)
    >>> row = ring.open_row()
    >>> ring.write(row, 10, np.arange(10, 13))
    >>> ring.write(row, 14, np.arange(14, 15))
    >>> ring.read(row, 10, 6)
    array([nan, 11., 12., nan, 14., nan], dtype=float32)
    """

    def __init__(self, length: int, maximum_rows: int = 1 << 16) -> None:
        self.length = length
        self._maximum_rows = maximum_rows
        self._rows: list[Float32Array] = []
        self._low: list[int | None] = []
        self._head: list[int] = []
        self._whole_from: list[int] = []

    def open_row(self) -> int:
        """Take one more row.

        Raises
        ------
        MemoryError
            If `maximum_rows` are open already.
        """
        row = len(self._head)
        if row >= self._maximum_rows:
            raise MemoryError(f"a ring of {self._maximum_rows} rows is full; select fewer channels")
        if row == len(self._rows):
            count = min(max(_FIRST_ROWS, row), self._maximum_rows - row)
            self._rows.extend(np.empty((count, self.length), np.float32))
        self._low.append(None)
        self._head.append(0)
        self._whole_from.append(0)
        return row

    @property
    def row_count(self) -> int:
        """Rows that are open."""
        return len(self._head)

    @property
    def allocated_bytes(self) -> int:
        """Memory that the blocks take."""
        return len(self._rows) * self.length * 4

    def span(self, row: int) -> tuple[int, int] | None:
        """First and last (exclusive) index that the row may hold, or None before its first sample."""
        low = self._low[row]
        if low is None:
            return None
        return max(low, self._head[row] - self.length), self._head[row]

    def write(self, row: int, start: int, samples_T: np.ndarray) -> None:
        """Put samples in their places; what lies between the head and `start` becomes NaN.

        Parameters
        ----------
        row : int
            From `open_row`.
        start : int
            Absolute index of the first sample.
        samples_T : ndarray, shape (T,)
            Cast to float32. What is older than the row's memory is dropped.
        """
        end = start + len(samples_T)
        low = self._low[row]
        if low is None:
            self._low[row] = self._head[row] = self._whole_from[row] = start
        elif start < low:
            self._erase(row, max(end, self._head[row] - self.length), low)
            self._low[row] = start
        head = self._head[row]
        if start > head:
            self._erase(row, max(head, end - self.length), start)
            self._whole_from[row] = start
        if samples_T.dtype.kind == "f":
            self._note_missing(row, start, samples_T)
        self._head[row] = head = max(head, end)
        stale = max(head - self.length - start, 0)
        if stale < len(samples_T):
            self._store(row, start + stale, samples_T[stale:])

    def read(self, row: int, start: int, count: int) -> Float32Array:
        """Copy `count` samples from `start` on, NaN where missing."""
        samples_T = np.empty(count, np.float32)
        self.read_into(row, start, samples_T)
        return samples_T

    def read_into(self, row: int, start: int, out_T: Float32Array) -> int:
        """Copy the samples from `start` on into `out_T`, NaN where missing.

        Returns
        -------
        int
            How many are valid.
        """
        low, head = self._low[row], self._head[row]
        oldest = head - self.length
        if start >= self._whole_from[row] and start >= oldest and start + len(out_T) <= head:
            self._load(row, start, out_T)
            return len(out_T)
        first = head if low is None else max(low, oldest)
        return int(_get_known(self._rows[row], start, first, head, out_T))

    def next_valid(self, row: int, start: int) -> int | None:
        """Index of the first valid sample from `start` on, or None."""
        span = self.span(row)
        if span is None or span[1] <= start:
            return None
        first = max(start, span[0])
        places = np.flatnonzero(~np.isnan(self.read(row, first, span[1] - first)))
        return first + int(places[0]) if len(places) else None

    def _note_missing(self, row: int, start: int, samples_T: np.ndarray) -> None:
        """Remember that the newest whole stretch starts after the last NaN."""
        missing = np.flatnonzero(np.isnan(samples_T))
        if len(missing):
            self._whole_from[row] = max(self._whole_from[row], start + int(missing[-1]) + 1)

    def _erase(self, row: int, start: int, end: int) -> None:
        """Make ``[start, end)`` missing."""
        count = min(end - start, self.length)
        if count > 0:
            self._store(row, end - count, np.full(count, np.nan, np.float32))

    def _store(self, row: int, start: int, samples_T: np.ndarray) -> None:
        """Copy at most `length` samples into their places, in two parts where they wrap."""
        _put(self._rows[row], start % self.length, samples_T)

    def _load(self, row: int, start: int, out_T: Float32Array) -> None:
        """Copy at most `length` samples out of their places, in two parts where they wrap."""
        _get(self._rows[row], start % self.length, out_T)


# numpy would let go of the interpreter lock for each of these copies, and wait for it longer than they take.


@compiled_brief
def _put(memory_T: Float32Array, place: int, samples_T: np.ndarray) -> None:
    """Copy samples into a ring from `place` on."""
    before_wrap = min(len(memory_T) - place, len(samples_T))
    for i in range(before_wrap):
        memory_T[place + i] = samples_T[i]
    for i in range(before_wrap, len(samples_T)):
        memory_T[i - before_wrap] = samples_T[i]


@compiled_brief
def _get(memory_T: Float32Array, place: int, out_T: Float32Array) -> None:
    """Copy samples out of a ring from `place` on."""
    before_wrap = min(len(memory_T) - place, len(out_T))
    for i in range(before_wrap):
        out_T[i] = memory_T[place + i]
    for i in range(before_wrap, len(out_T)):
        out_T[i] = memory_T[i - before_wrap]


@compiled_brief
def _get_known(memory_T: Float32Array, start: int, first: int, last: int, out_T: Float32Array) -> int:
    """Copy samples from index `start` on, NaN where not in ``[first, last)``; count the valid."""
    valid = 0
    for i in range(len(out_T)):
        known = first <= start + i < last
        out_T[i] = memory_T[(start + i) % len(memory_T)] if known else np.nan
        valid += not np.isnan(out_T[i])
    return valid
