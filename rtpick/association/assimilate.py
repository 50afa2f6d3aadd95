"""One pick after the other: the event is told to take it, or it founds one.

Everything that falls due between two picks happens at its own time, so that waiting in one go or
in several comes to the same.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from rtpick.association.background import hear, note_event, note_strangers
from rtpick.association.contest import Claim, best_claim, contest
from rtpick.association.delays import station_term_s
from rtpick.association.loudness import log_stray
from rtpick.association.nucleate import flattened, nucleate, raise_front
from rtpick.association.rally import rally
from rtpick.association.signal import Hypothesis, Signal
from rtpick.association.suppose import appended, lessened, settled
from rtpick.association.view import View, exchange, expire, skip_silence, turn_block
from rtpick.association.world import World
from rtpick.vocabulary.time import NS_PER_S

Outcome = tuple[View, tuple[Hypothesis, ...]]
_TWIN_S = 0.3
_BURST_S = 30.0
_BURST_PICKS = 4
_CONTESTED_PICKS = 8  # from so many on an event is weighed against its rivals whenever it is located


def assimilate(world: World, view: View, signal: Signal) -> Outcome:
    """Take in a pick; return the new view and the events that closed before it."""
    view, closed = advance(world, view, signal.time_s)
    if world.settings.learn_station_terms:
        signal = _corrected(world, view, signal)
    loose = view.loose.crowd
    near_s = (signal.time_s - loose.time_N)[loose.station_N == signal.station]
    if len(near_s):
        if _is_twin(world, view, signal):
            return view, closed
        signal = _discounted(view, signal, int(np.count_nonzero(np.abs(near_s) < _BURST_S)))
    signal = _heard(view, signal)
    background = hear(view.background, signal.station)
    owner = best_claim(world, view.open, signal)
    if owner is not None:
        view = _grow(world, View(view.now_s, view.loose, view.open, background), owner, signal)
        if signal not in view.loose.signals:
            return view, closed
    else:
        view = View(view.now_s, view.loose.joined(signal), view.open, background)
    return _found(world, view, signal), closed


def advance(world: World, view: View, now_s: float) -> Outcome:
    """Let everything happen that falls due until a time; return the events that closed."""
    view = skip_silence(world, view, now_s)
    closed: list[Hypothesis] = []
    while True:
        due = min(view.open, key=lambda h: (h.review_s, h.key), default=None)
        when_s = max(min(view.background.next_roll_s, due.review_s if due else math.inf), view.now_s)
        if when_s > now_s:
            return expire(world, view, max(now_s, view.now_s)), tuple(closed)
        view = expire(world, view, when_s)
        if due is None or view.background.next_roll_s <= due.review_s:
            view = turn_block(view)
            continue
        view, ended = _review(world, view, due)
        closed.extend(ended)


def _review(world: World, view: View, due: Hypothesis) -> Outcome:
    """Weigh an event again with the silence since, and against its rivals; close it at its end."""
    fresh = settled(world, view.background.beliefs, due, view.loose, view.now_s)
    if fresh is None or fresh.log_odds < world.belief:
        return exchange(view, (due,), ()), ()
    fresh = flattened(world, view, fresh)
    view = exchange(view, (due,), (fresh,))
    view = contest(world, view, fresh.key)
    now = next((h for h in view.open if h.key == fresh.key), None)
    if now is None:
        return view, ()
    better = rally(world, view, now)
    if better is not None:
        return better, ()
    if now.end_s > view.now_s:
        sure = now.certainty >= world.settings.minimum_log_odds and not now.distant
        known = note_strangers(view.background, now, view.loose) if sure else view.background
        return replace(view, background=known), ()
    if now.certainty < world.settings.minimum_log_odds:
        return exchange(view, (now,), ()), ()
    view = replace(view, open=tuple(h for h in view.open if h is not now))
    if not now.distant:
        view = replace(view, background=note_event(view.background, now, view.now_s))
    return view, (now,)


def _corrected(world: World, view: View, signal: Signal) -> Signal:
    """Take off how late the phase usually is at its station."""
    largest_s = world.settings.maximum_residual_s
    term_s = station_term_s(view.background.delays, signal.station, signal.role, largest_s)
    return replace(signal, time_s=signal.time_ns / NS_PER_S - term_s)


def _is_twin(world: World, view: View, signal: Signal) -> bool:
    """Tell whether the same phase was just picked there."""
    apart_s, loose = min(_TWIN_S, 3.0 * world.extent.onset_s), view.loose.crowd
    same = (loose.station_N == signal.station) & (loose.label_N == signal.role)
    return bool(np.any(np.abs(loose.time_N[same] - signal.time_s) < apart_s))


def _discounted(view: View, signal: Signal, strays: int) -> Signal:
    """Lower the merit of a pick from a station that is firing without an event."""
    if strays < _BURST_PICKS:
        return signal
    usual = math.exp(view.background.beliefs.log_rate_S.item(signal.station))
    return replace(signal, merit=signal.merit - math.log(1.0 + strays / _BURST_S / usual))


def _heard(view: View, signal: Signal) -> Signal:
    """Weigh a pick's loudness against that of its station's strays."""
    usual = view.background.beliefs.loudness_S.item(signal.station)
    merit = signal.merit - log_stray(signal.loudness - usual)
    return Signal(signal.key, signal.time_s, signal.station, signal.role, merit, signal.loudness)


def _grow(world: World, view: View, owner: Claim, signal: Signal) -> View:
    """Give a pick to an event, and see what else that changes."""
    event, gain, role = owner
    quick = appended(world, event, signal, gain, role)
    if quick is not None:
        still = tuple([quick if h is event else h for h in view.open])
        return View(view.now_s, view.loose, still, view.background)
    view = replace(view, loose=view.loose.joined(signal))
    grown = settled(world, view.background.beliefs, event, view.loose, view.now_s, (signal, role))
    if grown is None or grown.log_odds < world.belief:
        return exchange(view, (event,), ())
    view = exchange(view, (event,), (grown,))
    return contest(world, view, grown.key) if grown.located >= _CONTESTED_PICKS else view


def _found(world: World, view: View, signal: Signal) -> View:
    """See whether a pick and its loose predecessors found an event; a noisy station founds none."""
    if view.background.quarantined_S[signal.station]:
        return view
    for found in (nucleate, raise_front):
        if signal not in view.loose.signals:
            break
        born = found(world, view, signal)
        if born is not None:
            view = contest(world, exchange(view, (), (born,)), born.key)
    return view


def withdraw(world: World, view: View, pick_id: str) -> View:
    """Take a pick out; its event is explained without it, or falls apart."""
    stays = [s.key.pick_id != pick_id for s in view.loose.signals]
    if not all(stays):
        return replace(view, loose=view.loose.where(np.array(stays)))
    for event in view.open:
        gone = next((s for s in event.pool.signals if s.key.pick_id == pick_id), None)
        if gone is None:
            continue
        rest = lessened(world, view.background.beliefs, event, frozenset((gone,)), view.now_s)
        if rest is not None and rest.log_odds >= world.belief:
            return _dropped(exchange(view, (event,), (rest,)), gone)
        return _dropped(exchange(view, (event,), ()), gone)
    return view


def _dropped(view: View, gone: Signal) -> View:
    return replace(view, loose=view.loose.where(np.array([s is not gone for s in view.loose.signals])))
