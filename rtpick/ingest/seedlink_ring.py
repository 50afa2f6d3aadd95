"""What a server says it holds, and whether a stored position still means anything there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from rtpick.ingest.seedlink_positions import SEQUENCE3_MODULUS, Position
from rtpick.vocabulary.codes import ChannelId, StationId
from rtpick.vocabulary.errors import SourceError


class RingVerdict(Enum):
    """How a position stands to what a ring holds."""

    HELD = "held"
    OUTLIVED = "outlived"
    OVERTAKEN = "overtaken"
    RESET = "reset"


@dataclass(frozen=True, slots=True)
class RingSpan:
    """Numbers that a ring holds; `newest` may be one too large, servers differ.

    `modulus` is 2**24 where only the low bits are known.
    """

    oldest: int
    newest: int
    modulus: int | None = None

    @property
    def is_wrapped(self) -> bool:
        """Whether the low bits have begun anew within the ring, so that nothing can be compared."""
        return self.oldest > self.newest

    def judge(self, position: Position) -> RingVerdict:
        """Tell whether the record of a position is in the ring.

        Returns
        -------
        RingVerdict
            HELD: it is, or nobody can tell. OUTLIVED: it has left, and nothing behind it has.
            OVERTAKEN: records behind it have left too. RESET: the server has never had it.

        Examples
        --------
        >>> RingSpan(100, 200).judge(Position(50, 0)).value, RingSpan(1, 9).judge(Position(50, 0)).value
        ('overtaken', 'reset')
        """
        number = position.sequence % self.modulus if self.modulus else position.sequence
        if self.is_wrapped:
            return RingVerdict.HELD
        if number > self.newest:
            return RingVerdict.RESET
        if number >= self.oldest:
            return RingVerdict.HELD
        return RingVerdict.OUTLIVED if number + 1 == self.oldest else RingVerdict.OVERTAKEN


def span_of_all(spans: Iterable[RingSpan]) -> RingSpan:
    """The numbers held of all stations that share one sequence."""
    held = list(spans)
    if not held:
        return RingSpan(0, 0)
    wrapped = [span for span in held if span.is_wrapped]
    if wrapped:
        return wrapped[0]
    oldest, newest = min(span.oldest for span in held), max(span.newest for span in held)
    return RingSpan(oldest, newest, held[0].modulus)


def read_stations(document: Mapping[str, Any]) -> dict[StationId, RingSpan]:
    """Read the answer to ``INFO STATIONS`` of either version.

    Raises
    ------
    SourceError
        If it is written in another way.
    """
    try:
        return dict(_read_station(entry) for entry in _entries(document))
    except (KeyError, TypeError, ValueError) as error:
        raise SourceError(f"INFO STATIONS cannot be read ({error!r}): check the server") from error


def read_channels(document: Mapping[str, Any]) -> tuple[ChannelId, ...]:
    """Read the answer to ``INFO STREAMS`` of either version; what is no SEED channel is passed over.

    Raises
    ------
    SourceError
        If it is written in another way.
    """
    try:
        return tuple(
            channel
            for entry in _entries(document)
            for stream in entry.get("stream", [])
            if (channel := _read_channel(_station_of(entry), stream)) is not None
        )
    except (KeyError, TypeError, ValueError) as error:
        raise SourceError(f"INFO STREAMS cannot be read ({error!r}): check the server") from error


def _entries(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The stations of the JSON of version 4 or of the XML of version 3."""
    entries = document.get("seedlink", document).get("station", [])
    if not isinstance(entries, list):
        raise TypeError("no list of stations")
    return entries


def _station_of(entry: Mapping[str, Any]) -> StationId:
    """The codes of an entry."""
    if "id" not in entry:
        return StationId(entry["network"], entry["name"])
    network, _, station = str(entry["id"]).partition("_")
    return StationId(network, station)


def _read_station(entry: Mapping[str, Any]) -> tuple[StationId, RingSpan]:
    """Codes and numbers held; hexadecimal and of 24 bits in version 3."""
    if "begin_seq" in entry:
        oldest, newest = int(entry["begin_seq"], 16), int(entry["end_seq"], 16)
        return _station_of(entry), RingSpan(oldest, newest, SEQUENCE3_MODULUS)
    return _station_of(entry), RingSpan(int(entry["start_seq"]), int(entry["end_seq"]))


def _read_channel(station: StationId, stream: Mapping[str, Any]) -> ChannelId | None:
    """A channel; None for streams with other codes than SEED's."""
    if "seedname" in stream:
        location, letters = str(stream.get("location", "")).strip(), str(stream["seedname"])
    else:
        location, _, codes = str(stream["id"]).partition("_")
        letters = codes.replace("_", "")
    return ChannelId(station.network, station.station, location, letters) if len(letters) == 3 else None
