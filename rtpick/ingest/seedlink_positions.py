"""Where to take a stream up again: the last record of each station, and of the server as a whole.

Some servers count the records of all stations in one sequence, some count each station's apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from rtpick.vocabulary.codes import StationId
from rtpick.vocabulary.errors import SettingsError
from rtpick.vocabulary.time import NS_PER_S, parse_utc
from rtpick.vocabulary.waveform import Packet, Progress

SEQUENCE3_MODULUS = 1 << 24
# A station that has been dead for longer does not hold the others back to where it stopped.
_STALE_NS = 6 * 3600 * NS_PER_S


class SequenceScope(StrEnum):
    """What one sequence counts."""

    SERVER = "server"
    STATION = "station"


@dataclass(frozen=True, slots=True)
class Position:
    """The last record received: its number and its start time."""

    sequence: int
    start_ns: int


@dataclass(frozen=True, slots=True)
class StartAfter:
    """Begin behind a record; the server compares the time to notice that it began to count anew."""

    position: Position


@dataclass(frozen=True, slots=True)
class StartAt:
    """Begin with the oldest record held that ends after a time."""

    start_ns: int


@dataclass(frozen=True, slots=True)
class StartNow:
    """Begin with the next record to arrive."""


Start = StartAfter | StartAt | StartNow
EVERYTHING = StartAt(0)


def parse_start(text: str) -> Start | None:
    """Read the setting `start`: where a station without a position begins; None for ``resume``.

    Raises
    ------
    SettingsError
        If it is neither ``resume``, ``now``, ``all`` nor an ISO 8601 time.

    Examples
    --------
    >>> parse_start("all"), parse_start("1970-01-01T00:00:05Z")
    (StartAt(start_ns=0), StartAt(start_ns=5000000000))
    """
    named = {"resume": None, "now": StartNow(), "all": EVERYTHING}
    if text in named:
        return named[text]
    try:
        return StartAt(parse_utc(text))
    except ValueError as error:
        raise SettingsError(f"start: {text!r} is neither resume, now, all nor an ISO 8601 time") from error


def widen_sequence(low: int, last: int | None) -> int:
    """Complete the 24 bits that SeedLink 3 sends to the number nearest to the last one.

    Examples
    --------
    >>> widen_sequence(0x000001, 0x2FFFFFF) == 0x3000001
    True
    """
    if last is None:
        return low
    half = SEQUENCE3_MODULUS // 2
    nearest = last - half + (low - last + half) % SEQUENCE3_MODULUS
    return nearest if nearest >= 0 else low


class Positions:
    """The positions of one source; durable ones to begin with, then those of the records taken.

    Parameters
    ----------
    resume : mapping of StationId to Progress
        What is known to be done. With the start ``now`` it is left aside.
    start : str
        The setting; it says where a station without a position begins.

    Notes
    -----
    In a sequence of the whole server every station begins at the smallest position of all, so
    records may come again; none is left out. Stations more than six hours behind the newest are
    not waited for.
    """

    def __init__(self, resume: Mapping[StationId, Progress], start: str) -> None:
        first = parse_start(start)
        known = {} if isinstance(first, StartNow) else resume
        self._otherwise = first or StartNow()
        self._stations = {
            station: Position(progress.sequence, progress.packet_start_ns)
            for station, progress in known.items()
            if progress.sequence is not None
        }
        self._server = _earliest(self._stations.values())

    @property
    def is_empty(self) -> bool:
        """Whether nothing has been received or stored yet."""
        return self._server is None

    def last(self, station: StationId | None, scope: SequenceScope) -> Position | None:
        """The last record of a station, or of the server where one sequence counts all."""
        if scope is SequenceScope.SERVER:
            return self._server
        return self._stations.get(station) if station else None

    def start(self, station: StationId | None, scope: SequenceScope) -> Start:
        """Where the stream of a station, or of a pattern of stations, is to begin."""
        position = self.last(station, scope)
        if position is not None:
            return StartAfter(position)
        is_pattern = station is None and not self.is_empty
        return StartAt(self.recent_start_ns()) if is_pattern else self._otherwise

    def advance(self, packet: Packet, scope: SequenceScope) -> bool:
        """Take a record as received; whether the server has begun to count anew is given back."""
        if packet.sequence is None:
            return False
        station = packet.channel.station_id
        before = self.last(station, scope)
        position = Position(packet.sequence, packet.start_ns)
        self._stations[station] = position
        self._server = position
        return before is not None and position.sequence <= before.sequence

    def recent_start_ns(self) -> int:
        """The earliest time among the last records of the stations that are not stale."""
        starts = [position.start_ns for position in _not_stale(self._stations.values())]
        return min(starts, default=0)


def _earliest(positions: Iterable[Position]) -> Position | None:
    """The position with the smallest number among those that are not stale."""
    return min(_not_stale(positions), key=lambda position: position.sequence, default=None)


def _not_stale(positions: Iterable[Position]) -> list[Position]:
    """The positions within six hours of the newest."""
    everyone = list(positions)
    newest_ns = max((position.start_ns for position in everyone), default=0)
    return [position for position in everyone if position.start_ns >= newest_ns - _STALE_NS]
