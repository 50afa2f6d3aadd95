"""Which events of a catalogue are compared with which, by which arrivals.

Arrays: E event, A arrival, L link, 3 xyz.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from rtpick.association.sphere import unit_vectors
from rtpick.association.trace import EARTH_RADIUS_KM
from rtpick.association.velocity import FloatArray
from rtpick.association.vote import IntArray

_CANDIDATES = 4  # times as many near events are looked at as are linked


@dataclass(frozen=True, slots=True, eq=False)
class Links:
    """Pairs of arrivals of one phase at one station.

    Parameters
    ----------
    pair_L2 : ndarray of int
        The two events of each link.
    first_L, second_L : ndarray of int
        Their arrivals.
    apart_km_L : ndarray
        Distance between the two events.
    """

    pair_L2: IntArray
    first_L: IntArray
    second_L: IntArray
    apart_km_L: FloatArray


def link_events(
    place_E4: FloatArray,
    event_A: IntArray,
    station_A: IntArray,
    role_A: IntArray,
    farthest_km: float,
    neighbours: int,
    fewest: int,
) -> Links:
    """Link each event to its nearest neighbours with which it has enough arrivals in common.

    Parameters
    ----------
    place_E4 : ndarray
        Geocentric latitude and longitude (rad), depth (km); time is not looked at.
    event_A, station_A, role_A : ndarray of int, shape (A,)
    farthest_km : float
    neighbours : int
        At most so many for each event; it may be more events' neighbour.
    fewest : int
        Stations and phases in common.
    """
    slots = _slots(len(place_E4), event_A, station_A, role_A)
    rows = [
        (one, other, slots[one][slot], slots[other][slot], apart_km)
        for one, other, apart_km in sorted(_pairs(place_E4, slots, farthest_km, neighbours, fewest))
        for slot in sorted(slots[one].keys() & slots[other].keys())
    ]
    table = np.array(rows, np.float64).reshape(-1, 5)
    whole = table[:, :4].astype(np.int64)
    return Links(whole[:, :2], whole[:, 2], whole[:, 3], table[:, 4])


def _slots(
    count: int, event_A: IntArray, station_A: IntArray, role_A: IntArray
) -> list[dict[tuple[int, int], int]]:
    """The arrival of each event by station and phase."""
    slots: list[dict[tuple[int, int], int]] = [{} for _ in range(count)]
    for arrival, (event, station, role) in enumerate(
        zip(event_A.tolist(), station_A.tolist(), role_A.tolist(), strict=True)
    ):
        slots[event].setdefault((station, role), arrival)
    return slots


def _pairs(place_E4: FloatArray, slots: list[dict[tuple[int, int], int]], farthest_km: float, neighbours: int,
           fewest: int) -> set[tuple[int, int, float]]:  # fmt: skip
    """Pairs of events with the distance between them, each pair once."""
    where_E3 = unit_vectors(place_E4[:, 0], place_E4[:, 1]) * (EARTH_RADIUS_KM - place_E4[:, 2:3])
    found: set[tuple[int, int, float]] = set()
    for one, near in enumerate(_near(where_E3, farthest_km, neighbours)):
        taken = 0
        for other, apart_km in near:
            if taken == neighbours:
                break
            if other != one and len(slots[one].keys() & slots[other].keys()) >= fewest:
                found.add((min(one, other), max(one, other), apart_km))
                taken += 1
    return found


def _near(where_E3: FloatArray, farthest_km: float, neighbours: int) -> Iterator[list[tuple[int, float]]]:
    """For each event the events near it, the nearest first."""
    count = min(_CANDIDATES * neighbours + 1, len(where_E3))
    if count < 2:
        return
    far_EN, who_EN = cKDTree(where_E3).query(where_E3, k=count, distance_upper_bound=farthest_km)
    for far_N, who_N in zip(far_EN, who_EN, strict=True):
        yield [(int(w), round(float(d), 9)) for d, w in zip(far_N, who_N, strict=True) if np.isfinite(d)]
