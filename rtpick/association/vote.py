"""Where several unassigned picks agree on one source.

A pick proposes, in every cell within its reach, the origin time at which it would have been made
there; the others second it where they agree. The best cells are then zoomed into.

Arrays: N pick, J cell within the proposer's reach, K layer, R role (0 P, 1 S).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from rtpick.association.grid import Grid
from rtpick.association.sites import Places
from rtpick.association.sphere import compass_at, ray_from
from rtpick.association.traveltime import Table, look_up
from rtpick.association.velocity import FloatArray
from rtpick.numeric.compiled import compiled

IntArray = npt.NDArray[np.int64]
Float32Array = npt.NDArray[np.float32]
_ZOOMS = 4


class Crowd(NamedTuple):
    """Picks as compiled code takes them: station, labelled role, time (s), merit and loudness."""

    station_N: IntArray
    label_N: IntArray
    time_N: FloatArray
    merit_N: FloatArray
    loudness_N: FloatArray


class Rules(NamedTuple):
    """Tolerance of a vote: s for a perfect place, s more for each km that a place is off."""

    onset_s_R: FloatArray
    slowness_s_km_R: FloatArray
    reach_km: float
    fade_km: float
    minimum_picks: int


@compiled
def cells_within(grid: Grid, rules: Rules, station: int, near_only: bool) -> tuple[IntArray, int]:
    """Return the cells that a station may speak for, and the farthest bin that has a say in them."""
    found, count, farthest = np.empty(grid.bin_SC.shape[1], np.int64), 0, 0
    reach = int(rules.reach_km / grid.bin_km)
    here_C = grid.bin_SC[station]
    for c in range(len(here_C)):
        if here_C[c] <= reach and (not near_only or here_C[c] <= grid.near_C[c]):
            found[count] = c
            farthest = max(farthest, min(reach, grid.near_C[c]) if near_only else reach)
            count += 1
    return found[:count], farthest


@compiled
def count_votes(grid: Grid, ballot: Crowd, proposer: int, cell_J: IntArray, rules: Rules,
                near_only: bool) -> Float32Array:  # fmt: skip
    """Return the seconded weight in each cell and layer; zero where too few agree, shape (J, K)."""
    cells, layers = len(cell_J), len(grid.depth_K)
    own_R = (2.0 * rules.onset_s_R + 0.55 * grid.cell_km * rules.slowness_s_km_R).astype(np.float32)
    zero_s, role = ballot.time_N[proposer], ballot.label_N[proposer]
    here_C, far = grid.bin_SC[ballot.station_N[proposer]], np.uint16(rules.reach_km / grid.bin_km)
    origin_JK, limit_J = np.empty((cells, layers), np.float32), np.empty(cells, np.uint16)
    for j in range(cells):
        limit_J[j] = min(far, grid.near_C[cell_J[j]]) if near_only else far
        origin_JK[j] = -grid.time_RDK[role, here_C[cell_J[j]]]
    count_JK, weight_JK = np.zeros((cells, layers), np.int32), np.zeros((cells, layers), np.float32)
    for n in range(len(ballot.time_N)):
        bin_C, time_DK = grid.bin_SC[ballot.station_N[n]], grid.time_RDK[ballot.label_N[n]]
        late, allowed = np.float32(ballot.time_N[n] - zero_s), own_R[ballot.label_N[n]]
        for j in range(cells):
            d = bin_C[cell_J[j]]
            if d > limit_J[j]:
                continue
            weight = np.float32((1.0 + 0.25 * ballot.merit_N[n]) / (1.0 + d * grid.bin_km / rules.fade_km))
            for k in range(layers):
                agrees = np.int32(abs(late - time_DK[d, k] - origin_JK[j, k]) < allowed)
                count_JK[j, k] += agrees
                weight_JK[j, k] += agrees * weight
    for j in range(cells):
        for k in range(layers):
            if count_JK[j, k] < rules.minimum_picks:
                weight_JK[j, k] = 0.0
    return weight_JK


@compiled
def best_cells(grid: Grid, cell_J: IntArray, total_JK: Float32Array, count: int) -> IntArray:
    """Return up to `count` (cell, layer) with the most weight, away from each other; -1 where none."""
    found = np.full((count, 2), -1, np.int64)
    for row in range(count):
        top, best, layer = 0.0, -1, 0
        for j in range(len(cell_J)):
            for k in range(total_JK.shape[1]):
                if total_JK[j, k] > top:
                    top, best, layer = total_JK[j, k], j, k
        if best < 0:
            break
        c = cell_J[best]
        found[row] = c, layer
        cosine = np.cos(grid.latitude_C[c])
        for j in range(len(cell_J)):
            north = (grid.latitude_C[cell_J[j]] - grid.latitude_C[c]) * 6371.0
            east = (grid.longitude_C[cell_J[j]] - grid.longitude_C[c]) * 6371.0 * cosine
            if north * north + east * east < (2.5 * grid.cell_km) ** 2:
                total_JK[j] = 0.0
    return found


@compiled
def _misfits(table: Table, places: Places, ballot: Crowd, proposer: int, place: FloatArray,
             out_N: FloatArray) -> None:  # fmt: skip
    """Write how late each pick is at a place (latitude, longitude, depth) that the proposer times."""
    compass = compass_at(place[0], place[1])
    for n in range(len(ballot.time_N)):
        station = ballot.station_N[n]
        distance, _, _ = ray_from(compass, places.unit_S3[station])
        time, _, _ = look_up(table, ballot.label_N[n], distance, place[2], places.elevation_km_S[station])
        out_N[n] = ballot.time_N[n] - time
    out_N -= out_N[proposer]


@compiled
def _agreement(ballot: Crowd, late_N: FloatArray, tolerance_R: FloatArray) -> float:
    total = 0.0
    for n in range(len(late_N)):
        ratio = late_N[n] / tolerance_R[ballot.label_N[n]]
        if abs(ratio) < 1.0:
            total += (1.0 + 0.25 * ballot.merit_N[n]) * (1.0 - ratio * ratio)
    return total


@compiled
def some_of(crowd: Crowd, some: IntArray) -> Crowd:
    """Return some of the picks."""
    return Crowd(
        crowd.station_N[some], crowd.label_N[some], crowd.time_N[some], crowd.merit_N[some],
        crowd.loudness_N[some],
    )  # fmt: skip


@compiled
def zoom(table: Table, places: Places, ballot: Crowd, proposer: int, rules: Rules, grid: Grid, cell: int,
         layer: int) -> tuple[FloatArray, FloatArray]:  # fmt: skip
    """Walk from a cell's middle to where the picks agree best, halving steps and tolerances.

    Returns the place (latitude, longitude, depth) and each pick's lateness there, in tolerances.
    """
    best = np.array([grid.latitude_C[cell], grid.longitude_C[cell], grid.depth_K[layer]])
    deepest = (table.time_RZX.shape[1] - 1) * table.depth_step_km
    step, down, trial = grid.cell_km, grid.thickness_K[layer], best.copy()
    tolerance_R = 3.0 * rules.onset_s_R + 1.2 * step * rules.slowness_s_km_R
    late_N = np.empty(len(ballot.time_N))
    _misfits(table, places, ballot, proposer, best, late_N)
    few = np.flatnonzero(np.abs(late_N) < 2.0 * tolerance_R[ballot.label_N])
    voters, first, late_F = some_of(ballot, few), int(np.searchsorted(few, proposer)), np.empty(len(few))
    for _ in range(_ZOOMS):
        step, down, middle, top = step / 2.0, down / 2.0, best.copy(), -1.0
        tolerance_R = 3.0 * rules.onset_s_R + 1.2 * step * rules.slowness_s_km_R
        for move in range(27):
            trial[0] = middle[0] + (move % 3 - 1) * step / 6371.0
            trial[1] = middle[1] + (move // 3 % 3 - 1) * step / 6371.0 / np.cos(middle[0])
            trial[2] = min(max(middle[2] + (move // 9 - 1) * down, 0.0), deepest)
            _misfits(table, places, voters, first, trial, late_F)
            total = _agreement(voters, late_F, tolerance_R)
            if total > top:
                top = total
                best[:] = trial
    _misfits(table, places, voters, first, best, late_F)
    late_N[:] = np.inf
    late_N[few] = late_F / tolerance_R[voters.label_N]
    return best, late_N
