"""Two induced events near Unterhaching, from the picks of the reference network.

The picks are what SeisBench 0.12.6 `classify` gives with PhaseNet's original weights at thresholds
of 0.2 and an overlap of 2900 samples on the recording of BW.UH1-UH4 of 2010-05-27.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from rtpick.association.associate import finish, new_state, step
from rtpick.association.sites import prepare_travel_times
from rtpick.association.sphere import arc_km, geocentric_rad, unit_vectors
from rtpick.settings.schema import AssociationSettings
from rtpick.vocabulary.codes import ChannelId, StationId
from rtpick.vocabulary.event import Event, EventStatus
from rtpick.vocabulary.inventory import Inventory, Station
from rtpick.vocabulary.pick import Pick
from rtpick.vocabulary.time import NS_PER_S, format_utc, parse_utc

STATIONS = {
    "UH1": (48.0815, 11.6361),
    "UH2": (48.0584, 11.6817),
    "UH3": (48.0313, 11.6366),
    "UH4": (48.0318, 11.5354),
}
PICKS = """
UH3 P 16:24:33.160 0.980
UH2 P 16:24:33.240 0.630
UH1 P 16:24:33.330 0.544
UH4 P 16:24:34.120 0.586
UH3 S 16:24:34.350 0.958
UH2 S 16:24:34.570 0.269
UH4 S 16:24:35.870 0.227
UH3 P 16:25:26.570 0.961
UH3 S 16:25:27.750 0.913
UH3 S 16:25:48.200 0.221
UH3 P 16:27:01.530 0.214
UH3 S 16:27:03.180 0.586
UH3 P 16:27:30.430 0.982
UH1 P 16:27:30.590 0.236
UH4 P 16:27:31.420 0.850
UH3 S 16:27:31.610 0.959
UH4 S 16:27:33.070 0.272
"""
ORIGIN = ("2010-05-27T16:24:31.80Z", 48.0480, 11.6458, 4.8)


def read_picks() -> list[Pick]:
    picks = []
    for number, line in enumerate(PICKS.strip().splitlines()):
        station, phase, time, probability = line.split()
        picks.append(
            Pick(
                pick_id=f"p{number:02d}",
                channel=ChannelId("BW", station, "", "SHZ"),
                phase_hint=phase,
                time_ns=parse_utc(f"2010-05-27T{time}Z"),
                probability=float(probability),
                uncertainty_s=0.1,
                amplitude=float("nan"),
                snr=float("nan"),
                coverage=1.0,
                model_version="reference",
            )
        )
    return picks


def network() -> Inventory:
    codes = {name: StationId("BW", name) for name in STATIONS}
    return Inventory({codes[n]: Station(codes[n], *place) for n, place in STATIONS.items()})


def final_events(settings: AssociationSettings) -> list[Event]:
    inventory = network()
    state = new_state(settings, inventory, prepare_travel_times(settings, inventory))
    out: list[Event] = []
    for pick in read_picks():
        state, events = step(state, [pick], pick.time_ns - 5 * NS_PER_S)
        out += events
    return out + finish(state)[1]


@pytest.fixture(scope="module")
def published() -> list[Event]:
    return final_events(AssociationSettings())


def apart_km(event: Event, latitude_deg: float, longitude_deg: float) -> float:
    places = [(event.origin.latitude_deg, event.origin.longitude_deg), (latitude_deg, longitude_deg)]
    a, b = (unit_vectors(geocentric_rad(lat), np.radians(lon)) for lat, lon in places)
    return float(arc_km(a, b))


def test_both_events_are_found_and_nothing_else(published: list[Event]) -> None:
    final = [e for e in published if e.status is EventStatus.FINAL]
    assert [format_utc(e.origin.time_ns)[11:16] for e in final] == ["16:24", "16:27"]


def test_first_event_lies_where_the_catalogue_says(published: list[Event]) -> None:
    event = next(e for e in published if e.status is EventStatus.FINAL)
    time, latitude, longitude, depth_km = ORIGIN
    assert len(event.arrivals) == 7
    assert abs(event.origin.time_ns - parse_utc(time)) < 0.5 * NS_PER_S
    assert apart_km(event, latitude, longitude) < 3.0
    assert abs(event.origin.depth_km - depth_km) < 5.0
    assert not event.origin.depth_fixed


def test_second_event_is_a_repeat_of_the_first(published: list[Event]) -> None:
    first, second = (e for e in published if e.status is EventStatus.FINAL)
    assert {a.station for a in second.arrivals} == {"BW.UH1", "BW.UH3", "BW.UH4"}
    assert apart_km(second, first.origin.latitude_deg, first.origin.longitude_deg) < 3.0


def test_no_event_is_withdrawn_or_told_twice(published: list[Event]) -> None:
    by_name = itertools.groupby(
        sorted(published, key=lambda e: (e.event_id, e.revision)), lambda e: e.event_id
    )
    for _, revisions in by_name:
        told = list(revisions)
        assert [e.revision for e in told] == list(range(len(told)))
        assert told[0].status is EventStatus.NEW
        assert {e.status for e in told[1:-1]} <= {EventStatus.UPDATE}
        assert told[-1].status is EventStatus.FINAL


def test_one_station_alone_makes_no_event() -> None:
    inventory = network()
    settings = AssociationSettings()
    state = new_state(settings, inventory, prepare_travel_times(settings, inventory))
    alone = [p for p in read_picks() if p.channel.station == "UH3"]
    state, events = step(state, alone, alone[-1].time_ns)
    assert events == []
    assert finish(state)[1] == []
