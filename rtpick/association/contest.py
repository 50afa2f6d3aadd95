"""Events that compete for the same picks: the division with the highest total log-odds stands.

Three moves are weighed against leaving things as they are: an event takes the picks that it
explains better, an event falls apart in favour of the other, or two events are one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from rtpick.association.background import Background
from rtpick.association.signal import Hypothesis, Member, Signal, pool_of
from rtpick.association.suppose import NOBODY, Offers, claims, enough, revised, settle, take_in
from rtpick.association.view import View, exchange
from rtpick.association.world import World

Division = tuple[Hypothesis, ...]
_BETTER = 0.5
_SWALLOWED = 0.25


def overlap(a: Hypothesis, b: Hypothesis) -> bool:
    """Tell whether two events expect picks in the same span of time."""
    return bool(a.begin_s < b.end_s and b.begin_s < a.end_s)


def total(division: Sequence[Hypothesis]) -> float:
    """Sum the log-odds of events."""
    return sum(h.log_odds for h in division)


def contest(world: World, view: View, key: str) -> View:
    """Weigh one open event against each rival that overlaps it."""
    for rival_key in [h.key for h in view.open if h.key != key]:
        now = {h.key: h for h in view.open}
        mine, rival = now.get(key), now.get(rival_key)
        if mine is None:
            return view
        if rival is None or not overlap(mine, rival):
            continue
        best = divide(world, view, rival, mine)
        if best is not None:
            view = exchange(view, (rival, mine), best)
    return view


def divide(world: World, view: View, a: Hypothesis, b: Hypothesis) -> Division | None:
    """Return a better division of the picks of two events than the present one, if there is one."""
    moves = [*_moves(world, view, a, b), *_moves(world, view, b, a)]
    if not moves:
        return None
    present = [refreshed(world, view.background, h, view.now_s) for h in (a, b)]
    best, top = None, total(present) + _BETTER
    for move in moves:
        option = move()
        if option and total(option) > top:
            best, top = option, total(option)
    return best


def _moves(world: World, view: View, taker: Hypothesis, giver: Hypothesis) -> list[Callable[[], Division]]:
    """List what an event could do with the picks of another: swallow it, or take what it explains better."""
    wanted = claims(world, taker, giver.pool)
    held = dict(zip((m.signal.pick_id for m in giver.members), giver.gain_M.tolist(), strict=True))
    better = [(gain, offer) for gain, offer in wanted if gain > held[offer.signal.pick_id]]
    moves: list[Callable[[], Division]] = []
    if len(wanted) >= _SWALLOWED * len(giver.members):
        moves.append(partial(_united, world, view, taker, giver))
    if better:
        moves.append(partial(_transferred, world, view, giver, taker, better))
    return moves


def refreshed(world: World, background: Background, h: Hypothesis, now_s: float) -> Hypothesis:
    """Weigh an event again with the silence heard since."""
    return revised(world, background, h, h.members, now_s)


def _united(world: World, view: View, keeper: Hypothesis, other: Hypothesis) -> Division:
    """Let one event take all it can of another, which dissolves."""
    loose = pool_of((*view.loose, *other.pool.signals))
    settled = settle(world, view.background, keeper, loose, view.now_s)
    if settled is None:
        return ()
    return (refreshed(world, view.background, settled, view.now_s),)


def _transferred(world: World, view: View, giver: Hypothesis, taker: Hypothesis, offers: Offers) -> Division:
    """Let one event take picks of another."""
    moved = {offer.signal.pick_id for _, offer in offers}
    kept = tuple(m for m in giver.members if m.signal.pick_id not in moved)
    if not enough(world, kept, giver.distant):
        return ()
    now_s, background = view.now_s, view.background
    grown = take_in(taker, offers)
    rest = settle(world, background, revised(world, background, giver, kept, now_s), NOBODY, now_s)
    more = settle(world, background, revised(world, background, taker, grown, now_s), NOBODY, now_s)
    if rest is None or more is None or min(rest.log_odds, more.log_odds) <= world.belief:
        return ()
    return rest, more


def best_claim(world: World, events: Sequence[Hypothesis], signal: Signal) -> Hypothesis | None:
    """Return the event to which a new pick adds most, if any wants it."""
    best, top, alone = None, 0.0, pool_of((signal,))
    for event in events:
        if not event.begin_s < signal.time_s < event.end_s:
            continue
        for gain, member in claims(world, event, alone):
            gained = gain - _held(event, member)
            if gained > top:
                best, top = event, gained
    return best


def _held(event: Hypothesis, member: Member) -> float:
    """Return what the present holder of a member's slot adds to the event."""
    for m, gain in zip(event.members, event.gain_M.tolist(), strict=True):
        if m.slot == member.slot:
            return float(gain)
    return 0.0
