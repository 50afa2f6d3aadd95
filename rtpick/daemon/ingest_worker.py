"""Worker 1: one asyncio loop for all sources; packets go on to the picker.

A full link pushes back on the servers, which keep what we do not read; only after
`overload_wait_s` does the oldest packet give way, counted.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from structlog.stdlib import BoundLogger

from rtpick.daemon.block_link import BlockLink
from rtpick.daemon.ingest_fibers import FiberIngest
from rtpick.daemon.links import Arriving
from rtpick.daemon.told import MAXIMUM_TOLD, Told
from rtpick.ingest.archive_replay import index_archive, iterate_packets
from rtpick.ingest.inventory_choice import InstrumentChoice
from rtpick.ingest.sanitise import sanitise_packet
from rtpick.ingest.seedlink import run_session
from rtpick.ingest.source_status import LINK_STATES, SourceState, SourceStatus
from rtpick.ingest.zeromq_das import DasEmitted, run_das_session
from rtpick.ingest.zeromq_stations import run_station_session
from rtpick.runtime.clock import monotonic_s, wall_ns
from rtpick.runtime.edge import Edge
from rtpick.runtime.worker import Worker
from rtpick.settings.schema import ArchiveSourceSettings, SeedLinkSettings, Settings, Source
from rtpick.settings.sources_das import ZeroMqDasSettings, ZeroMqStationSettings
from rtpick.telemetry.metrics import Metrics
from rtpick.vocabulary.codes import ChannelId, StationId
from rtpick.vocabulary.errors import RecordError, SourceError
from rtpick.vocabulary.fiber import DasBlock, FiberGap, FiberRejection
from rtpick.vocabulary.inventory import Inventory
from rtpick.vocabulary.time import format_utc, to_ns, to_s
from rtpick.vocabulary.waveform import EndOfStream, Gap, GapCause, Packet, Progress, RejectCause, Rejection

TICK_S = 0.2
FULL_WAIT_S = 0.005
REPLAY_YIELD_PACKETS = 64
NEAR_NS = 10_000_000
MAXIMUM_LOST = 100_000
GOOD_STATES = {
    SourceState.CONNECTING,
    SourceState.CONNECTED,
    SourceState.CHANNEL_HEARD,
    SourceState.LAYOUT,
}
MAXIMUM_STATIONS = 100_000

Emission = Packet | Rejection | SourceStatus | EndOfStream


class IngestWorker:
    """Own the sockets and the sequences of all sources.

    Parameters
    ----------
    progress : iterable of Progress
        Resume points on disk.
    edge : Edge
        To the pick worker.
    settings : Settings
        Sources, priority of sensors, patience of the link.
    may_shed : callable
        Whether a packet may be given up at all: not while storage refuses, since then the servers
        are to keep what we cannot.
    inventory : Inventory, optional
        A station that it lacks is told, once.
    blocks : BlockLink, optional
        To the fiber worker, where there are cables.
    """

    def __init__(
        self,
        progress: Iterable[Progress],
        edge: Edge[Arriving],
        settings: Settings,
        metrics: Metrics,
        log: BoundLogger,
        may_shed: Callable[[], bool] = lambda: True,
        inventory: Inventory | None = None,
        blocks: BlockLink | None = None,
    ) -> None:
        self._fibers = None if blocks is None else FiberIngest(blocks, metrics, log)
        self._sources = settings.sources
        self._cables = {source.name for source in settings.cables}
        self._progress = tuple(progress)
        self._edge = edge
        self._overload_wait_s = settings.buffer.overload_wait_s
        self._future_tolerance_ns = to_ns(settings.buffer.future_tolerance_s)
        self._metrics = metrics
        self._log = log
        self._may_shed = may_shed
        self._inventory = inventory
        self._seen: set[StationId] = set()
        self._choice = InstrumentChoice(
            settings.inventory.band_instrument_priority,
            known=[lock.channel for item in self._progress for lock in item.locks],
        )
        self._lost: dict[tuple[ChannelId, int], Gap] = {}
        self._passed_over: set[ChannelId] = set()
        self._told = Told()
        self._silent: dict[str, set[str]] = {}
        self.states: dict[str, SourceStatus] = {}

    def body(self, worker: Worker) -> None:
        """Run until a stop is asked for or every source has ended."""
        asyncio.run(self._run(worker))

    async def _run(self, worker: Worker) -> None:
        tasks = [asyncio.create_task(self._read(source), name=source.name) for source in self._sources]
        try:
            while not (worker.stopping or all(task.done() for task in tasks) or any(map(has_bug, tasks))):
                worker.beat()
                await asyncio.wait(tasks, timeout=TICK_S, return_when=asyncio.ALL_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        self._judge(outcomes)

    def _judge(self, outcomes: Sequence[object]) -> None:
        """A refused source alone is told and left; a bug, or nothing left to read, ends the worker."""
        failures = [o for o in outcomes if isinstance(o, Exception)]
        bugs = [failure for failure in failures if not isinstance(failure, SourceError)]
        if bugs:
            raise bugs[0]
        if failures and len(failures) == len(outcomes):
            raise failures[0]

    async def _read(self, source: Source) -> None:
        try:
            await self._session(source)
        except SourceError as refusal:
            self._log.error("source given up", source=source.name, error=str(refusal))
            await self._end(EndOfStream(source.name))
            raise

    def _session(self, source: Source) -> Coroutine[Any, Any, None]:
        match source:
            case SeedLinkSettings():
                return run_session(source, self._resume(source.name), self._emit, wall_ns, random.Random())
            case ZeroMqStationSettings():
                return run_station_session(source, self._emit, wall_ns, random.Random())
            case ZeroMqDasSettings():
                return run_das_session(source, self._emit_fiber, wall_ns, random.Random())
            case ArchiveSourceSettings():
                return self._replay(source)

    def _resume(self, source: str) -> Mapping[StationId, Progress]:
        return {item.station: item for item in self._progress if item.source == source}

    async def _replay(self, source: ArchiveSourceSettings) -> None:
        async for packet in paced_packets(source):
            await self._emit(packet)
        await self._emit(EndOfStream(source.name))

    async def _emit(self, item: Emission) -> None:
        match item:
            case Packet():
                await self._take(item)
            case EndOfStream():
                await self._end(item)
            case Rejection():
                self._set_aside(item)
            case SourceStatus():
                self._tell(item)

    async def _end(self, item: EndOfStream) -> None:
        """Tell an end to whoever had the source's samples."""
        self._log.info("source has ended", source=item.source)
        if self._fibers is not None and item.source in self._cables:
            self._fibers.blocks.put(item)
        else:
            await self._forward(item)

    async def _emit_fiber(self, item: DasEmitted) -> None:
        """Hand on at once what a cable sends."""
        match item:
            case DasBlock() | FiberGap() | FiberRejection():
                if self._fibers is not None:
                    self._fibers.take(item)
                await asyncio.sleep(0)
            case _:
                await self._emit(item)

    async def _take(self, packet: Packet) -> None:
        """Hand a packet on, unless its sensor is not listened to or its clock runs ahead of ours.

        What comes from the future must not become a station's beginning, nor its resume point, nor the
        age of its data.
        """
        if packet.end_ns > wall_ns() + self._future_tolerance_ns:
            detail = f"ends at {format_utc(packet.end_ns)}: set the digitiser's clock, or this machine's"
            self._set_aside(Rejection(packet.channel, RejectCause.FUTURE, len(packet.samples), detail))
            return
        self._metrics.record_packet(packet)
        if self._choice.accepts(packet.channel):
            self._greet(packet.channel.station_id)
            await self._forward(packet)
        else:
            self._pass_over(packet)

    def _set_aside(self, rejection: Rejection) -> None:
        """Count a record that cannot be used, and tell the first of its kind, then one a minute."""
        self._metrics.record_rejection(rejection)
        if not self._told.may_tell(rejection.channel, rejection.cause):
            return
        channel = str(rejection.channel or "unknown")
        self._log.warning("record set aside", channel=channel, cause=rejection.cause, detail=rejection.detail)

    def _greet(self, station: StationId) -> None:
        """At a station's first packet, say so where its place is not known."""
        if self._inventory is None or station in self._seen or len(self._seen) >= MAXIMUM_STATIONS:
            return
        self._seen.add(station)
        if station not in self._inventory:
            remedy = "add its coordinates to inventory.files"
            self._log.warning(
                "station not in the inventory: picked, never located", station=str(station), remedy=remedy
            )

    def _pass_over(self, packet: Packet) -> None:
        """Leave a sensor out whose station has a better one, or whose kind is not in the priority."""
        self._metrics.record_rejection(
            Rejection(packet.channel, RejectCause.NOT_SELECTED, len(packet.samples))
        )
        if packet.channel not in self._passed_over and len(self._passed_over) < MAXIMUM_TOLD:
            self._passed_over.add(packet.channel)
            reason = "inventory.band_instrument_priority"
            self._log.info("channel passed over", channel=str(packet.channel), by=reason)

    def _tell(self, status: SourceStatus) -> None:
        if status.state in LINK_STATES:
            self.states[status.source] = status
            self._metrics.record_source_state(status.source, status.state.value)
        else:
            self._metrics.record_source_incident(status.source, status.state.value)
            self._count_silent(status)
        good = status.state in GOOD_STATES
        level = self._log.info if good else self._log.warning
        level("source " + status.state.value, source=status.source, detail=status.detail)

    def _count_silent(self, status: SourceStatus) -> None:
        """Keep the number of channels that are silent now; `detail` names the channel."""
        silent = self._silent.setdefault(status.source, set())
        if status.state is SourceState.CHANNEL_SILENT:
            silent.add(status.detail)
        elif status.state is SourceState.CHANNEL_HEARD:
            silent.discard(status.detail)
        self._metrics.record_silent_channels(status.source, len(silent))

    async def _forward(self, item: Packet | EndOfStream) -> None:
        deadline_s = monotonic_s() + self._overload_wait_s
        while not self._edge.offer(item):
            if monotonic_s() > deadline_s and self._may_shed() and isinstance(item, Packet):
                self._shed(item)
                return
            await asyncio.sleep(FULL_WAIT_S)
        while self._lost and self._edge.offer(next(iter(self._lost.values()))):
            del self._lost[next(iter(self._lost))]

    def _shed(self, packet: Packet) -> None:
        """Let the oldest packet go; its gap is told as soon as there is room."""
        oldest = self._edge.displace(packet, lambda waiting: isinstance(waiting, Packet))
        if isinstance(oldest, Packet):
            self._metrics.record_rejection(
                Rejection(oldest.channel, RejectCause.OVERLOAD, len(oldest.samples))
            )
            self._lose(Gap(oldest.channel, oldest.start_ns, oldest.end_ns, GapCause.OVERLOAD))

    def _lose(self, gap: Gap) -> None:
        """Keep a gap until there is room to tell it, joined with the one that it goes on from."""
        before = self._lost.pop((gap.channel, gap.start_ns // NEAR_NS), gap)
        whole = replace(gap, start_ns=before.start_ns)
        self._lost[gap.channel, gap.end_ns // NEAR_NS] = whole
        if len(self._lost) > MAXIMUM_LOST:
            del self._lost[next(iter(self._lost))]


def has_bug(task: asyncio.Task[Any]) -> bool:
    """Whether a source's task has failed in a way that no server can be blamed for."""
    failed = task.done() and not task.cancelled() and task.exception() is not None
    return failed and not isinstance(task.exception(), SourceError)


async def paced_packets(source: ArchiveSourceSettings) -> AsyncIterator[Packet | Rejection]:
    """Yield an archive's packets when their data time has come, `speed` times faster than they were made."""
    try:  # beside the loop: a large folder must not keep the servers waiting
        index = await asyncio.to_thread(index_archive, [source.path], source.streams)
    except RecordError as error:
        raise SourceError(str(error)) from error
    began_s, first_ns = monotonic_s(), None
    for count, packet in enumerate(iterate_packets(index, source=source.name)):
        if isinstance(packet, Packet) and source.speed > 0:
            first_ns = packet.end_ns if first_ns is None else first_ns
            due_s = began_s + to_s(packet.end_ns - first_ns) / source.speed
            await asyncio.sleep(max(0.0, due_s - monotonic_s()))
        elif count % REPLAY_YIELD_PACKETS == 0:
            await asyncio.sleep(0)
        yield sanitise_packet(packet, wall_ns()) if isinstance(packet, Packet) else packet
