"""However blocks are cut, doubled and shuffled: each sample once, in order, and what is lost is counted."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from rtpick.ingest.das_book import Kept, flush, open_book, step
from rtpick.ingest.das_sequence import SequenceState, count_lost
from rtpick.ingest.das_terms import Decoded, LayoutNews, StreamBegin, StreamEnd
from rtpick.vocabulary.fiber import DasBlock, FiberGap, FiberLayout, FiberRejectCause, FiberRejection
from rtpick.vocabulary.time import NS_PER_S

T0 = 1_795_000_000 * NS_PER_S
LAYOUT = FiberLayout("north", 0, 2, 8.0, 10.0)
PERIOD_NS = NS_PER_S // 10


def cut(first: int, behind: int, sequence: int | None = None, layout: FiberLayout = LAYOUT) -> DasBlock:
    """Samples `first` to `behind` of a ramp."""
    ramp = np.arange(first, behind)
    return DasBlock(layout, T0 + first * PERIOD_NS, np.stack([ramp, ramp + 0.5]), sequence=sequence)


def run(items: list[Decoded], budget_s: float = 1.0) -> list[Kept]:
    state, kept = open_book(budget_s), []
    for item in items:
        state, given = step(state, item)
        kept += given
    return [*kept, *flush(state)[1]]


def samples_of(kept: list[Kept]) -> list[int]:
    return [int(value) for item in kept if isinstance(item, DasBlock) for value in item.samples_KT[0]]


def causes_of(kept: list[Kept]) -> list[FiberRejectCause]:
    return [item.cause for item in kept if isinstance(item, FiberRejection)]


def gaps_of(kept: list[Kept]) -> list[FiberGap]:
    return [item for item in kept if isinstance(item, FiberGap)]


@st.composite
def deliveries(draw: st.DrawFn) -> list[DasBlock]:
    """A ramp of 60 samples, cut anyhow, some cuts twice or overlapping, shuffled within a second."""
    edges = sorted({0, 60, *draw(st.lists(st.integers(1, 59), max_size=12))})
    blocks = [cut(max(a - draw(st.integers(0, 2)), 0), b) for a, b in pairwise(edges)]
    blocks += draw(st.lists(st.sampled_from(blocks), max_size=4))
    # In time: the newest sample is at most a second past a block's start when that arrives.
    lag_T = [draw(st.integers(0, 4)) for _ in blocks]
    longest = max(len(block.samples_KT[0]) for block in blocks)
    keyed = sorted(
        zip(blocks, lag_T, strict=True), key=lambda pair: (pair[0].start_ns // PERIOD_NS) + pair[1]
    )
    return [block for block, _ in keyed] if longest <= 6 else sorted(blocks, key=lambda block: block.start_ns)


@given(deliveries())
@settings(max_examples=150, deadline=None)
def test_any_cut_and_order_gives_each_sample_once(blocks: list[DasBlock]) -> None:
    kept = run(list(blocks))
    assert samples_of(kept) == list(range(60))
    assert gaps_of(kept) == []
    extra = sum(block.samples_KT.size for block in blocks) - 120
    assert sum(item.sample_count for item in kept if isinstance(item, FiberRejection)) == extra
    starts = [item.start_ns for item in kept if isinstance(item, DasBlock)]
    assert starts == sorted(starts)


@given(st.lists(st.booleans(), min_size=12, max_size=12), st.booleans())
@settings(max_examples=100, deadline=None)
def test_every_lost_block_is_counted(arrives: list[bool], is_numbered: bool) -> None:
    arrives = [True, *arrives]
    blocks = [cut(5 * k, 5 * k + 5, k if is_numbered else None) for k in range(13)]
    came = [block for block, came in zip(blocks, arrives, strict=True) if came]
    end: list[Decoded] = [StreamEnd("north", 13, blocks[-1].end_ns)] if is_numbered else []
    kept = run([StreamBegin("north", "a"), *came, *end, *end])
    gaps = gaps_of(kept)
    last = max(k for k, came in enumerate(arrives) if came)
    lost = arrives.count(False) if is_numbered else arrives[:last].count(False)
    assert sum(gap.sample_count for gap in gaps) == lost * 10
    assert sum(gap.end_ns - gap.start_ns for gap in gaps) == lost * 5 * PERIOD_NS
    assert sum(gap.block_count or 0 for gap in gaps) == (lost if is_numbered else 0)
    assert causes_of(kept) == []


def test_a_block_that_goes_on_is_given_out_at_once() -> None:
    state, _ = step(open_book(0.0), cut(0, 5))
    assert len(step(state, cut(5, 10))[1]) == 1


def test_late_and_doubled_blocks_are_told_apart() -> None:
    kept = run([cut(0, 5), cut(10, 15), cut(15, 30), cut(5, 10), cut(10, 15)], budget_s=0.4)
    assert causes_of(kept) == [FiberRejectCause.LATE, FiberRejectCause.DUPLICATE]
    assert [gap.sample_count for gap in gaps_of(kept)] == [10]


def test_a_lone_block_from_far_away_costs_itself_alone() -> None:
    far = [cut(10**6, 10**6 + 5), cut(-(10**6), 5 - 10**6)]
    for stray in far:
        kept = run([cut(0, 5), cut(5, 10), stray, cut(10, 15)], budget_s=0.0)
        assert samples_of(kept) == list(range(15))
        assert causes_of(kept) == [FiberRejectCause.CLOCK_JUMP]


def test_blocks_behind_a_long_outage_are_believed_as_soon_as_there_are_two() -> None:
    kept = run([cut(0, 5), cut(10000, 10005), cut(10005, 10010)])
    assert samples_of(kept) == [*range(5), *range(10000, 10010)]
    assert [gap.sample_count for gap in gaps_of(kept)] == [2 * 9995]
    assert samples_of(run([cut(0, 5), cut(10000, 10005)])) == [*range(5), *range(10000, 10005)]


def test_a_clock_that_is_set_back_is_followed() -> None:
    kept = run([cut(10000, 10005), cut(0, 5), cut(5, 10), cut(10, 15)])
    assert samples_of(kept) == [*range(10000, 10005), *range(15)]
    assert causes_of(kept) == [FiberRejectCause.CLOCK_JUMP]


def test_another_layout_closes_what_waits() -> None:
    other = replace(LAYOUT, channel_count=1)
    single = DasBlock(other, T0 + 20 * PERIOD_NS, np.arange(20, 25)[None])
    kept = run([cut(0, 5), cut(10, 15), LayoutNews("north", other), single], budget_s=9.0)
    assert samples_of(kept) == [*range(5), *range(10, 15), *range(20, 25)]
    assert [gap.sample_count for gap in gaps_of(kept)] == [10, 5]


def test_a_publisher_that_starts_again_loses_nothing_by_its_numbers() -> None:
    blocks: list[Decoded] = [cut(0, 5, 7), StreamBegin("north", "b"), cut(5, 10, 0), cut(10, 15, 1)]
    kept = run([StreamBegin("north", "a"), *blocks])
    assert samples_of(kept) == list(range(15))
    assert gaps_of(kept) == []


def test_a_jitter_of_less_than_half_a_sample_is_no_gap() -> None:
    blocks = [
        replace(cut(5 * k, 5 * k + 5), start_ns=T0 + 5 * k * PERIOD_NS + (-1) ** k * 20_000_000)
        for k in range(6)
    ]
    kept = run(list(blocks))
    assert samples_of(kept) == list(range(30))
    assert len(kept) == 6


def test_what_waits_is_bounded_in_bytes() -> None:
    state, kept = open_book(1e9, budget_bytes=400), []
    for block in (cut(5 * k, 5 * k + 5) for k in range(0, 100, 2)):
        state, given = step(state, block)
        kept += given
        assert state.ledgers["north"].waiting_bytes <= 400
    assert len(gaps_of(kept)) > 30


@given(st.lists(st.booleans(), min_size=12, max_size=12))
@settings(max_examples=60, deadline=None)
def test_numbers_alone_tell_every_lost_block(arrives: list[bool]) -> None:
    arrives = [True, *arrives]
    items: list[Decoded] = [cut(5 * k, 5 * k + 5, k) for k, came in enumerate(arrives) if came]
    items += [StreamEnd("north", 13, 0), StreamBegin("north", "b"), cut(90, 95, 0)]
    state, passed = SequenceState(), []
    for item in items:
        state, given = count_lost(state, item)
        passed += given
    assert [item for item in passed if not isinstance(item, FiberGap)] == items
    assert sum(item.block_count or 0 for item in passed if isinstance(item, FiberGap)) == arrives.count(False)
