"""Supposing an event: locate its picks, weigh them, drop what does not fit, take what does.

Arrays: N pick of a crowd, M member, S station, R role.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from rtpick.association.evidence import LOG_DENSITY_0, Beliefs, log_chance_at
from rtpick.association.front import flatness, settle_front
from rtpick.association.locate import FREEDOM, arrival_sigma_s
from rtpick.association.loudness import log_loudness
from rtpick.association.settle import LEAST_GAIN, SWAPPED, best_roles, settle_members
from rtpick.association.signal import Hypothesis, Pool, Signal, has_pair, inserted
from rtpick.association.velocity import FloatArray
from rtpick.association.vote import Crowd, IntArray, some_of
from rtpick.association.world import World

_LOCATED_ALWAYS = 10
_LOCATED_GROWTH = 1.2
_DOUBTED_PICKS = 30  # with more, P and S among them, the review of fronts decides
_CLEARLY_CURVED = 8.0
_REVIEWS_APART_S = 1.0
_NO_DEPTHS = np.empty(0)


def explain(world: World, beliefs: Beliefs, key: str, pool: Pool, role_N: IntArray, start: FloatArray,
            now_s: float, *, depths_km: FloatArray = _NO_DEPTHS,
            stays: bool = False) -> Hypothesis | None:  # fmt: skip
    """Locate members from a start and weigh them as one event; None where too little is left.

    Parameters
    ----------
    pool : Pool
        Members and those who may become some.
    role_N : ndarray of int
        What each is in the event; -1 for those that are no members. Changed in place.
    start : ndarray, shape (4,)
        As `Hypothesis.source`.
    depths_km : ndarray
        Further depths to start from.
    stays : bool
        Weigh the members as they are.
    """
    zero_s = float(start[3])
    source = np.array([start[0], start[1], start[2], 0.0])
    crowd = pool.crowd._replace(time_N=pool.crowd.time_N - zero_s)
    role_N, found, enough = settle_members(
        world.physics, world.demands, beliefs, crowd, role_N, source, depths_km, now_s - zero_s, stays
    )
    if not enough:
        return None
    found.source[3] += zero_s
    found.outlook.time_RS[:] += zero_s
    origin_s = float(found.source[3])
    end_s = origin_s + found.patience_s + 2.0 * world.settings.maximum_residual_s
    early_s = origin_s + 0.4 * found.patience_s
    members = role_N >= 0
    return Hypothesis(
        key=key, pool=pool if members.all() else pool.where(members), role_M=role_N[members],
        source=found.source, covariance_44=found.covariance_44, depth_fixed=found.depth_fixed,
        ratio_M=found.ratio_M, sigma_M=found.sigma_M, gain_M=found.gain_M, outlook=found.outlook,
        gain_RS=found.gain_RS, log_odds=found.log_odds,
        certainty=found.log_odds - _doubt(world, crowd, role_N, found.ratio_M, found.sigma_M),
        due=log_chance_at(beliefs.chance, found.source[0], found.source[1]) - world.prior.log_usual,
        begin_s=origin_s, end_s=end_s,
        review_s=early_s if early_s > now_s + _REVIEWS_APART_S else end_s, located=len(found.ratio_M),
    )  # fmt: skip


def _doubt(world: World, crowd: Crowd, role_N: IntArray, ratio_M: FloatArray,
           sigma_M: FloatArray) -> float:  # fmt: skip
    """Return by how much an event falls short of being clearly no plane wave from far away."""
    few = some_of(crowd, np.flatnonzero(role_N >= 0))
    if len(ratio_M) > _DOUBTED_PICKS and has_pair(few.station_N):
        return 0.0
    return max(flatness(world.plane_km_S2, few, ratio_M, sigma_M) + _CLEARLY_CURVED, 0.0)


def explain_front(world: World, beliefs: Beliefs, key: str, pool: Pool, role_N: IntArray, start: FloatArray,
                  now_s: float, *, stays: bool = False) -> Hypothesis | None:  # fmt: skip
    """Fit a plane wave to members and weigh it; `start` holds slownesses and time."""
    zero_s = float(start[3])
    source = np.array([start[0], start[1], start[2], 0.0])
    crowd = pool.crowd._replace(time_N=pool.crowd.time_N - zero_s)
    role_N, found, enough = settle_front(
        world.plane_km_S2, world.front_demands, beliefs, crowd, role_N, source, now_s - zero_s, stays
    )
    if not enough:
        return None
    found.source[3] += zero_s
    found.outlook.time_RS[:] += zero_s
    time_S, members = found.outlook.time_RS[0], role_N >= 0
    end_s = float(time_S.max()) + 10.0
    return Hypothesis(
        key=key, pool=pool if members.all() else pool.where(members), role_M=role_N[members],
        source=found.source, covariance_44=found.covariance_44, depth_fixed=True, ratio_M=found.ratio_M,
        sigma_M=np.full(len(found.ratio_M), found.sigma_s), gain_M=found.gain_M, outlook=found.outlook,
        gain_RS=found.gain_RS, log_odds=found.log_odds, certainty=found.log_odds, due=0.0,
        begin_s=float(time_S.min()) - 2.0, end_s=end_s, review_s=end_s, located=len(found.ratio_M),
        distant=True,
    )  # fmt: skip


def settled(world: World, beliefs: Beliefs, event: Hypothesis, others: Pool, now_s: float,
            joining: tuple[Signal, int] | None = None) -> Hypothesis | None:  # fmt: skip
    """Explain an event anew with others that may join it; None where too little is left of it.

    `joining` is one of the others that takes its slot, and its role, from the beginning.
    """
    pool, role_N = cast(event, others.within(event.begin_s, event.end_s))
    if joining is not None:
        signal, role = joining
        role_N[(pool.crowd.station_N == signal.station) & (role_N == role)] = -1
        role_N[pool.signals.index(signal)] = role
    explained = explain_front if event.distant else explain
    return explained(world, beliefs, event.key, pool, role_N, event.source, now_s)


def lessened(world: World, beliefs: Beliefs, event: Hypothesis, gone: frozenset[Signal],
             now_s: float) -> Hypothesis | None:  # fmt: skip
    """Explain an event without some of its picks; None where too little is left of it."""
    keep_N = np.array([signal not in gone for signal in event.pool.signals])
    if np.count_nonzero(keep_N) < world.rules.minimum_picks:
        return None
    explained = explain_front if event.distant else explain
    pool, role_N = event.pool.where(keep_N), event.role_M[keep_N]
    return explained(world, beliefs, event.key, pool, role_N, event.source, now_s)


def weighed(world: World, beliefs: Beliefs, event: Hypothesis, now_s: float) -> Hypothesis:
    """Weigh an event again with the silence heard since."""
    roles = event.role_M.copy()
    if event.distant:
        front = explain_front(
            world, beliefs, event.key, event.pool, roles, event.source, now_s, stays=True
        )
        return front or event
    return explain(world, beliefs, event.key, event.pool, roles, event.source, now_s, stays=True) or event


def cast(event: Hypothesis, others: Pool) -> tuple[Pool, IntArray]:
    """Put an event's picks and others together, with the roles that they have in it."""
    if not others.signals:
        return event.pool, event.role_M.copy()
    signals = (*event.pool.signals, *others.signals)
    arrays = [np.concatenate(pair) for pair in zip(event.pool.crowd, others.crowd, strict=True)]
    role_N = np.concatenate([event.role_M, np.full(len(others), -1)])
    order = np.argsort(arrays[2], kind="stable")
    crowd = Crowd(*(array[order] for array in arrays))
    return Pool(tuple([signals[n] for n in order.tolist()]), crowd), role_N[order]


