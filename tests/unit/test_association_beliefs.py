"""The parts that beliefs are made of: background, evidence, grid, votes, fronts, seismicity."""

from __future__ import annotations

import doctest
import importlib

import numpy as np
import pytest

from rtpick.association.background import (
    BLOCK_S,
    BLOCKS,
    Background,
    count_stray,
    hear,
    quiet_background,
    roll,
)
from rtpick.association.evidence import Beliefs, Chance, expect_detection, log_chance_at, log_fit
from rtpick.association.front import appraise_front, vote_front
from rtpick.association.grid import build_grid, layer_edges
from rtpick.association.locate import Spread, arrival_sigma_s
from rtpick.association.loudness import agree, fall_off, log_stray
from rtpick.association.seismicity import Seismicity, age, announce, lay_out
from rtpick.association.sites import measure_extent, number_sites, plane_km_of, prepare_travel_times
from rtpick.association.vote import Crowd, Rules, best_cells, cells_within, count_votes, zoom
from rtpick.settings.schema import AssociationSettings
from rtpick.vocabulary.codes import StationId
from rtpick.vocabulary.inventory import Inventory, Station

PLACES = [(45.0 + 0.2 * (n // 4), 7.0 + 0.28 * (n % 4)) for n in range(16)]
INVENTORY = Inventory(
    {StationId("XX", f"C{n:02d}"): Station(StationId("XX", f"C{n:02d}"), *PLACES[n]) for n in range(16)}
)
SETTINGS = AssociationSettings()


@pytest.mark.parametrize("name", ["velocity", "sphere", "grid", "loudness"])
def test_examples_hold(name: str) -> None:
    assert doctest.testmod(importlib.import_module(f"rtpick.association.{name}")).failed == 0


USUAL = 1e-9
PRIOR = lay_out(np.radians([44.8, 45.8]), np.radians([6.8, 8.0]), USUAL, 5.0)
HERE = np.array([np.radians(45.3), np.radians(7.4), 8.0, 0.0])
NOWHERE = Chance(np.full((1, 1), -20.0), 0.0, 0.0, 1.0, 1.0)


def new_background(stations: int, time_s: float) -> Background:
    return quiet_background(PRIOR, stations, time_s)


def test_a_station_that_strays_often_is_believed_less() -> None:
    before = new_background(3, 1000.0)
    after = roll(count_stray(before, np.full(40, 1), np.full(40, np.nan))).beliefs
    assert after.log_rate_S[1] > after.log_rate_S[0] + 1.0
    assert after.log_rate_S[0] < before.beliefs.log_rate_S[0]


def test_a_station_is_alive_for_as_long_as_memory_lasts() -> None:
    background = hear(new_background(2, 0.0), 1)
    assert background.beliefs.live_S.tolist() == [0.0, 1.0]
    for _ in range(BLOCKS):
        background = roll(background)
        assert background.beliefs.live_S.tolist() == [0.0, 1.0]
    assert roll(background).beliefs.live_S.tolist() == [0.0, 0.0]


def test_belief_depends_on_memory_alone() -> None:
    early, late = new_background(2, 0.0), new_background(2, BLOCK_S)
    early = roll(count_stray(early, np.zeros(30, np.int64), np.full(30, -6.0)))
    for _ in range(BLOCKS):
        early, late = roll(early), roll(late)
    for one, other in zip(early.beliefs[:2], late.beliefs[:2], strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_station_is_as_loud_as_its_strays() -> None:
    few = count_stray(new_background(3, 0.0), np.array([1, 1]), np.array([-5.0, -5.0]))
    assert np.isnan(roll(few).beliefs.loudness_S).all()
    many = count_stray(few, np.repeat([0, 1], 20), np.repeat([-7.0, -5.0], 20))
    quiet, loud, unheard = roll(many).beliefs.loudness_S
    assert quiet == pytest.approx(-7.0, abs=0.3)
    assert loud == pytest.approx(-5.0, abs=0.3)
    assert quiet < unheard < loud
    assert log_stray(-5.0 - quiet) < log_stray(-5.0 - loud)
    assert log_stray(float("nan")) == 0.0


def test_amplitudes_that_fall_with_distance_speak_for_an_event() -> None:
    fall_M = np.array([fall_off(d) for d in (10.0, 20.0, 40.0, 80.0, 120.0)])
    falling, equal = agree(-4.0 - fall_M, fall_M), agree(np.full(5, -6.0), fall_M)
    assert falling.level == pytest.approx(-4.0)
    assert falling.gain_M.sum() + falling.cost > 2.0
    assert equal.gain_M.sum() + equal.cost < falling.gain_M.sum() + falling.cost - 3.0


def test_one_wrong_gain_costs_little() -> None:
    fall_M = np.zeros(9)
    off = agree(np.array([-6.0] * 8 + [-3.0]), fall_M)
    assert off.level == pytest.approx(-6.0, abs=0.05)
    assert off.gain_M[:8].min() > 1.0
    assert -3.0 < off.gain_M[8] < -1.0


def test_unknown_amplitudes_say_nothing() -> None:
    nothing = agree(np.full(4, np.nan), np.zeros(4))
    assert nothing.gain_M.tolist() == [0.0] * 4
    assert nothing.cost == 0.0
    known = agree(np.array([-6.0, np.nan, -6.0]), np.zeros(3))
    assert known.gain_M[1] == 0.0
    assert known.gain_M[0] > 1.0


def chance_of(seismicity: Seismicity, source: np.ndarray) -> float:
    return log_chance_at(seismicity.chance, source[0], source[1])


def test_an_event_announces_others_near_itself_for_a_while() -> None:
    quiet = Seismicity(PRIOR, 0.0)
    there = HERE + np.array([np.radians(0.4), 0.0, 0.0, 0.0])
    assert chance_of(quiet, HERE) == pytest.approx(np.log(USUAL))
    after = announce(quiet, HERE, 0.5)
    assert chance_of(after, HERE) > np.log(USUAL) + 3.0
    assert chance_of(after, there) == pytest.approx(np.log(USUAL), abs=0.01)
    later = age(after, 3600.0)
    assert np.log(USUAL) < chance_of(later, HERE) < chance_of(after, HERE)
    assert chance_of(age(after, 1e6), HERE) == pytest.approx(np.log(USUAL))


def test_a_swarm_announces_more_than_one_event() -> None:
    once = swarm = announce(Seismicity(PRIOR, 0.0), HERE, 0.5)
    for _ in range(9):
        swarm = announce(swarm, HERE, 0.5)
    assert chance_of(swarm, HERE) == pytest.approx(chance_of(once, HERE) + np.log(10.0), abs=0.1)


def test_an_event_announces_less_than_one_other() -> None:
    after = announce(Seismicity(PRIOR, 0.0), HERE, 0.5)
    assert after.rate_YX is not None
    cell_km2 = PRIOR.step_north * PRIOR.step_east * np.cos(HERE[0]) * 6371.0**2
    assert 0.8 < after.rate_YX.sum() * cell_km2 * 3600.0 < 1.0


def test_detection_falls_with_distance_and_grows_with_range() -> None:
    detection = expect_detection(5.0, 500.0)
    assert np.all(np.diff(detection.log_seen_RBG, axis=1) <= 0)
    assert np.all(np.diff(detection.log_seen_RBG, axis=2) >= 0)
    both = np.exp(detection.log_seen_RBG) + np.exp(detection.log_missed_RBG)
    np.testing.assert_allclose(both, 1.0, atol=1e-8)


def test_the_density_of_residuals_integrates_to_one() -> None:
    residuals = np.linspace(-60, 60, 200_001)
    density = np.exp([log_fit(float(r), 0.3) for r in residuals])
    assert float(np.trapezoid(density, residuals)) == pytest.approx(1.0, abs=1e-3)


def test_the_path_error_saturates() -> None:
    spread = Spread(np.array([0.1, 0.2]), np.array([0.1, 0.1]), np.array([0.6, 0.6]))
    sigmas = [arrival_sigma_s(spread, 0, t) for t in (0.0, 1.0, 10.0, 1000.0)]
    assert sigmas == sorted(sigmas)
    assert sigmas[0] == pytest.approx(0.1)
    assert sigmas[-1] < 0.65


@pytest.mark.parametrize(("first_km", "deepest_km"), [(5.0, 700.0), (20.0, 50.0), (60.0, 50.0), (0.3, 8.0)])
def test_layers_cover_the_depths(first_km: float, deepest_km: float) -> None:
    edges = layer_edges(first_km, deepest_km)
    assert (edges[0], edges[-1]) == (0.0, deepest_km)
    assert np.all(np.diff(edges) > 0)


RULES = Rules(np.array([0.15, 0.25]), 1 / np.array([5.8, 3.36]), 150.0, 40.0, 5)


def test_a_vote_finds_the_source_among_strays() -> None:
    times = prepare_travel_times(SETTINGS, INVENTORY)
    sites = number_sites(INVENTORY)
    extent = measure_extent(SETTINGS, sites, times.model)
    grid = build_grid(sites, extent, times)
    source_km = np.array([12.0, -7.0])
    distance = np.linalg.norm(plane_km_of(sites) - source_km, axis=1)
    near = np.argsort(distance)[:6]
    time = times.look_up("P", distance[near], 9.0)[0]
    strays = np.array([1, 4, 9]), np.array([-3.0, -6.0, -1.5])
    station, late = np.concatenate([strays[0], near]), np.concatenate([strays[1], time - time[-1]])
    ballot = Crowd(station, np.zeros(9, np.int64), late, np.zeros(9), np.full(9, np.nan))
    cell_J, _ = cells_within(grid, RULES, int(station[8]), True)
    total = count_votes(grid, ballot, 8, cell_J, RULES, True)
    cell, layer = best_cells(grid, cell_J, total, 1)[0]
    place, late_N = zoom(times.table, sites.places, ballot, 8, RULES, grid, int(cell), int(layer))
    east = (place[1] - sites.centre_rad[1]) * np.cos(place[0]) * 6371.0
    north = (place[0] - sites.centre_rad[0]) * 6371.0
    assert np.hypot(east - source_km[0], north - source_km[1]) < extent.cell_km
    assert np.sum(np.abs(late_N[3:]) < 1.0) >= 5


def test_too_few_votes_count_as_none() -> None:
    times = prepare_travel_times(SETTINGS, INVENTORY)
    sites = number_sites(INVENTORY)
    grid = build_grid(sites, measure_extent(SETTINGS, sites, times.model), times)
    ballot = Crowd(np.array([0, 5]), np.array([0, 0]), np.array([-0.5, 0.0]), np.zeros(2), np.full(2, np.nan))
    cell_J, _ = cells_within(grid, RULES, 5, True)
    total = count_votes(grid, ballot, 1, cell_J, RULES, True)
    assert not total.any()
    assert best_cells(grid, cell_J, total, 2).tolist() == [[-1, -1], [-1, -1]]


def test_a_front_is_recognised_by_its_slowness() -> None:
    plane, nobody = plane_km_of(number_sites(INVENTORY)), np.zeros(16)
    late = plane @ (0.06, -0.02)
    order = np.argsort(late)
    ballot = Crowd(order, np.zeros(16, np.int64), late[order] - late.max(), np.zeros(16), np.full(16, np.nan))
    count, east, north = vote_front(plane, ballot, 15)
    assert count == 16
    start = np.array([east, north, 0.0, -late.max()])
    beliefs = Beliefs(nobody - 6.0, nobody, NOWHERE, nobody + np.nan)
    found = appraise_front(plane, ballot, np.zeros(16, np.int64), start, beliefs, 100.0)
    np.testing.assert_allclose(found.source, [0.06, -0.02, 0.0, -late.max()], atol=2e-3)
    assert found.log_odds > 20.0


def test_a_wave_as_slow_as_a_local_one_is_no_front() -> None:
    plane, nobody = plane_km_of(number_sites(INVENTORY)), np.zeros(16)
    crowd = Crowd(np.arange(16), np.zeros(16, np.int64), plane @ (0.15, 0.0), nobody, nobody + np.nan)
    beliefs = Beliefs(nobody - 6.0, nobody, NOWHERE, nobody + np.nan)
    found = appraise_front(plane, crowd, np.zeros(16, np.int64), np.zeros(4), beliefs, 100.0)
    assert found.log_odds < 0.0
