"""One compiled pass from a set of picks to a located, weighed event.

Arrays: M pick, S station, R role, G range of the event, 4 unknowns.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rtpick.association.compiled import compiled
from rtpick.association.evidence import (
    Detection,
    Forecast,
    claim_gains,
    forecast,
    log_fit,
    log_odds_by_range,
    log_prior,
)
from rtpick.association.locate import Spread, Timing, arrival_sigma_s, descend, locate_source
from rtpick.association.sites import Places
from rtpick.association.traveltime import Table, look_up
from rtpick.association.velocity import FloatArray

_PATIENCE = 6.0  # picks are expected to this many times the event's range


class Physics(NamedTuple):
    """What locating and weighing need of the world.

    `information_44` is what is known of any source beforehand; `unresolved_km` the standard
    deviation from which a depth is replaced by `usual_depth_km`; `log_chance` the log of events
    expected per second and square kilometre.
    """

    table: Table
    places: Places
    spread: Spread
    detection: Detection
    information_44: FloatArray
    limit_km: float
    unresolved_km: float
    usual_depth_km: float
    maximum_depth_km: float
    farthest_km: float
    log_chance: float


class Appraisal(NamedTuple):
    """A located and weighed event; times in seconds since the caller's zero."""

    source: FloatArray
    covariance_44: FloatArray
    depth_fixed: bool
    ratio_M: FloatArray
    sigma_M: FloatArray
    gain_M: FloatArray
    outlook: Forecast
    gain_RS: FloatArray
    log_odds: float
    patience_s: float


@compiled
def _member_gains(timing: Timing, merit_M: FloatArray, gain_RS: FloatArray, ratio_M: FloatArray,
                  sigma_M: FloatArray) -> FloatArray:  # fmt: skip
    gain_M = np.empty(len(merit_M))
    for m in range(len(merit_M)):
        fit = log_fit(ratio_M[m] * sigma_M[m], sigma_M[m])
        gain_M[m] = gain_RS[timing.role_M[m], timing.station_M[m]] + merit_M[m] + fit
    return gain_M


@compiled
def _member_sigmas(spread: Spread, timing: Timing, time_RS: FloatArray, origin_s: float) -> FloatArray:
    sigma_M = np.empty(len(timing.time_M))
    for m in range(len(sigma_M)):
        travel = time_RS[timing.role_M[m], timing.station_M[m]] - origin_s
        sigma_M[m] = arrival_sigma_s(spread, timing.role_M[m], travel)
    return sigma_M


@compiled
def appraise(physics: Physics, timing: Timing, merit_M: FloatArray, start: FloatArray, depth_D: FloatArray,
             log_rate_S: FloatArray, live_S: FloatArray, now_s: float) -> Appraisal:  # fmt: skip
    """Locate picks from a start, and weigh them against chance and silence until `now_s`."""
    table, places, spread = physics.table, physics.places, physics.spread
    source, _, ratio_M, matrix_44 = locate_source(
        table, places, spread, timing, start, depth_D, physics.limit_km
    )
    covariance_44 = np.linalg.inv(matrix_44 + physics.information_44)
    fixed = covariance_44[2, 2] > physics.unresolved_km**2
    if fixed:
        source[2] = physics.usual_depth_km
        source, _, ratio_M, _ = descend(table, places, spread, timing, source, physics.limit_km, False)
    outlook = forecast(table, places, spread, physics.detection, source, covariance_44)
    sigma_M = _member_sigmas(spread, timing, outlook.time_RS, source[3])
    odds_G = log_odds_by_range(physics.detection, outlook, timing, ratio_M, sigma_M, merit_M, log_rate_S,
                               live_S, now_s)  # fmt: skip
    best = int(np.argmax(odds_G))
    odds = odds_G[best] + log_prior(covariance_44, source[2], physics.maximum_depth_km, physics.log_chance)
    gain_RS = claim_gains(physics.detection, outlook, best, log_rate_S, live_S)
    gain_M = _member_gains(timing, merit_M, gain_RS, ratio_M, sigma_M)
    far = min(physics.detection.range_km_G[best] * _PATIENCE, physics.farthest_km)
    patience_s, _, _ = look_up(table, 1, far, source[2], 0.0)
    return Appraisal(
        source, covariance_44, fixed, ratio_M, sigma_M, gain_M, outlook, gain_RS, odds, patience_s
    )
