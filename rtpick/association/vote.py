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
from rtpick.association.sphere import ray_geometry
from rtpick.association.traveltime import Table, look_up
from rtpick.association.velocity import FloatArray

IntArray = npt.NDArray[np.int64]
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
    proposer = len(ballot.time_N) - 1
    station, role, time = ballot.station_N[proposer], ballot.role_N[proposer], ballot.time_N[proposer]
    tolerance_R = 2.0 * rules.onset_s_R + 0.55 * grid.cell_km * rules.slowness_s_km_R
    total_CK = np.zeros((len(grid.latitude_C), len(grid.depth_K)))
    fade = grid.bin_km / rules.fade_km
    reach = int(rules.reach_km / grid.bin_km)
    for c in range(total_CK.shape[0]):
        if grid.bin_CS[c, station] > reach:
            continue
        for k in range(total_CK.shape[1]):
            origin = time - grid.time_RKD[role, k, grid.bin_CS[c, station]]
            count, total = 0, 0.0
            for n in range(proposer + 1):
                far = grid.bin_CS[c, ballot.station_N[n]]
                late = ballot.time_N[n] - grid.time_RKD[ballot.role_N[n], k, far] - origin
                if abs(late) < tolerance_R[ballot.role_N[n]]:
                    count += 1
                    total += ballot.weight_N[n] / (1.0 + far * fade)
            if count >= rules.minimum_picks:
                total_CK[c, k] = total
    return total_CK


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
    last = len(ballot.time_N) - 1
    for n in range(last, -1, -1):
        station = ballot.station_N[n]
        distance, _, _ = ray_geometry(place[0], place[1], places.unit_S3[station])
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
def zoom(table: Table, places: Places, ballot: Ballot, rules: Rules, grid: Grid, cell: int,
         layer: int) -> tuple[FloatArray, FloatArray]:  # fmt: skip
    """Walk from a cell's middle to where the picks agree best, halving steps and tolerances.

    Returns the place (latitude, longitude, depth) and each pick's lateness there, in tolerances.
    """
    best = np.array([grid.latitude_C[cell], grid.longitude_C[cell], grid.depth_K[layer]])
    deepest = (table.time_RZX.shape[1] - 1) * table.depth_step_km
    late_N, trial = np.empty(len(ballot.time_N)), best.copy()
    step, down = grid.cell_km, grid.thickness_K[layer]
    tolerance_R = rules.onset_s_R
    for _ in range(_ZOOMS):
        step, down, middle, top = step / 2.0, down / 2.0, best.copy(), -1.0
        tolerance_R = 3.0 * rules.onset_s_R + 1.2 * step * rules.slowness_s_km_R
        for move in range(27):
            trial[0] = middle[0] + (move % 3 - 1) * step / 6371.0
            trial[1] = middle[1] + (move // 3 % 3 - 1) * step / 6371.0 / np.cos(middle[0])
            trial[2] = min(max(middle[2] + (move // 9 - 1) * down, 0.0), deepest)
            _misfits(table, places, ballot, trial, late_N)
            total = _agreement(ballot, late_N, tolerance_R)
            if total > top:
                top = total
                best[:] = trial
    _misfits(table, places, ballot, best, late_N)
    for n in range(len(late_N)):
        late_N[n] /= tolerance_R[ballot.role_N[n]]
    return best, late_N
