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
import numpy.typing as npt

from rtpick.association.locate import FREEDOM, Spread, Timing, arrival_sigma_s
from rtpick.association.loudness import P_BELOW_S, fall_off
from rtpick.association.sites import Places
from rtpick.association.sphere import compass_at, ray_from
from rtpick.association.trace import EARTH_RADIUS_KM
from rtpick.association.traveltime import Table, look_up
from rtpick.association.velocity import FloatArray
from rtpick.numeric.compiled import compiled

# Student-t density with four degrees of freedom at zero: 3/8.
LOG_DENSITY_0 = float(np.log(0.375))
_SEEN_AT_BEST_R = (0.93, 0.75)
_FALL_OFF = 0.17  # width of the logistic in decades of distance: scatter of amplitude and noise
_RANGES = 24
_BINS_PER_E = 24.0
NEVER_S = 1e15
# P and S of a station are seen or missed together: log-odds of both, and of each without the other.
_PAIR, _ALONE_R = 0.3, (0.3, 0.5)

BoolArray = npt.NDArray[np.bool_]


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


class Chance(NamedTuple):
    """Log of the events expected per second and square kilometre, by latitude and longitude (rad)."""

    log_YX: FloatArray
    south: float
    west: float
    step_north: float
    step_east: float


class Beliefs(NamedTuple):
    """What is held of stations and places beside the event in question.

    `log_rate_S` is the log of a station's stray picks a second of one phase; `live_S` 1 where it was
    heard within memory; `loudness_S` how loud its stray picks are, NaN where unknown.
    """

    log_rate_S: FloatArray
    live_S: FloatArray
    chance: Chance
    loudness_S: FloatArray


class Forecast(NamedTuple):
    """What a source predicts at every station; stations that are out of the question never hear it.

    `fall_RS` is by how many decades a phase is weaker there than `level`, the event's loudness.
    """

    time_RS: FloatArray
    sigma_RS: FloatArray
    bin_S: FloatArray
    fall_RS: FloatArray
    level: float


@compiled
def log_chance_at(chance: Chance, latitude: float, longitude: float) -> float:
    """Return the log of the events expected at a place, that of the nearest edge beyond the map."""
    rows, columns = chance.log_YX.shape
    y = min(max(int((latitude - chance.south) / chance.step_north), 0), rows - 1)
    x = min(max(int((longitude - chance.west) / chance.step_east), 0), columns - 1)
    return float(chance.log_YX[y, x])


@compiled
def forecast(table: Table, places: Places, spread: Spread, detection: Detection, source: FloatArray,
             covariance_44: FloatArray, far_km: float) -> Forecast:  # fmt: skip
    """Predict arrival times and their standard deviations (onset, path and location) to `far_km`."""
    stations, last = places.unit_S3.shape[0], detection.log_seen_RBG.shape[1] - 1
    time_RS, sigma_RS = np.full((2, stations), NEVER_S), np.ones((2, stations))
    bin_S, slope, compass = np.full(stations, float(last)), np.ones(4), compass_at(source[0], source[1])
    fall_RS = np.zeros((2, stations))
    sl, cl, so, co = compass
    least_cosine = np.cos(min((far_km + 1.0) / EARTH_RADIUS_KM, np.pi))
    for s in range(stations):
        to_3 = places.unit_S3[s]
        if cl * co * to_3[0] + cl * so * to_3[1] + sl * to_3[2] < least_cosine:
            continue
        distance, east, north = ray_from(compass, to_3)
        slant = max(np.sqrt(distance * distance + source[2] * source[2]), detection.nearest_km)
        bin_S[s] = min(np.log(slant / detection.nearest_km) * _BINS_PER_E, last)
        fall_RS[:, s] = fall_off(slant)
        fall_RS[0, s] += P_BELOW_S
        for role in range(2):
            travel, along, down = look_up(table, role, distance, source[2], places.elevation_km_S[s])
            slope[0], slope[1], slope[2] = -along * east, -along * north, down
            variance = arrival_sigma_s(spread, role, travel) ** 2
            for i in range(4):
                variance += slope[i] * slope[i] * covariance_44[i, i]
                for j in range(i):
                    variance += 2.0 * slope[i] * covariance_44[i, j] * slope[j]
            time_RS[role, s] = source[3] + travel
            sigma_RS[role, s] = np.sqrt(max(variance, 1e-12))
    return Forecast(time_RS, sigma_RS, bin_S, fall_RS, np.nan)


