"""Supposing an event: locate its picks, weigh them, drop what does not fit, take what does.

Arrays: M pick, S station, R role.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from rtpick.association.appraise import appraise
from rtpick.association.background import Background
from rtpick.association.compiled import compiled
from rtpick.association.evidence import Forecast, log_fit
from rtpick.association.front import appraise_front
from rtpick.association.locate import Spread, Timing, arrival_sigma_s
from rtpick.association.signal import Hypothesis, Member, Pool, pool_of
from rtpick.association.velocity import FloatArray
from rtpick.association.vote import IntArray
from rtpick.association.world import World

Offers = list[tuple[float, Member]]
NOBODY = pool_of(())
LEAST_GAIN = 1.0
FRONT_STATIONS = 8
_LOCATED_ALWAYS = 10
_LOCATED_GROWTH = 1.2
_ROUNDS = 4
_NO_DEPTHS = np.empty(0)


def in_order(members: Iterable[Member]) -> tuple[Member, ...]:
    """Sort members canonically."""
    return tuple(sorted(members, key=lambda m: m.signal.key))


def enough(world: World, members: Sequence[Member], distant: bool = False) -> bool:
    """Tell whether there are enough picks at enough stations."""
    picks, stations = world.settings.minimum_picks, world.settings.minimum_stations
    if distant:
        picks = stations = FRONT_STATIONS
    return len(members) >= picks and len({m.signal.station for m in members}) >= stations


def explain(world: World, background: Background, key: str, members: tuple[Member, ...],
            start: FloatArray, now_s: float, depths_km: FloatArray = _NO_DEPTHS) -> Hypothesis:  # fmt: skip
    """Locate the members from a start and weigh them as one event.

    Parameters
    ----------
    start : ndarray, shape (4,)
        As `Hypothesis.source`.
    depths_km : ndarray
        Further depths to start from.
    """
    names = tuple(m.name for m in members)
    case = (key, names, start.tobytes(), now_s, len(depths_km), background.belief)
    return world.memo.recall(case, lambda: _explain(world, background, key, members, start, now_s, depths_km))


def _explain(world: World, background: Background, key: str, members: tuple[Member, ...],
             start: FloatArray, now_s: float, depths_km: FloatArray) -> Hypothesis:  # fmt: skip
    zero_s = members[0].signal.time_s
    pool = pool_of(m.signal for m in members)
    found = appraise(
        world.physics, _timing(pool, members, zero_s), np.array([m.merit for m in members]),
        start - (0.0, 0.0, 0.0, zero_s), depths_km, background.log_rate_S, background.live_S, now_s - zero_s,
    )  # fmt: skip
    found.source[3] += zero_s
    found.outlook.time_RS[:] += zero_s
    origin_s = float(found.source[3])
    end_s = origin_s + found.patience_s + 2.0 * world.settings.maximum_residual_s
    early_s = origin_s + 0.4 * found.patience_s
    return Hypothesis(
        key=key, members=members, pool=pool, source=found.source, covariance_44=found.covariance_44,
        depth_fixed=found.depth_fixed, ratio_M=found.ratio_M, sigma_M=found.sigma_M, gain_M=found.gain_M,
        outlook=found.outlook, gain_RS=found.gain_RS, log_odds=found.log_odds, end_s=end_s,
        review_s=early_s if early_s > now_s else end_s, located=len(members),
    )  # fmt: skip


def _timing(pool: Pool, members: Sequence[Member], zero_s: float) -> Timing:
    return Timing(pool.station_N, np.array([m.role for m in members], np.int64), pool.time_N - zero_s)


def explain_front(world: World, background: Background, key: str, members: tuple[Member, ...],
                  start: FloatArray, now_s: float) -> Hypothesis:  # fmt: skip
    """Fit a plane wave to the members and weigh it; `start` holds slownesses and time."""
    zero_s = members[0].signal.time_s
    pool = pool_of(m.signal for m in members)
    found = appraise_front(
        world.plane_km_S2, _timing(pool, members, zero_s), pool.merit_N, start - (0.0, 0.0, 0.0, zero_s),
        background.log_rate_S, background.live_S, now_s - zero_s,
    )  # fmt: skip
    found.source[3] += zero_s
    time_S = found.time_S + zero_s
    nothing_S = np.zeros(len(time_S))
    outlook = Forecast(
        np.stack([time_S, time_S]), np.stack([found.sigma_S, found.sigma_S]), nothing_S, nothing_S
    )
    gain_RS = np.stack([found.gain_S, found.gain_S])
    end_s = float(time_S.max()) + 10.0
    return Hypothesis(
        key=key, members=members, pool=pool, source=found.source, covariance_44=found.covariance_44,
        depth_fixed=True, ratio_M=found.ratio_M, sigma_M=np.full(len(members), found.sigma_s),
        gain_M=found.gain_M, outlook=outlook, gain_RS=gain_RS, log_odds=found.log_odds, end_s=end_s,
        review_s=end_s, located=len(members), distant=True,
    )  # fmt: skip


def appended(hypothesis: Hypothesis, gain: float, member: Member, spread: Spread) -> Hypothesis | None:
    """Add a pick without locating again; None where the pick or its share of the whole asks for that.

    A pick in a slot that is taken, before the last one, far off the forecast, or beyond a fifth more
    picks than the location knows is such a case.
    """
    many = len(hypothesis.members) + 1
    if many < _LOCATED_ALWAYS or many > _LOCATED_GROWTH * hypothesis.located or hypothesis.distant:
        return None
    time_s = float(hypothesis.outlook.time_RS[member.slot])
    sigma_s = arrival_sigma_s(spread, member.role, time_s - float(hypothesis.source[3]))
    ratio = (member.signal.time_s - time_s) / sigma_s
    if abs(ratio) > 2.0 or any(m.slot == member.slot for m in hypothesis.members):
        return None
    return replace(
        hypothesis,
        members=(*hypothesis.members, member),
        pool=pool_of((*hypothesis.pool.signals, member.signal)),
        ratio_M=np.append(hypothesis.ratio_M, ratio),
        sigma_M=np.append(hypothesis.sigma_M, sigma_s),
        gain_M=np.append(hypothesis.gain_M, gain),
        log_odds=hypothesis.log_odds + gain,
    )


def revised(world: World, background: Background, hypothesis: Hypothesis, members: tuple[Member, ...],
            now_s: float) -> Hypothesis:  # fmt: skip
    """Explain an event anew with other members, from where it is."""
    if hypothesis.distant:
        return explain_front(world, background, hypothesis.key, members, hypothesis.source, now_s)
    return explain(world, background, hypothesis.key, members, hypothesis.source, now_s)


@compiled
def best_roles(outlook: Forecast, gain_RS: FloatArray, station_N: IntArray, role_N: IntArray,
               time_N: FloatArray, largest_s: float) -> tuple[IntArray, FloatArray]:  # fmt: skip
    """Return the role in which each pick gains an event most, and that gain before merit."""
    best_N, top_N = role_N.copy(), np.full(len(role_N), -1e9)
    for n in range(len(role_N)):
        s = station_N[n]
        for role in range(2):
            residual = time_N[n] - outlook.time_RS[role, s]
            if abs(residual) > largest_s and abs(residual) > outlook.sigma_RS[role, s]:
                continue
            gain = gain_RS[role, s] + log_fit(residual, outlook.sigma_RS[role, s])
            gain -= 4.0 if role != role_N[n] else 0.0  # as Member.merit
            if gain > top_N[n]:
                top_N[n] = gain
                best_N[n] = role
    return best_N, top_N


def claims(world: World, hypothesis: Hypothesis, pool: Pool) -> Offers:
    """List the picks that would add to an event, with what they add."""
    if not pool.signals:
        return []
    role_N, gain_N = best_roles(
        hypothesis.outlook, hypothesis.gain_RS, pool.station_N, pool.role_N, pool.time_N,
        world.settings.maximum_residual_s,
    )  # fmt: skip
    gain_N += pool.merit_N
    wanted = np.flatnonzero(gain_N > LEAST_GAIN).tolist()
    return [(float(gain_N[n]), Member(pool.signals[n], int(role_N[n]))) for n in wanted]


def take_in(hypothesis: Hypothesis, offers: Offers) -> tuple[Member, ...]:
    """Fill the slots of an event from members and offers; the better pick keeps a slot."""
    if not offers:
        return hypothesis.members
    holder = dict(zip((m.slot for m in hypothesis.members), hypothesis.gain_M.tolist(), strict=True))
    member = {m.slot: m for m in hypothesis.members}
    seated = {m.signal.pick_id for m in hypothesis.members}
    changed = False
    for gain, offer in sorted(offers, key=lambda item: (-item[0], item[1].signal.key)):
        if offer.signal.pick_id in seated or holder.get(offer.slot, -1e9) >= gain:
            continue
        holder[offer.slot], member[offer.slot], changed = gain, offer, True
    return in_order(member.values()) if changed else hypothesis.members


def settle(world: World, background: Background, hypothesis: Hypothesis, loose: Pool,
           now_s: float) -> Hypothesis | None:  # fmt: skip
    """Drop members that do not fit and take in loose picks that do, until nothing changes.

    Returns None where too little is left.
    """
    for _ in range(_ROUNDS):
        kept = hypothesis.members
        if hypothesis.gain_M.min() <= 0.0:
            gains = hypothesis.gain_M.tolist()
            kept = tuple(m for m, gain in zip(hypothesis.members, gains, strict=True) if gain > 0.0)
        if not enough(world, kept, hypothesis.distant):
            return None
        if kept is hypothesis.members:
            kept = take_in(hypothesis, claims(world, hypothesis, loose))
            if kept is hypothesis.members:
                return hypothesis
        hypothesis = revised(world, background, hypothesis, kept, now_s)
    return hypothesis
