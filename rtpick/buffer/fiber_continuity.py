"""What an incoming block means for its fiber: next, duplicate, overlap, gap, filling, late, jump, new layout.

A pure decision on times and sample indices; half-open spans.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from fractions import Fraction

from rtpick.buffer.continuity import Continuity, Span, begin, place
from rtpick.buffer.lock import PhaseLock, follow, fresh_lock, nominal_rate
from rtpick.vocabulary.fiber import FiberLayout
from rtpick.vocabulary.time import NS_PER_S

JUMP_LIMIT_NS = 60 * NS_PER_S
"""A block further than this from its fiber's newest sample is not believed until the next goes on from it."""


class BlockKind(StrEnum):
    """What a block is to its fiber."""

    FIRST = "first"
    NEXT = "next"
    GAP = "gap"
    FILLING = "filling"
    OVERLAP = "overlap"
    DUPLICATE = "duplicate"
    LATE = "late"
    FAR = "far"
    LAYOUT = "layout"


@dataclass(frozen=True, slots=True)
class FiberThread:
    """What is known of a fiber's stream of samples.

    Parameters
    ----------
    layout : FiberLayout
    lock : PhaseLock
        Where samples lie against the grid of their rate.
    continuity : Continuity
        Of native sample indices.
    """

    layout: FiberLayout
    lock: PhaseLock
    continuity: Continuity


@dataclass(frozen=True, slots=True)
class Verdict:
    """A block against its fiber.

    Parameters
    ----------
    kind : BlockKind
    thread : FiberThread
        After the block; unchanged where it is far or of another layout.
    start : int
        Index of the block's first sample.
    accepted : tuple of Span
        What is taken.
    repeated, late : int
        Time samples that were there already, and that came too late.
    """

    kind: BlockKind
    thread: FiberThread
    start: int
    accepted: tuple[Span, ...] = ()
    repeated: int = 0
    late: int = 0


def open_thread(layout: FiberLayout, start_ns: int, budget_s: float) -> FiberThread:
    """Begin a fiber at its first block.

    Examples
    --------
    >>> thread = open_thread(FiberLayout("a", 0, 4, 1.0, 100.0), 1_502_000_000, 0.0)
    >>> thread.lock.phase_ns, thread.continuity.newest
    (2000000, 150)
    """
    lock = fresh_lock(_rate(layout), start_ns)
    start = lock.index(start_ns)
    return FiberThread(layout, lock, begin(start, budget_samples(layout, budget_s)))


def judge(
    thread: FiberThread, layout: FiberLayout, start_ns: int, sample_count: int, reach_s: float
) -> Verdict:
    """Decide what of a block is taken.

    Parameters
    ----------
    thread : FiberThread
        Before the block; not modified.
    layout : FiberLayout
        The block's.
    start_ns : int
        Time of its first sample.
    sample_count : int
        Time samples.
    reach_s : float
        How far behind the newest sample a hole can still be filled.

    Returns
    -------
    Verdict

    Notes
    -----
    A clock that runs slightly off the nominal rate is followed. Far blocks and those of another layout change
    nothing: whoever asks decides whether to believe them.

    Examples
    --------
    >>> layout = FiberLayout("a", 0, 4, 1.0, 100.0)
    >>> thread = judge(open_thread(layout, 0, 0.0), layout, 0, 100, 2.0).thread
    >>> [judge(thread, layout, start, 100, 2.0).kind.value for start in (0, 500_000_000, 10**9, 3 * 10**9)]
    ['duplicate', 'overlap', 'next', 'gap']
    """
    if not same_layout(thread.layout, layout):
        return Verdict(BlockKind.LAYOUT, thread, 0)
    state, lock = thread.continuity, thread.lock
    start = lock.index(start_ns)
    if is_far(thread, start, start + sample_count):
        return Verdict(BlockKind.FAR, thread, start)
    if start + sample_count > state.newest:
        lock = follow(lock, start, start_ns)
        start = lock.index(start_ns)
    placed = place(state, start, start + sample_count, budget_samples(layout, reach_s))
    kind = _kind(state, start, placed.accepted, placed.repeated, placed.late)
    after = replace(thread, lock=lock, continuity=placed.state)
    return Verdict(kind, after, start, placed.accepted, placed.repeated, placed.late)


def is_far(thread: FiberThread, start: int, end: int) -> bool:
    """Tell whether samples lie so far from the newest one that a clock may have jumped."""
    limit = budget_samples(thread.layout, JUMP_LIMIT_NS / NS_PER_S)
    return start > thread.continuity.newest + limit or end < thread.continuity.newest - limit


def same_layout(one: FiberLayout, other: FiberLayout) -> bool:
    """Tell whether two layouts give the same rows at the same rate; unknown is equal to unknown.

    Examples
    --------
    >>> a = FiberLayout("a", 0, 4, 1.0, 100.0)
    >>> same_layout(a, FiberLayout("a", 0, 4, 1.0, 100.0)), same_layout(a, FiberLayout("a", 0, 5, 1.0, 100.0))
    (True, False)
    """
    gauges = {str(one.gauge_length_m), str(other.gauge_length_m)}
    return len(gauges) == 1 and replace(one, gauge_length_m=0.0) == replace(other, gauge_length_m=0.0)


def budget_samples(layout: FiberLayout, seconds: float) -> int:
    """Count the native samples of a span."""
    return round(seconds * float(_rate(layout)))


def _rate(layout: FiberLayout) -> Fraction:
    return nominal_rate(layout.sampling_rate_hz, Fraction(round(layout.sampling_rate_hz) or 1))


def _kind(before: Continuity, start: int, accepted: tuple[Span, ...], repeated: int, late: int) -> BlockKind:
    if not accepted:
        return BlockKind.LATE if late else BlockKind.DUPLICATE
    if before.newest == before.origin or (before.lead and before.newest == before.lead.end):
        return BlockKind.FIRST if start == before.newest else BlockKind.GAP
    if repeated or late:
        return BlockKind.OVERLAP
    if start == before.newest:
        return BlockKind.NEXT
    return BlockKind.GAP if start > before.newest else BlockKind.FILLING
