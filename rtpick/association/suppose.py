"""Supposing an event: locate its picks, weigh them, drop what does not fit, take what does.

Arrays: M pick, S station, R role.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from rtpick.association.background import Background
from rtpick.association.compiled import compiled
from rtpick.association.evidence import Forecast, claim_gains, forecast, log_fit, log_odds_by_range, log_prior
from rtpick.association.locate import Timing, arrival_sigma_s, descend, locate_source
from rtpick.association.signal import Hypothesis, Member, Signal
from rtpick.association.velocity import FloatArray
from rtpick.association.vote import IntArray
from rtpick.association.world import World

LEAST_GAIN = 1.0
_ROUNDS = 4
_NO_DEPTHS = np.empty(0)
_PATIENCE = 6.0


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


def enough(world: World, members: Sequence[Member]) -> bool:
    """Tell whether there are enough picks at enough stations."""
    settings = world.settings
    if len(members) < settings.minimum_picks:
        return False
    return len({m.signal.station for m in members}) >= settings.minimum_stations


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
    timing = timing_of(members, zero_s)
    begin = np.array([start[0], start[1], start[2], start[3] - zero_s])
    table, places = world.travel_times.table, world.sites.places
    limit_km = 3.0 * world.extent.cell_km
    source, _, ratio_M, matrix_44 = locate_source(table, places, world.spread, timing, begin, depths_km, limit_km)
    covariance = _covariance(world, matrix_44)
    fixed = bool(covariance[2, 2] > world.unresolved_km**2)
    if fixed:
        source[2] = world.usual_depth_km
        source, _, ratio_M, _ = descend(table, places, world.spread, timing, source, limit_km, False)
    outlook = forecast(table, places, world.spread, world.detection, source, covariance)
    sigma_M = member_sigmas(world.spread, timing, outlook.time_RS, source[3])
    merit_M = np.array([m.merit for m in members])
    odds_G = log_odds_by_range(
        world.detection, outlook, timing, ratio_M, sigma_M, merit_M, background.log_rate_S,
        background.live_S, now_s - zero_s,
    )  # fmt: skip
    best = int(np.argmax(odds_G))
    prior = log_prior(covariance, source[2], world.extent.maximum_depth_km, world.area_km2, world.events_per_s)
    gains = claim_gains(world.detection, outlook, best, background.log_rate_S, background.live_S)
    source[3] += zero_s
    outlook.time_RS[:] += zero_s
    hypothesis = Hypothesis(key, members, source, covariance, ratio_M, sigma_M, outlook, gains,
                            float(odds_G[best]) + prior, 0.0, 0.0, fixed)  # fmt: skip
    return _with_deadlines(world, hypothesis, best, now_s)


def _covariance(world: World, matrix_44: FloatArray) -> FloatArray:
    """Invert the information, with the network's own size as what is known beforehand."""
    wide_km = world.extent.maximum_distance_km
    prior = np.diag([wide_km**-2, wide_km**-2, world.extent.maximum_depth_km**-2.0, 1e-6])
    return np.asarray(np.linalg.inv(matrix_44 + prior))


@compiled
def member_sigmas(spread, timing, time_RS, origin_s):  # type: ignore[no-untyped-def]
    """Return the standard deviation expected of each member."""
    sigma_M = np.empty(len(timing.time_M))
    for m in range(len(sigma_M)):
        travel = time_RS[timing.role_M[m], timing.station_M[m]] - origin_s
        sigma_M[m] = arrival_sigma_s(spread, timing.role_M[m], travel)
    return sigma_M


def _with_deadlines(world: World, hypothesis: Hypothesis, best_range: int, now_s: float) -> Hypothesis:
    """Say until when picks are expected: S at several times the event's range."""
    far_km = min(world.detection.range_km_G[best_range] * _PATIENCE, world.extent.maximum_distance_km)
    travel_s = float(world.travel_times.look_up("S", far_km, hypothesis.source[2])[0])
    end_s = float(hypothesis.source[3]) + travel_s + 2.0 * world.settings.maximum_residual_s
    early_s = float(hypothesis.source[3]) + 0.4 * travel_s
    return replace(hypothesis, end_s=end_s, review_s=early_s if early_s > now_s else end_s)


def member_gains(hypothesis: Hypothesis) -> FloatArray:
    """Return what each member adds to the log-odds, shape (M,)."""
    gains = [
        hypothesis.gain_RS[m.slot] + m.merit + log_fit(ratio * sigma, sigma)
        for m, ratio, sigma in zip(hypothesis.members, hypothesis.ratio_M, hypothesis.sigma_M, strict=True)
    ]
    return np.array(gains)


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
            gain -= 4.0 if role != role_N[n] else 0.0
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
    holder = dict(zip((m.slot for m in hypothesis.members), member_gains(hypothesis).tolist(), strict=True))
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
        gains = member_gains(hypothesis)
        kept = tuple(m for m, gain in zip(hypothesis.members, gains, strict=True) if gain > 0.0)
        if not enough(world, kept):
            return None
        if len(kept) == len(hypothesis.members):
            kept = take_in(hypothesis, claims(world, hypothesis, loose))
            if [m.signal.pick_id for m in kept] == [m.signal.pick_id for m in hypothesis.members]:
                return hypothesis
        hypothesis = explain(world, background, hypothesis.key, kept, hypothesis.source, now_s)
    return hypothesis
