"""Double differences pull clusters together."""

from __future__ import annotations

import numpy as np
import pytest

from rtpick.association.difference_links import link_events
from rtpick.association.double_difference import DifferenceRules, Relocation, Sources, relocate
from rtpick.association.locate import Spread, Timing, locate_source
from rtpick.association.sites import Places
from rtpick.association.sphere import arc_km, geocentric_rad, offset_rad, unit_vectors
from rtpick.association.traveltime import TravelTimes, build_travel_times
from rtpick.association.velocity import FloatArray, VelocityModel

CENTRE = float(geocentric_rad(43.0)), float(np.radians(13.0))
SPREAD = Spread(np.array([0.1, 0.18]), np.array([0.01, 0.01]), np.array([2.0, 2.0]))


@pytest.fixture(scope="module")
def times() -> TravelTimes:
    nodes = np.array([(0.0, 5.2, 3.0), (10.0, 6.1, 3.5), (30.0, 6.8, 3.9)])
    return build_travel_times(VelocityModel(*nodes.T, "crust"), 30.0, 120.0)


def make_places(rng: np.random.Generator, count: int = 24) -> Places:
    latitude, longitude = offset_rad(*CENTRE, rng.uniform(-40, 40, count), rng.uniform(-40, 40, count))
    return Places(unit_vectors(latitude, longitude), rng.uniform(0, 1, count))


def draw_clusters(rng: np.random.Generator, per_cluster: int = 14) -> FloatArray:
    """Three clusters of 600 m, as (east, north, down, time)."""
    middles = np.array([(-12.0, 5.0, 8.0), (10.0, 10.0, 6.0), (3.0, -14.0, 10.0)])
    where = np.repeat(middles, per_cluster, axis=0) + rng.normal(0, 0.3, (3 * per_cluster, 3))
    return np.column_stack([where, 100.0 * np.arange(len(where))])


def to_places(flat_E4: FloatArray) -> FloatArray:
    latitude, longitude = offset_rad(*CENTRE, flat_E4[:, 0], flat_E4[:, 1])
    return np.column_stack([latitude, longitude, flat_E4[:, 2:]])


def observe(rng: np.random.Generator, times: TravelTimes, places: Places, true_E4: FloatArray,
            cluster_E: FloatArray,
            onset_s: float, outliers: float = 0.0) -> Sources:  # fmt: skip
    """Arrivals with what the model does not know (one for each cluster and station) and reading errors."""
    unknown = rng.normal(0, 0.15, (4, len(places.unit_S3), 2))
    rows = []
    for event, place in enumerate(true_E4):
        here = unit_vectors(place[0], place[1])
        for station in np.flatnonzero(rng.random(len(places.unit_S3)) < 0.8):
            far_km = float(arc_km(here, places.unit_S3[station]))
            for role, phase in enumerate("PS"):
                travel = float(times.look_up(phase, far_km, place[2], places.elevation_km_S[station])[0])
                late = unknown[int(cluster_E[event]), station, role] * (1 + role)
                late += rng.normal(0, onset_s * (1 + 0.8 * role)) + (rng.random() < outliers) * rng.normal(
                    0, 2.0
                )
                rows.append((event, station, role, place[3] + travel + late))
    table = np.array(rows)
    whole = table[:, :3].astype(np.int64)
    return Sources(true_E4, whole[:, 0], whole[:, 1], whole[:, 2], table[:, 3])


def locate_each(sources: Sources, places: Places, times: TravelTimes) -> FloatArray:
    """Locate each event alone, as the associator does."""
    found = np.empty_like(sources.place_E4)
    for event in range(len(found)):
        of = sources.event_A == event
        timing = Timing(
            sources.station_A[of], sources.role_A[of], sources.time_A[of] - sources.place_E4[event, 3]
        )
        start = np.array([*CENTRE, 8.0, 0.0])
        source, *_ = locate_source(times.table, places, SPREAD, timing, start, np.array([3.0, 15.0]), 20.0)
        found[event] = source
        found[event, 3] += sources.place_E4[event, 3]
    return found


def flat_km(place_E4: FloatArray) -> FloatArray:
    north = (place_E4[:, 0] - CENTRE[0]) * 6371.0
    east = (place_E4[:, 1] - CENTRE[1]) * 6371.0 * np.cos(place_E4[:, 0])
    return np.column_stack([east, north, place_E4[:, 2]])


def relative_error_km(place_E4: FloatArray, true_E4: FloatArray, cluster_E: FloatArray) -> float:
    """Median distance between where an event is and should be, seen from the middle of its cluster."""
    error = flat_km(place_E4) - flat_km(true_E4)
    for cluster in np.unique(cluster_E):
        error[cluster_E == cluster] -= error[cluster_E == cluster].mean(axis=0)
    return float(np.median(np.linalg.norm(error, axis=1)))


