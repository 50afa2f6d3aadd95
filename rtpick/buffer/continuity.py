"""What an incoming packet means for its channel: next, duplicate, overlap, gap, filling, late.

Pure decisions on sample indices of one channel; half-open spans.

The outcome depends on which samples arrive, not on their order, as long as every packet arrives
before the channel's newest sample is the reorder budget past the packet's start.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

MAXIMUM_OPEN_HOLES = 32
"""More than this and the oldest is given up: a channel that is mostly holes must not grow."""

REMEMBERED_HOLES = 16
"""Closed holes kept, to tell late data from repeated data and new data from resumed data."""


class Span(NamedTuple):
    """Samples `start` to `end` (exclusive)."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Continuity:
    """What is known of one channel's samples.

    Parameters
    ----------
    origin : int
        Nothing older is ever accepted.
    newest : int
        End (exclusive) of the newest sample.
    holes : tuple of Span
        Spans that may still be filled, oldest first.
    closed : tuple of Span
        The last holes that were given up. One that starts at `origin` lies before the channel's
        first sample and is no gap.
    """

    origin: int
    newest: int
    holes: tuple[Span, ...] = ()
    closed: tuple[Span, ...] = ()

    @property
    def settled(self) -> int:
        """End (exclusive) of what can no longer change: the first open hole, or the newest sample."""
        return self.holes[0].start if self.holes else self.newest

    @property
    def lead(self) -> Span | None:
        """What lies before the channel's first sample, as long as it is remembered."""
        return next((hole for hole in self.holes + self.closed if hole.start == self.origin), None)


class Placement(NamedTuple):
    """A packet against its channel.

    `accepted` are the spans to write; `repeated` samples were there already (the first value
    stays), `late` ones are older than what is settled.
    """

    state: Continuity
    accepted: tuple[Span, ...]
    repeated: int
    late: int


def begin(start: int, budget: int, floor: int | None = None) -> Continuity:
    """Open a channel at its first sample.

    Parameters
    ----------
    start : int
        Index of the first sample seen.
    budget : int
        Samples of reordering that are put up with: that much before `start` may still come.
    floor : int, optional
        Nothing before it is accepted; for a channel that starts anew.

    Returns
    -------
    Continuity
        Without a sample yet.

    Examples
    --------
    >>> begin(100, 5).holes
    (Span(start=95, end=100),)
    """
    origin = start - budget if floor is None else max(start - budget, floor)
    lead = (Span(origin, start),) if origin < start else ()
    return Continuity(origin, max(origin, start), lead)


def place(state: Continuity, start: int, end: int, reach: int) -> Placement:
    """Decide which samples of a packet are taken.

    Parameters
    ----------
    state : Continuity
        Before the packet.
    start, end : int
        The packet's samples.
    reach : int
        Samples behind the newest that can still be filled.

    Returns
    -------
    Placement
        With the state after the packet.

    Notes
    -----
    At start-up everything is next. A packet ahead opens a hole; one that lies in open holes fills
    them; what overlaps samples that are there is trimmed.

    Examples
    --------
    >>> state = place(begin(0, 0), 0, 10, 100).state
    >>> ahead = place(state, 20, 30, 100)
    >>> ahead.accepted, ahead.state.holes
    ((Span(start=20, end=30),), (Span(start=10, end=20),))
    >>> place(ahead.state, 5, 25, 100).accepted
    (Span(start=10, end=20),)
    """
    if start >= state.newest:
        hole = (Span(state.newest, start),) if start > state.newest else ()
        ahead = Continuity(state.origin, end, state.holes + hole, state.closed)
        return Placement(ahead, (Span(start, end),), 0, 0)
    floor = max(state.origin, max(state.newest, end) - reach)
    accepted = [_meet(hole, Span(max(start, floor), end)) for hole in state.holes]
    accepted = [span for span in accepted if span.start < span.end]
    holes = tuple(rest for hole in state.holes for rest in _without(hole, start, end, floor))
    if end > state.newest:
        accepted.append(Span(state.newest, end))
    refused = end - start - sum(span.end - span.start for span in accepted)
    late = _count_late(state, Span(start, end), floor) if refused else 0
    after = replace(state, newest=max(state.newest, end), holes=holes)
    return Placement(after, tuple(accepted), refused - late, late)


def settle(state: Continuity, budget: int) -> tuple[Continuity, tuple[Span, ...]]:
    """Give up the holes that nothing may fill any more.

    Parameters
    ----------
    state : Continuity
        After the newest packet.
    budget : int
        A hole is given up once the newest sample is more than this past its end.

    Returns
    -------
    state : Continuity
    gaps : tuple of Span
        The holes given up, without the one before the channel's first sample.

    Examples
    --------
    >>> state = Continuity(0, 40, (Span(10, 20), Span(30, 35)))
    >>> settle(state, 15)[1]
    (Span(start=10, end=20),)
    """
    if not state.holes:
        return state, ()
    excess = len(state.holes) - MAXIMUM_OPEN_HOLES
    closed = tuple(
        hole for order, hole in enumerate(state.holes) if order < excess or state.newest - hole.end > budget
    )
    if not closed:
        return state, ()
    holes = tuple(hole for hole in state.holes if hole not in closed)
    remembered = tuple(sorted(state.closed + closed))[-REMEMBERED_HOLES:]
    after = Continuity(state.origin, state.newest, holes, remembered)
    return after, tuple(hole for hole in closed if hole.start != state.origin)


def resumptions(state: Continuity, longest: int) -> tuple[int, ...]:
    """List where the channel's data start, or start again after more than `longest` samples.

    Examples
    --------
    >>> resumptions(Continuity(0, 40, (Span(30, 39),), (Span(0, 5), Span(10, 12))), 3)
    (5, 39)
    """
    holes = sorted(state.closed + state.holes)
    return tuple(hole.end for hole in holes if hole.start == state.origin or hole.end - hole.start > longest)


def _meet(one: Span, other: Span) -> Span:
    """Intersect two spans; empty where they do not meet."""
    return Span(max(one.start, other.start), min(one.end, other.end))


def _without(hole: Span, start: int, end: int, floor: int) -> tuple[Span, ...]:
    """Cut the packet ``[start, end)`` out of a hole that can be filled from `floor` on."""
    filled = _meet(hole, Span(max(start, floor), end))
    if filled.start >= filled.end:
        return (hole,)
    rests = (Span(hole.start, filled.start), Span(filled.end, hole.end))
    return tuple(rest for rest in rests if rest.start < rest.end)


def _count_late(state: Continuity, packet: Span, floor: int) -> int:
    """Count the samples of a packet that would have been new had they come in time."""
    parts = [_meet(hole, packet) for hole in state.closed]
    parts += [_meet(hole, Span(packet.start, min(packet.end, floor))) for hole in state.holes]
    parts.append(Span(packet.start, min(packet.end, state.origin)))
    return sum(max(part.end - part.start, 0) for part in parts)
