"""Where several unassigned picks agree on one source.

A pick proposes, in every cell within its reach, the origin time at which it would have been made
there; the others second it where they agree. The best cells are then zoomed into.

Arrays: N ballot, C cell, K layer, R role (0 P, 1 S).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from rtpick.association.compiled import compiled
from rtpick.association.grid import Grid
from rtpick.association.sites import Places
from rtpick.association.sphere import compass_at, ray_from
from rtpick.association.traveltime import Table, look_up
from rtpick.association.velocity import FloatArray

IntArray = npt.NDArray[np.int64]
BinArray = npt.NDArray[np.uint16]
CountArray = npt.NDArray[np.int32]
Float32Array = npt.NDArray[np.float32]
_ZOOMS = 4


class Ballot(NamedTuple):
    """Picks that vote; the proposer comes last. Times in seconds since the ballot's own zero."""

    station_N: IntArray
    role_N: IntArray
    time_N: FloatArray
    weight_N: FloatArray


class Rules(NamedTuple):
    """Tolerance of a vote: s for a perfect place, s more for each km that a place is off."""

    onset_s_R: FloatArray
    slowness_s_km_R: FloatArray
    reach_km: float
    fade_km: float
    minimum_picks: int


@compiled
def count_votes(grid: Grid, ballot: Ballot, rules: Rules) -> FloatArray:
    """Return the seconded weight in each cell and layer; zero where too few agree, shape (C, K)."""
    voters, cells, layers = len(ballot.time_N), len(grid.latitude_C), len(grid.depth_K)
    station, role, time = ballot.station_N[-1], ballot.role_N[-1], np.float32(ballot.time_N[-1])
    tolerance_R = (2.0 * rules.onset_s_R + 0.55 * grid.cell_km * rules.slowness_s_km_R).astype(np.float32)
    fade_D = (1.0 / (1.0 + np.arange(grid.time_RKD.shape[2]) * grid.bin_km / rules.fade_km)).astype(
        np.float32
    )
    here_C = grid.bin_SC[station]
    out_C = here_C > int(rules.reach_km / grid.bin_km)
    total_CK = np.zeros((cells, layers))
    count_C, weight_C, origin_C = (
        np.empty(cells, np.int32),
        np.empty(cells, np.float32),
        np.empty(cells, np.float32),
    )
    for k in range(layers):
        count_C[:], weight_C[:] = 0, 0.0
        for c in range(cells):
            origin_C[c] = np.float32(1e9) if out_C[c] else time - grid.time_RKD[role, k, here_C[c]]
        for n in range(voters):
            _second(grid.time_RKD[ballot.role_N[n], k], grid.bin_SC[ballot.station_N[n]], fade_D, origin_C,
                    np.float32(ballot.time_N[n]), np.float32(ballot.weight_N[n]),
                    tolerance_R[ballot.role_N[n]], count_C, weight_C)  # fmt: skip
        for c in range(cells):
            if count_C[c] >= rules.minimum_picks:
                total_CK[c, k] = weight_C[c]
    return total_CK


@compiled
def _second(time_D: Float32Array, bin_C: BinArray, fade_D: Float32Array, origin_C: Float32Array,
            time: np.float32, weight: np.float32, tolerance: np.float32, count_C: CountArray,
            weight_C: Float32Array) -> None:  # fmt: skip
    """Add one voter to every cell where it agrees with the origin time; free of branches for speed."""
    for c in range(len(bin_C)):
        far = bin_C[c]
        agrees = np.int32(abs(time - time_D[far] - origin_C[c]) < tolerance)
        count_C[c] += agrees
        weight_C[c] += agrees * weight * fade_D[far]