def run(
    seed: int, times: TravelTimes, onset_s: float = 0.02, outliers: float = 0.0
) -> tuple[float, float, Relocation]:
    rng = np.random.default_rng(seed)
    places, true_E4 = make_places(rng), to_places(draw_clusters(rng))
    cluster_E = np.repeat(np.arange(3), 14)
    seen = observe(rng, times, places, true_E4, cluster_E, onset_s, outliers)
    first_E4 = locate_each(seen, places, times)
    moved = relocate(Sources(first_E4, seen.event_A, seen.station_A, seen.role_A, seen.time_A), places, times)
    before, after = (relative_error_km(p, true_E4, cluster_E) for p in (first_E4, moved.place_E4))
    return before, after, moved


def test_relative_error_falls_to_less_than_half(times: TravelTimes) -> None:
    """Readings of 20 ms behind an unknown earth of 150 ms: the clusters shrink to their shape."""
    before, after, moved = run(1, times)
    assert moved.linked_E.all()
    assert after < 0.12
    assert after < before / 2.3
    assert moved.spread_after_s < 0.8 * moved.spread_before_s
    assert moved.after_s < 0.8 * moved.before_s


def test_outliers_count_little(times: TravelTimes) -> None:
    """One arrival in twenty off by 2 s: no worse than without."""
    before, after, _ = run(2, times, outliers=0.05)
    assert after < 0.12
    assert after < before / 3


def test_the_middle_of_a_cluster_stays_and_strangers_are_left_alone(times: TravelTimes) -> None:
    rng = np.random.default_rng(4)
    places, flat_E4 = make_places(rng), draw_clusters(rng, 6)
    flat_E4[-1, :3] = (0.0, 38.0, 12.0)  # far from every other
    true_E4 = to_places(flat_E4)
    cluster_E = np.array([0] * 6 + [1] * 6 + [2] * 5 + [3])
    seen = observe(rng, times, places, true_E4, cluster_E, 0.02)
    first_E4 = true_E4 + np.column_stack([rng.normal(0, 1e-4, (18, 2)), rng.normal(0, 0.5, 18), np.zeros(18)])
    moved = relocate(Sources(first_E4, seen.event_A, seen.station_A, seen.role_A, seen.time_A), places, times)
    assert moved.linked_E.tolist() == [True] * 17 + [False]
    np.testing.assert_array_equal(moved.place_E4[-1], first_E4[-1])
    for cluster in range(3):
        of = cluster_E == cluster
        drift_km = flat_km(moved.place_E4)[of].mean(axis=0) - flat_km(first_E4)[of].mean(axis=0)
        assert np.abs(drift_km).max() < 0.5


def test_exact_differences_leave_an_exact_catalogue_where_it_is(times: TravelTimes) -> None:
    rng = np.random.default_rng(6)
    places, true_E4 = make_places(rng, 10), to_places(draw_clusters(rng, 4))
    seen = observe(rng, times, places, true_E4, np.zeros(12), 0.0)
    moved = relocate(seen, places, times)
    np.testing.assert_allclose(flat_km(moved.place_E4), flat_km(true_E4), atol=0.01)
    assert moved.after_s < 1e-3


def test_links_want_enough_in_common_and_nearness() -> None:
    place_E4 = np.array([[0.7, 0.2, 5.0, 0.0], [0.7, 0.2002, 5.0, 9.0], [0.7, 0.3, 5.0, 0.0]])
    event_A = np.array([0, 0, 0, 1, 1, 2, 2])
    station_A, role_A = np.array([0, 0, 1, 0, 1, 0, 1]), np.array([0, 1, 0, 0, 0, 0, 0])
    links = link_events(place_E4, event_A, station_A, role_A, 10.0, 5, 2)
    assert list(zip(links.first_L.tolist(), links.second_L.tolist(), strict=True)) == [(0, 3), (2, 4)]
    assert links.apart_km_L[0] == pytest.approx(0.97, abs=0.02)
    assert len(link_events(place_E4, event_A, station_A, role_A, 10.0, 5, 3).first_L) == 0


def test_nothing_to_link_is_no_trouble(times: TravelTimes) -> None:
    rng = np.random.default_rng(7)
    places, true_E4 = make_places(rng, 6), to_places(draw_clusters(rng, 1))[:1]
    seen = observe(rng, times, places, true_E4, np.zeros(1), 0.02)
    moved = relocate(seen, places, times, DifferenceRules())
    assert (moved.links, moved.linked_E.tolist()) == (0, [False])
    np.testing.assert_array_equal(moved.place_E4, true_E4)
