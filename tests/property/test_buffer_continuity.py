"""Continuity against a set of samples."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rtpick.buffer.continuity import MAXIMUM_OPEN_HOLES, REMEMBERED_HOLES, begin, place, settle

packets = st.lists(st.tuples(st.integers(0, 200), st.integers(1, 20)), min_size=1, max_size=40)


@given(packets, st.integers(0, 30), st.integers(20, 400))
def test_every_sample_is_taken_once_and_the_state_tells_which(spans, budget, reach):
    state = begin(spans[0][0], budget)
    taken: set[int] = set()
    given_up: set[int] = set()
    for start, length in spans:
        placement = place(state, start, start + length, reach)
        accepted = {index for span in placement.accepted for index in range(*span)}
        assert accepted <= set(range(start, start + length))
        assert len(accepted) == sum(span.end - span.start for span in placement.accepted)
        assert not accepted & (taken | given_up)
        assert len(accepted) + placement.repeated + placement.late == length
        newest = placement.state.newest
        assert all(index >= min(newest - reach, state.newest) for index in accepted)
        taken |= accepted
        state, gaps = settle(placement.state, budget)
        given_up |= {index for gap in gaps for index in range(*gap)}
        assert all(state.newest - hole.end <= budget for hole in state.holes)
        assert state.newest == max(taken) + 1
    open_holes = {index for hole in state.holes for index in range(*hole)}
    first = min(taken)
    known = taken | given_up | open_holes
    assert set(range(first, state.newest)) == {index for index in known if index >= first}
    assert not taken & (given_up | open_holes)


@given(packets)
def test_late_samples_are_told_from_repeated_ones(spans):
    state = begin(0, 0)
    state = place(state, 0, 10, 1000).state
    state, _ = settle(place(state, 100, 200, 1000).state, 20)
    for start, length in spans:
        placement = place(state, start, start + length, 1000)
        late = len(set(range(start, start + length)) & set(range(10, 100)))
        fresh = len(set(range(start, start + length)) - set(range(200)))
        assert (placement.late, placement.repeated) == (late, length - late - fresh)


def test_holes_are_bounded():
    state = begin(0, 10**6)
    for start in range(0, 1000, 2):
        state, _ = settle(place(state, start, start + 1, 10**9).state, 10**6)
    assert len(state.holes) <= MAXIMUM_OPEN_HOLES
    assert len(state.closed) == REMEMBERED_HOLES
