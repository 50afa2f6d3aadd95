"""How much more likely a set of picks is as one event than as chance.

Natural log-odds of a marked point process: each pick weighs its chance of being seen at its
distance and its fit against the station's rate of stray picks; each live station that should have
seen the event by now and did not weighs against it; the volume that the location leaves open is
integrated (Laplace), so that a set that fits anything anywhere gains nothing.

Arrays: M pick, S station, R role (0 P, 1 S), B distance bin, G range of the event.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rtpick.association.compiled import compiled
from rtpick.association.locate import FREEDOM, Spread, Timing, arrival_sigma_s
from rtpick.association.sites import Places
from rtpick.association.sphere import compass_at, ray_from
from rtpick.association.traveltime import Table, look_up
from rtpick.association.velocity import FloatArray

# Student-t density with four degrees of freedom at zero: 3/8.
_LOG_DENSITY_0 = float(np.log(0.375))
_SEEN_AT_BEST_R = (0.93, 0.75)
_FALL_OFF = 0.17  # width of the logistic in decades of distance: scatter of amplitude and noise
_RANGES = 24
_BINS_PER_E = 24.0


class Detection(NamedTuple):
    """Log of the chances that a phase is picked (and not) by distance, for events of growing range."""

    range_km_G: FloatArray
    log_seen_RBG: FloatArray
    log_missed_RBG: FloatArray
    nearest_km: float


def expect_detection(nearest_km: float, farthest_km: float) -> Detection:
    """Tabulate the chance of a pick: logistic in the logarithm of distance over the event's range."""
    ranges = np.geomspace(nearest_km, farthest_km * 2.0, _RANGES)
    count = int(np.ceil(np.log(farthest_km / nearest_km * 10.0) * _BINS_PER_E)) + 2
    distance = nearest_km * 0.2 * np.exp(np.arange(count) / _BINS_PER_E)
    decades = np.log10(distance[:, None] / ranges[None, :])
    seen = np.array(_SEEN_AT_BEST_R)[:, None, None] / (1.0 + np.exp(np.clip(decades / _FALL_OFF, -50, 50)))
    return Detection(ranges, np.log(np.maximum(seen, 1e-9)), np.log1p(-seen), nearest_km * 0.2)


class Forecast(NamedTuple):
    """What a source predicts at every station."""

    time_RS: FloatArray
    sigma_RS: FloatArray
    bin_S: FloatArray
    distance_km_S: FloatArray


@compiled
def forecast(table: Table, places: Places, spread: Spread, detection: Detection, source: FloatArray,
             covariance_44: FloatArray) -> Forecast:  # fmt: skip
    """Predict arrival times, their standard deviations (onset, path and location), and distances."""
    stations = places.unit_S3.shape[0]
    time_RS, sigma_RS = np.empty((2, stations)), np.empty((2, stations))
    bin_S, distance_S = np.empty(stations), np.empty(stations)
    slope, compass = np.ones(4), compass_at(source[0], source[1])
    last = detection.log_seen_RBG.shape[1] - 1
    for s in range(stations):
        distance, east, north = ray_from(compass, places.unit_S3[s])
        distance_S[s] = distance
        slant = max(np.sqrt(distance * distance + source[2] * source[2]), detection.nearest_km)
        bin_S[s] = min(np.log(slant / detection.nearest_km) * _BINS_PER_E, last)
        for role in range(2):
            travel, along, down = look_up(table, role, distance, source[2], places.elevation_km_S[s])
            slope[0], slope[1], slope[2] = -along * east, -along * north, down
            variance = arrival_sigma_s(spread, role, travel) ** 2
            for i in range(4):
                for j in range(4):
                    variance += slope[i] * covariance_44[i, j] * slope[j]
            time_RS[role, s] = source[3] + travel
            sigma_RS[role, s] = np.sqrt(variance)
    return Forecast(time_RS, sigma_RS, bin_S, distance_S)


@compiled
def log_fit(residual_s: float, sigma_s: float) -> float:
    """Return the log density of a residual."""
    ratio = residual_s / sigma_s
    return float(_LOG_DENSITY_0 - np.log(sigma_s) - 2.5 * np.log(1.0 + ratio * ratio / FREEDOM))


@compiled
def log_odds_by_range(detection: Detection, forecast_: Forecast, timing: Timing, ratio_M: FloatArray,
                      sigma_M: FloatArray, merit_M: FloatArray, log_rate_S: FloatArray,
                      live_S: FloatArray, now_s: float) -> FloatArray:  # fmt: skip
    """Return the log-odds of the picks and of the silence until `now_s`, for each range, shape (G,)."""
    stations = len(live_S)
    taken_RS = np.zeros((2, stations), np.bool_)
    odds_G = np.zeros(len(detection.range_km_G))
    for m in range(len(ratio_M)):
        station, role = timing.station_M[m], timing.role_M[m]
        taken_RS[role, station] = True
        chance = log_fit(ratio_M[m] * sigma_M[m], sigma_M[m]) - log_rate_S[station] + merit_M[m]
        odds_G += chance + detection.log_seen_RBG[role, int(forecast_.bin_S[station])]
    for s in range(stations):
        for role in range(2):
            silent = live_S[s] > 0.0 and not taken_RS[role, s]
            if silent and forecast_.time_RS[role, s] + 3.0 * forecast_.sigma_RS[role, s] < now_s:
                odds_G += detection.log_missed_RBG[role, int(forecast_.bin_S[s])]
    return odds_G


@compiled
def claim_gains(detection: Detection, forecast_: Forecast, best_range: int, log_rate_S: FloatArray,
                live_S: FloatArray) -> FloatArray:  # fmt: skip
    """Return what a pick adds to the log-odds before its fit and merit, shape (2, S)."""
    gain_RS = np.empty((2, len(live_S)))
    for s in range(len(live_S)):
        b = int(forecast_.bin_S[s])
        for role in range(2):
            missed = detection.log_missed_RBG[role, b, best_range] if live_S[s] > 0.0 else 0.0
            gain_RS[role, s] = detection.log_seen_RBG[role, b, best_range] - missed - log_rate_S[s]
    return gain_RS


@compiled
def log_prior(
    covariance_44: FloatArray, depth_km: float, maximum_depth_km: float, log_chance: float
) -> float:
    """Return the log of the events expected by chance within the volume that a location leaves open.

    `log_chance` is the log of events a second and square kilometre. Depths are taken as
    exponential (20 km) with a fifth of the events evenly down to the maximum.
    """
    log_determinant = np.log(max(np.linalg.det(covariance_44), 1e-30))
    depth = 0.8 * np.exp(-depth_km / 20.0) / 20.0 + 0.2 / maximum_depth_km
    return float(2.0 * np.log(2.0 * np.pi) + 0.5 * log_determinant + np.log(depth) + log_chance)
