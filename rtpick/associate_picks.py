"""Associate a table of picks into located events, as the daemon would have as they arrived."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from rtpick.association.associate import AssociatorState, Counts, finish, new_state, step
from rtpick.association.findings import FindingKind
from rtpick.association.magnitude import Scale, size_event
from rtpick.association.oddities import examine_clocks, examine_delays, examine_events, examine_picks
from rtpick.association.sites import prepare_travel_times
from rtpick.association.world import World
from rtpick.ingest.inventory import read_inventory
from rtpick.pick_table import read_picks
from rtpick.publish.picture_catalogue import plot_catalogue
from rtpick.settings.schema import AssociationSettings
from rtpick.vocabulary.event import Event, EventStatus
from rtpick.vocabulary.pick import Pick
from rtpick.vocabulary.time import NS_PER_S, format_utc, to_ns

EVENT_COLUMNS = (
    "event_id", "epoch", "time", "latitude", "longitude", "depth_km", "n_picks", "rms_s", "gap_deg",
    "nearest_deg", "time_uncertainty_s", "horizontal_uncertainty_km", "depth_uncertainty_km", "depth_fixed",
    "magnitude", "magnitude_type",
)  # fmt: skip
PUBLICATION_COLUMNS = (
    "event_id", "published_at", "status", "epoch", "latitude", "longitude", "depth_km", "n_picks",
    "merged_into",
)  # fmt: skip
LOOKBACK_S = 120.0  # how long after its time a pick is still expected


@dataclass(frozen=True, slots=True)
class Result:
    """Final events, everything that was published with the time of its publication (ns), and counts.

    `notes` say in a line each what is odd about the picks.
    """

    events: tuple[Event, ...]
    publications: tuple[tuple[int, Event], ...]
    counts: Counts
    notes: tuple[str, ...] = ()


def associate_table(
    picks: Path | str,
    stations: Path | str | Sequence[Path | str],
    velocity_model: Path | str | None,
    out: Path | str,
    *,
    arrival_column: str | None = None,
    settings: AssociationSettings | None = None,
    plot: bool = False,
    amplitude_unit: str = "auto",
) -> Result:
    """Associate a table of picks and write events.csv, assignments.csv and publications.csv.

    Parameters
    ----------
    picks : path
        CSV with pick_id, station (NET.STA, or network and station apart), phase or phase_hint,
        time (ISO 8601) or epoch (s), and optionally score or probability, amplitude, status.
    stations : path or several
        CSV of coordinates or StationXML.
    velocity_model : path or None
        CSV of depth_km, vp, vs; None takes what the settings say (iasp91).
    out : path
        Folder of the results; made if missing.
    arrival_column : str or None
        Column of arrival epochs (s) that set the order; without it, picks arrive in order of time.
    settings : AssociationSettings or None
    plot : bool
        Also draw catalogue.png, where there is any event.
    amplitude_unit : str
        Of the column amplitude: ``m/s``, ``counts`` or ``auto``, as `rtpick.pick_table.read_picks` takes it.
        With ``m/s`` amplitudes help to tell events apart, and these get a magnitude of type Mpgv.

    Raises
    ------
    PickTableError, InventoryError, VelocityModelError
        Naming the file, the line or column, and the remedy.
    """
    settings = settings or AssociationSettings()
    if velocity_model is not None:
        settings = settings.model_copy(update={"velocity_model": str(velocity_model)})
    files = [stations] if isinstance(stations, str | Path) else list(stations)
    inventory = read_inventory([Path(file) for file in files])
    arrivals = read_picks(Path(picks), arrival_column, amplitude_unit)
    state = new_state(settings, inventory, prepare_travel_times(settings, inventory))
    result = _with_magnitudes(replay(state, _shown(arrivals)), [pick for _, pick in arrivals])
    result = replace(result, notes=(*result.notes, *take_note(state.world, arrivals, result)))
    write_result(Path(out), result)
    if plot and result.events:
        plot_catalogue(Path(out) / "catalogue.png", result.events, inventory,
                       predict_s=lambda event: _predictor(state.world, event))  # fmt: skip
    return result


def _with_magnitudes(result: Result, picks: Sequence[Pick]) -> Result:
    known, scale = {pick.pick_id: pick for pick in picks}, Scale()
    events = tuple(replace(e, magnitude=size_event(e, {}, known, scale)) for e in result.events)
    return replace(result, events=events)


def take_note(world: World, arrivals: Sequence[tuple[int, Pick]], result: Result) -> tuple[str, ...]:
    """Say what is odd: stations, repetitions, delays, labels, clocks."""
    picks = [pick for _, pick in arrivals]
    by_name = {pick.pick_id: pick for pick in picks}
    return (
        *examine_picks(picks, world.sites),
        *examine_delays(arrivals, result.counts.late, LOOKBACK_S),
        *examine_events(result.events, by_name),
        *examine_clocks(result.events, by_name.values(), world.sites, world.travel_times),
    )


def _predictor(world: World, event: Event) -> Callable[[str, float], float]:
    depth_km = event.origin.depth_km
    return lambda phase, distance_km: float(world.travel_times.look_up(phase, distance_km, depth_km)[0])


def replay(state: AssociatorState, arrivals: Iterable[tuple[int, Pick]]) -> Result:
    """Feed picks at their arrival times (ns); the watermark follows these at a distance."""
    published: list[tuple[int, Event]] = []
    now_ns = 0
    for now_ns, pick in arrivals:
        state, events = step(state, (pick,), now_ns - to_ns(LOOKBACK_S))
        published.extend((now_ns, event) for event in events)
    findings = state.findings
    state, events = finish(state)
    published.extend((now_ns, event) for event in events)
    final = tuple(event for _, event in published if event.status is EventStatus.FINAL)
    noisy = tuple(str(found) for found in findings if found.kind is FindingKind.QUARANTINE)
    return Result(final, tuple(published), state.counts, noisy)


def _shown(arrivals: Sequence[tuple[int, Pick]]) -> Iterator[tuple[int, Pick]]:
    """Pass picks on behind a progress bar."""
    columns = (TextColumn("associating"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield from progress.track(arrivals)


def write_result(out: Path, result: Result) -> None:
    """Write the three tables."""
    out.mkdir(parents=True, exist_ok=True)
    rows = [_event_row(event) for event in sorted(result.events, key=lambda e: e.origin.time_ns)]
    pd.DataFrame(rows, columns=list(EVENT_COLUMNS)).to_csv(out / "events.csv", index=False)
    pairs = [(event.event_id, arrival.pick_id) for event in result.events for arrival in event.arrivals]
    pd.DataFrame(pairs, columns=["event_id", "pick_id"]).to_csv(out / "assignments.csv", index=False)
    told = list(_publication_rows(result.publications))
    pd.DataFrame(told, columns=list(PUBLICATION_COLUMNS)).to_csv(out / "publications.csv", index=False)


def _event_row(event: Event) -> tuple[object, ...]:
    origin, magnitude = event.origin, event.magnitude
    return (
        event.event_id, f"{origin.time_ns / NS_PER_S:.6f}", format_utc(origin.time_ns),
        round(origin.latitude_deg, 6), round(origin.longitude_deg, 6), round(origin.depth_km, 3),
        len(event.arrivals), round(origin.rms_s, 4), round(origin.azimuthal_gap_deg, 1),
        round(origin.nearest_station_deg, 5), round(origin.time_uncertainty_s, 4),
        round(origin.horizontal_uncertainty_km, 3), round(origin.depth_uncertainty_km, 3), origin.depth_fixed,
        magnitude.magnitude if magnitude else "", magnitude.magnitude_type if magnitude else "",
    )  # fmt: skip


def _publication_rows(publications: Iterable[tuple[int, Event]]) -> Iterator[tuple[object, ...]]:
    """List publications; a final revision counts as new or update if it says anything new."""
    told: dict[str, Event] = {}
    for now_ns, event in publications:
        before, status = told.get(event.event_id), event.status
        told[event.event_id] = event
        if status is EventStatus.FINAL:
            if before is not None and before.origin == event.origin and before.pick_ids == event.pick_ids:
                continue
            status = EventStatus.NEW if before is None else EventStatus.UPDATE
        origin = event.origin
        yield (
            event.event_id, f"{now_ns / NS_PER_S:.3f}", status.value, f"{origin.time_ns / NS_PER_S:.6f}",
            round(origin.latitude_deg, 6), round(origin.longitude_deg, 6), round(origin.depth_km, 3),
            len(event.arrivals), event.merged_into or "",
        )  # fmt: skip
