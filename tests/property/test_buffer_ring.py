"""The ring against a dictionary of samples."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rtpick.buffer.ring import Ring

LENGTH = 16
writes = st.lists(
    st.tuples(st.integers(100, 180), st.integers(1, 12), st.booleans()), min_size=1, max_size=25
)


@given(writes, st.lists(st.tuples(st.integers(60, 200), st.integers(1, 60)), max_size=5))
def test_a_row_holds_the_newest_samples_and_nothing_stale(operations, reads):
    ring = Ring(LENGTH)
    ring.open_row()
    row = ring.open_row()
    memory: dict[int, float] = {}
    head = None
    for count, (start, length, spoilt) in enumerate(operations):
        samples_T = np.arange(length, dtype=np.float32) + 1000 * count
        if spoilt:
            samples_T[length // 2] = np.nan
        ring.write(row, start, samples_T)
        head = start + length if head is None else max(head, start + length)
        memory |= dict(zip(range(start, start + length), samples_T, strict=True))
    for first, length in [*reads, (head - LENGTH, LENGTH)]:
        wanted_T = [
            memory.get(index, np.nan) if head - LENGTH <= index < head else np.nan
            for index in range(first, first + length)
        ]
        out_T = np.zeros(length, np.float32)
        valid = ring.read_into(row, first, out_T)
        np.testing.assert_array_equal(out_T, np.array(wanted_T, np.float32))
        assert valid == np.count_nonzero(~np.isnan(out_T))
        there = [first + offset for offset, value in enumerate(wanted_T) if not np.isnan(value)]
        later = [index for index in memory if index >= first and head - LENGTH <= index < head]
        valid_later = [index for index in later if not np.isnan(memory[index])]
        assert ring.next_valid(row, first) == min(valid_later, default=None)
        assert not there or there[0] == min(valid_later)


@given(st.integers(1, 300))
def test_rows_grow_by_doubling_and_keep_their_samples(count):
    ring = Ring(4)
    for number in range(count):
        ring.write(ring.open_row(), number, np.full(4, number))
    for number in range(count):
        assert set(ring.read(number, number, 4)) == {number}
    assert count <= ring.allocated_bytes // 16 <= max(64, 2 * count)
