"""Locating synthetic earthquakes whose source is known."""

from __future__ import annotations

import numpy as np
import pytest

from rtpick.association.locate import Spread, Timing, descend, locate_source
from rtpick.association.sites import Places
from rtpick.association.sphere import (
    arc_km,
    azimuthal_gap_deg,
    geocentric_rad,
    geographic_deg,
    offset_rad,
    unit_vectors,
)
from rtpick.association.traveltime import TravelTimes, build_travel_times
from rtpick.association.velocity import FloatArray, iasp91

SPREAD = Spread(np.array([0.1, 0.18]), np.array([0.01, 0.01]), np.array([2.0, 2.0]))
CENTRE = (float(geocentric_rad(46.0)), float(np.radians(8.0)))
NO_DEPTHS = np.empty(0)


@pytest.fixture(scope="module")
def times() -> TravelTimes:
    return build_travel_times(iasp91(), 60.0, 400.0)


@pytest.fixture(scope="module")
def places() -> Places:
    rng = np.random.default_rng(1)
    latitude, longitude = offset_rad(*CENTRE, rng.uniform(-60, 60, 20), rng.uniform(-60, 60, 20))
    return Places(unit_vectors(latitude, longitude), rng.uniform(0, 2, 20))


def source_at(east_km: float, north_km: float, depth_km: float) -> FloatArray:
    latitude, longitude = offset_rad(*CENTRE, np.array(east_km), np.array(north_km))
    return np.array([float(latitude), float(longitude), depth_km, 10.0])


def arrivals(times: TravelTimes, places: Places, source: FloatArray, roles: str = "PS") -> Timing:
    distance_km = arc_km(places.unit_S3, unit_vectors(source[0], source[1]))
    station = np.arange(len(distance_km))
    per_role = [source[3] + times.look_up(p, distance_km, source[2], places.elevation_km_S)[0] for p in roles]
    role = np.repeat([("PS".index(p)) for p in roles], len(station))
    return Timing(np.tile(station, len(roles)), role, np.concatenate(per_role))


def off_km(a: FloatArray, b: FloatArray) -> float:
    return float(arc_km(unit_vectors(a[0], a[1]), unit_vectors(b[0], b[1])))


@pytest.mark.parametrize("place", [(0.0, 0.0, 8.0), (30.0, -25.0, 25.0), (-70.0, 40.0, 12.0)])
def test_exact_arrivals_give_the_exact_source(
    times: TravelTimes, places: Places, place: tuple[float, ...]
) -> None:
    truth = source_at(*place)
    timing = arrivals(times, places, truth)
    found, _, ratio_M, _ = locate_source(
        times.table, places, SPREAD, timing, source_at(10.0, 10.0, 15.0), np.array([5.0, 35.0]), 20.0
    )
    assert off_km(found, truth) < 0.05
    assert found[2] == pytest.approx(truth[2], abs=0.1)
    assert found[3] == pytest.approx(truth[3], abs=0.01)
    assert np.abs(ratio_M).max() < 0.1


def test_outliers_do_not_move_the_source(times: TravelTimes, places: Places) -> None:
    rng = np.random.default_rng(5)
    truth = source_at(12.0, 5.0, 10.0)
    timing = arrivals(times, places, truth)
    noisy = timing.time_M + rng.normal(0, 1, 40) * SPREAD.onset_s_R[timing.role_M]
    noisy[[3, 17, 28]] += (4.0, -6.0, 9.0)
    found, _, ratio_M, _ = locate_source(
        times.table, places, SPREAD, Timing(timing.station_M, timing.role_M, noisy), source_at(0, 0, 20.0),
        np.array([5.0]), 20.0,
    )  # fmt: skip
    assert off_km(found, truth) < 1.0
    assert abs(found[2] - truth[2]) < 2.0
    assert set(np.argsort(-np.abs(ratio_M))[:3]) == {3, 17, 28}


def test_covariance_says_how_far_noise_moves_the_source(times: TravelTimes, places: Places) -> None:
    rng = np.random.default_rng(9)
    truth = source_at(5.0, -8.0, 12.0)
    timing = arrivals(times, places, truth)
    sigma = np.hypot(SPREAD.onset_s_R[timing.role_M], 0.01 * (timing.time_M - truth[3]))
    inside = []
    for _ in range(200):
        noisy = Timing(timing.station_M, timing.role_M, timing.time_M + rng.normal(0, sigma))
        found, _, _, matrix = descend(times.table, places, SPREAD, noisy, truth, 20.0, True)
        deviation = (found[2] - truth[2]) / np.sqrt(np.linalg.inv(matrix)[2, 2])
        inside.append(abs(deviation) < 1.0)
    assert 0.55 < np.mean(inside) < 0.85


def test_a_fixed_depth_stays(times: TravelTimes, places: Places) -> None:
    timing = arrivals(times, places, source_at(0.0, 0.0, 12.0), "P")
    found, _, _, _ = descend(times.table, places, SPREAD, timing, source_at(3.0, 3.0, 20.0), 20.0, False)
    assert found[2] == 20.0
    assert off_km(found, source_at(0.0, 0.0, 0.0)) < 1.5


def test_depth_stays_within_the_table(times: TravelTimes, places: Places) -> None:
    timing = arrivals(times, places, source_at(0.0, 0.0, 0.0))
    early = Timing(timing.station_M, timing.role_M, timing.time_M - 0.3 * (timing.role_M == 1))
    found, _, _, _ = locate_source(
        times.table, places, SPREAD, early, source_at(1.0, 0.0, 5.0), NO_DEPTHS, 20.0
    )
    assert 0.0 <= found[2] <= times.maximum_depth_km


def test_distances_agree_with_the_ellipsoid() -> None:
    # Karney's geodesic on WGS84 between these points is 222.70 km (north) and 154.29 km (east).
    a, north, east = (unit_vectors(geocentric_rad(lat), np.radians(lon)) for lat, lon in
                      [(46.0, 8.0), (48.003, 8.0), (46.0, 9.992)])  # fmt: skip
    assert float(arc_km(a, north)) == pytest.approx(222.70, rel=1.5e-3)
    assert float(arc_km(a, east)) == pytest.approx(154.29, rel=1.5e-3)


def test_latitudes_go_there_and_back() -> None:
    for latitude_deg in (-70.0, 0.0, 33.3, 89.0):
        assert geographic_deg(float(geocentric_rad(latitude_deg))) == pytest.approx(latitude_deg, abs=1e-9)


def test_gap_of_few_stations() -> None:
    assert azimuthal_gap_deg(np.array([20.0])) == 360.0
    assert azimuthal_gap_deg(np.array([350.0, 10.0])) == pytest.approx(340.0)
