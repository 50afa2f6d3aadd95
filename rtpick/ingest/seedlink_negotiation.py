"""The command lines that ask a SeedLink server for streams: data, no socket."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from seedlink_client.protocol import Protocol
from seedlink_client.time_utils import to_comma_timestring, to_iso_timestring

from rtpick.ingest.seedlink_positions import SEQUENCE3_MODULUS, Start, StartAfter, StartAt
from rtpick.ingest.selectors import Subscription
from rtpick.vocabulary.time import NS_PER_S

_UNUSABLE_NUMBERS = (0, 1)  # servers take these for "new records only"


@dataclass(frozen=True, slots=True)
class StationCommands:
    """STATION, and what follows only if it was accepted."""

    name: str
    station: str
    following: tuple[str, ...]


def plan_streams(
    protocol: Protocol, wanted: Iterable[tuple[Subscription, Start]]
) -> tuple[StationCommands, ...]:
    """Write the commands for each subscription and where it begins.

    Examples
    --------
    >>> subscription = Subscription("BW_UH1", ("*_S_H_Z",), ("SHZ",))
    >>> plan_streams(Protocol.V4, [(subscription, StartAt(0))])[0].following
    ('SELECT *_S_H_Z', 'DATA ALL 1970-01-01T00:00:00Z')
    >>> plan_streams(Protocol.V3, [(subscription, StartAt(0))])[0].following
    ('SELECT SHZ', 'TIME 1970,1,1,0,0,0')
    """
    plan = _plan4 if protocol is Protocol.V4 else _plan3
    return tuple(plan(subscription, start) for subscription, start in wanted)


def _plan4(subscription: Subscription, start: Start) -> StationCommands:
    """SeedLink 4: sequences are decimal and have 64 bits."""
    selects = [f"SELECT {selector}" for selector in subscription.selectors4]
    return StationCommands(
        subscription.station, f"STATION {subscription.station}", (*selects, _data4(start))
    )


def _plan3(subscription: Subscription, start: Start) -> StationCommands:
    """SeedLink 3: sequences are hexadecimal and have 24 bits."""
    network, _, station = subscription.station.partition("_")
    selects = [f"SELECT {selector}" for selector in subscription.selectors3]
    return StationCommands(
        subscription.station, f"STATION {station} {network}", (*selects, _data3(start))
    )


def _data4(start: Start) -> str:
    """Number and time go together: the time lets the server notice that numbers began anew."""
    if isinstance(start, StartAfter):
        number = start.position.sequence + 1
        first = "ALL" if number in _UNUSABLE_NUMBERS else str(number)
        return f"DATA {first} {to_iso_timestring(_whole_second(start.position.start_ns))}"
    if isinstance(start, StartAt):
        return f"DATA ALL {to_iso_timestring(_whole_second(start.start_ns))}"
    return "DATA"


def _data3(start: Start) -> str:
    """DATA with number and time, or TIME."""
    if isinstance(start, StartAfter):
        number = (start.position.sequence + 1) % SEQUENCE3_MODULUS
        time = to_comma_timestring(_whole_second(start.position.start_ns))
        return f"TIME {time}" if number in _UNUSABLE_NUMBERS else f"DATA {number:06X} {time}"
    if isinstance(start, StartAt):
        return f"TIME {to_comma_timestring(_whole_second(start.start_ns))}"
    return "DATA"


def _whole_second(time_ns: int) -> datetime:
    """The second that a time lies in; what servers compare."""
    return datetime.fromtimestamp(max(0, time_ns) // NS_PER_S, UTC)
