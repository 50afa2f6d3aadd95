"""Picks and events as versioned JSON, the form in which they travel to other programs.

`schemas/pick-1.json` and `schemas/event-1.json` describe every field. A field may be added to version 1;
whatever breaks a reader makes version 2. What is not known (NaN inside) is null.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from importlib import resources
from typing import Any

from rtpick.vocabulary.event import Arrival, Event, Magnitude, Origin
from rtpick.vocabulary.pick import Pick
from rtpick.vocabulary.time import format_utc

PICK_SCHEMA = "rtpick/pick/1"
EVENT_SCHEMA = "rtpick/event/1"

Json = dict[str, Any]


def encode_message(item: Pick | Event) -> bytes:
    """Write a pick or an event as one line of UTF-8 JSON; equal items give equal bytes."""
    message = pick_message(item) if isinstance(item, Pick) else event_message(item)
    return json.dumps(message, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()


def pick_message(pick: Pick) -> Json:
    """Lay a pick out as `schemas/pick-1.json` says."""
    return {
        "schema": PICK_SCHEMA,
        "pick_id": pick.pick_id,
        "revision": pick.revision,
        "status": pick.status.value,
        **asdict(pick.channel),
        "phase_hint": pick.phase_hint,
        "time": format_utc(pick.time_ns),
        "probability": _known(pick.probability),
        "uncertainty_s": _known(pick.uncertainty_s),
        "amplitude": _known(pick.amplitude),
        "amplitude_unit": pick.amplitude_unit,
        "snr": _known(pick.snr),
        "coverage": _known(pick.coverage),
        "model_version": pick.model_version,
        "latency": {name: _known(value) for name, value in asdict(pick.latency).items()},
    }


def event_message(event: Event) -> Json:
    """Lay an event's revision out as `schemas/event-1.json` says."""
    return {
        "schema": EVENT_SCHEMA,
        "event_id": event.event_id,
        "revision": event.revision,
        "status": event.status.value,
        "merged_into": event.merged_into,
        "method_id": event.method_id,
        "origin": _origin(event.origin),
        "magnitude": None if event.magnitude is None else _magnitude(event.magnitude),
        "arrivals": [_arrival(arrival) for arrival in event.arrivals],
    }


def read_schema(kind: str) -> Json:
    """Read the JSON schema of ``"pick"`` or ``"event"`` messages."""
    text = resources.files("rtpick.publish").joinpath("schemas", f"{kind}-1.json").read_text("utf-8")
    schema: Json = json.loads(text)
    return schema


def _origin(origin: Origin) -> Json:
    return {
        "time": format_utc(origin.time_ns),
        "latitude_deg": _known(origin.latitude_deg),
        "longitude_deg": _known(origin.longitude_deg),
        "depth_km": _known(origin.depth_km),
        "depth_fixed": origin.depth_fixed,
        "time_uncertainty_s": _known(origin.time_uncertainty_s),
        "horizontal_uncertainty_km": _known(origin.horizontal_uncertainty_km),
        "depth_uncertainty_km": _known(origin.depth_uncertainty_km),
        "rms_s": _known(origin.rms_s),
        "azimuthal_gap_deg": _known(origin.azimuthal_gap_deg),
        "nearest_station_deg": _known(origin.nearest_station_deg),
    }


def _magnitude(magnitude: Magnitude) -> Json:
    return {
        "magnitude": _known(magnitude.magnitude),
        "magnitude_type": magnitude.magnitude_type,
        "uncertainty": _known(magnitude.uncertainty),
        "station_count": magnitude.station_count,
    }


def _arrival(arrival: Arrival) -> Json:
    return {
        "pick_id": arrival.pick_id,
        "station": arrival.station,
        "phase": arrival.phase,
        "time": format_utc(arrival.time_ns),
        "residual_s": _known(arrival.residual_s),
        "distance_deg": _known(arrival.distance_deg),
        "azimuth_deg": _known(arrival.azimuth_deg),
        "weight": _known(arrival.weight),
    }


def _known(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
