"""The daemon's own small decisions about cables."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rtpick.association.associate import finish, new_state, step
from rtpick.association.fiber_geometry import FiberGeometry
from rtpick.association.fiber_virtual import place_virtual_stations
from rtpick.association.sites import prepare_travel_times
from rtpick.daemon.associate_worker import Watermark
from rtpick.daemon.block_link import BlockLink
from rtpick.daemon.build_fiber import join_inventories
from rtpick.daemon.fiber_association import VIRTUAL_DELAY_S, FiberAssociation, FiberPast
from rtpick.settings.schema import AssociationSettings
from rtpick.vocabulary.codes import ChannelId, StationId
from rtpick.vocabulary.event import EventStatus
from rtpick.vocabulary.fiber import DasBlock, FiberLayout, FiberPicks, FiberProgress
from rtpick.vocabulary.fiber_event import FiberEvent
from rtpick.vocabulary.inventory import Inventory, Station
from rtpick.vocabulary.pick import Pick
from rtpick.vocabulary.time import NS_PER_S
from rtpick.vocabulary.waveform import EndOfStream, Progress

T0_NS = 1_700_000_000 * NS_PER_S
CHANNELS = 200
LAYOUT = FiberLayout("north", 0, CHANNELS, 50.0, 100.0)


def make_block(number: int, samples: int = 100) -> DasBlock:
    samples_KT = np.zeros((CHANNELS, samples), np.float32)
    return DasBlock(LAYOUT, T0_NS + number * NS_PER_S, samples_KT, sequence=number)


def test_blocks_that_find_no_room_cost_the_oldest() -> None:
    size = make_block(0).samples_KT.nbytes
    link = BlockLink(3 * size)
    link.put(EndOfStream("other"))
    assert [lost.sequence for number in range(5) for lost in link.put(make_block(number))] == [0, 1]
    assert link.waiting_bytes == 3 * size
    assert [lost.sequence for lost in link.put(make_block(5, 200))] == [2, 3]
    taken = link.take(10, 0.0)
    assert [item.sequence for item in taken if isinstance(item, DasBlock)] == [4, 5]
    assert [item.source for item in taken if isinstance(item, EndOfStream)] == ["other"]
    assert link.waiting_bytes == 0


def test_a_block_larger_than_the_link_passes_alone() -> None:
    link = BlockLink(10)
    assert link.put(make_block(0)) == []
    assert [lost.sequence for lost in link.put(make_block(1))] == [0]
    assert len(link.take(10, 0.0)) == 1


def make_picks(at_s: float) -> list[FiberPicks]:
    """P and S of an event beside the cable, in batches of a second."""
    return picks_at(at_s, 20.0 + 0.05 * np.abs(np.arange(CHANNELS) - 60))


def picks_at(at_s: float, away_km: np.ndarray) -> list[FiberPicks]:
    """P and S on every channel, so far from the event."""
    number = np.arange(CHANNELS)
    onset_s = np.concatenate([at_s + away_km / 5.8, at_s + away_km / 3.36])
    time_ns = T0_NS + np.round(1e9 * onset_s).astype(np.int64)
    phase = np.repeat(np.array(["P", "S"]), CHANNELS)
    order, ones = np.argsort(time_ns, kind="stable"), np.full(2 * CHANNELS, 0.8, np.float32)
    whole = FiberPicks("north", np.tile(number, 2)[order], phase[order], time_ns[order], ones, ones, "m")
    second = (whole.time_ns_N - T0_NS) // NS_PER_S
    return [cut(whole, second == one) for one in np.unique(second)]


def cut(picks: FiberPicks, keep_N: np.ndarray) -> FiberPicks:
    names = ("channel_number_N", "phase_N", "time_ns_N", "probability_N", "amplitude_N")
    return replace(picks, **{name: getattr(picks, name)[keep_N] for name in names})


def play(association: FiberAssociation, picks: list[FiberPicks], until_s: int, since_s: int = 0):
    """Bring picks second by second, each followed by progress."""
    events: list[FiberEvent] = []
    virtual = []
    for second in range(since_s, until_s):
        end_ns = T0_NS + (second + 1) * NS_PER_S
        new = [p for p in picks if end_ns - NS_PER_S <= p.time_ns_N[0] < end_ns]
        for item in (*new, FiberProgress("ring", "north", end_ns)):
            said, made = association.take(item)
            events, virtual = events + said, virtual + made
    return events, virtual


def test_events_go_on_after_a_restart_under_new_numbers_and_none_twice() -> None:
    picks = make_picks(30.0)
    whole, _ = play(FiberAssociation(LAYOUT, 1, None, FiberPast()), picks, 120)
    assert whole[-1].status is EventStatus.FINAL
    for stop_s in range(34, 100, 6):
        before, _ = play(FiberAssociation(LAYOUT, 1, None, FiberPast()), picks, stop_s)
        kept = [p for p in picks if p.time_ns_N[0] < T0_NS + stop_s * NS_PER_S]
        latest = {event.event_id: event for event in before}
        past = FiberPast(T0_NS + stop_s * NS_PER_S, kept, tuple(latest.values()))
        second = FiberAssociation(LAYOUT, 1, None, past)
        after, _ = play(second, picks, 120, stop_s)
        told = [*before, *second.first_events, *after]
        assert {event.event_id for event in told} == {whole[0].event_id}, stop_s
        assert [event.status for event in told].count(EventStatus.FINAL) == 1, stop_s
        numbers = [event.revision for event in told]
        assert numbers == sorted(set(numbers)), stop_s
        assert set(told[-1].time_ns_M.tolist()) == set(whole[-1].time_ns_M.tolist()), stop_s


def test_a_cable_that_lies_somewhere_picks_as_a_few_stations_also_after_a_restart() -> None:
    number = np.arange(CHANNELS)
    geometry = FiberGeometry(number, np.full(CHANNELS, 45.0), 7.0 + number * 0.05 / 78.8, np.zeros(CHANNELS))
    stations, picks = place_virtual_stations("north", geometry), make_picks(30.0)
    _, whole = play(FiberAssociation(LAYOUT, 1, stations, FiberPast()), picks, 120)
    assert {pick.phase_hint for pick in whole} == {"P", "S"}
    assert {pick.station_id for pick in whole} <= set(stations.inventory.stations)
    assert len({pick.station_id for pick in whole}) >= 4
    for stop_s in (35, 38, 45, 60):
        _, before = play(FiberAssociation(LAYOUT, 1, stations, FiberPast()), picks, stop_s)
        kept = [p for p in picks if p.time_ns_N[0] < T0_NS + stop_s * NS_PER_S]
        second = FiberAssociation(LAYOUT, 1, stations, FiberPast(T0_NS + stop_s * NS_PER_S, kept))
        _, after = play(second, picks, 120, stop_s)
        names = {pick.pick_id for pick in [*before, *second.first_picks, *after]}
        assert names == {pick.pick_id for pick in whole}, stop_s


def test_the_watermark_waits_for_a_cables_virtual_stations() -> None:
    watermark = Watermark(silence_s=60.0)
    watermark.advance(Progress("ring", StationId("XX", "A"), None, 0, T0_NS + 30 * NS_PER_S))
    watermark.advance_fiber(FiberProgress("cable", "north", T0_NS + 20 * NS_PER_S))
    assert watermark.time_ns == T0_NS + 20 * NS_PER_S - round(VIRTUAL_DELAY_S * NS_PER_S)


def test_stations_and_a_cable_make_one_event_together() -> None:
    """Two stations around a cable, which alone would be too few; both see the event's P and S."""
    number = np.arange(CHANNELS)
    east_km = number * 0.05
    kilometres = 111.19 * np.cos(np.radians(45.0))
    geometry = FiberGeometry(number, np.full(CHANNELS, 45.0), 7.0 + east_km / kilometres, np.zeros(CHANNELS))
    virtual = place_virtual_stations("north", geometry)
    places = {"A": (-12.0, 10.0), "B": (25.0, 14.0)}
    codes = {name: StationId("XX", name) for name in places}
    stations = [Station(codes[n], 45 + y / 111.19, 7 + x / kilometres) for n, (x, y) in places.items()]
    inventory = join_inventories(Inventory({s.station: s for s in stations}), {"north": virtual})
    settings = AssociationSettings(publish_interval_s=0)
    state = new_state(settings, inventory, prepare_travel_times(settings, inventory))
    away_km = np.sqrt((east_km - 5.0) ** 2 + 12.0**2 + 8.0**2)
    _, picks = play(FiberAssociation(LAYOUT, 1, virtual, FiberPast()), picks_at(30.0, away_km), 120)
    for name, (x, y) in places.items():
        for phase, speed_km_s in (("P", 5.8), ("S", 3.36)):
            seconds = 30.0 + np.sqrt((x - 5.0) ** 2 + (y - 12.0) ** 2 + 8.0**2) / speed_km_s
            channel = ChannelId("XX", name, "", "HHZ")
            time_ns = T0_NS + round(seconds * 1e9)
            picks.append(Pick(name + phase, channel, phase, time_ns, 0.9, 0.05, 1.0, 9.0, 1.0, "m"))
    state, _ = step(state, sorted(picks, key=lambda pick: pick.time_ns), T0_NS + 60 * NS_PER_S)
    _, events = finish(state)
    (event,) = [event for event in events if event.status is EventStatus.FINAL]
    assert {arrival.station.split(".")[0] for arrival in event.arrivals} == {"XX", "north"}
    assert abs((event.origin.latitude_deg - 45.0) * 111.19 - 12.0) < 4.0
    assert abs(event.origin.time_ns - T0_NS - 30 * NS_PER_S) < NS_PER_S
