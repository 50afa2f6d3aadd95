"""A cable joins a network as some stations, and both make an event that neither could make alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rtpick.association.associate import finish, new_state, step
from rtpick.association.fiber_associate import FiberAssociatorState
from rtpick.association.fiber_associate import finish as finish_fiber
from rtpick.association.fiber_associate import step as step_fiber
from rtpick.association.fiber_geometry import FiberGeometry
from rtpick.association.fiber_locate import locate_fiber_event
from rtpick.association.fiber_options import FiberOptions
from rtpick.association.fiber_virtual import (
    VirtualState,
    pick_at_virtual_stations,
    place_virtual_stations,
    step_virtual,
)
from rtpick.association.sites import prepare_travel_times
from rtpick.association.traveltime import build_travel_times
from rtpick.association.velocity import VelocityModel
from rtpick.bench.fiber_scene import Scene, SceneEvent, arrival_times_s, make_picks, place_channels
from rtpick.settings.schema import AssociationSettings
from rtpick.vocabulary.codes import ChannelId, StationId
from rtpick.vocabulary.event import Event, EventStatus
from rtpick.vocabulary.fiber import FiberPicks
from rtpick.vocabulary.inventory import Inventory, Station
from rtpick.vocabulary.pick import Pick
from rtpick.vocabulary.time import to_ns

KM_PER_DEG = 111.195
QUAKE = SceneEvent(20.0, 12.0, 10.0, 8.0, 0.6, 0.0)
SCENE = Scene((QUAKE,), 900, 8.0, 60.0, 0.01)
OPTIONS = FiberOptions().for_cable(900, 8.0)
PLACES_KM = {"NE": (25.0, 20.0), "NW": (-5.0, 30.0), "SE": (30.0, -8.0)}


def geometry() -> FiberGeometry:
    x_K, y_K = place_channels(SCENE)
    return FiberGeometry(np.arange(900), y_K / KM_PER_DEG, 10.0 + x_K / KM_PER_DEG, np.zeros(900))


def network() -> Inventory:
    codes = {name: StationId("XX", name) for name in PLACES_KM}
    return Inventory({
        codes[name]: Station(codes[name], y / KM_PER_DEG, 10.0 + x / KM_PER_DEG)
        for name, (x, y) in PLACES_KM.items()
    })  # fmt: skip


def station_picks() -> list[Pick]:
    """P at three stations: too few for an event."""
    made = []
    for name, (x, y) in PLACES_KM.items():
        away = np.sqrt((x - QUAKE.x_km) ** 2 + (y - QUAKE.y_km) ** 2 + QUAKE.depth_km**2)
        at_ns = SCENE.start_ns + to_ns(QUAKE.origin_s + away / 6.0)
        channel = ChannelId("XX", name, "", "HHZ")
        made.append(Pick(name, channel, "P", at_ns, 0.9, 0.05, 0.0, 9.0, 1.0, "test"))
    return made


def settings(tmp_path: object) -> AssociationSettings:
    model = f"{tmp_path}/model.csv"
    with open(model, "w", encoding="utf-8") as file:
        file.write(f"depth_km,vp,vs\n0,6.0,{6 / 1.74}\n60,6.01,{6.01 / 1.74}\n")
    return AssociationSettings(velocity_model=model)


def associated(tmp_path: object, inventory: Inventory, picks: list[Pick]) -> list[Event]:
    chosen = settings(tmp_path)
    state = new_state(chosen, inventory, prepare_travel_times(chosen, inventory))
    said: list[Event] = []
    for pick in sorted(picks, key=lambda pick: pick.time_ns):
        state, events = step(state, (pick,), pick.time_ns - to_ns(120.0))
        said.extend(events)
    return [event for event in said + finish(state)[1] if event.status is EventStatus.FINAL]


def test_stations_and_cable_make_the_event_that_neither_makes_alone(tmp_path: object) -> None:
    stations = place_virtual_stations("ridge", geometry())
    along = pick_at_virtual_stations(make_picks(SCENE)[0], stations, OPTIONS)
    assert 1 <= len(along) <= 4
    together = Inventory(network().stations | stations.inventory.stations)
    assert associated(tmp_path, together, station_picks()) == []
    assert associated(tmp_path, together, along) == []
    state = FiberAssociatorState("ridge", OPTIONS)
    state, said = step_fiber(state, make_picks(SCENE)[0], SCENE.start_ns + to_ns(60.0))
    assert said + finish_fiber(state)[1] == []
    (event,) = associated(tmp_path, together, station_picks() + along)
    assert {arrival.station.split(".")[0] for arrival in event.arrivals} == {"XX", "ridge"}
    x_km, y_km = (event.origin.longitude_deg - 10.0) * KM_PER_DEG, event.origin.latitude_deg * KM_PER_DEG
    assert np.hypot(x_km - QUAKE.x_km, y_km - QUAKE.y_km) < 3.0
    assert abs(event.origin.time_ns - SCENE.start_ns - to_ns(20.0)) < to_ns(1.0)


def test_virtual_stations_pick_what_passes_them_and_nothing_else() -> None:
    scene = replace(SCENE, events=(replace(QUAKE, seen_s=0.9),), steps_s=(35.0, 50.0))
    stations = place_virtual_stations("ridge", geometry())
    assert len(stations.channel_number_V) == 3
    made = pick_at_virtual_stations(make_picks(scene)[0], stations, OPTIONS)
    p_K, s_K = arrival_times_s(scene, QUAKE)
    want = {("P", int(c)): p_K[c] for c in stations.channel_number_V}
    want |= {("S", int(c)): s_K[c] for c in stations.channel_number_V}
    late = {
        (pick.phase_hint, int(pick.station_id.station[2:])): (pick.time_ns - scene.start_ns) / 1e9
        for pick in made
    }
    assert len(made) == 6
    assert late.keys() == want.keys()
    assert max(abs(late[key] - want[key]) for key in want) < 0.1
    assert all(pick.station_id in stations.inventory for pick in made)


def test_noise_makes_no_virtual_pick() -> None:
    scene = Scene((), 900, 8.0, 60.0, 0.1)
    stations = place_virtual_stations("ridge", geometry())
    assert pick_at_virtual_stations(make_picks(scene)[0], stations, OPTIONS) == []


def test_batches_do_not_show() -> None:
    picks, _ = make_picks(SCENE)
    stations = place_virtual_stations("ridge", geometry())
    state, made = VirtualState(stations, OPTIONS), []
    for at_ns in range(SCENE.start_ns, SCENE.start_ns + to_ns(100.0), to_ns(0.7)):
        now = (picks.time_ns_N >= at_ns) & (picks.time_ns_N < at_ns + to_ns(0.7))
        part = FiberPicks("ridge", picks.channel_number_N[now], picks.phase_N[now], picks.time_ns_N[now],
                          picks.probability_N[now], picks.amplitude_N[now])  # fmt: skip
        state, more = step_virtual(state, part, at_ns + to_ns(0.7))
        made.extend(more)
    whole = pick_at_virtual_stations(picks, stations, OPTIONS)
    assert len(whole) == 3
    assert [(p.pick_id, p.time_ns, p.probability) for p in made] == [
        (p.pick_id, p.time_ns, p.probability) for p in whole
    ]


def test_a_long_cable_counts_as_so_many_stations_at_most() -> None:
    number = np.arange(0, 10_000, 10)
    long_ = FiberGeometry(number, 45.0 + number * 1e-4, np.full(1000, 7.0), np.zeros(1000))
    assert len(place_virtual_stations("ridge", long_).channel_number_V) == 8
    assert len(place_virtual_stations("ridge", long_, group_weight=3).channel_number_V) == 3
    assert len(place_virtual_stations("ridge", long_, network()).channel_number_V) == 8


def test_an_event_of_the_cable_is_located_on_the_tables_of_the_network() -> None:
    quake = SceneEvent(20.0, 8.0, 6.0, 8.0)
    scene = Scene((quake,), 900, 20.0, 60.0)
    x_K, y_K = place_channels(scene)
    places = FiberGeometry(np.arange(900), y_K / KM_PER_DEG, 10.0 + x_K / KM_PER_DEG, np.zeros(900))
    state = FiberAssociatorState("ridge", FiberOptions().for_cable(900, 20.0))
    state, said = step_fiber(state, make_picks(scene)[0], scene.start_ns + to_ns(60.0))
    event = (said + finish_fiber(state)[1])[-1]
    model = VelocityModel(np.array([0.0, 60.0]), np.array([6.0, 6.01]), np.array([6.0, 6.01]) / 1.74)
    located = locate_fiber_event(event, places, build_travel_times(model, 40.0, 100.0))
    origin = located.event.origin
    assert (located.event.event_id, located.event.revision, located.event.status) == (
        event.event_id, event.revision, EventStatus.FINAL,
    )  # fmt: skip
    assert located.event.pick_ids == {pick.pick_id for pick in located.picks}
    assert 120 < len(located.picks) <= 180
    x_km, y_km = (origin.longitude_deg - 10.0) * KM_PER_DEG, origin.latitude_deg * KM_PER_DEG
    assert np.hypot(x_km - 8.0, y_km - 6.0) < max(3.0, 3.0 * origin.horizontal_uncertainty_km)
    assert abs(origin.time_ns - scene.start_ns - to_ns(20.0)) < to_ns(0.3)
