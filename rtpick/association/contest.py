"""Events that compete for the same picks: the division with the highest total log-odds stands.

Three moves are weighed against leaving things as they are: an event takes the picks that it
explains better, an event falls apart in favour of the other, or two events are one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from rtpick.association.settle import LEAST_GAIN
from rtpick.association.signal import Hypothesis, Signal, pool_of
from rtpick.association.suppose import claim, claims, lessened, settled, weighed
from rtpick.association.view import View, exchange
from rtpick.association.world import World

Division = tuple[Hypothesis, ...]
BETTER = 0.5
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
    present = [weighed(world, view.background.beliefs, h, view.now_s) for h in (a, b)]
    best, top = None, total(present) + BETTER
    for move in moves:
        option = move()
        if option and total(option) > top:
            best, top = option, total(option)
    return best


def _moves(world: World, view: View, taker: Hypothesis, giver: Hypothesis) -> list[Callable[[], Division]]:
    """List what an event could do with the picks of another: swallow it, or take what it explains better."""
    gain_N = claims(world, taker, giver.pool)
    wanted_N = gain_N > LEAST_GAIN
    wanted = int(np.count_nonzero(wanted_N))
    if wanted == 0:
        return []
    moves: list[Callable[[], Division]] = []
    if wanted >= _SWALLOWED * len(giver.pool):
        moves.append(partial(_united, world, view, taker, giver))
    better_N = wanted_N & (gain_N > giver.gain_M)
    if better_N.any():
        moves.append(partial(_transferred, world, view, giver, taker, giver.pool.where(better_N).signals))
    return moves


def _united(world: World, view: View, keeper: Hypothesis, other: Hypothesis) -> Division:
    """Let one event take all it can of another, which dissolves."""
    united = settled(world, view.background.beliefs, keeper, view.loose.merged(other.pool), view.now_s)
    return () if united is None else (united,)


def _transferred(world: World, view: View, giver: Hypothesis, taker: Hypothesis,
                 moved: Sequence[Signal]) -> Division:  # fmt: skip
    """Let one event take picks of another."""
    now_s, beliefs, taken = view.now_s, view.background.beliefs, frozenset(moved)
    rest = lessened(world, beliefs, giver, taken, now_s)
    if rest is None or rest.log_odds <= world.belief:
        return ()
    more = settled(world, beliefs, taker, pool_of(moved), now_s)
    if more is None or more.log_odds <= world.belief:
        return ()
    return rest, more


Claim = tuple[Hypothesis, float, int]


def best_claim(world: World, events: Sequence[Hypothesis], signal: Signal) -> Claim | None:
    """Return the event to which a new pick adds most, if any wants it, with the gain and the role."""
    best, top = None, 0.0
    for event in events:
        if event.begin_s < signal.time_s < event.end_s:
            gained, role = claim(world, event, signal)
            if gained > top:
                best, top = (event, gained, role), gained
    return best
