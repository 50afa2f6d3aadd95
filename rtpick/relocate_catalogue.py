"""Improve a catalogue: move its events against each other by double differences.

Arrays: E event, A arrival, 4 unknowns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from rtpick.associate_picks import Result, write_result
from rtpick.association.associate import Counts
from rtpick.association.double_difference import DifferenceRules, Relocation, Sources, relocate
from rtpick.association.sites import Sites, number_sites
from rtpick.association.sphere import arc_km, geocentric_rad, geographic_deg, unit_vectors
from rtpick.association.trace import EARTH_RADIUS_KM
from rtpick.association.traveltime import TravelTimes, build_travel_times
from rtpick.association.velocity import read_velocity_model
from rtpick.ingest.inventory import read_inventory
from rtpick.ingest.quakeml import read_quakeml
from rtpick.pick_table import read_picks
from rtpick.publish.quakeml import write_catalogue
from rtpick.vocabulary.codes import StationId
from rtpick.vocabulary.errors import PickTableError
from rtpick.vocabulary.event import Arrival, Event, EventStatus, Magnitude, Origin
from rtpick.vocabulary.pick import Pick
from rtpick.vocabulary.time import parse_utc, to_ns, to_s

METHOD = "rtpick-double-difference"
_DEEPEST_MARGIN = 1.5
_NAN = float("nan")


@dataclass(frozen=True, slots=True)
class Improved:
    """The catalogue as it is now, and what that took."""

    events: tuple[Event, ...]
    relocation: Relocation
    unknown_stations: tuple[str, ...]


def relocate_catalogue(
    catalogue: Path,
    stations: Sequence[Path],
    out: Path,
    *,
    picks: Path | None = None,
    velocity_model: Path | None = None,
    rules: DifferenceRules | None = None,
) -> Improved:
    """Read a catalogue with its arrivals, move its events, and write it anew.

    Parameters
    ----------
    catalogue : Path
        QuakeML, or a folder with events.csv and assignments.csv as `rtpick associate` writes it.
    stations : sequence of Path
        CSV of coordinates or StationXML.
    out : Path
        A file for QuakeML (``.xml``) or a folder for tables, in the form that `catalogue` has.
    picks : Path or None
        The pick list behind a folder's assignments.
    velocity_model : Path or None
        CSV of depth_km, vp, vs; None for iasp91.
    rules : DifferenceRules or None

    Raises
    ------
    PickTableError, InventoryError, VelocityModelError
        Naming the file and the remedy.
    """
    events = read_catalogue(catalogue, picks)
    inventory = read_inventory(stations)
    sites = number_sites(inventory)
    times = _trace(events, sites, velocity_model)
    improved = improve(events, sites, times, rules or DifferenceRules())
    if catalogue.is_dir():
        write_result(out, Result(improved.events, tuple((0, event) for event in improved.events), Counts()))
    else:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_catalogue(out, improved.events, ())
    return improved


def describe_relocation(improved: Improved) -> str:
    """Say in a line what was moved, and how much better the differences fit."""
    move = improved.relocation
    said = f"{int(move.linked_E.sum())} of {len(improved.events)} events moved by {move.links} differences"
    if move.links:
        said += (
            f", misfit {move.before_s:.4f} -> {move.after_s:.4f} s rms"
            f" ({move.spread_before_s:.4f} -> {move.spread_after_s:.4f} s robust)"
        )
    if improved.unknown_stations:
        said += f"; stations without coordinates, left out: {', '.join(improved.unknown_stations[:10])}"
    return said


def read_catalogue(catalogue: Path, picks: Path | None) -> list[Event]:
    """Read events with arrivals, by origin time.

    Raises
    ------
    PickTableError
        If a file is missing or there is no event with arrivals.
    """
    events = _read_folder(catalogue, picks) if catalogue.is_dir() else read_quakeml(catalogue)
    if not any(event.arrivals for event in events):
        raise PickTableError(f"{catalogue}: no event with arrivals; relocation needs the picks of each event")
    return sorted(events, key=lambda event: (event.origin.time_ns, event.event_id))


def _read_folder(folder: Path, picks: Path | None) -> list[Event]:
    if picks is None:
        raise PickTableError(f"{folder} holds no arrival times; name the pick list with --picks")
    try:
        table = pd.read_csv(folder / "events.csv", dtype={"event_id": str})
        pairs = pd.read_csv(folder / "assignments.csv", dtype=str)
    except (OSError, ValueError) as error:
        raise PickTableError(f"cannot read the catalogue in {folder}: {error}") from error
    known = {pick.pick_id: pick for _, pick in read_picks(picks, None)}
    strange = [name for name in pairs.pick_id if name not in known]
    if strange:
        raise PickTableError(
            f"{picks} lacks pick {strange[0]} of {folder / 'assignments.csv'}; name the right list"
        )
    members = pairs.groupby("event_id").pick_id.apply(list).to_dict()
    arrivals = {
        name: tuple(_arrival(known[pick_id]) for pick_id in ids)
        for name, ids in members.items()
    }  # fmt: skip
    return [_event(row, arrivals.get(str(row.event_id), ())) for row in table.itertuples()]


def _arrival(pick: Pick) -> Arrival:
    return Arrival(pick.pick_id, str(pick.station_id), pick.phase_hint, pick.time_ns, _NAN, _NAN, _NAN)


def _event(row: object, arrivals: tuple[Arrival, ...]) -> Event:
    number = {n: float(getattr(row, n, _NAN)) for n in _ORIGIN_COLUMNS}
    origin = Origin(
        time_ns=parse_utc(str(row.time)), latitude_deg=number["latitude"],  # type: ignore[attr-defined]
        longitude_deg=number["longitude"], depth_km=number["depth_km"],
        time_uncertainty_s=number["time_uncertainty_s"],
        horizontal_uncertainty_km=number["horizontal_uncertainty_km"],
        depth_uncertainty_km=number["depth_uncertainty_km"],
        depth_fixed=bool(getattr(row, "depth_fixed", False)),
        rms_s=number["rms_s"], azimuthal_gap_deg=number["gap_deg"], nearest_station_deg=number["nearest_deg"],
    )  # fmt: skip
    name = str(row.event_id)  # type: ignore[attr-defined]
    return Event(name, 0, EventStatus.FINAL, origin, arrivals, _magnitude(row))


def _magnitude(row: object) -> Magnitude | None:
    value = float(getattr(row, "magnitude", _NAN))
    return Magnitude(value, str(getattr(row, "magnitude_type", "M")), _NAN, 0) if np.isfinite(value) else None


_ORIGIN_COLUMNS = (
    "latitude", "longitude", "depth_km", "time_uncertainty_s", "horizontal_uncertainty_km",
    "depth_uncertainty_km", "rms_s", "gap_deg", "nearest_deg",
)  # fmt: skip


def _trace(events: Sequence[Event], sites: Sites, velocity_model: Path | None) -> TravelTimes:
    """Trace the model as far and as deep as the catalogue needs it."""
    model = read_velocity_model(velocity_model or "iasp91")
    depths = [event.origin.depth_km for event in events if np.isfinite(event.origin.depth_km)]
    deepest_km = min(max(_DEEPEST_MARGIN * max(depths, default=10.0), 20.0), 700.0)
    places = np.array([(event.origin.latitude_deg, event.origin.longitude_deg) for event in events])
    unit_E3 = unit_vectors(geocentric_rad(places[:, 0]), np.radians(places[:, 1]))
    far_km = max(float(arc_km(unit_E3, unit_3).max()) for unit_3 in sites.places.unit_S3)
    return build_travel_times(model, deepest_km, min(1.1 * far_km + 20.0, 3000.0))


def improve(events: Sequence[Event], sites: Sites, times: TravelTimes, rules: DifferenceRules) -> Improved:
    """Move events against each other; those that cannot be linked stay as they are."""
    zero_ns = events[0].origin.time_ns
    rows, unknown = [], set()
    for number, event in enumerate(events):
        for arrival in event.arrivals:
            station = sites.number.get(StationId.parse(arrival.station))
            if station is None:
                unknown.add(arrival.station)
            else:
                rows.append((number, station, "PS".index(arrival.phase), to_s(arrival.time_ns - zero_ns)))
    table = np.array(rows, np.float64).reshape(-1, 4)
    whole = table[:, :3].astype(np.int64)
    place_E4 = np.array([_place(event.origin, zero_ns) for event in events])
    sources = Sources(place_E4, whole[:, 0], whole[:, 1], whole[:, 2], table[:, 3])
    relocation = relocate(sources, sites.places, times, rules)
    moved = tuple(
        _moved(event, relocation.place_E4[number], zero_ns, sites, times)
        if relocation.linked_E[number]
        else event
        for number, event in enumerate(events)
    )
    return Improved(moved, relocation, tuple(sorted(unknown)))


def _place(origin: Origin, zero_ns: int) -> tuple[float, float, float, float]:
    depth_km = origin.depth_km if np.isfinite(origin.depth_km) else 10.0
    latitude = float(geocentric_rad(origin.latitude_deg))
    return (
        latitude,
        float(np.radians(origin.longitude_deg)),
        max(depth_km, 0.0),
        to_s(origin.time_ns - zero_ns),
    )


def _moved(event: Event, place_4: np.ndarray, zero_ns: int, sites: Sites, times: TravelTimes) -> Event:
    """Put an event where it belongs; uncertainties stay those of its absolute place."""
    latitude, longitude, depth_km, late_s = (float(x) for x in place_4)
    here = unit_vectors(np.array(latitude), np.array(longitude))
    time_ns = zero_ns + to_ns(late_s)
    arrivals = tuple(_seen_from(a, here, depth_km, time_ns, sites, times) for a in event.arrivals)
    known = np.array([a.residual_s for a in arrivals if np.isfinite(a.residual_s)])
    origin = replace(
        event.origin,
        time_ns=time_ns,
        latitude_deg=geographic_deg(latitude),
        longitude_deg=float((np.degrees(longitude) + 180.0) % 360.0 - 180.0),
        depth_km=depth_km,
        depth_fixed=False,
        rms_s=float(np.sqrt(np.mean(known**2))) if len(known) else _NAN,
    )
    return replace(event, origin=origin, arrivals=arrivals, method_id=METHOD)


def _seen_from(arrival: Arrival, here: np.ndarray, depth_km: float, time_ns: int, sites: Sites,
               times: TravelTimes) -> Arrival:  # fmt: skip
    station = sites.number.get(StationId.parse(arrival.station))
    if station is None:
        return arrival
    far_km = float(arc_km(here, sites.places.unit_S3[station]))
    travel_s = float(times.look_up(arrival.phase, far_km, depth_km, sites.places.elevation_km_S[station])[0])
    residual_s = to_s(arrival.time_ns - time_ns) - travel_s
    return replace(arrival, residual_s=residual_s, distance_deg=far_km / (EARTH_RADIUS_KM * np.pi / 180.0))
