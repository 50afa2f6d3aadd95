"""The end of the demonstration: files, a picture, and the findings beside what is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from rich.console import Console
from rich.table import Table

from rtpick.archive.catalog import Catalog
from rtpick.association.sphere import arc_km, geocentric_rad, unit_vectors
from rtpick.demo.prepare import Stage
from rtpick.demo.recording import KNOWN_EVENTS, KnownEvent
from rtpick.demo.section import draw_sections
from rtpick.demo.watch import STAGES, Watch
from rtpick.publish.csv_tables import write_events, write_picks
from rtpick.publish.quakeml import write_catalogue
from rtpick.vocabulary.event import Event, EventStatus
from rtpick.vocabulary.pick import Pick, PickStatus
from rtpick.vocabulary.time import format_utc, to_s

NEAREST_S = 15.0


@dataclass(frozen=True, slots=True)
class Findings:
    """What the daemon has left on disk, by time."""

    picks: list[Pick]
    events: list[Event]


def report(stage: Stage, watch: Watch, console: Console) -> None:
    """Write the result files, then print events beside known ones and the latencies."""
    findings = read_findings(stage)
    write_results(stage, findings)
    console.print(event_table(findings))
    console.print(latency_table(watch))
    console.print(f"{len(findings.picks)} final picks, {len(findings.events)} events; in {stage.out}/:")
    console.print("picks.csv, events.csv, events.xml, record_section*.png, rtpick.sqlite, daemon.log")


def read_findings(stage: Stage) -> Findings:
    """Read final picks and standing events from the daemon's database."""
    with Catalog.open(f"sqlite:///{stage.out / 'rtpick.sqlite'}") as catalog:
        picks = catalog.picks(status=PickStatus.FINAL)
        events = catalog.events()
    gone = {EventStatus.MERGE, EventStatus.RETRACT}
    return Findings(picks, [event for event in events if event.status not in gone])


def write_results(stage: Stage, findings: Findings) -> None:
    """Write tables, QuakeML and the record section into the demonstration's folder."""
    write_picks(stage.out / "picks.csv", findings.picks)
    write_events(stage.out / "events.csv", findings.events)
    write_catalogue(stage.out / "events.xml", findings.events, findings.picks)
    draw_sections(stage, findings.events, findings.picks)


def event_table(findings: Findings) -> Table:
    """Events found, each beside the known one nearest in time."""
    headings = ("origin time", "epicentre", "depth km", "P", "S", "rms s", "known", "difference")
    table = Table(*headings, title="events beside what is known", title_justify="left")
    for event in findings.events:
        origin = event.origin
        phases = [arrival.phase for arrival in event.arrivals]
        known = nearest_known(event)
        table.add_row(
            format_utc(origin.time_ns)[:22],
            f"{origin.latitude_deg:.4f} {origin.longitude_deg:.4f}",
            f"{origin.depth_km:.1f}" + (" fixed" if origin.depth_fixed else ""),
            str(phases.count("P")),
            str(phases.count("S")),
            f"{origin.rms_s:.2f}",
            f"{known.description} {format_utc(known.time_ns)[11:21]}" if known else "nothing",
            difference(event, known, findings.events) if known else "",
        )
    return table


def nearest_known(event: Event) -> KnownEvent | None:
    """The known event nearest in time, if any is near."""
    known = min(KNOWN_EVENTS, key=lambda item: abs(item.time_ns - event.origin.time_ns))
    return known if abs(to_s(known.time_ns - event.origin.time_ns)) < NEAREST_S else None


def difference(event: Event, known: KnownEvent, events: list[Event]) -> str:
    """Origin time and epicentre against the known ones; a repeat's against the first event found."""
    if known.latitude_deg is not None and known.longitude_deg is not None:
        seconds = to_s(event.origin.time_ns - known.time_ns)
        return f"{seconds:+.2f} s, {distance_km(event, known.latitude_deg, known.longitude_deg):.1f} km"
    first = events[0].origin
    away_km = distance_km(event, first.latitude_deg, first.longitude_deg)
    return f"{away_km:.1f} km from the first"


def distance_km(event: Event, latitude_deg: float, longitude_deg: float) -> float:
    """Distance of the epicentre from a point."""
    origin = event.origin
    latitudes_rad = geocentric_rad(np.array([origin.latitude_deg, latitude_deg]))
    longitudes_rad = np.radians([origin.longitude_deg, longitude_deg])
    here, there = unit_vectors(latitudes_rad, longitudes_rad)
    return float(arc_km(here, there))


def latency_table(watch: Watch) -> Table:
    """Latency by stage; a replay of old data has no network latency."""
    table = Table("stage", "p50 s", "p95 s", title="latency of the picks, wall clock", title_justify="left")
    for stage in STAGES:
        if stage != "network":
            table.add_row(stage, f"{watch.latency_s(stage, 0.5):.3f}", f"{watch.latency_s(stage, 0.95):.3f}")
    return table
