"""The demonstration's recording against picks and events written down once.

After a change of the shipped network, or of the picker on purpose, look at the difference, write them anew:
``python tests/replay/test_demonstration.py``.
"""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from rtpick.associate_picks import replay as associate
from rtpick.association.associate import new_state
from rtpick.association.sites import prepare_travel_times
from rtpick.demo.recording import STATIONS, write_recording
from rtpick.ingest.archive_replay import index_archive, iterate_packets
from rtpick.networks import load_network
from rtpick.picking.engine import Engine
from rtpick.picking.picker import Picker
from rtpick.settings.schema import AssociationSettings, BufferSettings, EngineSettings, PickingSettings
from rtpick.vocabulary.event import Event
from rtpick.vocabulary.inventory import Inventory
from rtpick.vocabulary.pick import Pick, PickStatus
from rtpick.vocabulary.time import format_utc, parse_utc
from rtpick.vocabulary.waveform import Packet

GOLDEN = Path(__file__).parent / "demonstration.json"
INVENTORY = Inventory({site.station: site for site in STATIONS})
NOW_NS = 2**62
ONE_SAMPLE_NS = 10_000_000
PROBABILITY_TOLERANCE = 0.005
ORIGIN_TOLERANCE_NS = 50_000_000
PLACE_TOLERANCE_DEG = 0.005
Packets = list[Packet]


@cache
def recorded() -> tuple[Packet, ...]:
    """The recording's packets by their ends."""
    with tempfile.TemporaryDirectory() as folder:
        write_recording(Path(folder))
        items = list(iterate_packets(index_archive([Path(folder)])))
    return tuple(item for item in items if isinstance(item, Packet))


@cache
def network():
    return load_network("default")


def pick(packets: Iterable[Packet]) -> list[Pick]:
    """Pick in plain float32, which every processor has."""
    picker = Picker(
        PickingSettings(p_threshold=0.2, s_threshold=0.2),
        BufferSettings(),
        Engine(network(), EngineSettings(backend="torch", device="cpu", precision="float32", threads=1)),
        inventory=INVENTORY,
    )
    found: list[object] = []
    for packet in packets:
        picker.add(packet, NOW_NS)
        found += picker.step(NOW_NS)
    found += picker.flush(NOW_NS)
    final = [item for item in found if isinstance(item, Pick) and item.status is PickStatus.FINAL]
    return sorted(final, key=lambda item: (item.time_ns, item.pick_id))


def locate(picks: list[Pick]) -> list[Event]:
    settings = AssociationSettings()
    state = new_state(settings, INVENTORY, prepare_travel_times(settings, INVENTORY))
    return sorted(
        associate(state, [(item.time_ns, item) for item in picks]).events,
        key=lambda event: event.origin.time_ns,
    )


def tell_pick(item: Pick) -> dict[str, object]:
    return {
        "pick_id": item.pick_id,
        "channel": str(item.channel),
        "phase": item.phase_hint,
        "time": format_utc(item.time_ns),
        "probability": round(item.probability, 4),
    }


def tell_event(event: Event) -> dict[str, object]:
    origin = event.origin
    return {
        "time": format_utc(origin.time_ns),
        "latitude_deg": round(origin.latitude_deg, 4),
        "longitude_deg": round(origin.longitude_deg, 4),
        "depth_km": round(origin.depth_km, 1),
        "picks": sorted(event.pick_ids),
    }


@pytest.fixture(scope="module")
def golden() -> dict[str, list[dict]]:
    written = json.loads(GOLDEN.read_text())
    assert written["model_version"] == network().model_version, f"another network ships: see {__file__}"
    return written


def assert_golden_picks(picks: list[Pick], golden: dict[str, list[dict]]) -> None:
    assert [item.pick_id for item in picks] == [row["pick_id"] for row in golden["picks"]]
    for item, row in zip(picks, golden["picks"], strict=True):
        assert (str(item.channel), item.phase_hint) == (row["channel"], row["phase"])
        assert abs(item.time_ns - parse_utc(row["time"])) < ONE_SAMPLE_NS
        assert item.probability == pytest.approx(row["probability"], abs=PROBABILITY_TOLERANCE)


def test_the_picks_are_those_written_down(golden):
    assert len(golden["picks"]) >= 11
    assert_golden_picks(pick(recorded()), golden)


def test_the_events_are_those_written_down(golden):
    events = locate(pick(recorded()))
    assert [sorted(event.pick_ids) for event in events] == [row["picks"] for row in golden["events"]]
    assert len(events) >= 2
    for event, row in zip(events, golden["events"], strict=True):
        origin = event.origin
        assert abs(origin.time_ns - parse_utc(row["time"])) < ORIGIN_TOLERANCE_NS
        assert origin.latitude_deg == pytest.approx(row["latitude_deg"], abs=PLACE_TOLERANCE_DEG)
        assert origin.longitude_deg == pytest.approx(row["longitude_deg"], abs=PLACE_TOLERANCE_DEG)
        assert origin.depth_km == pytest.approx(row["depth_km"], abs=1.0)


def cut(packets: Packets, draw: random.Random) -> Packets:
    """Each packet in pieces."""
    pieces: Packets = []
    for packet in packets:
        start = 0
        while start < len(packet.samples):
            stop = min(len(packet.samples), start + draw.randint(1, 90))
            start_ns = packet.start_ns + round(start * 1e9 / packet.sampling_rate_hz)
            pieces.append(replace(packet, start_ns=start_ns, samples=packet.samples[start:stop].copy()))
            start = stop
    return pieces


def double(packets: Packets, draw: random.Random) -> Packets:
    """One packet in three again, some packets later."""
    again = [*packets]
    for place in sorted(draw.sample(range(len(packets)), len(packets) // 3), reverse=True):
        again.insert(min(len(again), place + draw.randint(1, 40)), packets[place])
    return again


def shuffle(packets: Packets, draw: random.Random) -> Packets:
    """Each packet up to four seconds later than it should come; the budget is five."""
    return sorted(packets, key=lambda packet: packet.end_ns + draw.randint(0, 4_000_000_000))


def everything(packets: Packets, draw: random.Random) -> Packets:
    return shuffle(double(cut(packets, draw), draw), draw)


@pytest.mark.parametrize("disturb", [cut, double, shuffle, everything])
def test_packets_cut_doubled_and_out_of_order_give_the_same(
    golden, disturb: Callable[[Packets, random.Random], Packets]
):
    assert_golden_picks(pick(disturb(list(recorded()), random.Random(3))), golden)


def test_a_station_that_is_lost_takes_only_its_own_picks(golden):
    rest = [packet for packet in recorded() if packet.channel.station != "UH2"]
    without = [row for row in golden["picks"] if ".UH2." not in row["channel"]]
    assert 0 < len(without) < len(golden["picks"])
    assert_golden_picks(pick(rest), {**golden, "picks": without})


def write_golden() -> None:
    picks = pick(recorded())
    told = {
        "model_version": network().model_version,
        "picks": [tell_pick(item) for item in picks],
        "events": [tell_event(event) for event in locate(picks)],
    }
    GOLDEN.write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    write_golden()
