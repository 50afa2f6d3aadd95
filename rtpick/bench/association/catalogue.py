"""What an associator made of a pick list, in one form for all of them."""

from __future__ import annotations

from dataclasses import dataclass

from rtpick.vocabulary.event import Event
from rtpick.vocabulary.time import NS_PER_S


@dataclass(frozen=True, slots=True)
class FoundEvent:
    """An event as found, with the names of its picks.

    `covariance_km2` is row-major over (east, north, down), empty where the associator states none.
    """

    event_id: str
    epoch_s: float
    latitude_deg: float
    longitude_deg: float
    depth_km: float
    pick_ids: tuple[str, ...]
    covariance_km2: tuple[float, ...] = ()
    depth_fixed: bool = False


@dataclass(frozen=True, slots=True)
class Publication:
    """What was told of an event, and when (s)."""

    event_id: str
    at_s: float
    status: str


@dataclass(frozen=True, slots=True)
class Found:
    """The catalogue of one associator, what it cost, and what it told while picks were arriving.

    `processor_s` is the time of one thread from picks in memory to events.
    """

    associator: str
    setting: str
    events: tuple[FoundEvent, ...]
    pick_count: int
    processor_s: float
    publications: tuple[Publication, ...] = ()

    @property
    def picks_per_s(self) -> float:
        """Picks taken in for each second of one thread."""
        return self.pick_count / max(self.processor_s, 1e-9)


def found_event(event: Event) -> FoundEvent:
    """Reduce one of our events to what is scored."""
    origin = event.origin
    return FoundEvent(
        event_id=event.event_id,
        epoch_s=origin.time_ns / NS_PER_S,
        latitude_deg=origin.latitude_deg,
        longitude_deg=origin.longitude_deg,
        depth_km=origin.depth_km,
        pick_ids=tuple(arrival.pick_id for arrival in event.arrivals),
        covariance_km2=origin.covariance_km2,
        depth_fixed=origin.depth_fixed,
    )
