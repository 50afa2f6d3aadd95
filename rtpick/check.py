"""`rtpick check`: try everything that a configuration names, and say what was found."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import ParamSpec
from urllib.parse import urlsplit

from rich.console import Console
from rich.table import Table

from rtpick.archive.atomic import write_atomic
from rtpick.archive.catalog import Catalog
from rtpick.association.fiber_geometry import read_fiber_geometry
from rtpick.association.sites import prepare_travel_times
from rtpick.association.sizes import new_sizes
from rtpick.ingest.archive_replay import index_archive
from rtpick.ingest.inventory import read_inventory
from rtpick.ingest.responses import read_responses
from rtpick.ingest.seedlink import probe_server
from rtpick.networks import load_network
from rtpick.picking.engine_fiber_choice import build_fiber_engine
from rtpick.picking.fiber_rules import fiber_rules
from rtpick.publish.zeromq import Publisher
from rtpick.runtime.health import Finding
from rtpick.settings.load import load_settings
from rtpick.settings.schema import (
    ArchiveSourceSettings,
    HealthSettings,
    Settings,
    Source,
)
from rtpick.settings.sources_das import ZeroMqDasSettings, ZeroMqStationSettings
from rtpick.vocabulary.codes import ChannelId
from rtpick.vocabulary.errors import RtpickError, SettingsError, SourceError
from rtpick.vocabulary.inventory import Inventory

P = ParamSpec("P")
SHOWN_STATIONS = 10
CONNECT_TIMEOUT_S = 5.0


def check_configuration(path: Path) -> bool:
    """Print a table of findings; True when all is well.

    Parameters
    ----------
    path : Path
        ``rtpick.yaml``.
    """
    findings = list(examine_configuration(path))
    show_findings(findings)
    return all(finding.well for finding in findings)


def examine_configuration(path: Path) -> Iterator[Finding]:
    """Try the file, then each thing that it names; one finding each."""
    try:
        settings = load_settings(path)
    except RtpickError as error:
        yield Finding("configuration", False, str(error))
        return
    yield Finding("configuration", True, str(path))
    yield _try("weights", _examine_weights, settings)
    if settings.cables:
        yield _try("fiber weights", _examine_fiber_weights, settings)
        yield from _examine_cables(settings)
    yield _try("database", _examine_database, settings)
    yield from (_try(name, _examine_folder, folder) for name, folder in named_folders(settings))
    yield from _examine_addresses(settings)
    yield from _examine_network(settings)


def _examine_network(settings: Settings) -> Iterator[Finding]:
    """Try the inventory, and against it what the sources have."""
    inventory = Inventory()
    try:
        inventory = read_inventory(settings.inventory.files) if settings.inventory.files else inventory
        if settings.inventory.files:
            yield Finding("inventory", True, f"{len(inventory)} stations")
    except RtpickError as error:
        yield Finding("inventory", False, str(error))
    if inventory:
        yield _try("velocity model", _examine_velocity, settings, inventory)
        yield _try("magnitudes", _examine_magnitudes, settings)
    for source in settings.sources:
        yield _try(f"source {source.name}", _examine_source, source, inventory)


def show_findings(findings: list[Finding]) -> None:
    """Print findings as a table."""
    table = Table("what", "", "finding", title="rtpick check")
    for finding in findings:
        mark = "[green]ok[/green]" if finding.well else "[red]FAIL[/red]"
        table.add_row(finding.name, mark, finding.detail)
    Console(soft_wrap=False).print(table)


def _try(name: str, examine: Callable[P, str], *arguments: P.args, **options: P.kwargs) -> Finding:
    try:
        return Finding(name, True, examine(*arguments, **options))
    except RtpickError as error:
        return Finding(name, False, str(error))


def _examine_weights(settings: Settings) -> str:
    network = load_network(settings.picking.weights)
    return f"{network.model_version}, {network.metadata.sampling_rate_hz:g} Hz"


def _examine_fiber_weights(settings: Settings) -> str:
    engine = build_fiber_engine(settings.fiber.picking.weights, settings.engine)
    fiber_rules(settings.fiber, engine)
    quantities = ", ".join(sorted(quantity.value for quantity in engine.quantities))
    return f"{engine.model_version}, {engine.sampling_rate_hz:g} Hz, {quantities}"


def _examine_cables(settings: Settings) -> Iterator[Finding]:
    """Read where the channels of cables lie."""
    for fiber, known in settings.fiber.fibers.items():
        if known.geometry is not None:
            yield _try(f"geometry of {fiber}", _examine_geometry, known.geometry)


def _examine_geometry(path: Path) -> str:
    geometry = read_fiber_geometry(path)
    return f"{len(geometry)} channels over {geometry.distance_km()[-1]:.1f} km"


def _examine_velocity(settings: Settings, inventory: Inventory) -> str:
    times = prepare_travel_times(settings.association, inventory)
    return f"{settings.association.velocity_model}, to {times.maximum_distance_km:.0f} km"


def _examine_magnitudes(settings: Settings) -> str:
    sizes = new_sizes(settings.magnitude, read_responses(settings.inventory.files))
    channels, corrected = len(sizes.responses), len(sizes.scale.corrections)
    told = f"ML from {channels} channels with a response" if channels else "no channel has a response: no ML"
    return f"{told}, {corrected} station corrections" if corrected else told


def _examine_database(settings: Settings) -> str:
    catalog = Catalog.open(settings.archive.database, claim=True)
    try:
        return f"{catalog.describe()}"
    finally:
        catalog.close()


def named_folders(settings: Settings) -> Iterator[tuple[str, Path]]:
    """Name the folders that the daemon writes to."""
    folders = {
        "archive.clips_directory": settings.archive.clips_directory,
        "publish.quakeml_directory": settings.publish.quakeml_directory,
        "publish.csv_directory": settings.publish.csv_directory,
    }
    yield from ((name, folder) for name, folder in folders.items() if folder is not None)


def _examine_folder(folder: Path) -> str:
    """Write a file there and remove it again."""
    probe = folder / f".rtpick-check-{os.getpid()}"
    write_atomic(probe, b"rtpick check")
    probe.unlink()
    free_gb = shutil.disk_usage(folder).free / 1e9
    return f"{folder}: writable, {free_gb:.1f} GB free"


def _examine_addresses(settings: Settings) -> Iterator[Finding]:
    """Bind what the daemon will listen on."""
    if settings.publish.zeromq_bind:
        yield _try("publish.zeromq_bind", _examine_publisher, settings.publish.zeromq_bind)
    yield _try("health", _examine_health, settings.health)


def _examine_publisher(address: str) -> str:
    publisher = Publisher(address)
    publisher.close()
    return f"{address} is free"


def _examine_health(health: HealthSettings) -> str:
    try:
        with socket.create_server((health.host, health.port)):
            return f"{health.host}:{health.port} is free"
    except OSError as error:
        raise SettingsError(
            f"cannot listen on {health.host}:{health.port} ({error.strerror}); give another health.port"
        ) from error


def _examine_source(source: Source, inventory: Inventory) -> str:
    if isinstance(source, ZeroMqStationSettings | ZeroMqDasSettings):
        return _examine_zeromq(source.address)
    if isinstance(source, ArchiveSourceSettings):
        index = index_archive([source.path], source.streams)
        return describe_channels(index.channels, inventory)
    report = asyncio.run(probe_server(source))
    if report.problem:
        raise SourceError(report.problem)
    if report.channels is None:
        return f"SeedLink {report.version}, {report.software}; does not tell its channels"
    return f"SeedLink {report.version}; " + describe_channels(report.channels, inventory)


def _examine_zeromq(address: str) -> str:
    """See whether somebody listens; what is sent there, only listening for long can tell."""
    place = urlsplit(address)
    try:
        if place.scheme == "ipc":
            with socket.socket(socket.AF_UNIX) as probe:
                probe.connect(address.removeprefix("ipc://"))
        else:
            socket.create_connection((place.hostname or "", place.port or 0), CONNECT_TIMEOUT_S).close()
    except (OSError, ValueError) as error:
        raise SourceError(f"nobody listens on {address} ({error}); start the publisher") from error
    return f"somebody listens on {address}"


def describe_channels(channels: Sequence[ChannelId], inventory: Inventory) -> str:
    """Say how many channels are selected, and which of their stations the inventory lacks."""
    strangers = sorted({str(c.station_id) for c in channels if c.station_id not in inventory})
    text = f"{len(channels)} channels selected"
    if strangers:
        more = f" and {len(strangers) - SHOWN_STATIONS} more" if len(strangers) > SHOWN_STATIONS else ""
        text += "; picked but never located, since not in the inventory: "
        text += ", ".join(strangers[:SHOWN_STATIONS]) + more
    return text
