"""One pick after the other, in canonical order: the event is told to take it, or it founds one.

Everything that falls due between two picks happens at its own time, so that waiting in one go or
in several comes to the same.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rtpick.association.background import hear
from rtpick.association.contest import best_claim, contest, refreshed
from rtpick.association.nucleate import flattened, nucleate, raise_front
from rtpick.association.signal import Hypothesis, Signal, pool_of
from rtpick.association.suppose import appended, claims, revised, settle, take_in
from rtpick.association.view import View, exchange, expire, skip_silence, turn_block
from rtpick.association.world import World

Outcome = tuple[View, tuple[Hypothesis, ...]]
_TWIN_S = 0.3
_BURST_S = 30.0
_BURST_PICKS = 4


def assimilate(world: World, view: View, signal: Signal) -> Outcome:
    """Take in the next pick; return the new view and the events that closed before it."""
    view, closed = advance(world, view, signal.time_s)
    if _is_twin(world, view, signal):
        return view, closed
    view = replace(view, background=hear(view.background, signal.station))
    signal = _discounted(view, signal)
    owner = best_claim(world, view.open, signal)
    if owner is not None:
        view = _grow(world, view, owner, signal)
    else:
        view = replace(view, loose=(*view.loose, signal))
    if any(s.pick_id == signal.pick_id for s in view.loose):
        view = _found(world, view, signal)
    return view, closed


def advance(world: World, view: View, now_s: float) -> Outcome:
    """Let everything happen that falls due until a time; return the events that closed."""
    view = skip_silence(view, now_s)
    closed: list[Hypothesis] = []
    while True:
        due = min(view.open, key=lambda h: (h.review_s, h.key), default=None)
        when_s = max(min(view.background.next_roll_s, due.review_s if due else np.inf), view.now_s)
        if when_s > now_s:
            return expire(world, view, now_s), tuple(closed)
        view = expire(world, view, when_s)
        if due is None or view.background.next_roll_s <= due.review_s:
            view = turn_block(view)
            continue
        view, ended = _review(world, view, due)
        closed.extend(ended)


def _review(world: World, view: View, due: Hypothesis) -> Outcome:
    """Weigh an event again with the silence since, and against its rivals; close it at its end."""
    fresh = settle(world, view.background, refreshed(world, view.background, due, view.now_s),
                   pool_of(view.loose), view.now_s)  # fmt: skip
    if fresh is None or fresh.log_odds < world.belief:
        return exchange(view, (due,), ()), ()
    fresh = flattened(world, view, fresh)
    view = exchange(view, (due,), (fresh,))
    view = contest(world, view, fresh.key)
    now = next((h for h in view.open if h.key == fresh.key), None)
    if now is None or now.end_s > view.now_s:
        return view, ()
    if now.log_odds < world.settings.minimum_log_odds:
        return exchange(view, (now,), ()), ()
    return replace(view, open=tuple(h for h in view.open if h is not now)), (now,)


def _is_twin(world: World, view: View, signal: Signal) -> bool:
    """Tell whether the same phase was just picked there."""
    apart_s = min(_TWIN_S, 3.0 * world.extent.onset_s)
    recent = [s for s in view.loose if s.station == signal.station and s.role == signal.role]
    return any(signal.time_s - s.time_s < apart_s for s in recent)


def _discounted(view: View, signal: Signal) -> Signal:
    """Lower the merit of a pick from a station that is firing without an event."""
    strays = sum(1 for s in view.loose if s.station == signal.station and signal.time_s - s.time_s < _BURST_S)
    if strays < _BURST_PICKS:
        return signal
    usual = float(np.exp(view.background.log_rate_S[signal.station]))
    return replace(signal, merit=signal.merit - float(np.log(1.0 + strays / _BURST_S / usual)))


def _grow(world: World, view: View, owner: Hypothesis, signal: Signal) -> View:
    """Give a pick to an event, and see what else that changes."""
    offers = claims(world, owner, pool_of((signal,)))
    quick = appended(owner, *offers[0], world.physics.spread)
    if quick is not None:
        return exchange(view, (owner,), (quick,))
    members = take_in(owner, offers)
    grown = revised(world, view.background, owner, members, view.now_s)
    settled = settle(world, view.background, grown, pool_of((*view.loose, signal)), view.now_s)
    view = replace(view, loose=(*view.loose, signal))
    if settled is None or settled.log_odds < world.belief:
        return exchange(view, (owner,), ())
    return exchange(view, (owner,), (settled,))


def _found(world: World, view: View, signal: Signal) -> View:
    """See whether a pick and its loose predecessors found an event."""
    for born in (nucleate(world, view, signal), raise_front(world, view, signal)):
        if born is not None and any(s.pick_id == signal.pick_id for s in view.loose):
            view = contest(world, exchange(view, (), (born,)), born.key)
    return view
