"""Where stations stand and what their channels record."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from rtpick.vocabulary.codes import ChannelId, StationId


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel's metadata; sensitivity in counts per `input_unit`, None where unknown."""

    channel: ChannelId
    sampling_rate_hz: float | None = None
    azimuth_deg: float | None = None
    dip_deg: float | None = None
    sensitivity: float | None = None
    input_unit: str | None = None


@dataclass(frozen=True, slots=True)
class Station:
    """A site and its channels; elevation in metres above the sea."""

    station: StationId
    latitude_deg: float
    longitude_deg: float
    elevation_m: float = 0.0
    channels: tuple[Channel, ...] = ()


@dataclass(frozen=True, slots=True)
class Inventory:
    """The stations of a network, by code; one listed without a network stands for any network's."""

    stations: dict[StationId, Station] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Station]:
        return iter(self.stations.values())

    def __len__(self) -> int:
        return len(self.stations)

    def __contains__(self, station: StationId) -> bool:
        return self.get(station) is not None

    def get(self, station: StationId) -> Station | None:
        """The station's metadata, or None where the inventory has none."""
        return self.stations.get(station) or self.stations.get(StationId("", station.station))

    def channel(self, channel: ChannelId) -> Channel | None:
        """The channel's metadata, or None."""
        station = self.get(channel.station_id)
        candidates = station.channels if station else ()
        return next((item for item in candidates if item.channel == channel), None)
