"""Which picks an event keeps and which it takes in: one compiled loop until nothing changes.

Arrays: N pick of a crowd, M member, S station, R role. A member's role is 0 or 1, that of others -1.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rtpick.association.appraise import Appraisal, Physics, appraise
from rtpick.association.evidence import Beliefs, Forecast, log_fit
from rtpick.association.locate import Timing
from rtpick.association.loudness import log_loudness
from rtpick.association.velocity import FloatArray
from rtpick.association.vote import Crowd, IntArray, some_of
from rtpick.numeric.compiled import compiled

LEAST_GAIN = 1.0
SWAPPED = -4.0  # log of the share of picks that carry the other phase's name
NOTHING = -1e9
_ROUNDS = 4


class Demands(NamedTuple):
    """What an event must have; `pair_saves` so many fewer picks where a station has both P and S."""

    minimum_picks: int
    pair_saves: int
    minimum_stations: int
    largest_s: float


class Settled(NamedTuple):
    """The roles in which a crowd takes part in an event, and the event's appraisal."""

    role_N: IntArray
    found: Appraisal
    enough: bool


@compiled
def enough(demands: Demands, crowd: Crowd, role_N: IntArray) -> bool:
    """Tell whether members are enough, at enough stations; P and S of one station save a pick."""
    station_M, stations = np.sort(crowd.station_N[role_N >= 0]), 1
    for m in range(1, len(station_M)):
        stations += station_M[m] != station_M[m - 1]
    needed = demands.minimum_picks - (demands.pair_saves if stations < len(station_M) else 0)
    return bool(len(station_M) >= needed and stations >= demands.minimum_stations)


@compiled
def best_roles(outlook: Forecast, gain_RS: FloatArray, crowd: Crowd,
               largest_s: float) -> tuple[IntArray, FloatArray]:  # fmt: skip
    """Return the role in which each pick would add most to an event, and how much."""
    best_N, top_N = crowd.label_N.copy(), np.full(len(crowd.label_N), NOTHING)
    for n in range(len(best_N)):
        s = crowd.station_N[n]
        for role in range(2):
            late_s, sigma_s = crowd.time_N[n] - outlook.time_RS[role, s], outlook.sigma_RS[role, s]
            if abs(late_s) > largest_s and abs(late_s) > sigma_s:
                continue
            gain = gain_RS[role, s] + log_fit(late_s, sigma_s) + crowd.merit_N[n]
            gain += log_loudness(crowd.loudness_N[n] + outlook.fall_RS[role, s] - outlook.level)
            if role != crowd.label_N[n]:
                gain += SWAPPED
            if gain > top_N[n]:
                top_N[n] = gain
                best_N[n] = role
    return best_N, top_N


@compiled
def take_in(crowd: Crowd, role_N: IntArray, held_N: FloatArray, wish_N: IntArray, gain_N: FloatArray) -> bool:
    """Fill an event's slots, one a station and role, with what adds most; tell whether anything changed."""
    changed = False
    for n in np.argsort(-gain_N, kind="mergesort"):
        if gain_N[n] <= LEAST_GAIN:
            break
        if role_N[n] >= 0:
            continue
        rival = -1
        for m in range(len(role_N)):
            if role_N[m] == wish_N[n] and crowd.station_N[m] == crowd.station_N[n]:
                rival = m
        if rival >= 0:
            if held_N[rival] >= gain_N[n]:
                continue
            role_N[rival] = -1
        role_N[n], held_N[n], changed = wish_N[n], gain_N[n], True
    return changed


@compiled
def _appraise_members(physics: Physics, crowd: Crowd, role_N: IntArray, start: FloatArray,
                      depth_D: FloatArray, beliefs: Beliefs, now_s: float) -> Appraisal:  # fmt: skip
    members = np.flatnonzero(role_N >= 0)
    few, role_M = some_of(crowd, members), role_N[members]
    merit_M = few.merit_N + SWAPPED * (role_M != few.label_N)
    return appraise(
        physics, Timing(few.station_N, role_M, few.time_N), merit_M, few.loudness_N, start, depth_D, beliefs,
        now_s,
    )


@compiled
def drop(crowd_size: int, role_N: IntArray, gain_M: FloatArray) -> bool:
    """Let go of members that add nothing; tell whether there were any."""
    dropped, m = False, 0
    for n in range(crowd_size):
        if role_N[n] >= 0:
            if gain_M[m] <= 0.0:
                role_N[n], dropped = -1, True
            m += 1
    return dropped


@compiled
def spread_gains(role_N: IntArray, gain_M: FloatArray) -> FloatArray:
    """Return the members' gains in the places of the crowd."""
    held_N, m = np.zeros(len(role_N)), 0
    for n in range(len(role_N)):
        if role_N[n] >= 0:
            held_N[n] = gain_M[m]
            m += 1
    return held_N


@compiled
def settle_members(physics: Physics, demands: Demands, beliefs: Beliefs, crowd: Crowd, role_N: IntArray,
                   start: FloatArray, depth_D: FloatArray, now_s: float, stays: bool) -> Settled:  # fmt: skip
    """Locate and weigh members; drop those that do not fit and take in others that do.

    Parameters
    ----------
    crowd : Crowd
        Members and those who may become some, times in seconds since any zero.
    role_N : ndarray of int
        Changed in place.
    depth_D : ndarray
        Further depths to start from at first.
    stays : bool
        Weigh the members as they are.
    """
    found = _appraise_members(physics, crowd, role_N, start, depth_D, beliefs, now_s)
    if stays:
        return Settled(role_N, found, True)
    for _ in range(_ROUNDS):
        if drop(len(role_N), role_N, found.gain_M):
            if not enough(demands, crowd, role_N):
                return Settled(role_N, found, False)
        else:
            wish_N, gain_N = best_roles(found.outlook, found.gain_RS, crowd, demands.largest_s)
            if not take_in(crowd, role_N, spread_gains(role_N, found.gain_M), wish_N, gain_N):
                return Settled(role_N, found, enough(demands, crowd, role_N))
        found = _appraise_members(physics, crowd, role_N, found.source, depth_D[:0], beliefs, now_s)
    return Settled(role_N, found, True)