@compiled
def heard_at(outlook: Forecast, level: float) -> Forecast:
    """Return a forecast of an event whose loudness is known."""
    return Forecast(outlook.time_RS, outlook.sigma_RS, outlook.bin_S, outlook.fall_RS, level)


@compiled
def log_fit(residual_s: float, sigma_s: float) -> float:
    """Return the log density of a residual."""
    ratio = residual_s / sigma_s
    return float(LOG_DENSITY_0 - np.log(sigma_s) - 2.5 * np.log(1.0 + ratio * ratio / FREEDOM))


@compiled
def log_odds_by_range(detection: Detection, forecast_: Forecast, timing: Timing, ratio_M: FloatArray,
                      sigma_M: FloatArray, merit_M: FloatArray, beliefs: Beliefs, far_km: float,
                      now_s: float) -> FloatArray:  # fmt: skip
    """Return the log-odds of the picks and of the silence until `now_s`, for each range, shape (G,)."""
    log_rate_S, live_S = beliefs.log_rate_S, beliefs.live_S
    taken_RS = np.zeros((2, len(live_S)), np.bool_)
    odds_G = np.zeros(len(detection.range_km_G))
    ranges = max(int(np.searchsorted(detection.range_km_G, far_km / 2.0)), 1)
    odds_G[ranges:] = -1e9
    for m in range(len(ratio_M)):
        station, role = timing.station_M[m], timing.role_M[m]
        taken_RS[role, station] = True
        chance = log_fit(ratio_M[m] * sigma_M[m], sigma_M[m]) - log_rate_S[station] + merit_M[m]
        for g in range(ranges):
            odds_G[g] += chance + detection.log_seen_RBG[role, int(forecast_.bin_S[station]), g]
    for s in range(len(live_S)):
        if live_S[s] <= 0.0:
            continue
        for role in range(2):
            if not taken_RS[role, s] and is_due(forecast_, role, s, now_s):
                for g in range(ranges):
                    odds_G[g] += detection.log_missed_RBG[role, int(forecast_.bin_S[s]), g]
    odds_G += _company(forecast_, taken_RS, now_s)
    return odds_G


@compiled
def is_due(forecast_: Forecast, role: int, station: int, now_s: float) -> bool:
    """Tell whether a pick should have been made by now."""
    return bool(now_s > forecast_.time_RS[role, station] + 3.0 * forecast_.sigma_RS[role, station])


@compiled
def _company(forecast_: Forecast, taken_RS: BoolArray, now_s: float) -> float:
    """Return what the phases of one station say together: where one is seen, the other tends to be."""
    total = 0.0
    for s in range(taken_RS.shape[1]):
        if taken_RS[0, s] and taken_RS[1, s]:
            total += _PAIR
        elif taken_RS[0, s] and is_due(forecast_, 1, s, now_s):
            total -= _ALONE_R[0]
        elif taken_RS[1, s]:
            total -= _ALONE_R[1]
    return total


@compiled
def claim_gains(detection: Detection, forecast_: Forecast, best_range: int, beliefs: Beliefs,
                timing: Timing, now_s: float) -> FloatArray:  # fmt: skip
    """Return what a pick adds to the log-odds before its fit and merit, shape (2, S)."""
    stations = len(beliefs.live_S)
    gain_RS, taken_RS = np.empty((2, stations)), np.zeros((2, stations), np.bool_)
    for m in range(len(timing.station_M)):
        taken_RS[timing.role_M[m], timing.station_M[m]] = True
    for s in range(stations):
        b = int(forecast_.bin_S[s])
        for role in range(2):
            missed = detection.log_missed_RBG[role, b, best_range] if beliefs.live_S[s] > 0.0 else 0.0
            gain = detection.log_seen_RBG[role, b, best_range] - missed - beliefs.log_rate_S[s]
            if taken_RS[1 - role, s]:
                gain += _PAIR + _ALONE_R[1 - role]
            elif is_due(forecast_, 1 - role, s, now_s):
                gain -= _ALONE_R[role]
            gain_RS[role, s] = gain
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
