"""The demonstration's record section: the largest earthquake on its traces, the others beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rtpick.association.sites import prepare_travel_times
from rtpick.demo.prepare import Stage
from rtpick.ingest.archive_replay import index_archive, iterate_packets
from rtpick.ingest.inventory import read_inventory
from rtpick.publish.picture import plot_record_section
from rtpick.settings.schema import AssociationSettings
from rtpick.vocabulary.event import Event
from rtpick.vocabulary.inventory import Inventory
from rtpick.vocabulary.pick import Pick
from rtpick.vocabulary.time import to_ns
from rtpick.vocabulary.waveform import Packet

SPAN_S = 60.0


def draw_sections(stage: Stage, events: Sequence[Event], picks: Sequence[Pick]) -> list[Path]:
    """Draw ``record_section.png`` of the first event, ``record_section_2.png`` of the second and so on."""
    inventory = read_inventory([stage.out / "stations.csv"])
    names = ["record_section.png", *(f"record_section_{n}.png" for n in range(2, len(events) + 1))]
    paths = [stage.out / name for name in names]
    for path, event in zip(paths, events, strict=False):
        draw_section(path, stage, event, picks, inventory)
    return paths[: len(events)]


def draw_section(path: Path, stage: Stage, event: Event, picks: Sequence[Pick], inventory: Inventory) -> None:
    """Draw one event's traces with its picks and the arrivals that the velocity model expects."""
    times = prepare_travel_times(AssociationSettings(), inventory)

    def predict_s(phase: str, distance_km: float) -> float:
        return float(times.look_up(phase, distance_km, event.origin.depth_km)[0])

    traces = packets_around(stage.recording, event)
    plot_record_section(path, traces, picks, event, inventory, predict_s=predict_s)


def packets_around(recording: Path, event: Event) -> list[Packet]:
    """Read the recording around an event."""
    start_ns, end_ns = event.origin.time_ns - to_ns(SPAN_S), event.origin.time_ns + to_ns(SPAN_S)
    found = iterate_packets(index_archive([recording]), start_ns, end_ns)
    return [packet for packet in found if isinstance(packet, Packet)]
