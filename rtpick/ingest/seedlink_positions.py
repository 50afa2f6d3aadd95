"""Where to take a stream up again: the last record of each station, and of the server as a whole.

Some servers count the records of all stations in one sequence, some count each station's apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from rtpick.vocabulary.codes import StationId
from rtpick.vocabulary.errors import SettingsError
from rtpick.vocabulary.time import NS_PER_S, parse_utc
from rtpick.vocabulary.waveform import Packet, Progress

SEQUENCE3_MODULUS = 1 << 24
# A station that has been dead for longer does not hold the others back to where it stopped.
_STALE_NS = 6 * 3600 * NS_PER_S
_NO_END_NS = (1 << 63) - 1


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
    clock : callable, optional
        Wall time in nanoseconds; a record from the future says nothing of how old the others are.

    Notes
    -----
    In a sequence of the whole server every station begins at the smallest position of all, so
    records may come again; none is left out. Where that is not also the earliest in time, stations
    may have been stored on both sides of a count begun anew (a wiped ring), and numbers cannot be
    compared: then all begin at the earliest time, which lies before the smallest number in any case.
    Stations more than six hours behind the newest are not waited for.
    """

    def __init__(
        self,
        resume: Mapping[StationId, Progress],
        start: str,
        clock: Callable[[], int] = lambda: _NO_END_NS,
    ) -> None:
        first = parse_start(start)
        self._clock = clock
        known = {} if isinstance(first, StartNow) else resume
        self._otherwise = first or StartNow()
        self._stations = {
            station: Position(progress.sequence, progress.packet_start_ns)
            for station, progress in known.items()
            if progress.sequence is not None
        }
        self._marks = _marks(self._recent())
        self._numbers_mislead = _numbers_mislead(self._recent())

    @property
    def is_empty(self) -> bool:
        """Whether nothing has been received or stored yet."""
        return not self._marks

    def last(self, station: StationId | None, scope: SequenceScope) -> Position | None:
        """The last record of a station, or of the server where one sequence counts all."""
        return next(iter(self.marks(station, scope)), None)

    def marks(self, station: StationId | None, scope: SequenceScope) -> tuple[Position, ...]:
        """What a ring that is still the same must know: the smallest and the largest number."""
        if scope is SequenceScope.SERVER:
            return self._marks
        known = self._stations.get(station) if station else None
        return (known,) if known else ()

    def start(self, station: StationId | None, scope: SequenceScope) -> Start:
        """Where the stream of a station, or of a pattern of stations, is to begin."""
        if scope is SequenceScope.SERVER and self._numbers_mislead:
            return StartAt(self.recent_start_ns())
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
        comparable = scope is SequenceScope.STATION or not self._numbers_mislead
        before = self.last(station, scope) if comparable else None
        position = Position(packet.sequence, packet.start_ns)
        self._stations[station] = position
        self._marks = (position,)
        self._numbers_mislead = False
        return before is not None and position.sequence <= before.sequence

    def recent_start_ns(self) -> int:
        """The earliest time among the last records of the stations that are not stale."""
        return min((position.start_ns for position in self._recent()), default=0)

    def _recent(self) -> list[Position]:
        """The positions that are not stale: within six hours of the newest that can be believed."""
        now_ns = self._clock()
        times_ns = [position.start_ns for position in self._stations.values()]
        newest_ns = max((time_ns for time_ns in times_ns if time_ns <= now_ns), default=now_ns)
        return [item for item in self._stations.values() if item.start_ns >= newest_ns - _STALE_NS]


def _marks(positions: Iterable[Position]) -> tuple[Position, ...]:
    """The positions with the smallest and the largest number."""
    ordered = sorted(positions, key=lambda position: position.sequence)
    return (ordered[0], ordered[-1]) if ordered else ()


def _numbers_mislead(positions: Iterable[Position]) -> bool:
    """Whether the smallest number is not the earliest record too."""
    ordered = sorted(positions, key=lambda position: position.sequence)
    return any(position.start_ns < ordered[0].start_ns for position in ordered)
