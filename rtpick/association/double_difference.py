"""Moving the events of a catalogue against each other, by the differences of their arrival times.

What a velocity model gets wrong is nearly the same for two events side by side and drops out of the
difference of their arrivals at one station; what is left tells how they lie to each other.

Arrays: E event, A arrival, L link (one station and phase that two events share), 4 unknowns (east, north,
down in km, time in s).

References
----------
Waldhauser and Ellsworth (2000), A double-difference earthquake location algorithm, Bulletin of the
Seismological Society of America 90.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import coo_array, vstack
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import lsqr

from rtpick.association.difference_links import Links, link_events
from rtpick.association.sites import Places
from rtpick.association.sphere import compass_at, offset_rad, ray_from
from rtpick.association.traveltime import TravelTimes
from rtpick.association.velocity import FloatArray
from rtpick.association.vote import IntArray

_S_WEIGHT = 0.55  # S onsets are read less exactly than P
_CENTRE_WEIGHT = 3.0  # differences say little of where a whole cluster lies: it stays
_CUT = 6.0  # robust standard deviations beyond which a link counts nothing


@dataclass(frozen=True, slots=True)
class DifferenceRules:
    """How events are linked and moved.

    Parameters
    ----------
    farthest_km : float
        Between two events that are linked.
    neighbours : int
        Each event is linked to as many of the nearest.
    fewest : int
        Stations and phases that two linked events have in common.
    rounds : int
        The first half weighs links by distance alone, the second also by how well they fit.
    damping : float
        Of the steps, in standard deviations of a link for each km or 0.1 s.
    onset_s : float
        Expected of a link's misfit.
    """

    farthest_km: float = 10.0
    neighbours: int = 12
    fewest: int = 6
    rounds: int = 10
    damping: float = 0.3
    onset_s: float = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Sources:
    """Sources and arrivals of a catalogue.

    Parameters
    ----------
    place_E4 : ndarray
        Geocentric latitude and longitude (rad), depth (km), origin time (s since the caller's zero).
    event_A, station_A, role_A : ndarray of int
        Whose arrival, at which station, P (0) or S (1).
    time_A : ndarray
        Seconds since the caller's zero.
    """

    place_E4: FloatArray
    event_A: IntArray
    station_A: IntArray
    role_A: IntArray
    time_A: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Relocation:
    """What moving the events came to.

    Parameters
    ----------
    place_E4 : ndarray
        As `Sources.place_E4`; events without links are where they were.
    linked_E : ndarray of bool
    links : int
    before_s, after_s : float
        Weighted RMS of the differences' misfit at the old and the new places, with the final weights.
    spread_before_s, spread_after_s : float
        Robust standard deviation of all links' misfit, without any weights.
    """

    place_E4: FloatArray
    linked_E: np.ndarray[tuple[int], np.dtype[np.bool_]]
    links: int
    before_s: float
    after_s: float
    spread_before_s: float
    spread_after_s: float


def relocate(
    sources: Sources, places: Places, travel_times: TravelTimes, rules: DifferenceRules = DifferenceRules()
) -> Relocation:
    """Move events until the differences of their arrival times fit best.

    Parameters
    ----------
    sources : Sources
    places : Places
        The stations that `station_A` numbers.
    travel_times : TravelTimes
    rules : DifferenceRules

    Notes
    -----
    Damped least squares by LSQR, linearised anew in each round. The middle of each group of linked events
    is held. An event that shares too little with any other is left where it is.
    """
    links = link_events(sources.place_E4, sources.event_A, sources.station_A, sources.role_A,
                        rules.farthest_km, rules.neighbours, rules.fewest)  # fmt: skip
    linked_E = np.zeros(len(sources.place_E4), bool)
    linked_E[links.pair_L2.ravel()] = True
    if not len(links.first_L):
        nan = float("nan")
        return Relocation(sources.place_E4.copy(), linked_E, 0, nan, nan, nan, nan)
    moved = sources
    weight_L: FloatArray = np.ones(len(links.first_L))
    before_L, _ = _misfits(sources, places, travel_times, links)
    for turn in range(rules.rounds):
        misfit_L, slope_A4 = _misfits(moved, places, travel_times, links)
        weight_L = _weights(moved, links, misfit_L, rules, robust=turn > 0)
        step_E4 = _solve(moved, links, misfit_L, slope_A4, weight_L, rules)
        moved = replace(moved, place_E4=_shift(moved.place_E4, step_E4, travel_times.maximum_depth_km))
    after_L, _ = _misfits(moved, places, travel_times, links)
    return Relocation(
        moved.place_E4, linked_E, len(after_L), _rms(before_L, weight_L), _rms(after_L, weight_L),
        _spread(before_L), _spread(after_L),
    )  # fmt: skip


def _misfits(sources: Sources, places: Places, travel_times: TravelTimes,
             links: Links) -> tuple[FloatArray, FloatArray]:  # fmt: skip
    """Misfit of each link (s), and how each arrival's time changes with its event's unknowns."""
    late_A, slope_A4 = np.empty(len(sources.time_A)), np.empty((len(sources.time_A), 4))
    distance_A, east_A, north_A = (np.empty(len(late_A)) for _ in range(3))
    compasses = [compass_at(place[0], place[1]) for place in sources.place_E4]
    for a, (event, station) in enumerate(
        zip(sources.event_A.tolist(), sources.station_A.tolist(), strict=True)
    ):
        distance_A[a], east_A[a], north_A[a] = ray_from(compasses[event], places.unit_S3[station])
    depth_A, height_A = sources.place_E4[sources.event_A, 2], places.elevation_km_S[sources.station_A]
    for role, phase in enumerate("PS"):
        of = sources.role_A == role
        travel, along, down = travel_times.look_up(phase, distance_A[of], depth_A[of], height_A[of])
        late_A[of] = sources.time_A[of] - sources.place_E4[sources.event_A[of], 3] - travel
        slope_A4[of] = np.stack(
            [-along * east_A[of], -along * north_A[of], down, np.ones(len(travel))], axis=1
        )
    return late_A[links.first_L] - late_A[links.second_L], slope_A4


def _weights(sources: Sources, links: Links, misfit_L: FloatArray, rules: DifferenceRules,
             robust: bool) -> FloatArray:  # fmt: skip
    """Weigh links by phase, by how near the events are, and later by how well they fit."""
    near_L = 1.0 - (links.apart_km_L / (1.2 * rules.farthest_km)) ** 2
    weight_L = np.where(sources.role_A[links.first_L] == 1, _S_WEIGHT, 1.0) * np.clip(near_L, 0.05, 1.0)
    if robust:
        ratio_L = misfit_L / (_CUT * max(_spread(misfit_L), 1e-4))
        weight_L = weight_L * np.clip(1.0 - ratio_L**2, 0.0, 1.0) ** 2
    return np.asarray(weight_L)


def _solve(sources: Sources, links: Links, misfit_L: FloatArray, slope_A4: FloatArray, weight_L: FloatArray,
           rules: DifferenceRules) -> FloatArray:  # fmt: skip
    """Return the step of each event that lowers the weighted misfits most, times in units of 0.1 s."""
    count, scale_4 = len(sources.place_E4), np.array([1.0, 1.0, 1.0, 0.1])
    rows = np.repeat(np.arange(len(misfit_L)), 8)
    columns_LE8 = 4 * links.pair_L2[:, :, None] + np.arange(4)
    parts_L28 = np.stack([slope_A4[links.first_L], -slope_A4[links.second_L]], axis=1) * scale_4
    weighted = weight_L / rules.onset_s
    values = (parts_L28 * weighted[:, None, None]).ravel()
    matrix = coo_array((values, (rows, columns_LE8.ravel())), shape=(len(misfit_L), 4 * count))
    centres = _centre_rows(links, count)
    right = np.concatenate([misfit_L * weighted, np.zeros(centres.shape[0])])
    found = lsqr(
        vstack([matrix, centres]).tocsr(), right, damp=rules.damping, atol=1e-9, btol=1e-9, iter_lim=500
    )
    step_E4: FloatArray = found[0].reshape(count, 4) * scale_4
    longest = np.maximum(np.linalg.norm(step_E4[:, :3], axis=1) / (0.5 * rules.farthest_km), 1.0)
    return np.asarray(step_E4 / longest[:, None])


def _centre_rows(links: Links, count: int) -> coo_array:
    """Rows that hold the middle of each group of linked events."""
    ones = np.ones(len(links.pair_L2))
    graph = coo_array((ones, (links.pair_L2[:, 0], links.pair_L2[:, 1])), shape=(count, count))
    groups, group_E = connected_components(graph, directed=False)
    rows = (4 * group_E[:, None] + np.arange(4)).ravel()
    values = np.full(4 * count, _CENTRE_WEIGHT)
    return coo_array((values, (rows, np.arange(4 * count))), shape=(4 * groups, 4 * count))


def _shift(place_E4: FloatArray, step_E4: FloatArray, deepest_km: float) -> FloatArray:
    moved_E4 = place_E4.copy()
    for event, (east, north) in enumerate(step_E4[:, :2]):
        here = float(place_E4[event, 0]), float(place_E4[event, 1])
        latitude, longitude = offset_rad(*here, np.array(east), np.array(north))
        moved_E4[event, :2] = float(latitude), float(longitude)
    moved_E4[:, 2] = np.clip(place_E4[:, 2] + step_E4[:, 2], 0.0, deepest_km)
    moved_E4[:, 3] += step_E4[:, 3]
    return moved_E4


def _rms(misfit_L: FloatArray, weight_L: FloatArray) -> float:
    return float(np.sqrt((weight_L * misfit_L**2).sum() / max(float(weight_L.sum()), 1e-12)))


def _spread(misfit_L: FloatArray) -> float:
    """Robust standard deviation: 1.4826 times the median distance from the median."""
    return float(1.4826 * np.median(np.abs(misfit_L - np.median(misfit_L))))
