"""Events that compete for the same picks: the division with the highest total log-odds stands.

Three moves are weighed against leaving things as they are: an event takes the picks that it
explains better, an event falls apart in favour of the other, or two events are one.
"""

from __future__ import annotations

from collections.abc import Sequence

from rtpick.association.background import Background
from rtpick.association.signal import Hypothesis, Member, Signal
from rtpick.association.suppose import claims, enough, revised, settle, take_in
from rtpick.association.view import View, exchange
from rtpick.association.world import World

Division = tuple[Hypothesis, ...]
_BETTER = 0.5


def overlap(a: Hypothesis, b: Hypothesis) -> bool:
    """Tell whether two events expect picks in the same span of time."""
    return bool(a.begin_s < b.end_s and b.begin_s < a.end_s)


def total(world: World, division: Sequence[Hypothesis]) -> float:
    """Sum the log-odds of events that stand on their own."""
    return sum(h.log_odds for h in division)


def contest(world: World, view: View, key: str) -> View:
    """Weigh one open event against each rival that overlaps it."""
    for rival_key in [h.key for h in view.open if h.key != key]:
        now = {h.key: h for h in view.open}
        mine, rival = now.get(key), now.get(rival_key)
        if mine is None:
            return view
        if rival is None or not overlap(mine, rival) or not _touch(world, mine, rival):
            continue
        best = divide(world, view, rival, mine)
        if best is not None:
            view = exchange(view, (rival, mine), best)
    return view


def _touch(world: World, a: Hypothesis, b: Hypothesis) -> bool:
    """Tell whether either event explains a pick of the other better, or most of its picks at all."""
    if _preferred(world, a, b) or _preferred(world, b, a):
        return True
    return _swallows(world, a, b) or _swallows(world, b, a)


def _swallows(world: World, a: Hypothesis, b: Hypothesis) -> bool:
    """Tell whether an event could use half of the picks of another."""
    return 4 * len(claims(world, a, [m.signal for m in b.members])) >= len(b.members)


def divide(world: World, view: View, a: Hypothesis, b: Hypothesis) -> Division | None:
    """Return a better division of the picks of two events than the present one, if there is one."""
    background, now_s = view.background, view.now_s
    present = [refreshed(world, background, h, now_s) for h in (a, b)]
    best, top = None, total(world, present) + _BETTER
    options = [
        _united(world, view, a, b), _united(world, view, b, a),
        _transferred(world, view, a, b), _transferred(world, view, b, a),
    ]  # fmt: skip
    for option in options:
        if option and total(world, option) > top:
            best, top = option, total(world, option)
    return best


def refreshed(world: World, background: Background, h: Hypothesis, now_s: float) -> Hypothesis:
    """Weigh an event again with the silence heard since."""
    return revised(world, background, h, h.members, now_s)


def _united(world: World, view: View, keeper: Hypothesis, other: Hypothesis) -> Division:
    """Let one event take all it can of another, which dissolves."""
    if not _swallows(world, keeper, other):
        return ()
    loose = (*view.loose, *(m.signal for m in other.members))
    settled = settle(world, view.background, keeper, loose, view.now_s)
    if settled is None:
        return ()
    return (refreshed(world, view.background, settled, view.now_s),)


def _transferred(world: World, view: View, giver: Hypothesis, taker: Hypothesis) -> Division:
    """Let one event take those picks of another that it explains better."""
    offers = _preferred(world, giver, taker)
    if not offers:
        return ()
    moved = {offer.signal.pick_id for _, offer in offers}
    kept = tuple(m for m in giver.members if m.signal.pick_id not in moved)
    if not enough(world, kept, giver.distant):
        return ()
    grown = take_in(taker, offers)
    now_s, background = view.now_s, view.background
    rest = settle(world, background, revised(world, background, giver, kept, now_s), (), now_s)
    more = settle(world, background, revised(world, background, taker, grown, now_s), (), now_s)
    if rest is None or more is None:
        return ()
    least = world.belief
    return (rest, more) if min(rest.log_odds, more.log_odds) > least else ()


def _preferred(world: World, giver: Hypothesis, taker: Hypothesis) -> list[tuple[float, Member]]:
    """List the giver's picks that gain the taker more."""
    held = dict(zip((m.signal.pick_id for m in giver.members), giver.gain_M.tolist(), strict=True))
    offers = claims(world, taker, [m.signal for m in giver.members])
    return [(gain, offer) for gain, offer in offers if gain > held[offer.signal.pick_id]]


def best_claim(world: World, events: Sequence[Hypothesis], signal: Signal) -> Hypothesis | None:
    """Return the event to which a new pick adds most, if any wants it."""
    best, top = None, 0.0
    for event in events:
        if not event.begin_s < signal.time_s < event.end_s:
            continue
        for gain, member in claims(world, event, [signal]):
            gain -= _held(event, member)
            if gain > top:
                best, top = event, gain
    return best


def _held(event: Hypothesis, member: Member) -> float:
    """Return what the present holder of a member's slot adds to the event."""
    for m, gain in zip(event.members, event.gain_M.tolist(), strict=True):
        if m.slot == member.slot:
            return float(gain)
    return 0.0
