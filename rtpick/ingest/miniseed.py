"""miniSEED records (versions 2 and 3) become packets; what is none is set aside by cause."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from pymseed import MiniSEEDError, MS3Record

from rtpick.ingest.miniseed_header import (
    HEADER_BYTES,
    find_record,
    looks_like_record,
    read_layout,
    record_length,
)
from rtpick.vocabulary.codes import ChannelId
from rtpick.vocabulary.errors import RecordError
from rtpick.vocabulary.waveform import Packet, RejectCause, Rejection

_STEIM_ENCODINGS = (10, 11)
_EARLIEST_NS = -2_145_916_799_999_999_998  # libmseed's marks for "unset" and "error" lie just below


@dataclass(eq=False)
class UnusableRecordError(RecordError):
    """A record that gives no samples; `cause` is the label it is counted under."""

    cause: RejectCause
    detail: str
    channel: ChannelId | None = None
    sample_count: int = 0

    def __str__(self) -> str:
        name = f" of {self.channel}" if self.channel else ""
        return f"record{name} set aside ({self.cause}): {self.detail}"

    @property
    def rejection(self) -> Rejection:
        """The same as a value that can be counted."""
        return Rejection(self.channel, self.cause, self.sample_count, self.detail)


def decode_record(record: bytes, *, source: str, sequence: int | None, received_ns: int) -> Packet:
    """Turn the bytes of one miniSEED record into a packet that owns its samples.

    Parameters
    ----------
    record : bytes
        One whole miniSEED 2 or 3 record; trailing bytes are ignored.
    source : str
        Name of the source in the configuration.
    sequence : int or None
        The source's number of the record.
    received_ns : int
        Wall time of the receipt.

    Returns
    -------
    Packet
        int32, float32 or float64 samples.

    Raises
    ------
    UnusableRecordError
        With the cause CORRUPT, DATE, RATE or NOT_SEISMIC.

    Notes
    -----
    libmseed notices only some damage to a miniSEED 2 payload. A Steim record also announces its last
    sample; where the decoded one differs the samples are wrong and the record is CORRUPT. Some writers
    leave the announcement at zero: that is taken as none.
    """
    try:
        parsed = MS3Record.parse(record, unpack_data=True)
        source_id = parsed.sourceid
    except (MiniSEEDError, ValueError) as error:
        raise UnusableRecordError(RejectCause.CORRUPT, f"not decodable: {error}") from error
    channel = _channel_of(parsed, source_id)
    rate_hz = _rate_of(parsed, channel)
    if parsed.starttime < _EARLIEST_NS:
        raise UnusableRecordError(RejectCause.DATE, "no valid start time", channel, parsed.samplecnt)
    samples: np.ndarray = parsed.np_datasamples.copy()
    _require_announced_last_sample(parsed, record, samples, channel)
    return Packet(channel, parsed.starttime, rate_hz, samples, source, sequence, received_ns)


def iterate_records(data: bytes | memoryview) -> Iterator[bytes | Rejection]:
    """Cut a file's bytes into records; garbage becomes one rejection and reading goes on behind it.

    Yields
    ------
    bytes or Rejection
        Records in file order, a CORRUPT rejection for each stretch that is none.

    Examples
    --------
    >>> list(iterate_records(b"garbage"))[0].cause
    <RejectCause.CORRUPT: 'corrupt'>
    """
    whole = bytes(data)
    position = 0
    while position < len(whole):
        behind = _end_of_record(whole, position)
        if behind is not None:
            yield whole[position:behind]
        else:
            found = find_record(whole, position + 1)
            behind = len(whole) if found is None else found
            yield Rejection(None, RejectCause.CORRUPT, 0, f"{behind - position} bytes that are no record")
        position = behind


def read_records(data: bytes | memoryview, *, source: str, received_ns: int) -> Iterator[Packet | Rejection]:
    """Decode all records of a file's bytes; what cannot be used comes as a rejection, in its place."""
    for item in iterate_records(data):
        if isinstance(item, Rejection):
            yield item
            continue
        try:
            yield decode_record(item, source=source, sequence=None, received_ns=received_ns)
        except UnusableRecordError as error:
            yield error.rejection


def _end_of_record(data: bytes, position: int) -> int | None:
    """Where the record at `position` ends; None where none begins or another begins inside it."""
    try:
        length = record_length(data, position)
    except RecordError:
        return None
    if length is None or position + length > len(data):
        return None
    end = position + length
    intact = end == len(data) or looks_like_record(data, end)
    return end if intact or find_record(data, position + HEADER_BYTES, end) is None else None


@lru_cache(maxsize=1 << 16)
def _parse_source_id(source_id: str) -> ChannelId | None:
    """Read a source identifier; None where a code cannot be."""
    channel = ChannelId.from_source_id(source_id)
    codes = channel.network, channel.station, channel.location + channel.channel
    return channel if all(code.isascii() and code.isalnum() for code in codes) else None


def _channel_of(parsed: MS3Record, source_id: str) -> ChannelId:
    """The channel's codes; records of text, and of things that are no SEED channel, are not seismic."""
    try:
        channel = _parse_source_id(source_id)
    except ValueError as error:
        raise UnusableRecordError(RejectCause.NOT_SEISMIC, str(error)) from error
    if channel is None:
        raise UnusableRecordError(RejectCause.CORRUPT, f"{source_id!r} has damaged codes")
    if parsed.sampletype not in ("i", "f", "d") or parsed.numsamples <= 0:
        raise UnusableRecordError(RejectCause.NOT_SEISMIC, "text, or no samples", channel)
    return channel


def _rate_of(parsed: MS3Record, channel: ChannelId) -> float:
    """Samples a second."""
    rate_hz = float(parsed.samprate)
    if not 0 < rate_hz < float("inf"):
        detail = f"a sampling rate of {rate_hz} Hz"
        raise UnusableRecordError(RejectCause.RATE, detail, channel, parsed.numsamples)
    return rate_hz


def _require_announced_last_sample(
    parsed: MS3Record, record: bytes, samples: np.ndarray, channel: ChannelId
) -> None:
    """Hold the last sample of a Steim record against the one in its first frame (version 2 only)."""
    if parsed.formatversion != 2 or parsed.encoding not in _STEIM_ENCODINGS:
        return
    announced = _announced_last_sample(record)
    if announced and announced != samples[-1]:
        detail = f"last sample is {samples[-1]}, the record announces {announced}"
        raise UnusableRecordError(RejectCause.CORRUPT, detail, channel, len(samples))


def _announced_last_sample(record: bytes) -> int | None:
    """The reverse integration constant: third word of the first Steim frame."""
    layout = read_layout(record)
    if layout is None or layout.data_offset + 12 > len(record):
        return None
    (announced,) = struct.unpack_from(layout.data_order + "i", record, layout.data_offset + 8)
    return int(announced)
