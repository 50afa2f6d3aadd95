"""Located events and their revisions, in QuakeML's words."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class EventStatus(StrEnum):
    """What a revision of an event says."""

    NEW = "new"
    UPDATE = "update"
    FINAL = "final"
    MERGE = "merge"
    RETRACT = "retract"


@dataclass(frozen=True, slots=True)
class Arrival:
    """A pick as part of an origin."""

    pick_id: str
    station: str
    phase: str
    time_ns: int
    residual_s: float
    distance_deg: float
    azimuth_deg: float
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Origin:
    """Where and when; uncertainties are one standard deviation, NaN where unresolved.

    `covariance_km2` is row-major over (east, north, down) in km^2, empty where unknown.
    """

    time_ns: int
    latitude_deg: float
    longitude_deg: float
    depth_km: float
    time_uncertainty_s: float
    horizontal_uncertainty_km: float
    depth_uncertainty_km: float
    depth_fixed: bool
    rms_s: float
    azimuthal_gap_deg: float
    nearest_station_deg: float
    covariance_km2: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Magnitude:
    """A magnitude of a stated type, from `station_count` stations."""

    magnitude: float
    magnitude_type: str
    uncertainty: float
    station_count: int


@dataclass(frozen=True, slots=True)
class Event:
    """One revision of an event.

    `merged_into` names the surviving event when `status` is MERGE.
    """

    event_id: str
    revision: int
    status: EventStatus
    origin: Origin
    arrivals: tuple[Arrival, ...]
    magnitude: Magnitude | None = None
    merged_into: str | None = None
    method_id: str = "rtpick"

    @property
    def pick_ids(self) -> frozenset[str]:
        """The picks that belong to the event."""
        return frozenset(arrival.pick_id for arrival in self.arrivals)
