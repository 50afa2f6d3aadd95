"""What is found of stations: noise, wrong clocks, slow paths."""

from __future__ import annotations

import doctest

import numpy as np
import pytest

from rtpick.association import delays
from rtpick.association.associate import AssociatorState, finish, new_state, step
from rtpick.association.findings import Finding, FindingKind
from rtpick.association.sites import prepare_travel_times
from rtpick.association.sphere import arc_km, geocentric_rad, unit_vectors
from rtpick.settings.schema import AssociationSettings
from rtpick.vocabulary.codes import ChannelId, StationId
from rtpick.vocabulary.event import Event, EventStatus
from rtpick.vocabulary.inventory import Inventory, Station
from rtpick.vocabulary.pick import Pick
from rtpick.vocabulary.time import NS_PER_S, to_ns

START_NS = 1_700_000_000 * NS_PER_S
CODES = [StationId("XX", f"D{n:02d}") for n in range(16)]
PLACES = [(45.0 + 0.135 * (n // 4), 7.0 + 0.19 * (n % 4)) for n in range(16)]
INVENTORY = Inventory({c: Station(c, *p) for c, p in zip(CODES, PLACES, strict=True)})
WRONG = 5
NAN = float("nan")


def make_pick(name: str, station: int, phase: str, time_s: float) -> Pick:
    channel = ChannelId("XX", CODES[station].station, "", "HHZ")
    return Pick(name, channel, phase, START_NS + to_ns(time_s), 0.8, 0.1, NAN, NAN, 1.0, "test")


def make_state(**wishes: bool) -> AssociatorState:
    settings = AssociationSettings(settle_s=60.0, **wishes)
    return new_state(settings, INVENTORY, prepare_travel_times(settings, INVENTORY))


def swarm(state: AssociatorState, late_s: float, slow: float = 1.0, count: int = 14) -> list[Pick]:
    """Events two minutes apart, late at one station: P by `late_s`, S by that times `slow`."""
    rng, picks = np.random.default_rng(4), []
    unit = unit_vectors(geocentric_rad(np.array(PLACES)[:, 0]), np.radians(np.array(PLACES)[:, 1]))
    for event in range(count):
        place = rng.uniform((45.1, 7.1), (45.3, 7.5))
        there = unit_vectors(geocentric_rad(place[0]), np.radians(place[1]))
        for n, distance_km in enumerate(arc_km(unit, there).tolist()):
            for phase in "PS":
                travel_s = float(state.world.travel_times.look_up(phase, distance_km, 9.0)[0])
                extra_s = late_s * (1.0 if phase == "P" else slow) if n == WRONG else 0.0
                time_s = 120.0 * event + travel_s + extra_s + rng.normal(0, 0.04)
                picks.append(make_pick(f"{event}-{phase}{n}", n, phase, time_s))
    return sorted(picks, key=lambda pick: (pick.time_ns, pick.pick_id))


def run(state: AssociatorState, picks: list[Pick]) -> tuple[AssociatorState, list[Event]]:
    state, events = step(state, picks, START_NS)
    state, more = finish(state)
    return state, [e for e in events + more if e.status is EventStatus.FINAL]


def kinds(findings: tuple[Finding, ...]) -> list[tuple[FindingKind, StationId]]:
    return [(f.kind, f.station) for f in findings]


def test_examples_hold() -> None:
    assert doctest.testmod(delays).failed == 0


@pytest.mark.parametrize("late_s", [1.0, -1.0, 6.0])
def test_a_wrong_clock_is_found_out(late_s: float) -> None:
    start = make_state()
    state, events = run(start, swarm(start, late_s))
    assert len(events) == 14
    assert kinds(state.findings) == [(FindingKind.CLOCK_ERROR, CODES[WRONG])]
    assert state.findings[0].value == pytest.approx(late_s, abs=0.25)
    assert "check its clock" in str(state.findings[0])


def test_right_clocks_are_not_accused() -> None:
    start = make_state()
    assert run(start, swarm(start, 0.0))[0].findings == ()


def test_a_slow_path_is_no_wrong_clock() -> None:
    start = make_state()
    assert run(start, swarm(start, 0.35, slow=1.7))[0].findings == ()


def test_station_terms_are_learnt_where_asked_for() -> None:
    start = make_state(learn_station_terms=True)
    picks = swarm(start, 0.35, slow=1.7)
    state, learnt = run(start, picks)
    terms = {(f.station, f.phase): f.value for f in state.findings if f.kind is FindingKind.STATION_TERM}
    assert terms[CODES[WRONG], "P"] == pytest.approx(0.35, abs=0.15)
    assert terms[CODES[WRONG], "S"] > terms[CODES[WRONG], "P"]
    _, plain = run(make_state(), picks)
    assert learnt[-1].origin.rms_s < 0.7 * plain[-1].origin.rms_s


def noisy(count: int, begin_s: float, span_s: float) -> list[Pick]:
    rng = np.random.default_rng(9)
    times_s = np.sort(rng.uniform(begin_s, begin_s + span_s, count)).tolist()
    return [make_pick(f"n{begin_s:.0f}-{k}", WRONG, "P", time_s) for k, time_s in enumerate(times_s)]


def test_a_noisy_station_is_quarantined_and_released() -> None:
    calm = [make_pick(f"c{k}", k % 16, "P", 97.0 * k) for k in range(160)]
    picks = sorted([*noisy(900, 0.0, 3600.0), *calm], key=lambda pick: (pick.time_ns, pick.pick_id))
    during = [p for p in picks if p.time_ns < START_NS + to_ns(4200.0)]
    state, _ = step(make_state(), during, START_NS)
    assert kinds(state.findings) == [(FindingKind.QUARANTINE, CODES[WRONG])]
    assert "stray picks an hour" in str(state.findings[0])
    state, _ = step(state, [p for p in picks if p not in during], START_NS)
    assert state.findings == ()


def test_a_quarantined_station_still_belongs_to_events() -> None:
    start = make_state()
    late = [p for p in swarm(start, 0.0, count=32) if p.pick_id.startswith("31-")]
    _, events = run(start, [*noisy(900, 0.0, 3600.0), *late])
    (event,) = events
    assert sum(a.station == str(CODES[WRONG]) for a in event.arrivals) >= 1
