"""Compose what cables need; nothing here computes."""

from __future__ import annotations

from collections.abc import Mapping

from structlog.stdlib import BoundLogger

from rtpick.archive.catalog import Catalog
from rtpick.association.fiber_geometry import read_fiber_geometry
from rtpick.association.fiber_virtual import VirtualStations, place_virtual_stations
from rtpick.daemon.fiber_association import MEMORY_S, FiberPast
from rtpick.daemon.fiber_worker import FiberTerms, FiberWorker
from rtpick.daemon.links import Links
from rtpick.picking.engine_fiber_choice import build_fiber_engine
from rtpick.picking.fiber_warm import warm_up_fibers
from rtpick.settings.schema import Settings
from rtpick.telemetry.metrics import Metrics
from rtpick.vocabulary.fiber import FiberProgress
from rtpick.vocabulary.inventory import Inventory
from rtpick.vocabulary.time import to_ns

# An event begins before its picks do.
EVENT_MARGIN_S = 120.0


def build_fiber_worker(
    settings: Settings,
    stations: Mapping[str, VirtualStations],
    catalog: Catalog,
    links: Links,
    metrics: Metrics,
    log: BoundLogger,
) -> FiberWorker | None:
    """The cables' picker and associators where the last run left them; None where there is no cable.

    Raises
    ------
    RtpickError
        If the weights cannot be used.
    """
    if links.blocks is None:
        return None
    engine = build_fiber_engine(settings.fiber.picking.weights, settings.engine)
    warm_up_fibers()
    progress = catalog.fiber_progress()
    pasts = {point.fiber: read_past(catalog, point) for point in progress}
    sources = frozenset(source.name for source in settings.cables)
    terms = FiberTerms(settings.fiber, sources, pasts, stations)
    edges = links.to_archive, links.to_associate
    return FiberWorker(terms, engine, links.blocks, *edges, metrics, log, progress)


def read_past(catalog: Catalog, point: FiberProgress) -> FiberPast:
    """What a fiber's associator can still look back to."""
    since_ns = point.settled_ns - to_ns(MEMORY_S)
    picks = catalog.fiber_picks(point.fiber, since_ns)
    events = catalog.fiber_events(point.fiber, since_ns - to_ns(EVENT_MARGIN_S))
    return FiberPast(point.settled_ns, picks, events)


def place_cables(settings: Settings, inventory: Inventory) -> dict[str, VirtualStations]:
    """Virtual stations of the cables of which it is known where they lie.

    Raises
    ------
    InventoryError
        If a table of channels cannot be read.
    """
    places = {source.cable: settings.fiber.overrides(source.cable).geometry for source in settings.cables}
    return {
        fiber: place_virtual_stations(fiber, read_fiber_geometry(path), inventory)
        for fiber, path in places.items()
        if path is not None
    }


def join_inventories(inventory: Inventory, stations: Mapping[str, VirtualStations]) -> Inventory:
    """The stations of a network and of its cables."""
    joined = dict(inventory.stations)
    for virtual in stations.values():
        joined.update(virtual.inventory.stations)
    return Inventory(joined)
