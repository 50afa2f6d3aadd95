"""Plane waves from far away: they cross the whole network, own their picks and are no local event.

A front competes for picks with local events on equal terms: its log-odds count the fit of its picks
to a plane, and every live station that it passed unseen. It is never published.

Arrays: M member, S station, N pick of a crowd, Q share of stations that see the front.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rtpick.association.evidence import Beliefs, Forecast, log_fit
from rtpick.association.locate import FREEDOM
from rtpick.association.loudness import agree
from rtpick.association.settle import Demands, best_roles, drop, enough, spread_gains, take_in
from rtpick.association.velocity import FloatArray
from rtpick.association.vote import Crowd, IntArray, some_of
from rtpick.numeric.compiled import compiled

# Standard deviation of a front's picks: station delays alone, or also emergent onsets and a bent front.
_SIGMAS_S = (0.2, 0.35, 0.6)
FASTEST_S_KM, STEP_S_KM = 0.10, 0.01
TOLERANCE_S = 2.5
_NEVER = -1e6
_ROUNDS = 4
NEIGHBOURS, _NEIGHBOURS_SEEN = 12, 5
_PER_S = 1.0 / 3600.0
_SHARES_Q = np.array([0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95])


class FrontAppraisal(NamedTuple):
    """A fitted and weighed front: slowness east and north (s/km), nothing, time at the middle (s)."""

    source: FloatArray
    covariance_44: FloatArray
    ratio_M: FloatArray
    gain_M: FloatArray
    outlook: Forecast
    sigma_s: float
    gain_RS: FloatArray
    log_odds: float


class FrontSettled(NamedTuple):
    """The roles in which a crowd takes part in a front, and the front's appraisal."""

    role_N: IntArray
    found: FrontAppraisal
    enough: bool


@compiled
def may_be_front(near_SN: IntArray, near_km_SN: FloatArray, ballot: Crowd, proposer: int) -> bool:
    """Tell whether enough of the proposer's neighbours picked when a front that passed it would have."""
    station, zero_s, found = ballot.station_N[proposer], ballot.time_N[proposer], 0
    for rank in range(near_SN.shape[1]):
        wait_s = near_km_SN[station, rank] * FASTEST_S_KM + TOLERANCE_S
        for n in range(len(ballot.time_N)):
            if ballot.station_N[n] == near_SN[station, rank] and abs(ballot.time_N[n] - zero_s) < wait_s:
                found += 1
                break
    return bool(found >= min(_NEIGHBOURS_SEEN, near_SN.shape[1]))


@compiled
def vote_front(plane_km_S2: FloatArray, ballot: Crowd, proposer: int) -> tuple[int, float, float]:
    """Return the most picks that a plane through the proposer's explains, and its slowness."""
    steps = int(np.round(FASTEST_S_KM / STEP_S_KM))
    here = plane_km_S2[ballot.station_N[proposer]]
    best, best_east, best_north = 0, 0.0, 0.0
    for i in range(-steps, steps + 1):
        for j in range(-steps, steps + 1):
            if i * i + j * j > steps * steps:
                continue
            east, north, count = i * STEP_S_KM, j * STEP_S_KM, 0
            for n in range(len(ballot.time_N)):
                there = plane_km_S2[ballot.station_N[n]]
                late = ballot.time_N[n] - ballot.time_N[proposer]
                late -= east * (there[0] - here[0]) + north * (there[1] - here[1])
                count += abs(late) < TOLERANCE_S
            if count > best:
                best, best_east, best_north = count, east, north
    return best, best_east, best_north


@compiled
def _fit_plane(plane_km_S2: FloatArray, few: Crowd, start: FloatArray,
               sigma_s: float) -> tuple[FloatArray, FloatArray, FloatArray]:  # fmt: skip
    """Fit a plane by reweighting from a start; return it, its covariance and the residuals."""
    count = len(few.time_N)
    ratio_M, plane = np.empty(count), np.array([start[0], start[1], start[3]])
    matrix, right, slope = np.zeros((3, 3)), np.zeros(3), np.ones(3)
    for _ in range(8):
        matrix[:], right[:] = 0.0, 0.0
        for m in range(count):
            slope[:2] = plane_km_S2[few.station_N[m]]
            ratio_M[m] = (few.time_N[m] - np.dot(slope, plane)) / sigma_s
            weight = (FREEDOM + 1.0) / (FREEDOM + ratio_M[m] ** 2)
            for i in range(3):
                right[i] += weight * slope[i] * ratio_M[m] / sigma_s
                for j in range(3):
                    matrix[i, j] += weight * slope[i] * slope[j] / sigma_s**2
        for i in range(2):
            matrix[i, i] += (FASTEST_S_KM / 2.0) ** -2.0
            right[i] -= plane[i] * (FASTEST_S_KM / 2.0) ** -2.0
        matrix[2, 2] += 1e-6
        plane += np.linalg.solve(matrix, right)
    return plane, np.linalg.inv(matrix), ratio_M