def appended(world: World, event: Hypothesis, signal: Signal, gain: float, role: int) -> Hypothesis | None:
    """Add a pick without locating again; None where the pick or its share of the whole asks for that.

    A pick in a slot that is taken, far off the forecast, or beyond a fifth more picks than the
    location knows is such a case.
    """
    many = len(event.pool) + 1
    if many < _LOCATED_ALWAYS or many > _LOCATED_GROWTH * event.located or event.distant:
        return None
    time_s = float(event.outlook.time_RS[role, signal.station])
    sigma_s = arrival_sigma_s(world.physics.spread, role, time_s - float(event.source[3]))
    ratio = (signal.time_s - time_s) / sigma_s
    if abs(ratio) > 2.0 or holder_of(event, signal.station, role) is not None:
        return None
    place = event.pool.place_of(signal)
    return replace(
        event,
        pool=event.pool.joined(signal),
        role_M=inserted(event.role_M, place, role),
        ratio_M=inserted(event.ratio_M, place, ratio),
        sigma_M=inserted(event.sigma_M, place, sigma_s),
        gain_M=inserted(event.gain_M, place, gain),
        log_odds=event.log_odds + gain,
        certainty=event.certainty + gain,
    )


def holder_of(event: Hypothesis, station: int, role: int) -> int | None:
    """Return which pick holds a slot of an event."""
    held = np.flatnonzero((event.pool.crowd.station_N == station) & (event.role_M == role))
    return int(held[0]) if len(held) else None


def claim(world: World, event: Hypothesis, signal: Signal) -> tuple[float, int]:
    """Return what one pick adds to an event, less what it pushes out, and its role there."""
    best, top, station = signal.role, -math.inf, signal.station
    largest_s, outlook = world.settings.maximum_residual_s, event.outlook
    for role in (0, 1):
        late_s = abs(signal.time_s - outlook.time_RS.item(role, station))
        sigma_s = outlook.sigma_RS.item(role, station)
        if late_s > largest_s and late_s > sigma_s:
            continue
        ratio = late_s / sigma_s
        fit = LOG_DENSITY_0 - math.log(sigma_s) - 2.5 * math.log(1.0 + ratio * ratio / FREEDOM)
        gain = event.gain_RS.item(role, station) + fit + signal.merit
        gain += log_loudness(signal.loudness + outlook.fall_RS.item(role, station) - outlook.level)
        gain += 0.0 if role == signal.role else SWAPPED
        if gain > top:
            best, top = role, gain
    if top <= LEAST_GAIN:
        return -math.inf, best
    holder = holder_of(event, station, best)
    return top - (0.0 if holder is None else float(event.gain_M[holder])), best


def claims(world: World, event: Hypothesis, pool: Pool) -> FloatArray:
    """Return what each of some picks would add to an event."""
    return best_roles(event.outlook, event.gain_RS, pool.crowd, world.settings.maximum_residual_s)[1]


