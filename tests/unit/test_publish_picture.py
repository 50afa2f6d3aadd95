"""The record section: traces joined and ordered by distance, picks and predictions where they belong."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from rtpick.publish.picture import plot_record_section
from rtpick.publish.picture_traces import collect_traces
from rtpick.vocabulary.codes import ChannelId, InstrumentId, StationId
from rtpick.vocabulary.event import Arrival, Event, EventStatus, Magnitude, Origin
from rtpick.vocabulary.inventory import Inventory, Station
from rtpick.vocabulary.pick import Pick
from rtpick.vocabulary.waveform import Clip, Packet

T0_NS = 1_274_977_471_800_000_000
NS = 1_000_000_000
ORIGIN = Origin(T0_NS, 48.048, 11.6458, 4.8, 0.1, 0.5, 1.0, False, 0.05, 112.0, 0.02)
PLACES = {"UH1": (48.0815, 11.6361), "UH2": (48.0584, 11.6817), "UH3": (48.0313, 11.6366)}
STATIONS = [Station(StationId("BW", name), *place) for name, place in PLACES.items()]
INVENTORY = Inventory({station.station: station for station in STATIONS})
ARRIVALS = (
    Arrival("a", "BW.UH3", "P", T0_NS + NS, 0.05, 0.02, 200.0),
    Arrival("b", "BW.UH3", "S", T0_NS + 2 * NS, -0.1, 0.02, 200.0),
)
EVENT = Event("e1", 0, EventStatus.FINAL, ORIGIN, ARRIVALS, Magnitude(2.1, "ML", 0.2, 4))
PICKS = [Pick("a", ChannelId("BW", "UH3", "", "SHZ"), "P", T0_NS + NS, 0.9, 0.05, 1.0, 8.0, 1.0, "m")]


def make_packet(station: str, channel: str = "SHZ", start_s: float = -20.0, seconds: float = 40.0) -> Packet:
    samples = np.random.default_rng(1).standard_normal(int(seconds * 50)).astype(np.float32)
    return Packet(ChannelId("BW", station, "", channel), T0_NS + round(start_s * NS), 50.0, samples)


def cut_up(packet: Packet, size: int) -> list[Packet]:
    starts = range(0, len(packet.samples), size)
    return [
        Packet(packet.channel, packet.start_ns + first * NS // 50, 50.0, packet.samples[first : first + size])
        for first in starts
    ]


def test_traces_stand_by_distance_and_z_first() -> None:
    packets = [make_packet("UH1"), make_packet("UH3", "SHN"), make_packet("UH2"), make_packet("UH3")]
    traces = collect_traces([*packets, make_packet("XX")], ORIGIN, INVENTORY, -2.0, 5.0)
    assert [(trace.station.station, trace.channel.component) for trace in traces] == [
        ("UH3", "Z"),
        ("UH3", "N"),
        ("UH2", "Z"),
        ("UH1", "Z"),
    ]
    assert traces[0].distance_km == pytest.approx(1.98, abs=0.02)
    assert traces[3].distance_km == pytest.approx(3.79, abs=0.02)


@pytest.mark.parametrize("size", [7, 50, 999])
def test_packets_are_joined_before_they_are_filtered(size: int) -> None:
    packet = make_packet("UH3")
    pieces = cut_up(packet, size)
    overlapping = [*reversed(pieces), pieces[0]]
    (whole,) = collect_traces([packet], ORIGIN, INVENTORY, -2.0, 5.0)
    (joined,) = collect_traces(overlapping, ORIGIN, INVENTORY, -2.0, 5.0)
    assert len(joined.pieces) == 1
    for one, other in zip(whole.pieces[0], joined.pieces[0], strict=True):
        np.testing.assert_allclose(one, other, atol=1e-9)
    assert whole.pieces[0][0][[0, -1]] == pytest.approx([-2.0, 5.0], abs=0.02)


def test_a_gap_parts_the_trace() -> None:
    samples_CT = np.ones((3, 2000), dtype=np.float32)
    samples_CT[2, 1050:1100] = np.nan
    clip = Clip("a", InstrumentId("BW", "UH3", "", "SH"), T0_NS - 10 * NS, 100.0, "ENZ", samples_CT)
    traces = {t.channel.component: t for t in collect_traces([clip], ORIGIN, INVENTORY, -2.0, 5.0)}
    assert [len(traces[component].pieces) for component in "ZNE"] == [2, 1, 1]
    assert traces["Z"].pieces[1][0][0] == pytest.approx(1.0)


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_the_picture_is_written(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"section{suffix}"
    plot_record_section(path, [make_packet("UH3"), make_packet("UH1")], PICKS, EVENT, INVENTORY)
    assert path.stat().st_size > 5000


def test_the_picture_has_ink_in_the_picks_colours(tmp_path: Path) -> None:
    path = tmp_path / "section.png"
    plot_record_section(path, [make_packet("UH3")], PICKS, EVENT, INVENTORY)
    image = np.round(imread(path)[..., :3] * 255).astype(int)
    blue = np.abs(image - (0x00, 0x72, 0xB2)).sum(axis=-1) < 30
    columns = np.flatnonzero(blue.sum(axis=0) > 40)
    assert 1 <= len(columns) < 10


def test_predictions_are_drawn_where_nothing_was_picked(tmp_path: Path) -> None:
    counts = []
    for predict in (None, lambda phase, distance_km: distance_km / (5.0 if phase == "P" else 3.0)):
        path = tmp_path / "section.svg"
        packets = [make_packet("UH1"), make_packet("UH3")]
        plot_record_section(path, packets, PICKS, EVENT, INVENTORY, predict_s=predict)
        counts.append(len(re.findall(r"<use ", path.read_text())))
    assert counts[1] == counts[0] + 2


def test_nothing_to_draw_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no trace to draw for event e1"):
        plot_record_section(tmp_path / "x.png", [make_packet("XX")], PICKS, EVENT, INVENTORY)
    with pytest.raises(ValueError, match="no trace to draw"):
        plot_record_section(tmp_path / "x.png", [make_packet("UH3", start_s=1e5)], PICKS, EVENT, INVENTORY)
