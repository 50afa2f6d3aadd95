"""Where a stream begins: the arguments of DATA, FETCH and TIME, and their place in the ring."""

from __future__ import annotations

import re
from dataclasses import replace

from rtpick.ingest.seedlink_server_ring import Ring
from rtpick.ingest.seedlink_server_selection import Begin, StationRequest
from rtpick.vocabulary.time import NS_PER_S, parse_utc

_HEXADECIMAL = re.compile(r"^(0[xX])?[0-9A-Fa-f]{1,16}$")
_COMMAS = re.compile(r"^(\d{4}),(\d{1,2}),(\d{1,2}),(\d{1,2}),(\d{1,2}),(\d{1,2}(?:\.\d+)?)$")
_MODULUS3 = 1 << 24


def parse_data3(request: StationRequest, arguments: list[str]) -> StationRequest:
    """Read ``DATA [n [time]]`` of version 3; n is hexadecimal and has 24 bits.

    Raises
    ------
    ValueError
        If it is written in another way.
    """
    if len(arguments) > 2:
        raise ValueError("DATA takes a sequence and a time")
    if not arguments:
        return replace(request, begin=Begin.NEXT)
    if arguments[0].upper() == "ALL":
        return _window(request, arguments[1:])
    if not _HEXADECIMAL.match(arguments[0]):
        raise ValueError(f"{arguments[0][:32]!r} is not a hexadecimal sequence")
    sequence = int(arguments[0], 16) % _MODULUS3
    start_ns = parse_time(arguments[1]) if len(arguments) == 2 else None
    return replace(request, begin=Begin.SEQUENCE, sequence=sequence, start_ns=start_ns)


def parse_data4(request: StationRequest, arguments: list[str]) -> StationRequest:
    """Read ``DATA [n|ALL [start [end]]]`` of version 4; n is decimal and has 64 bits.

    Raises
    ------
    ValueError
        If it is written in another way.
    """
    if len(arguments) > 3:
        raise ValueError("DATA takes a sequence, a start and an end")
    if not arguments:
        return replace(request, begin=Begin.NEXT)
    if arguments[0].upper() == "ALL":
        return _window(request, arguments[1:])
    if not (arguments[0].isascii() and arguments[0].isdigit()) or len(arguments[0]) > 20:
        raise ValueError(f"{arguments[0][:32]!r} is not a sequence; give a number or ALL")
    timed = _window(request, arguments[1:])
    return replace(timed, begin=Begin.SEQUENCE, sequence=int(arguments[0]))


def parse_time3(request: StationRequest, arguments: list[str]) -> StationRequest:
    """Read ``TIME start [end]`` of version 3.

    Raises
    ------
    ValueError
        If it is written in another way.
    """
    if not 1 <= len(arguments) <= 2:
        raise ValueError("TIME takes a start and an end")
    return _window(request, arguments)


def _window(request: StationRequest, arguments: list[str]) -> StationRequest:
    start_ns, end_ns = [*map(parse_time, arguments), None, None][:2]
    if start_ns is not None and end_ns is not None and end_ns <= start_ns:
        raise ValueError("the window ends before it starts")
    return replace(request, begin=Begin.OLDEST, start_ns=start_ns, end_ns=end_ns)


def parse_time(text: str) -> int:
    """Read ``2010,05,27,16,24,31`` or ISO 8601, as nanoseconds.

    Raises
    ------
    ValueError
        If it is neither.

    Examples
    --------
    >>> parse_time("1970,1,1,0,0,1"), parse_time("1970-01-01T00:00:01Z")
    (1000000000, 1000000000)
    """
    match = _COMMAS.match(text)
    if match is None:
        return parse_utc(text.upper())
    year, month, day, hour, minute, second = match.groups()
    whole, _, fraction = second.partition(".")
    date = f"{year}-{month:0>2}-{day:0>2}T{hour:0>2}:{minute:0>2}:{whole:0>2}"
    return parse_utc(f"{date}.{fraction[:9]}" if fraction else date)


def first_sequence(ring: Ring, request: StationRequest, version: int) -> int:
    """Find the number of the first record that a stream may send.

    A sequence that the ring does not know, because the record has left it or the ring was begun
    anew, begins at the oldest record held: nothing that can still be had is passed over. With
    the start time of the record before it, a ring that uses the same numbers for other records
    is noticed, and the stream begins at the first record that ends behind that time.
    """
    if request.begin is Begin.NEXT:
        return ring.next_sequence
    if request.begin is Begin.OLDEST:
        return _behind(ring, request)
    sequence = _widen(ring, request.sequence) if version == 3 else request.sequence
    known = ring.oldest_sequence <= sequence <= ring.next_sequence
    before = ring.get(sequence - 1)
    if known and (before is None or _same_second(before.raw.start_ns, request.start_ns)):
        return sequence
    return _behind(ring, request)


def _behind(ring: Ring, request: StationRequest) -> int:
    if request.start_ns is None:
        return ring.oldest_sequence
    return ring.first_sequence_behind(request.start_ns, request.wants)


def _widen(ring: Ring, sequence: int) -> int:
    """The newest whole sequence with those low 24 bits that is not beyond the next one."""
    return ring.next_sequence - (ring.next_sequence - sequence) % _MODULUS3


def _same_second(start_ns: int, claimed_ns: int | None) -> bool:
    """Version 3 tells times in whole seconds, cut or rounded; no claim is believed."""
    return claimed_ns is None or abs(start_ns - claimed_ns) <= NS_PER_S
