"""Vocabulary to rows and back, without losing a bit."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import RowMapping

from rtpick.vocabulary.codes import ChannelId, StationId
from rtpick.vocabulary.event import Arrival, Event, EventStatus, Magnitude, Origin
from rtpick.vocabulary.pick import Latency, Pick, PickStatus
from rtpick.vocabulary.waveform import ChannelLock, Gap, GapCause, Progress

Row = dict[str, Any]

_LATENCY = ("network_s", "buffer_s", "batch_s", "compute_s")


def _null(value: float) -> float | None:
    """NaN as NULL: SQLite would do so silently, PostgreSQL would not."""
    value = float(value)
    return None if math.isnan(value) else value


def _nan(value: float | None) -> float:
    return math.nan if value is None else value


def pick_row(pick: Pick) -> Row:
    """The row of table `pick`."""
    return {
        "pick_id": pick.pick_id,
        "revision": int(pick.revision),
        "status": pick.status.value,
        **asdict(pick.channel),
        "phase_hint": pick.phase_hint,
        "time_ns": int(pick.time_ns),
        "probability": _null(pick.probability),
        "uncertainty_s": _null(pick.uncertainty_s),
        "amplitude": _null(pick.amplitude),
        "amplitude_unit": pick.amplitude_unit,
        "snr": _null(pick.snr),
        "coverage": _null(pick.coverage),
        "model_version": pick.model_version,
        **{name: _null(getattr(pick.latency, name)) for name in _LATENCY},
    }


def read_pick(row: RowMapping) -> Pick:
    """The pick of a row."""
    return Pick(
        pick_id=row["pick_id"],
        channel=_channel(row),
        phase_hint=row["phase_hint"],
        time_ns=row["time_ns"],
        probability=_nan(row["probability"]),
        uncertainty_s=_nan(row["uncertainty_s"]),
        amplitude=_nan(row["amplitude"]),
        snr=_nan(row["snr"]),
        coverage=_nan(row["coverage"]),
        model_version=row["model_version"],
        status=PickStatus(row["status"]),
        revision=row["revision"],
        amplitude_unit=row["amplitude_unit"],
        latency=Latency(*(_nan(row[name]) for name in _LATENCY)),
    )


def event_row(event: Event) -> Row:
    """The row of table `event`: the latest revision, for finding it."""
    return {
        "event_id": event.event_id,
        "revision": int(event.revision),
        "status": event.status.value,
        "time_ns": int(event.origin.time_ns),
    }


def event_revision_row(event: Event) -> Row:
    """The row of table `event_revision`."""
    origin = event.origin
    return {
        **event_row(event),
        "merged_into": event.merged_into,
        "method_id": event.method_id,
        "latitude_deg": _null(origin.latitude_deg),
        "longitude_deg": _null(origin.longitude_deg),
        "depth_km": _null(origin.depth_km),
        "time_uncertainty_s": _null(origin.time_uncertainty_s),
        "horizontal_uncertainty_km": _null(origin.horizontal_uncertainty_km),
        "depth_uncertainty_km": _null(origin.depth_uncertainty_km),
        "depth_fixed": bool(origin.depth_fixed),
        "rms_s": _null(origin.rms_s),
        "azimuthal_gap_deg": _null(origin.azimuthal_gap_deg),
        "nearest_station_deg": _null(origin.nearest_station_deg),
        "covariance_km2": json.dumps([_null(value) for value in origin.covariance_km2]),
    }


def arrival_rows(event: Event) -> list[Row]:
    """The rows of table `arrival`, in the event's own order."""
    return [
        {
            "event_id": event.event_id,
            "revision": int(event.revision),
            "position": position,
            "pick_id": arrival.pick_id,
            "station": arrival.station,
            "phase": arrival.phase,
            "time_ns": int(arrival.time_ns),
            "residual_s": _null(arrival.residual_s),
            "distance_deg": _null(arrival.distance_deg),
            "azimuth_deg": _null(arrival.azimuth_deg),
            "weight": _null(arrival.weight),
        }
        for position, arrival in enumerate(event.arrivals)
    ]


