"""Supposing an event: locate its picks, weigh them, drop what does not fit, take what does.

Arrays: M pick, S station, R role.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from rtpick.association.appraise import appraise
from rtpick.association.background import Background
from rtpick.association.compiled import compiled
from rtpick.association.evidence import Forecast, log_fit
from rtpick.association.front import SIGMA_S, appraise_front
from rtpick.association.locate import Timing
from rtpick.association.signal import Hypothesis, Member, Signal
from rtpick.association.velocity import FloatArray
from rtpick.association.vote import IntArray
from rtpick.association.world import World

LEAST_GAIN = 1.0
FRONT_STATIONS = 8
_ROUNDS = 4
_NO_DEPTHS = np.empty(0)


def timing_of(members: Sequence[Member], zero_s: float) -> Timing:
    """Collect the arrivals of members as arrays, in seconds since `zero_s`."""
    return Timing(
        np.array([m.signal.station for m in members], np.int64),
        np.array([m.role for m in members], np.int64),
        np.array([m.signal.time_s - zero_s for m in members]),
    )


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
    zero_s = members[0].signal.time_s
    found = appraise(
        world.physics, timing_of(members, zero_s), np.array([m.merit for m in members]),
        start - (0.0, 0.0, 0.0, zero_s), depths_km, background.log_rate_S, background.live_S, now_s - zero_s,
    )  # fmt: skip
    found.source[3] += zero_s
    found.outlook.time_RS[:] += zero_s
    origin_s = float(found.source[3])
    end_s = origin_s + found.patience_s + 2.0 * world.settings.maximum_residual_s
    early_s = origin_s + 0.4 * found.patience_s
    return Hypothesis(
        key, members, found.source, found.covariance_44, found.depth_fixed, found.ratio_M, found.sigma_M,
        found.gain_M, found.outlook, found.gain_RS, found.log_odds, end_s, early_s if early_s > now_s else end_s,
    )  # fmt: skip


def explain_front(world: World, background: Background, key: str, members: tuple[Member, ...],
                  start: FloatArray, now_s: float) -> Hypothesis:  # fmt: skip
    """Fit a plane wave to the members and weigh it; `start` holds slownesses and time."""
    zero_s = members[0].signal.time_s
    found = appraise_front(
        world.plane_km_S2, timing_of(members, zero_s), np.array([m.signal.merit for m in members]),
        start - (0.0, 0.0, 0.0, zero_s), background.log_rate_S, background.live_S, now_s - zero_s,
    )  # fmt: skip
    found.source[3] += zero_s
    time_S = found.time_S + zero_s
    nothing_S = np.zeros(len(time_S))
    outlook = Forecast(np.stack([time_S, time_S]), np.stack([found.sigma_S, found.sigma_S]), nothing_S, nothing_S)
    gain_RS = np.stack([found.gain_S, found.gain_S])
    end_s = float(time_S.max()) + 10.0
    return Hypothesis(
        key, members, found.source, found.covariance_44, True, found.ratio_M, np.full(len(members), SIGMA_S),
        found.gain_M, outlook, gain_RS, found.log_odds, end_s, end_s, distant=True,
    )  # fmt: skip


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


def claims(world: World, hypothesis: Hypothesis, signals: Sequence[Signal]) -> list[tuple[float, Member]]:
    """List the picks that would add to an event, with what they add."""
    if not signals:
        return []
    role_N, gain_N = best_roles(
        hypothesis.outlook, hypothesis.gain_RS,
        np.array([s.station for s in signals], np.int64), np.array([s.role for s in signals], np.int64),
        np.array([s.time_s for s in signals]), world.settings.maximum_residual_s,
    )  # fmt: skip
    found = zip(gain_N.tolist(), role_N.tolist(), signals, strict=True)
    return [(gain + s.merit, Member(s, role)) for gain, role, s in found if gain + s.merit > LEAST_GAIN]


def take_in(hypothesis: Hypothesis, offers: Sequence[tuple[float, Member]]) -> tuple[Member, ...]:
    """Fill the slots of an event from members and offers; the better pick keeps a slot."""
    holder = dict(zip((m.slot for m in hypothesis.members), hypothesis.gain_M.tolist(), strict=True))
    member = {m.slot: m for m in hypothesis.members}
    seated = {m.signal.pick_id for m in hypothesis.members}
    for gain, offer in sorted(offers, key=lambda item: (-item[0], item[1].signal.key)):
        if offer.signal.pick_id in seated or holder.get(offer.slot, -1e9) >= gain:
            continue
        holder[offer.slot], member[offer.slot] = gain, offer
    return in_order(member.values())


def settle(world: World, background: Background, hypothesis: Hypothesis, loose: Sequence[Signal],
           now_s: float) -> Hypothesis | None:  # fmt: skip
    """Drop members that do not fit and take in loose picks that do, until nothing changes.

    Returns None where too little is left.
    """
    for _ in range(_ROUNDS):
        gains = hypothesis.gain_M.tolist()
        kept = tuple(m for m, gain in zip(hypothesis.members, gains, strict=True) if gain > 0.0)
        if not enough(world, kept, hypothesis.distant):
            return None
        if len(kept) == len(hypothesis.members):
            kept = take_in(hypothesis, claims(world, hypothesis, loose))
            if [m.signal.pick_id for m in kept] == [m.signal.pick_id for m in hypothesis.members]:
                return hypothesis
        hypothesis = revised(world, background, hypothesis, kept, now_s)
    return hypothesis
