"""The daemon's own small decisions."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from rtpick.association.associate import new_state
from rtpick.association.sites import prepare_travel_times
from rtpick.daemon.associate_worker import AssociateWorker, Watermark
from rtpick.daemon.ingest_worker import IngestWorker, paced_packets
from rtpick.daemon.links import Arriving, Emitted
from rtpick.daemon.reload import restart_keys
from rtpick.ingest.source_status import SourceState, SourceStatus
from rtpick.runtime.edge import Edge
from rtpick.runtime.worker import Worker
from rtpick.settings.schema import ArchiveSourceSettings, AssociationSettings, LoggingSettings, Settings
from rtpick.telemetry.logs import configure_logging
from rtpick.telemetry.metrics import Metrics
from rtpick.vocabulary.codes import ChannelId, StationId
from rtpick.vocabulary.errors import SourceError
from rtpick.vocabulary.inventory import Inventory, Station
from rtpick.vocabulary.pick import Pick
from rtpick.vocabulary.time import NS_PER_S
from rtpick.vocabulary.waveform import GapCause, Packet, Progress

SETTINGS = {
    "sources": [{"type": "archive", "name": "files", "path": "x"}],
    "inventory": {"files": ["stations.csv"]},
}


def progress(station: str, settled_s: float) -> Progress:
    return Progress("files", StationId("XX", station), None, 0, round(settled_s * NS_PER_S))


def packet(code: str, start_s: int = 0) -> Packet:
    return Packet(ChannelId.parse(code), start_s * NS_PER_S, 100.0, np.zeros(100, np.int32), "files")


def test_the_watermark_is_that_of_the_slowest_station_heard():
    watermark = Watermark(silence_s=60.0)
    assert watermark.time_ns == 0
    for item in (progress("A", 100.0), progress("B", 130.0), progress("A", 90.0)):
        watermark.advance(item)
    assert watermark.time_ns == 100 * NS_PER_S


def test_a_silent_station_does_not_hold_the_watermark():
    watermark = Watermark(silence_s=60.0)
    watermark.advance(progress("dead", 10.0))
    watermark.advance(progress("A", 500.0))
    assert watermark.time_ns == 500 * NS_PER_S


def test_a_reload_names_what_only_a_restart_can_change():
    running = Settings.model_validate(SETTINGS)
    fresh = Settings.model_validate(
        SETTINGS | {"picking": {"stride_samples": 128, "p_threshold": 0.4}, "health": {"port": 1}}
    )
    assert restart_keys(running, fresh) == ["health", "picking.stride_samples"]
    assert restart_keys(running, running) == []


def test_what_the_associator_leaves_aside_is_counted_by_cause():
    settings = AssociationSettings()
    stations = [Station(StationId("XX", f"S{n}"), 45.0 + 0.1 * n, 7.0 + 0.1 * (n % 2)) for n in range(4)]
    inventory = Inventory({station.station: station for station in stations})
    state = new_state(settings, inventory, prepare_travel_times(settings, inventory))
    incoming: Edge[Emitted] = Edge("pick->associate", 100)
    registry = CollectorRegistry()
    archive: Edge[Emitted] = Edge("->archive", 100)
    worker = AssociateWorker(state, Watermark(60.0), incoming, archive, Metrics(registry))
    stranger = Pick("p", ChannelId("XX", "NOT", "", "HHZ"), "P", 0, 0.9, 0.1, 1.0, 5.0, 1.0, "m")
    known = replace(stranger, pick_id="q", channel=ChannelId("XX", "S1", "", "HHZ"))
    for pick in (stranger, known, known):
        incoming.put(Emitted(pick, 0.0))
    incoming.close()
    worker.body(Worker("associate", worker.body))
    name = "rtpick_picks_set_aside_total"
    assert registry.get_sample_value(name, {"cause": "unknown_station"}) == 1
    assert registry.get_sample_value(name, {"cause": "duplicate"}) == 1
    assert registry.get_sample_value(name, {"cause": "late"}) == 0


@pytest.fixture
def ingest():
    settings = Settings.model_validate(SETTINGS | {"buffer": {"queue_packets": 100, "overload_wait_s": 0.0}})
    registry = CollectorRegistry()
    edge: Edge[Arriving] = Edge("ingest->pick", 100)
    log = configure_logging(LoggingSettings(level="error"))
    return IngestWorker((), edge, settings, Metrics(registry), log), edge, registry


def test_overload_lets_the_oldest_packet_go_and_counts_it(ingest):
    worker, edge, registry = ingest

    async def flood() -> None:
        for second in range(103):
            await worker._emit(packet("XX.A..HHZ", second))

    asyncio.run(flood())
    waiting = edge.take(1000, 0.0)
    assert [item.start_ns // NS_PER_S for item in waiting] == list(range(3, 103))
    assert registry.get_sample_value("rtpick_overload_dropped_total") == 3
    asyncio.run(worker._emit(packet("XX.A..HHZ", 103)))
    _, gap = edge.take(10, 0.0)
    assert (gap.start_ns, gap.end_ns, gap.cause) == (0, 3 * NS_PER_S, GapCause.OVERLOAD)


def test_an_archive_that_is_gone_is_the_fault_of_its_source_alone(tmp_path):
    async def read() -> None:
        source = ArchiveSourceSettings(type="archive", name="gone", path=tmp_path / "nowhere")
        async for _ in paced_packets(source):
            pass

    with pytest.raises(SourceError, match="nowhere"):
        asyncio.run(read())


def test_only_the_best_sensor_of_a_station_is_passed_on(ingest):
    worker, edge, registry = ingest

    async def feed() -> None:
        for code in ("XX.A..HHZ", "XX.A..HNZ", "XX.A..LHZ", "XX.B..HNZ"):
            await worker._emit(packet(code))

    asyncio.run(feed())
    assert [str(item.channel) for item in edge.take(10, 0.0)] == ["XX.A..HHZ", "XX.B..HNZ"]
    assert registry.get_sample_value("rtpick_rejected_packets_total", {"cause": "not_selected"}) == 2


def test_a_packet_from_the_future_is_no_beginning_of_a_station(ingest):
    worker, edge, registry = ingest
    ahead = replace(packet("XX.A..HHZ"), start_ns=time.time_ns() + 3600 * NS_PER_S)

    async def feed() -> None:
        await worker._emit(ahead)
        await worker._emit(replace(ahead, start_ns=time.time_ns() - NS_PER_S))

    asyncio.run(feed())
    assert len(edge.take(10, 0.0)) == 1
    assert registry.get_sample_value("rtpick_rejected_packets_total", {"cause": "future"}) == 1
    labels = {"network": "XX", "station": "A"}
    assert registry.get_sample_value("rtpick_station_data_time_seconds", labels) <= time.time()


def test_the_channels_that_are_silent_now_are_counted(ingest):
    worker, _, registry = ingest

    async def tell(state: SourceState, channel: str) -> None:
        await worker._emit(SourceStatus("ring", state, channel, 0))

    def silent() -> float | None:
        return registry.get_sample_value("rtpick_source_silent_channels", {"source": "ring"})

    for state, channel, count in [
        (SourceState.CHANNEL_SILENT, "XX.A..HHZ", 1),
        (SourceState.CHANNEL_SILENT, "XX.B..HHZ", 2),
        (SourceState.CHANNEL_HEARD, "XX.A..HHZ", 1),
        (SourceState.RING_RESET, "numbers began anew", 1),
    ]:
        asyncio.run(tell(state, channel))
        assert silent() == count
