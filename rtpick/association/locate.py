"""Where and when: robust location of a set of picks.

Student-t misfit of arrival times, minimised by damped, reweighted Gauss-Newton steps from several
depths. Unknowns are ordered east, north, down (km) and origin time (s).

Arrays: M pick, S station, 4 unknowns.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from rtpick.association.sites import Places
from rtpick.association.sphere import compass_at, ray_from
from rtpick.association.traveltime import Table, look_up
from rtpick.association.velocity import FloatArray
from rtpick.numeric.compiled import compiled

IntArray = npt.NDArray[np.int64]
FREEDOM = 4.0
_ROUNDS = 25
_RADIUS_KM = 6371.0


class Timing(NamedTuple):
    """Arrivals to be explained; seconds since the caller's zero."""

    station_M: IntArray
    role_M: IntArray
    time_M: FloatArray


class Spread(NamedTuple):
    """Standard deviation of an arrival time by role: of the onset, and of the path.

    The path's share grows as `relative` times the travel time at first and never beyond `most_s`.
    """

    onset_s_R: FloatArray
    relative_R: FloatArray
    most_s_R: FloatArray


@compiled
def path_sigma_s(spread: Spread, role: int, travel_s: float) -> float:
    """Return the standard deviation that the path gives an arrival."""
    path_s = spread.relative_R[role] * abs(travel_s)
    return float(path_s / (1.0 + path_s / spread.most_s_R[role]))


@compiled
def arrival_sigma_s(spread: Spread, role: int, travel_s: float) -> float:
    """Return the standard deviation expected of an arrival."""
    path_s = path_sigma_s(spread, role, travel_s)
    return float(np.sqrt(spread.onset_s_R[role] ** 2 + path_s * path_s))


@compiled
def _linearise(table: Table, places: Places, spread: Spread, timing: Timing, source: FloatArray,
               ratio_M: FloatArray, slope_M4: FloatArray) -> float:  # fmt: skip
    """Write residuals and slopes, both in standard deviations; return the misfit."""
    misfit, compass = 0.0, compass_at(source[0], source[1])
    for m in range(len(timing.time_M)):
        station, role = timing.station_M[m], timing.role_M[m]
        distance, east, north = ray_from(compass, places.unit_S3[station])
        travel, along, down = look_up(table, role, distance, source[2], places.elevation_km_S[station])
        sigma = arrival_sigma_s(spread, role, travel)
        ratio = (timing.time_M[m] - source[3] - travel) / sigma
        ratio_M[m] = ratio
        slope_M4[m, 0], slope_M4[m, 1] = -along * east / sigma, -along * north / sigma
        slope_M4[m, 2], slope_M4[m, 3] = down / sigma, 1.0 / sigma
        misfit += (FREEDOM + 1.0) / 2.0 * np.log(1.0 + ratio * ratio / FREEDOM) + np.log(sigma)
    return misfit


@compiled
def _normal_equations(ratio_M: FloatArray, slope_M4: FloatArray, matrix_44: FloatArray,
                      right_4: FloatArray) -> None:  # fmt: skip
    matrix_44[:] = 0.0
    right_4[:] = 0.0
    for m in range(len(ratio_M)):
        weight = (FREEDOM + 1.0) / (FREEDOM + ratio_M[m] ** 2)
        for i in range(4):
            right_4[i] += weight * slope_M4[m, i] * ratio_M[m]
            for j in range(4):
                matrix_44[i, j] += weight * slope_M4[m, i] * slope_M4[m, j]


@compiled
def solve_4(matrix_44: FloatArray, right_4: FloatArray, out_4: FloatArray) -> None:
    """Write the solution of four equations with a positive definite matrix, which is overwritten."""
    for i in range(4):
        for j in range(i + 1):
            total = matrix_44[i, j]
            for k in range(j):
                total -= matrix_44[i, k] * matrix_44[j, k]
            matrix_44[i, j] = np.sqrt(max(total, 1e-30)) if i == j else total / matrix_44[j, j]
    for i in range(4):
        total = right_4[i]
        for k in range(i):
            total -= matrix_44[i, k] * out_4[k]
        out_4[i] = total / matrix_44[i, i]
    for i in range(3, -1, -1):
        total = out_4[i]
        for k in range(i + 1, 4):
            total -= matrix_44[k, i] * out_4[k]
        out_4[i] = total / matrix_44[i, i]


@compiled
def _moved(source: FloatArray, step_4: FloatArray, deepest_km: float) -> FloatArray:
    moved = source.copy()
    moved[0] = min(max(source[0] + step_4[1] / _RADIUS_KM, -1.55), 1.55)
    moved[1] = source[1] + step_4[0] / (_RADIUS_KM * np.cos(source[0]))
    moved[2] = min(max(source[2] + step_4[2], 0.0), deepest_km)
    moved[3] = source[3] + step_4[3]
    return moved


@compiled
def descend(
    table: Table,
    places: Places,
    spread: Spread,
    timing: Timing,
    start: FloatArray,
    limit_km: float,
    free_depth: bool,
) -> tuple[FloatArray, float, FloatArray, FloatArray]:
    """Walk downhill from a start (latitude, longitude, depth, origin time).

    Returns the source, its misfit, the residuals in standard deviations and the information matrix.
    """
    count = len(timing.time_M)
    ratio_M, slope_M4 = np.empty(count), np.empty((count, 4))
    matrix_44, right_4, step_4 = np.empty((4, 4)), np.empty(4), np.empty(4)
    deepest_km = (table.time_RZX.shape[1] - 1) * table.depth_step_km
    source, damping = start.copy(), 1e-2
    misfit = _linearise(table, places, spread, timing, source, ratio_M, slope_M4)
    for _ in range(_ROUNDS):
        if not free_depth:
            slope_M4[:, 2] = 0.0
        _normal_equations(ratio_M, slope_M4, matrix_44, right_4)
        for i in range(4):
            matrix_44[i, i] = matrix_44[i, i] * (1.0 + damping) + 1e-6
        solve_4(matrix_44, right_4, step_4)
        longest = np.sqrt(step_4[0] ** 2 + step_4[1] ** 2 + step_4[2] ** 2)
        step_4 *= min(1.0, limit_km / max(longest, 1e-9))
        trial = _moved(source, step_4, deepest_km)
        lower = _linearise(table, places, spread, timing, trial, ratio_M, slope_M4)
        if lower < misfit:
            gained, source, misfit, damping = misfit - lower, trial, lower, max(damping / 5.0, 1e-6)
            if gained < 1e-4:
                break
        else:
            damping *= 10.0
            _linearise(table, places, spread, timing, source, ratio_M, slope_M4)
            if damping > 1e4:
                break
    _normal_equations(ratio_M, slope_M4, matrix_44, right_4)
    return source, misfit, ratio_M, matrix_44


@compiled
def locate_source(
    table: Table,
    places: Places,
    spread: Spread,
    timing: Timing,
    start: FloatArray,
    depth_D: FloatArray,
    limit_km: float,
) -> tuple[FloatArray, float, FloatArray, FloatArray]:
    """Descend from a start and, with the same epicentre, from each of other depths; the best wins."""
    best = descend(table, places, spread, timing, start, limit_km, True)
    for depth in depth_D:
        other = best[0].copy()
        other[2] = depth
        trial = descend(table, places, spread, timing, other, limit_km, True)
        if trial[1] < best[1] - 1e-6:
            best = trial
    return best
