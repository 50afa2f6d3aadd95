"""Compose the daemon from its settings; nothing here computes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import CollectorRegistry
from structlog.stdlib import BoundLogger

from rtpick import __version__
from rtpick.archive.catalog import Catalog
from rtpick.archive.clips import ClipStore, clip_path, read_clip
from rtpick.association.associate import new_state, restore
from rtpick.association.sites import prepare_travel_times
from rtpick.association.sizes import Sizes, new_sizes, take_amplitudes
from rtpick.association.warm import warm_up
from rtpick.daemon.announcer import Announcer
from rtpick.daemon.archive_worker import ArchiveWorker
from rtpick.daemon.associate_worker import AssociateWorker, Watermark
from rtpick.daemon.block_link import BlockLink
from rtpick.daemon.build_fiber import build_fiber_worker, join_inventories, place_cables
from rtpick.daemon.fiber_worker import FiberWorker
from rtpick.daemon.ingest_worker import IngestWorker
from rtpick.daemon.links import Links
from rtpick.daemon.metered_engine import MeteredEngine
from rtpick.daemon.pick_worker import PickWorker
from rtpick.ingest.inventory import read_inventory
from rtpick.ingest.responses import read_responses
from rtpick.networks import load_network
from rtpick.picking.picker import Picker
from rtpick.runtime.clock import wall_ns
from rtpick.runtime.edge import Edge
from rtpick.settings.schema import Settings
from rtpick.telemetry.metrics import Metrics
from rtpick.vocabulary.errors import ArchiveError
from rtpick.vocabulary.inventory import Inventory
from rtpick.vocabulary.pick import Pick
from rtpick.vocabulary.time import to_ns
from rtpick.vocabulary.waveform import Clip, Progress

RESULT_CAPACITY = 20_000
RESTORE_SPAN_S = 3600.0


@dataclass(frozen=True)
class Parts:
    """Everything that a running daemon consists of."""

    links: Links
    catalog: Catalog
    engine: MeteredEngine
    ingest: IngestWorker
    pick: PickWorker
    associate: AssociateWorker
    archive: ArchiveWorker
    announcer: Announcer
    metrics: Metrics
    registry: CollectorRegistry
    fiber: FiberWorker | None = None


def build_parts(settings: Settings, log: BoundLogger) -> Parts:
    """Open and connect everything that the settings name.

    Raises
    ------
    RtpickError
        One clear message of what cannot be opened, read or bound.
    """
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    metrics.record_version(__version__)
    inventory = read_inventory(settings.inventory.files) if settings.inventory.files else Inventory()
    stations = place_cables(settings, inventory)
    catalog = Catalog.open(settings.archive.database, claim=True)
    progress = catalog.progress()
    links = build_links(settings)
    engine = MeteredEngine(load_network(settings.picking.weights), settings.engine, metrics)
    engine.warm_up()
    announcer = Announcer(settings.publish, metrics, log, settings.archive.retry_s)
    archive = ArchiveWorker(
        catalog,
        build_clip_store(settings),
        announcer,
        links.to_archive,
        settings.archive.retry_s,
        metrics,
        log,
        settings.archive.retention_days,
    )
    ingest = IngestWorker(
        *(progress, links.packets, settings, metrics, log, lambda: archive.trouble is None, inventory),
        links.blocks,
    )
    fiber = build_fiber_worker(settings, stations, catalog, links, metrics, log)
    pick = build_pick_worker(settings, engine, inventory, progress, links, metrics)
    network = join_inventories(inventory, stations)
    associate = build_associate_worker(settings, network, catalog, links, metrics)
    workers = ingest, pick, associate, archive
    return Parts(links, catalog, engine, *workers, announcer, metrics, registry, fiber)


def build_pick_worker(
    settings: Settings,
    engine: MeteredEngine,
    inventory: Inventory,
    progress: list[Progress],
    links: Links,
    metrics: Metrics,
) -> PickWorker:
    """The picker where the last run left it, in its worker."""
    picker = Picker(
        settings.picking, settings.buffer, engine, inventory=inventory, progress=progress, clock=wall_ns
    )
    return PickWorker(
        picker,
        {source.name for source in settings.sources if source not in settings.cables},
        links.packets,
        links.to_archive,
        links.to_associate,
        metrics,
        known_stations=[(item.source, item.station) for item in progress],
        count_windows=lambda: engine.windows_inferred,
    )


def build_associate_worker(
    settings: Settings, inventory: Inventory, catalog: Catalog, links: Links, metrics: Metrics
) -> AssociateWorker:
    """The associator as the archive's recent picks and events say it was, compiled, in its worker."""
    watermark = known_watermark(settings, catalog)
    if not len(inventory):
        return AssociateWorker(None, watermark, links.to_associate, links.to_archive, metrics)
    travel_times = prepare_travel_times(settings.association, inventory)
    warm_up(new_state(settings.association, inventory, travel_times))
    since_ns = watermark.time_ns - to_ns(RESTORE_SPAN_S + settings.association.settle_s)
    known = watermark.time_ns > 0
    picks = catalog.picks(since_ns=since_ns) if known else []
    events = catalog.events(since_ns=since_ns) if known else []
    state = restore(settings.association, inventory, travel_times, picks, events)
    sizes = build_sizes(settings, picks)
    return AssociateWorker(state, watermark, links.to_associate, links.to_archive, metrics, sizes)


def build_sizes(settings: Settings, picks: Sequence[Pick]) -> Sizes:
    """Amplitudes of the archive's recent picks, and of their clips as far as these are kept."""
    sizes = new_sizes(settings.magnitude, read_responses(settings.inventory.files))
    folder, clips = settings.archive.clips_directory, []
    if folder is not None and len(sizes.responses):
        before_ns = to_ns(settings.picking.clip_before_s)
        paths = [folder / clip_path(p.pick_id, p.station_id, p.time_ns - before_ns) for p in picks]
        clips = [clip for path in paths if path.is_file() for clip in _whole_clips(path)]
    return take_amplitudes(sizes, [*picks, *clips])


def _whole_clips(path: Path) -> list[Clip]:
    """Read a clip; one that a power cut has torn costs an amplitude and no start."""
    try:
        return [read_clip(path)]
    except ArchiveError:
        return []


def build_links(settings: Settings) -> Links:
    """The bounded edges; cables are one more producer of picks."""
    more = 1 if settings.cables else 0
    return Links(
        packets=Edge("ingest->pick", settings.buffer.queue_packets),
        blocks=BlockLink(settings.fiber.buffer.queue_bytes) if settings.cables else None,
        to_associate=Edge("pick->associate", RESULT_CAPACITY, producers=1 + more),
        to_archive=Edge("->archive", RESULT_CAPACITY, producers=2 + more),
    )


def build_clip_store(settings: Settings) -> ClipStore | None:
    """The store of clips, where a folder for it is named."""
    folder = settings.archive.clips_directory
    return ClipStore(folder, settings.archive.clips_maximum_bytes) if folder else None


def known_watermark(settings: Settings, catalog: Catalog) -> Watermark:
    """The watermark as the last run left it."""
    watermark = Watermark(settings.buffer.station_silence_s)
    for item in catalog.progress():
        watermark.advance(item)
    for point in catalog.fiber_progress():
        if settings.fiber.overrides(point.fiber).geometry is not None:
            watermark.advance_fiber(point)
    return watermark