@compiled
def best_cells(grid: Grid, total_CK: FloatArray, count: int) -> IntArray:
    """Return up to `count` (cell, layer) with the most weight, away from each other."""
    left_CK = total_CK.copy()
    found = np.full((count, 2), -1, np.int64)
    for row in range(count):
        best = int(np.argmax(left_CK))
        c, k = best // left_CK.shape[1], best % left_CK.shape[1]
        if left_CK[c, k] <= 0.0:
            break
        found[row] = c, k
        cosine = np.cos(grid.latitude_C[c])
        for other in range(left_CK.shape[0]):
            north = (grid.latitude_C[other] - grid.latitude_C[c]) * 6371.0
            east = (grid.longitude_C[other] - grid.longitude_C[c]) * 6371.0 * cosine
            if north * north + east * east < (2.5 * grid.cell_km) ** 2:
                left_CK[other] = 0.0
    return found


@compiled
def _misfits(table: Table, places: Places, ballot: Ballot, place: FloatArray, out_N: FloatArray) -> None:
    """Write how late each pick is at a place (latitude, longitude, depth) that the proposer times."""
    last, compass = len(ballot.time_N) - 1, compass_at(place[0], place[1])
    for n in range(last, -1, -1):
        station = ballot.station_N[n]
        distance, _, _ = ray_from(compass, places.unit_S3[station])
        time, _, _ = look_up(table, ballot.role_N[n], distance, place[2], places.elevation_km_S[station])
        out_N[n] = ballot.time_N[n] - time
    out_N -= out_N[last]


@compiled
def _agreement(ballot: Ballot, late_N: FloatArray, tolerance_R: FloatArray) -> float:
    total = 0.0
    for n in range(len(late_N)):
        ratio = late_N[n] / tolerance_R[ballot.role_N[n]]
        if abs(ratio) < 1.0:
            total += ballot.weight_N[n] * (1.0 - ratio * ratio)
    return total


@compiled
def _plausible(
    table: Table, places: Places, ballot: Ballot, place: FloatArray, tolerance_R: FloatArray
) -> IntArray:
    """Return the voters that agree roughly at a place; the proposer is among them, and last."""
    late_N = np.empty(len(ballot.time_N))
    _misfits(table, places, ballot, place, late_N)
    return np.flatnonzero(np.abs(late_N) < 2.0 * tolerance_R[ballot.role_N])


@compiled
def zoom(table: Table, places: Places, ballot: Ballot, rules: Rules, grid: Grid, cell: int,
         layer: int) -> tuple[FloatArray, FloatArray]:  # fmt: skip
    """Walk from a cell's middle to where the picks agree best, halving steps and tolerances.

    Returns the place (latitude, longitude, depth) and each pick's lateness there, in tolerances.
    """
    best = np.array([grid.latitude_C[cell], grid.longitude_C[cell], grid.depth_K[layer]])
    deepest = (table.time_RZX.shape[1] - 1) * table.depth_step_km
    step, down, trial = grid.cell_km, grid.thickness_K[layer], best.copy()
    tolerance_R = 3.0 * rules.onset_s_R + 1.2 * step * rules.slowness_s_km_R
    few = _plausible(table, places, ballot, best, tolerance_R)
    voters = Ballot(ballot.station_N[few], ballot.role_N[few], ballot.time_N[few], ballot.weight_N[few])
    late_N = np.empty(len(few))
    for _ in range(_ZOOMS):
        step, down, middle, top = step / 2.0, down / 2.0, best.copy(), -1.0
        tolerance_R = 3.0 * rules.onset_s_R + 1.2 * step * rules.slowness_s_km_R
        for move in range(27):
            trial[0] = middle[0] + (move % 3 - 1) * step / 6371.0
            trial[1] = middle[1] + (move // 3 % 3 - 1) * step / 6371.0 / np.cos(middle[0])
            trial[2] = min(max(middle[2] + (move // 9 - 1) * down, 0.0), deepest)
            _misfits(table, places, voters, trial, late_N)
            total = _agreement(voters, late_N, tolerance_R)
            if total > top:
                top = total
                best[:] = trial
    _misfits(table, places, voters, best, late_N)
    all_N = np.full(len(ballot.time_N), np.inf)
    all_N[few] = late_N / tolerance_R[voters.role_N]
    return best, all_N
