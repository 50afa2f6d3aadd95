"""In whatever order, portions, repetitions or revisions the same picks come: the same final events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtpick.association.associate import AssociatorState, finish, new_state, restore, step
from rtpick.association.loudness import fall_off
from rtpick.association.sites import prepare_travel_times
from rtpick.association.sphere import arc_km, geocentric_rad, unit_vectors
from rtpick.association.traveltime import TravelTimes
from rtpick.settings.schema import AssociationSettings
from rtpick.vocabulary.codes import ChannelId, StationId
from rtpick.vocabulary.event import Event, EventStatus
from rtpick.vocabulary.inventory import Inventory, Station
from rtpick.vocabulary.pick import Pick, PickStatus
from rtpick.vocabulary.time import NS_PER_S, to_ns

SETTINGS = AssociationSettings(settle_s=600.0)
START_NS = 1_700_000_000 * NS_PER_S
LONG_AGO_NS = START_NS - 3600 * NS_PER_S


def make_pick(
    name: str, station: StationId, phase: str, time_ns: int, probability: float, loudness: float
) -> Pick:
    channel = ChannelId(station.network, station.station, "", "HHZ")
    amplitude, unit = 10.0**loudness, "m/s"
    return Pick(name, channel, phase, time_ns, probability, 0.1, amplitude, float("nan"), 1.0, "test",
                amplitude_unit=unit)  # fmt: skip


def make_network(rng: np.random.Generator) -> Inventory:
    codes = [StationId("XX", f"A{n:02d}") for n in range(14)]
    places = rng.uniform(-0.4, 0.4, (14, 2)) + np.array([45.0, 7.0])
    return Inventory({c: Station(c, float(a), float(o)) for c, (a, o) in zip(codes, places, strict=True)})


def make_picks(inventory: Inventory, times: TravelTimes, rng: np.random.Generator) -> list[Pick]:
    """Four events, two of them at almost the same time, among stray picks."""
    stations = sorted(inventory, key=lambda s: s.station)
    unit = unit_vectors(geocentric_rad(np.array([s.latitude_deg for s in stations])),
                        np.radians([s.longitude_deg for s in stations]))  # fmt: skip
    picks = []
    for event, (latitude, longitude, depth_km, origin_s) in enumerate(
        [(45.1, 7.1, 8.0, 5.0), (44.8, 6.8, 12.0, 7.0), (45.2, 6.9, 5.0, 60.0), (45.0, 7.2, 10.0, 150.0)]
    ):
        place = unit_vectors(geocentric_rad(latitude), np.radians(longitude))
        for number, distance_km in enumerate(arc_km(unit, place)):
            for phase, sigma_s, seen in (("P", 0.08, 0.8), ("S", 0.15, 0.5)):
                if rng.random() > seen:
                    continue
                time_s = origin_s + times.look_up(phase, distance_km, depth_km)[0] + rng.normal(0, sigma_s)
                name = f"e{event}{phase}{number:02d}"
                loudness = -3.0 - fall_off(float(np.hypot(distance_km, depth_km))) + rng.normal(0, 0.3)
                at_ns = START_NS + to_ns(float(time_s))
                picks.append(make_pick(name, stations[number].station, phase, at_ns, 0.8, loudness))
    for stray in range(40):
        station = stations[rng.integers(len(stations))].station
        time_ns = START_NS + to_ns(rng.uniform(0, 200))
        loudness = rng.normal(-6.0, 0.4)
        picks.append(make_pick(f"n{stray:02d}", station, "PS"[rng.integers(2)], time_ns, 0.4, loudness))
    return sorted(picks, key=lambda p: (p.time_ns, p.pick_id))


class Case:
    """A network with its picks, and what the picks give when they come in order of time, one by one."""

    def __init__(self) -> None:
        rng = np.random.default_rng(7)
        self.inventory = make_network(rng)
        self.times = prepare_travel_times(SETTINGS, self.inventory)
        self.picks = make_picks(self.inventory, self.times, rng)
        self.start = new_state(SETTINGS, self.inventory, self.times)
        self.published = run(self.start, [[pick] for pick in self.picks])


def run(state: AssociatorState, portions: Sequence[Sequence[Pick]]) -> list[Event]:
    out: list[Event] = []
    for portion in portions:
        state, events = step(state, portion, LONG_AGO_NS)
        out += events
    return out + finish(state)[1]


@pytest.fixture(scope="module")
def case() -> Case:
    return Case()


def sorted_content(events: Sequence[Event]) -> list[str]:
    return sorted(repr((e.origin, e.arrivals)) for e in events if e.status is EventStatus.FINAL)


def test_the_case_holds_four_events(case: Case) -> None:
    final = [e for e in case.published if e.status is EventStatus.FINAL]
    assert len(final) == 4
    for event in final:
        owners = Counter(a.pick_id[:2] for a in event.arrivals)
        assert max(owners.values()) >= 12
        assert max(owners.values()) >= 0.85 * len(event.arrivals)


@settings(max_examples=6, deadline=None)
@given(data=st.data())
def test_any_order_within_the_budget_gives_the_same_final_events(case: Case, data: st.DataObject) -> None:
    delays = data.draw(st.lists(st.floats(0, 30), min_size=len(case.picks), max_size=len(case.picks)))
    order = np.argsort([p.time_ns / 1e9 + d for p, d in zip(case.picks, delays, strict=True)], kind="stable")
    published = run(case.start, [[case.picks[i]] for i in order])
    assert sorted_content(published) == sorted_content(case.published)


@settings(max_examples=5, deadline=None)
@given(cuts=st.sets(st.integers(1, 150), max_size=20))
def test_any_partition_gives_the_same_publications(case: Case, cuts: set[int]) -> None:
    edges = [0, *sorted(c for c in cuts if c < len(case.picks)), len(case.picks)]
    portions = [case.picks[a:b] for a, b in pairwise(edges)]
    assert repr(run(case.start, portions)) == repr(case.published)


@settings(max_examples=5, deadline=None)
@given(again=st.lists(st.integers(0, 100), max_size=40), seed=st.integers(0, 1000))
def test_repetition_changes_nothing(case: Case, again: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    count = len(case.picks)
    repeated = [(rng.uniform(index, count), index) for index in again if index < count]
    arrivals = sorted([*((float(index), index) for index in range(count)), *repeated])
    portions = [[case.picks[index]] for _, index in arrivals]
    assert repr(run(case.start, portions)) == repr(case.published)


@settings(max_examples=5, deadline=None)
@given(chosen=st.sets(st.integers(0, 100), max_size=25), shift_s=st.floats(-0.4, 0.4))
def test_preliminary_picks_leave_no_trace(case: Case, chosen: set[int], shift_s: float) -> None:
    portions = []
    for index, pick in enumerate(case.picks):
        if index in chosen:
            early = replace(
                pick,
                time_ns=pick.time_ns + to_ns(shift_s),
                amplitude=pick.amplitude / 3.0,
                status=PickStatus.PRELIMINARY,
            )
            portions += [[early], [replace(pick, revision=1)]]
        else:
            portions.append([pick])
    assert sorted_content(run(case.start, portions)) == sorted_content(case.published)


@settings(max_examples=3, deadline=None)
@given(seed=st.integers(0, 1000))
def test_withdrawn_picks_leave_no_trace(case: Case, seed: int) -> None:
    rng = np.random.default_rng(seed)
    stations = sorted(case.inventory.stations)
    portions = [[p] for p in case.picks]
    for number in range(6):
        at = int(rng.integers(len(case.picks)))
        time_ns = case.picks[at].time_ns + int(rng.integers(NS_PER_S))
        ghost = make_pick(f"w{number}", stations[rng.integers(len(stations))], "P", time_ns, 0.9, -5.0)
        first = int(rng.integers(len(portions)))
        portions.insert(first, [ghost])
        last = int(rng.integers(first + 1, len(portions) + 1))
        portions.insert(last, [replace(ghost, status=PickStatus.WITHDRAWN, revision=1)])
    assert sorted_content(run(case.start, portions)) == sorted_content(case.published)


@settings(max_examples=4, deadline=None)
@given(cut=st.integers(5, 140))
def test_a_restart_publishes_nothing_twice_and_keeps_the_names(case: Case, cut: int) -> None:
    cut = min(cut, len(case.picks))
    _, before = step(case.start, case.picks[:cut], LONG_AGO_NS)
    restored = restore(SETTINGS, case.inventory, case.times, case.picks[:cut], before)
    repeated, events = step(restored, case.picks[:cut], LONG_AGO_NS)
    assert events == []
    after = run(repeated, [[p] for p in case.picks[cut:]])
    assert sorted_content(after) == sorted_content(case.published)
    names = {e.event_id for e in case.published if e.status is EventStatus.FINAL}
    assert {e.event_id for e in after if e.status is EventStatus.FINAL} == names


def test_a_step_leaves_its_input_as_it_was(case: Case) -> None:
    state, first = step(case.start, case.picks[:40], LONG_AGO_NS)
    assert repr(step(case.start, case.picks[:40], LONG_AGO_NS)[1]) == repr(first)
    once = repr(step(state, case.picks[40:], LONG_AGO_NS)[1])
    assert repr(step(state, case.picks[40:], LONG_AGO_NS)[1]) == once


@pytest.mark.parametrize("every", [1, 7])
def test_settling_on_the_way_gives_the_same_final_events(case: Case, every: int) -> None:
    quick = SETTINGS.model_copy(update={"settle_s": 20.0})
    state = new_state(quick, case.inventory, case.times)
    out: list[Event] = []
    for begin in range(0, len(case.picks), every):
        portion = case.picks[begin : begin + every]
        state, events = step(state, portion, portion[-1].time_ns)
        out += events
    out += finish(state)[1]
    assert sorted_content(out) == sorted_content(case.published)
