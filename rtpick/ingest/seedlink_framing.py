"""The two grammars of SeedLink packets: 3 without a length on the wire, 4 with one."""

from __future__ import annotations

import re
import struct

from seedlink_client.protocol import HEADSIZE_V3, HEADSIZE_V4, MAX_PAYLOAD_SIZE, MAX_STATIONID, Protocol

from rtpick.ingest.miniseed_header import START_BYTES, looks_like_record, record_length
from rtpick.ingest.seedlink_frames import (
    Cut,
    FrameReader,
    Grammar,
    InfoFrame,
    RecordFrame,
    lost_boundary,
)
from rtpick.vocabulary.errors import RecordError

_SIGNATURE3 = re.compile(rb"SL(?:[0-9A-Fa-f]{6}|INFO [ *])")
_SIGNATURE4 = re.compile(rb"SE[23JX][A-Z].{3}\0.{8}[\0-\x15]", re.DOTALL)
_HEADER4 = struct.Struct("<2sccIQB")
_CHANNEL_CODE = slice(15, 18)  # of the record that carries an answer to INFO
_INFO_FORMATS = (b"J", b"X")


def frame_reader(protocol: Protocol) -> FrameReader:
    """A reader for the negotiated version."""
    return FrameReader(_GRAMMARS[protocol])


def _cut3(buffer: bytearray, at: int) -> Cut | None:
    """Cut ``SL`` + six hexadecimal digits, or ``SLINFO`` + two characters, and the record behind."""
    if len(buffer) - at < HEADSIZE_V3:
        return None
    if _SIGNATURE3.match(buffer, at) is None:
        return lost_boundary(at)
    is_info = buffer[at + 2 : at + 6] == b"INFO"
    start = at + HEADSIZE_V3
    sequence = None if is_info else int(buffer[at + 2 : start], 16)
    try:
        end = _end_of_record(buffer, start)
    except RecordError:
        return Cut(None, start, sequence)
    if end is None:
        return None
    record = bytes(buffer[start:end])
    if sequence is not None:
        return Cut(RecordFrame(sequence, record), end)
    is_last = buffer[start - 1] != ord("*")
    return Cut(InfoFrame(record, False, record[_CHANNEL_CODE] == b"ERR", is_last), end)


def _end_of_record(buffer: bytearray, start: int) -> int | None:
    """Where the record ends by its own header; None while it is not all there.

    Raises
    ------
    RecordError
        If it is no record, or was cut short on its way: the next packet begins inside it.
    """
    length = record_length(buffer, start)
    end = len(buffer) if length is None else min(start + length, len(buffer))
    if _another_begins(buffer, start, end):
        raise RecordError("a record cut short: set it aside")
    return None if length is None or start + length > len(buffer) else end


def _another_begins(buffer: bytearray, start: int, end: int) -> bool:
    """Whether a packet with its record's header stands between `start` and `end`."""
    first = buffer.find(b"SL", start, end)  # nearly always none, and found out cheaply
    if first < 0:
        return False
    for match in _SIGNATURE3.finditer(buffer, first, end):
        record = match.end()
        if record + START_BYTES <= end and looks_like_record(buffer, record):
            return True
    return False


def _cut4(buffer: bytearray, at: int) -> Cut | None:
    """Cut ``SE`` + format + length + sequence + station + payload."""
    if len(buffer) - at < HEADSIZE_V4:
        return None
    signature, kind, subkind, length, sequence, station_bytes = _HEADER4.unpack_from(buffer, at)
    if signature != b"SE" or length > MAX_PAYLOAD_SIZE or station_bytes > MAX_STATIONID:
        return lost_boundary(at)
    start = at + HEADSIZE_V4 + station_bytes
    end = start + length
    if end > len(buffer):
        return None
    payload = bytes(buffer[start:end])
    if kind in _INFO_FORMATS:
        return Cut(InfoFrame(payload, True, subkind == b"E", True), end)
    return Cut(RecordFrame(sequence, payload), end)


_GRAMMARS = {
    Protocol.V3: Grammar(_cut3, _SIGNATURE3, tells_length=False),
    Protocol.V4: Grammar(_cut4, _SIGNATURE4, tells_length=True),
}