@compiled
def settle_front(plane_km_S2: FloatArray, demands: Demands, beliefs: Beliefs, crowd: Crowd, role_N: IntArray,
                 start: FloatArray, now_s: float, stays: bool) -> FrontSettled:  # fmt: skip
    """Fit a plane to members; drop those that do not fit and take in others that do."""
    found = appraise_front(plane_km_S2, crowd, role_N, start, beliefs, now_s)
    if stays:
        return FrontSettled(role_N, found, True)
    for _ in range(_ROUNDS):
        if drop(len(role_N), role_N, found.gain_M):
            if not enough(demands, crowd, role_N):
                return FrontSettled(role_N, found, False)
        else:
            wish_N, gain_N = best_roles(found.outlook, found.gain_RS, crowd, demands.largest_s)
            if not take_in(crowd, role_N, spread_gains(role_N, found.gain_M), wish_N, gain_N):
                return FrontSettled(role_N, found, enough(demands, crowd, role_N))
        found = appraise_front(plane_km_S2, crowd, role_N, found.source, beliefs, now_s)
    return FrontSettled(role_N, found, True)


@compiled
def appraise_front(plane_km_S2: FloatArray, crowd: Crowd, role_N: IntArray, start: FloatArray,
                   beliefs: Beliefs, now_s: float) -> FrontAppraisal:  # fmt: skip
    """Fit a plane to a crowd's members and weigh it against chance and silence until `now_s`."""
    member_M = some_of(crowd, np.flatnonzero(role_N >= 0))
    best = _appraise_front(plane_km_S2, member_M, start, beliefs, now_s, _SIGMAS_S[-1])
    for sigma_s in _SIGMAS_S[:-1]:
        other = _appraise_front(plane_km_S2, member_M, start, beliefs, now_s, sigma_s)
        if other.log_odds > best.log_odds:
            best = other
    return best


@compiled
def _appraise_front(plane_km_S2: FloatArray, few: Crowd, start: FloatArray, beliefs: Beliefs, now_s: float,
                    sigma_s: float) -> FrontAppraisal:  # fmt: skip
    plane, covariance, ratio_M = _fit_plane(plane_km_S2, few, start, sigma_s)
    live_S, log_rate_S = beliefs.live_S, beliefs.log_rate_S
    stations, slope = len(live_S), np.ones(3)
    time_RS, sigma_RS = np.empty((2, stations)), np.empty((2, stations))
    seen_S, passed = np.zeros(stations, np.bool_), 0
    fall_RS, chance_M = np.zeros((2, stations)), np.empty(len(ratio_M))
    agreement = agree(few.loudness_N, np.zeros(len(ratio_M)))
    odds = agreement.cost
    for m in range(len(ratio_M)):
        station = few.station_N[m]
        chance_M[m] = log_fit(ratio_M[m] * sigma_s, sigma_s) - log_rate_S[station] + few.merit_N[m]
        chance_M[m] += agreement.gain_M[m]
        odds += chance_M[m]
        seen_S[station] = True
    for s in range(stations):
        slope[:2] = plane_km_S2[s]
        time_RS[:, s] = np.dot(slope, plane)
        sigma_RS[:, s] = np.sqrt(sigma_s**2 + np.dot(slope, np.dot(covariance, slope)))
        passed += live_S[s] > 0.0 and not seen_S[s] and time_RS[0, s] + 3.0 * sigma_RS[0, s] < now_s
    weight_Q = len(ratio_M) * np.log(_SHARES_Q) + passed * np.log(1.0 - _SHARES_Q)
    q = int(np.argmax(weight_Q))
    volume = 0.5 * np.log(max(np.linalg.det(covariance), 1e-30)) + 1.5 * np.log(2.0 * np.pi)
    if np.hypot(plane[0], plane[1]) > FASTEST_S_KM:
        odds = _NEVER  # slower than any wave from far away
    odds += weight_Q[q] + volume + np.log(_PER_S / (np.pi * FASTEST_S_KM**2))
    gain_RS = np.empty((2, stations))
    gain_RS[:] = np.log(_SHARES_Q[q]) - live_S * np.log(1.0 - _SHARES_Q[q]) - log_rate_S
    gain_M = chance_M + np.log(_SHARES_Q[q]) - np.log(1.0 - _SHARES_Q[q])
    source = np.array([plane[0], plane[1], 0.0, plane[2]])
    outlook = Forecast(time_RS, sigma_RS, np.zeros(0), fall_RS, agreement.level)
    return FrontAppraisal(source, np.zeros((4, 4)), ratio_M, gain_M, outlook, sigma_s, gain_RS, odds)


@compiled
def flatness(plane_km_S2: FloatArray, crowd: Crowd, ratio_M: FloatArray, sigma_M: FloatArray) -> float:
    """Return how much better (log) a plane wave from far away fits picks than a source that is near.

    Both must pay for what they adjust, but neither for silence; -inf where no such plane does.
    """
    count, top = len(ratio_M), -np.inf
    local = -0.5 * np.log(count) * 4.0
    for m in range(count):
        local += log_fit(ratio_M[m] * sigma_M[m], sigma_M[m])
    middle_s = crowd.time_N.mean()
    few = Crowd(
        crowd.station_N, crowd.label_N, crowd.time_N - middle_s, crowd.merit_N, crowd.loudness_N
    )
    for sigma_s in _SIGMAS_S:
        plane, _, flat_M = _fit_plane(plane_km_S2, few, np.zeros(4), sigma_s)
        if np.hypot(plane[0], plane[1]) > FASTEST_S_KM:
            continue
        total = -0.5 * np.log(count) * 3.0
        for m in range(count):
            total += log_fit(flat_M[m] * sigma_s, sigma_s)
        top = max(top, total)
    return float(top - local)
