"""One compiled pass from a set of picks to a located, weighed event.

Arrays: M pick, S station, R role, G range of the event, 4 unknowns.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rtpick.association.evidence import (
    Beliefs,
    Detection,
    Forecast,
    claim_gains,
    forecast,
    heard_at,
    log_chance_at,
    log_fit,
    log_odds_by_range,
    log_prior,
)
from rtpick.association.locate import FREEDOM, Spread, Timing, arrival_sigma_s, descend, locate_source
from rtpick.association.loudness import agree
from rtpick.association.sites import Places
from rtpick.association.sphere import compass_at, ray_from
from rtpick.association.traveltime import Table, look_up
from rtpick.association.velocity import FloatArray
from rtpick.numeric.compiled import compiled

_PATIENCE = 6.0  # picks are expected to this many times the event's range
_BEYOND = 3.0  # and never beyond this many times the farthest pick, as far as neighbours reach
# Neighbouring paths err alike: picks beyond a few dozen narrow a location no further. The scale of
# the residuals is what the picks say, starting from what is usual.
_ALIKE = 0.03
_USUAL_SCALE2, _USUAL_PICKS = 1.7, 8.0


class Physics(NamedTuple):
    """What locating and weighing need of the world.

    `information_44` is what is known of any source beforehand; `unresolved_km` the standard
    deviation from which a depth is replaced by `usual_depth_km`; `reach_km` how far from any
    event picks are looked for.
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
    reach_km: float


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
def _of_members(value_RS: FloatArray, timing: Timing) -> FloatArray:
    value_M = np.empty(len(timing.time_M))
    for m in range(len(value_M)):
        value_M[m] = value_RS[timing.role_M[m], timing.station_M[m]]
    return value_M


@compiled
def _farthest_km(places: Places, timing: Timing, source: FloatArray) -> float:
    compass, farthest = compass_at(source[0], source[1]), 0.0
    for m in range(len(timing.station_M)):
        distance, _, _ = ray_from(compass, places.unit_S3[timing.station_M[m]])
        farthest = max(farthest, distance)
    return farthest


@compiled
def _scale2(ratio_M: FloatArray) -> float:
    """Return the factor by which the residuals widen a covariance."""
    total = _USUAL_SCALE2 * _USUAL_PICKS
    for ratio in ratio_M:
        total += (FREEDOM + 1.0) / (FREEDOM + ratio * ratio) * ratio * ratio
    return total / (_USUAL_PICKS + max(len(ratio_M) - 4.0, 0.0)) * (1.0 + _ALIKE * len(ratio_M))


@compiled
def appraise(physics: Physics, timing: Timing, merit_M: FloatArray, loudness_M: FloatArray, start: FloatArray,
             depth_D: FloatArray, beliefs: Beliefs, now_s: float) -> Appraisal:  # fmt: skip
    """Locate picks from a start, and weigh them against chance and silence until `now_s`."""
    table, places, spread = physics.table, physics.places, physics.spread
    source, _, ratio_M, matrix_44 = locate_source(
        table, places, spread, timing, start, depth_D, physics.limit_km
    )
    covariance_44 = np.linalg.inv(matrix_44 / _scale2(ratio_M) + physics.information_44)
    fixed = covariance_44[2, 2] > physics.unresolved_km**2
    if fixed:
        source[2] = physics.usual_depth_km
        source, _, ratio_M, _ = descend(table, places, spread, timing, source, physics.limit_km, False)
    far_km = max(_BEYOND * _farthest_km(places, timing, source), physics.reach_km)
    silent = forecast(table, places, spread, physics.detection, source, covariance_44, far_km)
    agreement = agree(loudness_M, _of_members(silent.fall_RS, timing))
    merit_M = merit_M + agreement.gain_M
    outlook = heard_at(silent, agreement.level)
    sigma_M = _member_sigmas(spread, timing, outlook.time_RS, source[3])
    odds_G = log_odds_by_range(physics.detection, outlook, timing, ratio_M, sigma_M, merit_M, beliefs,
                               far_km, now_s)  # fmt: skip
    best = int(np.argmax(odds_G))
    log_chance = log_chance_at(beliefs.chance, source[0], source[1])
    odds = odds_G[best] + log_prior(covariance_44, source[2], physics.maximum_depth_km, log_chance)
    odds += agreement.cost
    gain_RS = claim_gains(physics.detection, outlook, best, beliefs, timing, now_s)
    gain_M = _member_gains(timing, merit_M, gain_RS, ratio_M, sigma_M)
    wide_km = min(physics.detection.range_km_G[best] * _PATIENCE, far_km, physics.farthest_km)
    patience_s, _, _ = look_up(table, 1, wide_km, source[2], 0.0)
    return Appraisal(
        source, covariance_44, fixed, ratio_M, sigma_M, gain_M, outlook, gain_RS, odds, patience_s
    )
