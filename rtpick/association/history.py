"""What is believed as picks arrive, and what is settled once they have had their time.

Two beliefs are held of the same picks. The live one takes them in as they arrive, so that events
are told at once. The settled one takes them in canonical order, a while later, so that what is final
is a function of the picks alone, whatever their order, repetition or revision on the way. While
picks arrive in canonical order both are the same, and are worked out once.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, replace

import numpy as np

from rtpick.association.assimilate import advance, assimilate, withdraw
from rtpick.association.contest import best_claim
from rtpick.association.signal import Hypothesis, Key, Signal, pool_of
from rtpick.association.suppose import lessened, settled
from rtpick.association.view import View, exchange, first_view
from rtpick.association.world import World

_KEPT_S = 30.0  # an ended event outlives what is settled by this much, for its final twin to come


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """A pick taken in canonical order, the belief after it, and the events that closed before it."""

    signal: Signal
    view: View
    closed: tuple[Hypothesis, ...]


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """The settled belief, the picks that are not settled, and the live belief.

    Parameters
    ----------
    settled, live : View or None
        None before the first pick.
    pending : tuple of Signal
        In canonical order.
    ended : tuple of Hypothesis
        Events of the live belief that closed and are not final yet.
    trail : tuple of Moment or None
        The live belief after each pending pick, as long as they came in canonical order.
    """

    settled: View | None = None
    pending: tuple[Signal, ...] = ()
    live: View | None = None
    ended: tuple[Hypothesis, ...] = ()
    trail: tuple[Moment, ...] | None = ()

    @property
    def events(self) -> tuple[Hypothesis, ...]:
        """Every event believed in now that is not final, closed ones first."""
        return (*self.ended, *(self.live.open if self.live else ()))


def hear_pick(world: World, history: History, signal: Signal) -> History:
    """Take in a pick as it arrives."""
    pending, live = history.pending, history.live or first_view(world, signal.time_s)
    in_order = not pending or pending[-1].key < signal.key
    place = len(pending) if in_order else bisect_left(pending, signal.key, key=_key_of)
    pending = (*pending[:place], signal, *pending[place:])
    ended = history.ended
    if signal.time_s < live.now_s and ended:
        improved = _improve_ended(world, history, live, signal)
        if improved is not None:
            return replace(history, pending=pending, ended=improved, trail=None)
    live, closed = assimilate(world, live, signal)
    trail = (*history.trail, Moment(signal, live, closed)) if history.trail is not None and in_order else None
    return History(history.settled, pending, live, (*ended, *closed), trail)


def _key_of(signal: Signal) -> Key:
    return signal.key


def _improve_ended(world: World, history: History, live: View,
                   signal: Signal) -> tuple[Hypothesis, ...] | None:  # fmt: skip
    """Give a late pick to an event that closed, if that wants it more than any open one."""
    claim = best_claim(world, (*history.ended, *live.open), signal)
    if claim is None or claim[0] not in history.ended:
        return None
    event = claim[0]
    grown = settled(world, live.background.beliefs, event, pool_of((signal,)), live.now_s)
    return tuple(grown if h is event and grown is not None else h for h in history.ended)


def forget_pick(world: World, history: History, pick_id: str) -> History:
    """Take a pick out again."""
    pending = tuple(s for s in history.pending if s.key.pick_id != pick_id)
    live, ended = history.live, history.ended
    if live is not None:
        live = withdraw(world, live, pick_id)
        ended = tuple(rest for h in ended if (rest := _ended_without(world, live, h, pick_id)) is not None)
    return History(history.settled, pending, live, ended, None)


def _ended_without(world: World, live: View, event: Hypothesis, pick_id: str) -> Hypothesis | None:
    gone = frozenset(s for s in event.pool.signals if s.key.pick_id == pick_id)
    if not gone:
        return event
    rest = lessened(world, live.background.beliefs, event, gone, live.now_s)
    return rest if rest is not None and rest.certainty >= world.settings.minimum_log_odds else None


def settle_until(world: World, history: History, horizon_ns: int) -> tuple[History, tuple[Hypothesis, ...]]:
    """Settle every pick before a time; return the events that closed for good.

    Notes
    -----
    With no pick left, the settled belief itself moves on to the horizon, so that events close in silence.
    """
    if history.pending and history.pending[0].key.time_ns >= horizon_ns and not history.ended:
        return history, ()
    count = bisect_left(history.pending, horizon_ns, key=lambda s: s.key.time_ns)
    view, closed = _walk(world, history, count)
    trail = history.trail[count:] if history.trail is not None else None
    if count == len(history.pending) and view is not None and horizon_ns / 1e9 > view.now_s:
        view, more = advance(world, view, horizon_ns / 1e9)
        closed.extend(more)
        return _agreed(History(view, (), history.live, history.ended, None), closed)
    return _agreed(History(view, history.pending[count:], history.live, history.ended, trail), closed)


def _walk(world: World, history: History, count: int) -> tuple[View | None, list[Hypothesis]]:
    """Take the first of the pending picks in canonical order."""
    view = history.settled
    closed: list[Hypothesis] = []
    if history.trail is not None:
        for moment in history.trail[:count]:
            view = moment.view
            closed.extend(moment.closed)
        return view, closed
    for signal in history.pending[:count]:
        view, more = assimilate(world, view or first_view(world, signal.time_s), signal)
        closed.extend(more)
    return view, closed


def _agreed(history: History, closed: list[Hypothesis]) -> tuple[History, tuple[Hypothesis, ...]]:
    """Let go of live events that are final, or that never became so."""
    live, ended = history.live, history.ended
    oldest_s = history.settled.now_s - _KEPT_S if history.settled else -np.inf
    if live is None or (history.pending and not (closed or ended)):
        return history, tuple(closed)
    if not history.pending:
        return replace(history, live=history.settled, ended=(), trail=()), tuple(closed)
    spent = {signal.key for event in closed for signal in event.pool.signals}
    if spent or any(h.end_s < oldest_s for h in ended):
        coming = {s.key for h in history.settled.open for s in h.pool.signals} if history.settled else set()
        ended = tuple(
            h for h in ended if (h.end_s >= oldest_s or _is_spent(h, coming)) and not _is_spent(h, spent)
        )
    stale = [h for h in live.open if _is_spent(h, spent)] if spent else []
    if stale:
        live = exchange(live, stale, ())
        loose = live.loose.where(np.array([s.key not in spent for s in live.loose.signals], bool))
        live = replace(live, loose=loose)
    return replace(history, live=live, ended=ended), tuple(closed)


def _is_spent(event: Hypothesis, spent: set[Key]) -> bool:
    """Tell whether most picks of an event belong to final ones."""
    return 2 * sum(signal.key in spent for signal in event.pool.signals) > len(event.pool)


def close_all(world: World, history: History) -> tuple[History, tuple[Hypothesis, ...]]:
    """Settle every pick and let every open event run to its end, as when no pick ever comes again."""
    last, closed = _walk(world, history, len(history.pending))
    if last is None:
        return history, ()
    end_s = last.now_s
    while last.open:
        end_s = max(end_s, *(h.end_s for h in last.open)) + 1.0
        last, more = advance(world, last, end_s)
        closed.extend(more)
    return History(last, (), last, (), ()), tuple(closed)
