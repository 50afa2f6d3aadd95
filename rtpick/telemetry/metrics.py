"""What happened, counted: one method for each thing that can happen."""

from __future__ import annotations

from collections import Counter as Counting
from collections.abc import Iterable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)

from rtpick.telemetry.catalogue import CATALOGUE, Family, Kind
from rtpick.vocabulary.codes import StationId
from rtpick.vocabulary.event import Event, EventStatus
from rtpick.vocabulary.fiber import DasBlock, FiberGap, FiberPicks, FiberProgress, FiberRejection
from rtpick.vocabulary.fiber_event import FiberEvent
from rtpick.vocabulary.pick import Latency, Pick, PickStatus
from rtpick.vocabulary.time import to_s
from rtpick.vocabulary.waveform import Gap, Packet, RejectCause, Rejection

# A source that invents station codes must not fill the memory: what is beyond counts as one station.
MAXIMUM_STATIONS = 10_000
_OTHER = ("other", "other")

StationLabels = tuple[str, str]


class Metrics:
    """The catalogue's metrics in a registry; every method may be called from any thread.

    Parameters
    ----------
    registry : CollectorRegistry
        Its own for each daemon and each test.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._counters = {f.name: _counter(f, registry) for f in CATALOGUE if f.kind is Kind.COUNTER}
        self._gauges = {f.name: _gauge(f, registry) for f in CATALOGUE if f.kind is Kind.GAUGE}
        self._histograms = {f.name: _histogram(f, registry) for f in CATALOGUE if f.kind is Kind.HISTOGRAM}
        self._stations: set[StationId] = set()
        self._newest_ns: dict[StationLabels, int] = {}
        self._packet_counts: dict[tuple[str, str, str], tuple[Counter, Counter, StationLabels]] = {}
        self._source_states: dict[str, set[str]] = {}
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)

    def record_packet(self, packet: Packet) -> None:
        """A packet came in."""
        key = (packet.channel.network, packet.channel.station, packet.source)
        packets, samples, station = self._packet_counts.get(key) or self._count_packets_of(packet)
        packets.inc()
        samples.inc(len(packet.samples))
        if packet.end_ns > self._newest_ns.get(station, -(2**63)):
            self._newest_ns[station] = packet.end_ns
            self._gauges["rtpick_station_data_time_seconds"].labels(*station).set(to_s(packet.end_ns))
            latency_s = to_s(packet.received_ns - packet.end_ns)
            self._gauges["rtpick_station_latency_seconds"].labels(*station).set(latency_s)

    def _count_packets_of(self, packet: Packet) -> tuple[Counter, Counter, StationLabels]:
        station = self._bounded(packet.channel.station_id)
        packets = self._counters["rtpick_packets_total"].labels(*station, packet.source)
        samples = self._counters["rtpick_samples_total"].labels(*station, packet.source)
        if station != _OTHER:
            self._packet_counts[*station, packet.source] = packets, samples, station
        return packets, samples, station

    def record_rejection(self, rejection: Rejection) -> None:
        """Samples or a record were set aside."""
        self._counters["rtpick_rejected_packets_total"].labels(rejection.cause.value).inc()
        self._counters["rtpick_rejected_samples_total"].labels(rejection.cause.value).inc(
            rejection.sample_count
        )
        if rejection.cause is RejectCause.OVERLOAD:
            self._counters["rtpick_overload_dropped_total"].inc()

    def record_gap(self, gap: Gap) -> None:
        """Samples are missing and are no longer waited for."""
        station = self._bounded(gap.channel.station_id)
        labels = (*station, gap.cause.value)
        self._counters["rtpick_gaps_total"].labels(*labels).inc()
        self._counters["rtpick_gap_seconds_total"].labels(*labels).inc(
            max(0.0, to_s(gap.end_ns - gap.start_ns))
        )

    def record_source_state(self, source: str, state: str) -> None:
        """A source changed its state; ``disconnected`` counts as a reconnection to come."""
        known = self._source_states.setdefault(source, set())
        known.add(state)
        for other in known:
            self._gauges["rtpick_source_state"].labels(source, other).set(float(other == state))
        if state == "disconnected":
            self._counters["rtpick_source_reconnects_total"].labels(source).inc()

    def record_source_incident(self, source: str, cause: str) -> None:
        """Something befell a source without changing its state, such as a ring that began anew."""
        self._counters["rtpick_source_incidents_total"].labels(source, cause).inc()

    def record_silent_channels(self, source: str, channels: int) -> None:
        """So many channels of a source have been silent for too long."""
        self._gauges["rtpick_source_silent_channels"].labels(source).set(channels)

    def record_block(self, block: DasBlock) -> None:
        """A block of a fiber came in."""
        fiber = block.layout.fiber
        self._counters["rtpick_fiber_blocks_total"].labels(fiber).inc()
        self._counters["rtpick_fiber_samples_total"].labels(fiber).inc(block.samples_KT.size)
        self._gauges["rtpick_fiber_data_time_seconds"].labels(fiber).set(to_s(block.end_ns))
        self.record_fiber_latency(fiber, "receipt", to_s(block.received_ns - block.end_ns))

    def record_fiber_gap(self, gap: FiberGap) -> None:
        """Blocks of a fiber are missing and are no longer waited for, or were given up."""
        labels = gap.fiber, gap.cause.value
        self._counters["rtpick_fiber_lost_blocks_total"].labels(*labels).inc(gap.block_count or 0)
        self._counters["rtpick_fiber_lost_samples_total"].labels(*labels).inc(gap.sample_count)
        length_s = max(0.0, to_s(gap.end_ns - gap.start_ns))
        self._counters["rtpick_fiber_gap_seconds_total"].labels(*labels).inc(length_s)

    def record_fiber_rejection(self, rejection: FiberRejection) -> None:
        """A message or block of a fiber was set aside."""
        labels = rejection.fiber, rejection.cause.value
        self._counters["rtpick_fiber_rejected_messages_total"].labels(*labels).inc()

    def record_fiber_picks(self, picks: FiberPicks, now_ns: int) -> None:
        """Picks of a fiber are final."""
        for phase, count in Counting(picks.phase_N.tolist()).items():
            self._counters["rtpick_fiber_picks_total"].labels(picks.fiber, phase).inc(count)
        if len(picks):
            self.record_fiber_latency(picks.fiber, "picks", to_s(now_ns - int(picks.time_ns_N.max())))

    def record_fiber_settled(self, progress: FiberProgress) -> None:
        """A fiber's picks are complete up to here."""
        gauge = self._gauges["rtpick_fiber_settled_time_seconds"]
        gauge.labels(progress.fiber).set(to_s(progress.settled_ns))

    def record_fiber_event(self, event: FiberEvent) -> None:
        """An event of a fiber was found, revised or given up."""
        self._counters["rtpick_fiber_events_total"].labels(event.fiber, event.status.value).inc()

    def record_tiles(self, tiles: int, seconds: float) -> None:
        """The network inferred a batch of tiles, perhaps of several fibers."""
        self._counters["rtpick_fiber_tiles_total"].inc(tiles)
        self.record_fiber_latency("all", "infer", seconds)

    def record_waiting_tiles(self, tiles: int) -> None:
        """So many tiles wait to be inferred."""
        self._gauges["rtpick_fiber_waiting_tiles"].set(tiles)

    def record_fiber_latency(self, fiber: str, stage: str, seconds: float) -> None:
        """Something of a fiber passed a stage in so many seconds."""
        self._histograms["rtpick_fiber_latency_seconds"].labels(fiber, stage).observe(seconds)

    def record_batch(self, windows: int) -> None:
        """The network inferred a batch."""
        self._counters["rtpick_batches_total"].inc()
        self._counters["rtpick_windows_total"].inc(windows)
        self._histograms["rtpick_batch_windows"].observe(windows)

    def record_pick(self, pick: Pick) -> None:
        """A pick was made, revised or decided."""
        self._counters["rtpick_picks_total"].labels(pick.phase_hint, pick.status.value).inc()
        if pick.status is PickStatus.FINAL:
            self._histograms["rtpick_pick_revisions"].observe(pick.revision)

    def record_set_aside(self, cause: str, picks: int) -> None:
        """The associator left so many pick revisions aside."""
        self._counters["rtpick_picks_set_aside_total"].labels(cause).inc(picks)

    def record_event(self, event: Event) -> None:
        """An event was found, revised or given up."""
        self._counters["rtpick_events_total"].labels(event.status.value).inc()
        if event.status is EventStatus.FINAL:
            self._histograms["rtpick_event_revisions"].observe(event.revision)

    def record_pick_latency(self, latency: Latency, publish_s: float) -> None:
        """A pick has been published, `publish_s` after it was made."""
        stages_s = {
            "buffer": latency.buffer_s,
            "batch": latency.batch_s,
            "compute": latency.compute_s,
            "publish": publish_s,
        }
        self.record_stage("network", latency.network_s)
        for stage, seconds in stages_s.items():
            self.record_stage(stage, seconds)
        self.record_stage("total", sum(stages_s.values()))

    def record_stage(self, stage: str, seconds: float) -> None:
        """Something passed a stage (one of `catalogue.STAGES`) in so many seconds."""
        self._histograms["rtpick_stage_latency_seconds"].labels(stage).observe(seconds)

    def record_commit(self, seconds: float) -> None:
        """A commit reached the disk."""
        self._histograms["rtpick_commit_seconds"].observe(seconds)

    def record_commit_failure(self, cause: str = "refused") -> None:
        """Storage refused a commit; `cause` is ``full`` or ``refused``."""
        self._counters["rtpick_commit_failures_total"].labels(cause).inc()

    def record_pruned(self, table: str, rows: int) -> None:
        """So many rows left the database since they were too old."""
        self._counters["rtpick_pruned_rows_total"].labels(table).inc(rows)

    def record_publish_failure(self, sink: str) -> None:
        """A sink refused; what it should have told stays in the outbox."""
        self._counters["rtpick_publish_failures_total"].labels(sink).inc()

    def record_waiting(self, sink: str, items: int) -> None:
        """So many items wait for a sink that refuses."""
        self._gauges["rtpick_publish_waiting_items"].labels(sink).set(items)

    def record_given_up(self, sink: str, items: int) -> None:
        """Too many waited for a sink: these will not be told; they stay in the catalogue."""
        self._counters["rtpick_publish_given_up_total"].labels(sink).inc(items)

    def record_queue(self, edge: str, items: int, capacity: int) -> None:
        """A link holds so many items of those that it can hold."""
        self._gauges["rtpick_queue_items"].labels(edge).set(items)
        self._gauges["rtpick_queue_capacity_items"].labels(edge).set(capacity)

    def record_beat(self, worker: str, age_s: float) -> None:
        """A worker last beat so long ago."""
        self._gauges["rtpick_worker_beat_age_seconds"].labels(worker).set(age_s)

    def record_model(self, model_version: str) -> None:
        """A model version took over; the one before it is gone."""
        self._gauges["rtpick_model_info"].clear()
        self._gauges["rtpick_model_info"].labels(model_version).set(1)

    def record_version(self, version: str) -> None:
        """The version of rtpick that runs."""
        self._gauges["rtpick_build_info"].labels(version).set(1)

    def forget_stations(self, stations: Iterable[StationId]) -> None:
        """Stations left the configuration: their ages would only grow."""
        for station in stations:
            labels = (station.network, station.station)
            self._newest_ns.pop(labels, None)
            for name in ("rtpick_station_data_time_seconds", "rtpick_station_latency_seconds"):
                self._gauges[name].remove(*labels)

    def _bounded(self, station: StationId) -> StationLabels:
        if station not in self._stations:
            if len(self._stations) >= MAXIMUM_STATIONS:
                return _OTHER
            self._stations.add(station)
        return station.network, station.station


def _counter(family: Family, registry: CollectorRegistry) -> Counter:
    return Counter(family.name, family.help, family.labels, registry=registry)


def _gauge(family: Family, registry: CollectorRegistry) -> Gauge:
    return Gauge(family.name, family.help, family.labels, registry=registry)


def _histogram(family: Family, registry: CollectorRegistry) -> Histogram:
    return Histogram(family.name, family.help, family.labels, registry=registry, buckets=family.buckets)
