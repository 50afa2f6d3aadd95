"""A better event among the picks around one: what growing step by step could not reach.

An event that began with the wrong picks may hold some of a true one while others of it stay loose, or
sit in a second event that is as wrong. Founding it anew among all of them finds the true one.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rtpick.association.contest import BETTER, overlap, total
from rtpick.association.nucleate import nucleate_among
from rtpick.association.signal import Hypothesis, Pool, Signal
from rtpick.association.suppose import lessened
from rtpick.association.velocity import FloatArray
from rtpick.association.view import View, exchange
from rtpick.association.world import World

_UNEXPLAINED = 3  # loose picks from which on something may be amiss
_WEAK = 40.0  # log-odds beyond which an event is left alone
_RIVALS = 3


def rally(world: World, view: View, event: Hypothesis) -> View | None:
    """Return the view with a better event in the place of one and of its rivals, if there is one."""
    if not _is_weak(event):
        return None
    around = view.loose.within(event.begin_s, event.end_s)
    rivals = [h for h in view.open if h is not event and _is_weak(h) and overlap(h, event)][:_RIVALS]
    best, top = None, BETTER
    for party, proposers in _parties(event, rivals, around):
        for proposer in proposers:
            division = _divided(world, view, party, around, proposer)
            gained = total(division) - total(party)
            if gained > top:
                best, top = exchange(view, party, division), gained
    return best


def _is_weak(event: Hypothesis) -> bool:
    return not event.distant and event.log_odds < _WEAK


def _parties(
    event: Hypothesis, rivals: list[Hypothesis], around: Pool
) -> Iterator[tuple[list[Hypothesis], list[Signal]]]:
    """Yield events that may be wrong together, and the picks that may found a better one."""
    own = _best(event.pool, event.gain_M)
    loose = _best(around, around.crowd.merit_N)
    if len(around) >= _UNEXPLAINED:
        yield [event], [*own[:2], *loose[:1]]
    if rivals:
        yield [event, *rivals], [own[0], *[_best(h.pool, h.gain_M)[0] for h in rivals], *loose[:1]]


def _best(pool: Pool, worth_N: FloatArray) -> list[Signal]:
    """Sort picks by their worth."""
    return [pool.signals[n] for n in np.argsort(-worth_N, kind="stable")]


def _divided(world: World, view: View, party: list[Hypothesis], around: Pool,
             proposer: Signal) -> list[Hypothesis]:  # fmt: skip
    """Return the event that a pick founds among all those of a party, and what it leaves of them."""
    pool = around
    for event in party:
        pool = pool.merged(event.pool)
    born = nucleate_among(world, view, pool, proposer, party[0].log_odds)
    if born is None:
        return []
    others = {h.key for h in view.open if h not in party}
    if born.key in others:
        return []
    taken = frozenset(born.pool.signals)
    rests = [_rest(world, view, event, taken) for event in party]
    return [born, *(h for h in rests if h is not None and h.log_odds > world.belief and h.key != born.key)]


def _rest(world: World, view: View, event: Hypothesis, taken: frozenset[Signal]) -> Hypothesis | None:
    if taken.isdisjoint(event.pool.signals):
        return event
    return lessened(world, view.background.beliefs, event, taken, view.now_s)
