"""Stations over ZeroMQ: ``[NET.STA.LOC.CHA][miniSEED record]``, optionally a third frame of JSON."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from random import Random

from rtpick.ingest.miniseed import UnusableRecordError, decode_record
from rtpick.ingest.sanitise import sanitise_packet
from rtpick.ingest.selectors import Selection
from rtpick.ingest.source_status import SourceStatus
from rtpick.ingest.zeromq_link import LinkOptions, open_link
from rtpick.ingest.zeromq_listen import Listener, backoff_of
from rtpick.settings.sources_das import ZeroMqStationSettings
from rtpick.vocabulary.waveform import EndOfStream, Packet, RejectCause, Rejection

StationEmitted = Packet | Rejection | SourceStatus | EndOfStream
StationEmit = Callable[[StationEmitted], Awaitable[None]]

MAXIMUM_MESSAGE_BYTES = 1 << 24


async def run_station_session(
    settings: ZeroMqStationSettings, emit: StationEmit, clock: Callable[[], int], random: Random
) -> None:
    """Receive stations' records until cancelled, through every outage.

    Parameters
    ----------
    settings : ZeroMqStationSettings
    emit : coroutine function
        Takes packets, rejections and changes of state. While it waits nothing is read.
    clock : callable
        Wall time in nanoseconds.
    random : Random
        Spreads the waiting times between attempts.

    Raises
    ------
    AuthenticationError
        If keys are what is wrong; told as FAILED before.
    SettingsError
        If `streams` mean nothing.
    """
    receiver = StationReceiver(settings, emit)
    options = LinkOptions(
        settings.address,
        topics_of(settings.streams) if settings.topics else ("",),
        settings.queue_bytes,
        MAXIMUM_MESSAGE_BYTES,
        settings.heartbeat_s,
        settings.curve_server_key_file,
        settings.curve_key_file,
    )
    opening = partial(open_link, options)
    listener = Listener(settings.name, settings.address, opening, receiver, emit, clock)
    await listener.run(backoff_of(settings.reconnect_min_s, settings.reconnect_max_s, random))


def topics_of(streams: Iterable[str]) -> tuple[str, ...]:
    """The prefixes that patterns of channels begin with, up to their first wildcard.

    Examples
    --------
    >>> topics_of(["BW.UH1..SH?", "GR.*.*.*"])
    ('BW.UH1..SH', 'GR.')
    """
    patterns = [text.strip().upper().replace(".--.", "..") for text in streams]
    return tuple(pattern.partition("*")[0].partition("?")[0] for pattern in patterns)


class StationReceiver:
    """Decode records and judge them."""

    def __init__(self, settings: ZeroMqStationSettings, emit: StationEmit) -> None:
        self._settings = settings
        self._selection = Selection(settings.streams)
        self._emit = emit

    @property
    def silent_limit_s(self) -> float:
        """How long no message may come."""
        return self._settings.silent_alarm_s

    async def take(self, message: list[bytes], received_ns: int) -> bool:
        """Deal with a message; a stream of records has no end."""
        item = decode_station_message(message, self._settings.name, received_ns)
        if isinstance(item, Packet) and not self._selection.wants(item.channel):
            item = Rejection(item.channel, RejectCause.NOT_SELECTED, len(item.samples))
        await self._emit(item)
        return False

    async def pause(self) -> None:
        """Nothing waits here."""


def decode_station_message(message: list[bytes], source: str, received_ns: int) -> Packet | Rejection:
    """Turn one message into a packet that can be believed, or say why not.

    Parameters
    ----------
    message : list of bytes
        Topic and record, and perhaps JSON with `seq`; or the record alone. The record says which channel
        it is of: the topic only serves the subscription.
    source : str
        Name of the source.
    received_ns : int
        Wall time of the receipt.

    Examples
    --------
    >>> decode_station_message([b"BW.UH1..SHZ", b"no record"], "field", 0).cause
    <RejectCause.CORRUPT: 'corrupt'>
    """
    record = message[1] if len(message) > 1 else message[0]
    try:
        packet = decode_record(record, source=source, sequence=_sequence(message), received_ns=received_ns)
    except UnusableRecordError as error:
        return error.rejection
    return sanitise_packet(packet, received_ns)


def _sequence(message: list[bytes]) -> int | None:
    """The publisher's number; it is optional, and what is none is not worth a record."""
    try:
        number = json.loads(message[2]).get("seq") if len(message) > 2 else None
    except (ValueError, AttributeError, RecursionError):
        return None
    return number if isinstance(number, int) and number >= 0 else None