def magnitude_rows(event: Event) -> list[Row]:
    """The row of table `magnitude`, or none."""
    if event.magnitude is None:
        return []
    return [
        {
            "event_id": event.event_id,
            "revision": int(event.revision),
            "magnitude": _null(event.magnitude.magnitude),
            "magnitude_type": event.magnitude.magnitude_type,
            "uncertainty": _null(event.magnitude.uncertainty),
            "station_count": int(event.magnitude.station_count),
        }
    ]


def read_event(row: RowMapping, arrivals: Sequence[RowMapping], magnitude: RowMapping | None) -> Event:
    """The event of a row of `event_revision` and of the rows that belong to it."""
    return Event(
        event_id=row["event_id"],
        revision=row["revision"],
        status=EventStatus(row["status"]),
        origin=_read_origin(row),
        arrivals=tuple(_read_arrival(item) for item in arrivals),
        magnitude=None if magnitude is None else _read_magnitude(magnitude),
        merged_into=row["merged_into"],
        method_id=row["method_id"],
    )


def _read_origin(row: RowMapping) -> Origin:
    return Origin(
        time_ns=row["time_ns"],
        latitude_deg=_nan(row["latitude_deg"]),
        longitude_deg=_nan(row["longitude_deg"]),
        depth_km=_nan(row["depth_km"]),
        time_uncertainty_s=_nan(row["time_uncertainty_s"]),
        horizontal_uncertainty_km=_nan(row["horizontal_uncertainty_km"]),
        depth_uncertainty_km=_nan(row["depth_uncertainty_km"]),
        depth_fixed=row["depth_fixed"],
        rms_s=_nan(row["rms_s"]),
        azimuthal_gap_deg=_nan(row["azimuthal_gap_deg"]),
        nearest_station_deg=_nan(row["nearest_station_deg"]),
        covariance_km2=tuple(_nan(value) for value in json.loads(row["covariance_km2"])),
    )


def _read_arrival(row: RowMapping) -> Arrival:
    return Arrival(
        pick_id=row["pick_id"],
        station=row["station"],
        phase=row["phase"],
        time_ns=row["time_ns"],
        residual_s=_nan(row["residual_s"]),
        distance_deg=_nan(row["distance_deg"]),
        azimuth_deg=_nan(row["azimuth_deg"]),
        weight=_nan(row["weight"]),
    )


def _read_magnitude(row: RowMapping) -> Magnitude:
    return Magnitude(
        _nan(row["magnitude"]), row["magnitude_type"], _nan(row["uncertainty"]), row["station_count"]
    )


def gap_row(gap: Gap) -> Row:
    """The row of table `gap`."""
    times = {"start_ns": int(gap.start_ns), "end_ns": int(gap.end_ns)}
    return {**asdict(gap.channel), **times, "cause": gap.cause.value}


def read_gap(row: RowMapping) -> Gap:
    """The gap of a row."""
    return Gap(_channel(row), row["start_ns"], row["end_ns"], GapCause(row["cause"]))


def progress_row(progress: Progress) -> Row:
    """The row of table `progress`."""
    return {
        "source": progress.source,
        **asdict(progress.station),
        "sequence": None if progress.sequence is None else str(progress.sequence),
        "packet_start_ns": int(progress.packet_start_ns),
        "settled_ns": int(progress.settled_ns),
        "locks": json.dumps([_lock_cells(lock) for lock in progress.locks]),
    }


def read_progress(row: RowMapping) -> Progress:
    """The resume point of a row."""
    return Progress(
        source=row["source"],
        station=StationId(row["network"], row["station"]),
        sequence=None if row["sequence"] is None else int(row["sequence"]),
        packet_start_ns=row["packet_start_ns"],
        settled_ns=row["settled_ns"],
        locks=tuple(_read_lock(cells) for cells in json.loads(row["locks"])),
    )


def _lock_cells(lock: ChannelLock) -> list[str | float]:
    return [str(lock.channel), float(lock.sampling_rate_hz), int(lock.phase_ns)]


def _read_lock(cells: list[Any]) -> ChannelLock:
    channel, sampling_rate_hz, phase_ns = cells
    return ChannelLock(ChannelId.parse(channel), sampling_rate_hz, phase_ns)


def _channel(row: RowMapping) -> ChannelId:
    return ChannelId(row["network"], row["station"], row["location"], row["channel"])
