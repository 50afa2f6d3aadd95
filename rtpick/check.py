"""`rtpick check`: try everything that a configuration names, and say what was found."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table

from rtpick.archive.catalog import Catalog
from rtpick.association.sites import prepare_travel_times
from rtpick.ingest.archive_replay import index_archive
from rtpick.ingest.inventory import read_inventory
from rtpick.ingest.seedlink import probe_server
from rtpick.networks import load_network
from rtpick.runtime.health import Finding
from rtpick.settings.load import load_settings
from rtpick.settings.schema import SeedLinkSettings, Settings, Source
from rtpick.vocabulary.errors import RtpickError
from rtpick.vocabulary.inventory import Inventory


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
    inventory: list[Inventory] = []
    yield _try("inventory", lambda: _examine_inventory(settings, inventory))
    yield _try("weights", lambda: _examine_weights(settings))
    if inventory:
        yield _try("velocity model", lambda: _examine_velocity(settings, inventory[0]))
    yield _try("database", lambda: _examine_database(settings))
    for source in settings.sources:
        yield _try(f"source {source.name}", lambda source=source: _examine_source(source, inventory))  # type: ignore[misc]


def show_findings(findings: list[Finding]) -> None:
    """Print findings as a table."""
    table = Table("what", "", "finding", title="rtpick check")
    for finding in findings:
        mark = "[green]ok[/green]" if finding.well else "[red]FAIL[/red]"
        table.add_row(finding.name, mark, finding.detail)
    Console(soft_wrap=False).print(table)


def _try(name: str, examine: Callable[[], str]) -> Finding:
    try:
        return Finding(name, True, examine())
    except RtpickError as error:
        return Finding(name, False, str(error))


def _examine_inventory(settings: Settings, found: list[Inventory]) -> str:
    inventory = read_inventory(settings.inventory.files)
    found.append(inventory)
    return f"{len(inventory)} stations"


def _examine_weights(settings: Settings) -> str:
    network = load_network(settings.picking.weights)
    return f"{network.model_version}, {network.metadata.sampling_rate_hz:g} Hz"


def _examine_velocity(settings: Settings, inventory: Inventory) -> str:
    times = prepare_travel_times(settings.association, inventory)
    return f"{settings.association.velocity_model}, to {times.maximum_distance_km:.0f} km"


def _examine_database(settings: Settings) -> str:
    catalog = Catalog.open(settings.archive.database)
    try:
        return f"{catalog.describe()}"
    finally:
        catalog.close()


def _examine_source(source: Source, inventory: list[Inventory]) -> str:
    if not isinstance(source, SeedLinkSettings):
        index = index_archive([source.path], source.streams)
        return f"{len(index.channels)} channels in {source.path}"
    report = asyncio.run(probe_server(source))
    known = inventory[0] if inventory else Inventory()
    strangers = sorted({str(c.station_id) for c in report.channels if c.station_id not in known})
    detail = f"{report.version}; {len(report.channels)} channels selected"
    if strangers:
        detail += "; not in the inventory, picked but never located: " + ", ".join(strangers[:10])
    return detail
