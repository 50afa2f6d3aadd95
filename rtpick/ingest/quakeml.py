"""Events with their arrivals out of QuakeML, ours or others'."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from obspy import read_events

from rtpick.ingest.obspy_reading import read_quietly
from rtpick.vocabulary.codes import StationId
from rtpick.vocabulary.errors import PickTableError
from rtpick.vocabulary.event import Arrival, Event, EventStatus, Magnitude, Origin

_GIVEN_UP = {"not existing", "not reported"}


def read_quakeml(path: Path) -> list[Event]:
    """Read events with their preferred origin, the arrivals of it that have picks, and the magnitude.

    Raises
    ------
    PickTableError
        If the file cannot be read.

    Notes
    -----
    An event without an origin, or that its author has given up, is left out. What the file does not say of
    an origin's quality is NaN.
    """
    found = read_quietly(read_events, str(path), path, "QuakeML", PickTableError)
    return [_event(item) for item in found if item.event_type not in _GIVEN_UP and item.origins]


def _event(item: Any) -> Event:
    origin = item.preferred_origin() or item.origins[0]
    magnitude = item.preferred_magnitude() or (item.magnitudes[0] if item.magnitudes else None)
    return Event(
        event_id=str(item.resource_id).rpartition("/")[2],
        revision=0,
        status=EventStatus.FINAL,
        origin=_origin(origin),
        arrivals=tuple(_arrivals(item, origin)),
        magnitude=_magnitude(magnitude) if magnitude else None,
    )


def _origin(origin: Any) -> Origin:
    quality, spread = origin.quality, origin.origin_uncertainty
    deep = origin.depth_errors.uncertainty if origin.depth_errors else None
    return Origin(
        time_ns=int(origin.time.ns),
        latitude_deg=float(origin.latitude),
        longitude_deg=float(origin.longitude),
        depth_km=_number(origin.depth) / 1000.0,
        time_uncertainty_s=_number(origin.time_errors.uncertainty if origin.time_errors else None),
        horizontal_uncertainty_km=_number(spread.horizontal_uncertainty if spread else None) / 1000.0,
        depth_uncertainty_km=_number(deep) / 1000.0,
        depth_fixed=origin.depth_type == "operator assigned" or origin.depth is None,
        rms_s=_number(quality.standard_error if quality else None),
        azimuthal_gap_deg=_number(quality.azimuthal_gap if quality else None),
        nearest_station_deg=_number(quality.minimum_distance if quality else None),
    )


def _arrivals(item: Any, origin: Any) -> Iterator[Arrival]:
    picks = {pick.resource_id: pick for pick in item.picks}
    for arrival in origin.arrivals:
        pick = picks.get(arrival.pick_id)
        phase = (arrival.phase or (pick.phase_hint if pick else "") or "")[:1].upper()
        if pick is None or phase not in {"P", "S"}:
            continue
        code = StationId(pick.waveform_id.network_code or "", pick.waveform_id.station_code or "")
        yield Arrival(
            pick_id=str(pick.resource_id).rpartition("/")[2],
            station=str(code),
            phase=phase,
            time_ns=int(pick.time.ns),
            residual_s=_number(arrival.time_residual),
            distance_deg=_number(arrival.distance),
            azimuth_deg=_number(arrival.azimuth),
            weight=1.0 if arrival.time_weight is None else float(arrival.time_weight),
        )


def _magnitude(magnitude: Any) -> Magnitude:
    spread = magnitude.mag_errors.uncertainty if magnitude.mag_errors else None
    return Magnitude(
        float(magnitude.mag), magnitude.magnitude_type or "M", _number(spread), magnitude.station_count or 0
    )


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)
