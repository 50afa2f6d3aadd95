"""The recent past, kept so that a late, changed or withdrawn pick can be taken in where it belongs.

The belief after n picks is a function of these picks in canonical order alone. A change at some time
rewinds to the belief before it and replays what follows; what is settled is never rewound.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from rtpick.association.assimilate import advance, assimilate
from rtpick.association.signal import Hypothesis, Signal
from rtpick.association.view import View, first_view
from rtpick.association.world import World


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """A pick, the belief after it, and the events that closed between the pick before and it."""

    signal: Signal
    view: View
    closed: tuple[Hypothesis, ...]


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """The belief that is settled, and every moment since, in canonical order."""

    base: View | None = None
    moments: tuple[Moment, ...] = ()

    @property
    def latest(self) -> View | None:
        """The belief after the last pick."""
        return self.moments[-1].view if self.moments else self.base

    @property
    def events(self) -> list[Hypothesis]:
        """Every event believed in now that is not settled, closed ones first."""
        closed = [event for moment in self.moments for event in moment.closed]
        return closed + list(self.latest.open if self.latest else ())


def rewrite(
    world: World, history: History, added: Sequence[Signal], removed: Collection[str] = ()
) -> History:
    """Take picks in and out, and replay from the first that changes.

    Parameters
    ----------
    added : sequence of Signal
        None before the settled belief.
    removed : collection of str
        Names of picks among the moments.
    """
    gone = [m.signal for m in history.moments if m.signal.pick_id in removed] if removed else []
    if not added and not gone:
        return history
    first = min(s.key for s in (*added, *gone))
    keep = bisect_left(history.moments, first, key=lambda m: m.signal.key)
    replayed = [m.signal for m in history.moments[keep:] if m.signal.pick_id not in removed]
    queue = sorted((*replayed, *added), key=lambda s: s.key)
    moments = list(history.moments[:keep])
    view = moments[-1].view if moments else history.base
    for signal in queue:
        before = view if view is not None else first_view(world, signal.time_s)
        view, closed = assimilate(world, before, signal)
        moments.append(Moment(signal, view, closed))
    return History(history.base, tuple(moments))


def settle_until(world: World, history: History, horizon_ns: int) -> tuple[History, tuple[Hypothesis, ...]]:
    """Settle every moment before a time; return the events that closed in them.

    Notes
    -----
    With no moment left, the belief itself moves on to the horizon, so that events close in silence.
    """
    keep = bisect_left(history.moments, horizon_ns, key=lambda m: m.signal.time_ns)
    closed = [event for moment in history.moments[:keep] for event in moment.closed]
    base = history.moments[keep - 1].view if keep else history.base
    moments = history.moments[keep:]
    if not moments and base is not None and horizon_ns / 1e9 > base.now_s:
        base, more = advance(world, base, horizon_ns / 1e9)
        closed.extend(more)
    return History(base, moments), tuple(closed)


def close_all(world: World, history: History) -> tuple[History, tuple[Hypothesis, ...]]:
    """Let every open event run to its end, as when no pick ever comes again."""
    last = history.latest
    if last is None:
        return history, ()
    end_s = last.now_s
    closed = [event for moment in history.moments for event in moment.closed]
    while last.open:
        end_s = max(end_s, *(h.end_s for h in last.open)) + 1.0
        last, more = advance(world, last, end_s)
        closed.extend(more)
    return History(last, ()), tuple(closed)
