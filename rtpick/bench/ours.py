"""rtpick on a synthetic network: the daemon's own workers and links, fed from memory.

Decoding, buffering, picking, committing to a real SQLite file and publishing over ZeroMQ run as they do in
the daemon, each in its thread. Association is left out: the peers only pick.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from prometheus_client import CollectorRegistry
from structlog.stdlib import BoundLogger

from rtpick.bench.feed import SOURCE, Pace, RecordFeed
from rtpick.bench.publication import Publication, WatchedCatalog
from rtpick.bench.resident import Resident, watch_resident
from rtpick.bench.synthetic_network import SyntheticNetwork, list_stations
from rtpick.bench.timed_engine import TimedEngine
from rtpick.bench.timed_picker import Birth, TimedPicker
from rtpick.bench.whereabouts import Whereabouts, watch_workers
from rtpick.daemon.announcer import Announcer
from rtpick.daemon.archive_worker import ArchiveWorker
from rtpick.daemon.build import RESULT_CAPACITY
from rtpick.daemon.links import Arriving, Emitted
from rtpick.daemon.pick_worker import PickWorker
from rtpick.networks import Network
from rtpick.runtime.clock import monotonic_s
from rtpick.runtime.edge import Edge
from rtpick.runtime.worker import Worker
from rtpick.settings.schema import BufferSettings, EngineSettings, PickingSettings, PublishSettings
from rtpick.telemetry.metrics import Metrics
from rtpick.vocabulary.errors import WorkerError

LOOK_S = 1.0
PUBLISH = PublishSettings(zeromq_bind="tcp://127.0.0.1:*")


@dataclass(frozen=True, slots=True)
class OurSettings:
    """The sections of the configuration that matter here."""

    picking: PickingSettings
    engine: EngineSettings
    buffer: BufferSettings


@dataclass(frozen=True, slots=True)
class OurOutcome:
    """What a run gave and cost.

    Parameters
    ----------
    wall_s : float
        From the first record to the last commit.
    processor_s : float
        Processor time of the whole process, all cores.
    windows, batches : int
        Through the network.
    network_s : float
        Wall time within the network (normalisation included).
    picks : int
        Told and not withdrawn.
    publications : tuple of Publication
        Every revision of every pick, when it was told.
    births : dict of str to Birth
        Of every pick, by its id.
    feed : RecordFeed
        When each record came in.
    whereabouts : Whereabouts
    resident : Resident
    engine : str
        Backend and precision.
    """

    wall_s: float
    processor_s: float
    windows: int
    batches: int
    network_s: float
    picks: int
    publications: tuple[Publication, ...]
    births: dict[str, Birth]
    feed: RecordFeed
    whereabouts: Whereabouts
    resident: Resident
    engine: str


def run_ours(
    network: Network,
    waveforms: SyntheticNetwork,
    settings: OurSettings,
    log: BoundLogger,
    pace: Pace | None = None,
) -> OurOutcome:
    """Pick a network's records from the first to the last.

    Parameters
    ----------
    network : Network
        The weights.
    waveforms : SyntheticNetwork
        The records.
    settings : OurSettings
        Hop, threads and the like.
    log : BoundLogger
        For trouble.
    pace : Pace or None
        None: as fast as it goes.

    Raises
    ------
    WorkerError
        If a worker dies.
    """
    metrics = Metrics(CollectorRegistry())
    engine = TimedEngine(network, settings.engine, metrics)
    engine.warm_up()
    with TemporaryDirectory() as folder:
        line = _Line(engine, waveforms, settings, Path(folder), metrics, log, pace)
        with watch_resident() as resident, watch_workers() as whereabouts:
            began_s, began_processor_s = monotonic_s(), processor_s()
            line.run()
            wall_s, used_s = monotonic_s() - began_s, processor_s() - began_processor_s
    return OurOutcome(
        wall_s=wall_s,
        processor_s=used_s,
        windows=engine.windows_inferred,
        batches=engine.batches,
        network_s=engine.busy_s,
        picks=line.catalog.pick_count,
        publications=tuple(line.catalog.publications),
        births=line.picker.births,
        feed=line.feed,
        whereabouts=whereabouts,
        resident=resident,
        engine=engine.description,
    )


class _Line:
    """Feed, picker and archive with the links between them, as the daemon composes them."""

    def __init__(
        self,
        engine: TimedEngine,
        waveforms: SyntheticNetwork,
        settings: OurSettings,
        folder: Path,
        metrics: Metrics,
        log: BoundLogger,
        pace: Pace | None,
    ) -> None:
        self._packets: Edge[Arriving] = Edge("ingest->pick", settings.buffer.queue_packets)
        self._to_archive: Edge[Emitted] = Edge("->archive", RESULT_CAPACITY)
        nobody: Edge[Emitted] = Edge("pick->associate", RESULT_CAPACITY)
        nobody.abandon()
        self.picker = TimedPicker(settings.picking, settings.buffer, engine, list_stations(waveforms))
        self.feed = RecordFeed(waveforms, self._packets, metrics, pace)
        self.catalog = WatchedCatalog.open(f"sqlite:///{folder / 'bench.sqlite'}")
        self._pick = PickWorker(self.picker, {SOURCE}, self._packets, self._to_archive, nobody, metrics)
        announcer = Announcer(PUBLISH, metrics, log)
        self._archive = ArchiveWorker(
            self.catalog, None, announcer, self._to_archive, LOOK_S, metrics, log
        )

    def run(self) -> None:
        """Run until everything is committed."""
        workers = (
            Worker("ingest", self.feed.body, self._packets.close),
            Worker("pick", self._pick.body, self._end_picking),
            Worker("archive", self._archive.body, self._to_archive.abandon),
        )
        for worker in workers:
            worker.start()
        try:
            for worker in workers:
                _await(worker)
        finally:
            for worker in workers:
                worker.stop()

    def _end_picking(self) -> None:
        self._packets.abandon()
        self._to_archive.close()


def _await(worker: Worker) -> None:
    while not worker.join(LOOK_S):
        pass
    if worker.failure is not None:
        raise WorkerError(f"the {worker.name} worker died: {worker.failure!r}") from worker.failure


def processor_s() -> float:
    """Processor time that this process has used so far, user and system."""
    spent = os.times()
    return spent.user + spent.system
