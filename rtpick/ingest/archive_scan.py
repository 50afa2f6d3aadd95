"""A file of miniSEED as a stream of records with their headers read, block by block."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol, TypeVar

from pymseed import MiniSEEDError, MS3Record

from rtpick.ingest.miniseed import UnusableRecordError
from rtpick.ingest.miniseed_header import (
    HEADER_BYTES,
    START_BYTES,
    find_record,
    looks_like_record,
    record_length,
)
from rtpick.vocabulary.codes import ChannelId
from rtpick.vocabulary.errors import RecordError
from rtpick.vocabulary.time import NS_PER_S, parse_utc
from rtpick.vocabulary.waveform import RejectCause, Rejection

BLOCK_BYTES = 1 << 16
_EARLIEST_NS = parse_utc("1950-01-01")
_LATEST_NS = parse_utc("2150-01-01")


class Timed(Protocol):
    """What a record becomes: a channel's samples from one time to another."""

    @property
    def channel(self) -> ChannelId:
        """Whose samples."""

    @property
    def start_ns(self) -> int:
        """Time of the first sample."""

    @property
    def end_ns(self) -> int:
        """Time just after the last sample."""


Item = TypeVar("Item", bound=Timed)


@dataclass(frozen=True, slots=True)
class RawRecord:
    """One miniSEED record as it lies in its file: header read, samples not decoded."""

    channel: ChannelId
    start_ns: int
    end_ns: int
    sample_count: int
    format_version: int
    payload: bytes


def iterate_file(path: Path, read: Callable[[bytes], Item]) -> Iterator[tuple[int, Item | Rejection]]:
    """Yield each record of a file, as `read` gives it, with its offset.

    Parameters
    ----------
    path : Path
        The file.
    read : callable
        `read_record`, or a decoder; what it raises as UnusableRecordError becomes a Rejection, as
        does a stretch of bytes that is no record.

    Notes
    -----
    The file is opened for one block at a time, so any number of files can be iterated together.
    """
    buffer, base, at_end = b"", 0, False
    while not at_end:
        wanted = max(BLOCK_BYTES, len(buffer))
        fresh = read_part(path, base + len(buffer), wanted)
        buffer, at_end = buffer + fresh, len(fresh) < wanted
        start = 0
        while (cut := cut_record(buffer, start, at_end)) is not None:
            end, is_record = cut
            yield base + start, _interpret(buffer[start:end], is_record, read)
            start = end
        buffer, base = buffer[start:], base + start


def cut_record(buffer: bytes, start: int, at_end: bool) -> tuple[int, bool] | None:
    """Tell where the record at `start` ends, or the stretch that is none (False).

    None asks for more bytes; `at_end` says that there are none, and None is then the end.

    Examples
    --------
    >>> cut_record(b"garbage", 0, at_end=True)
    (7, False)
    """
    if start >= len(buffer):
        return None
    try:
        length = record_length(buffer, start)
    except RecordError:
        return _end_of_garbage(buffer, start, at_end)
    end = len(buffer) + 1 if length is None else start + length
    if not at_end and end + START_BYTES > len(buffer):
        return None
    if end > len(buffer):
        return _end_of_garbage(buffer, start, at_end)
    if end == len(buffer) or looks_like_record(buffer, end):
        return end, True
    inner = find_record(buffer, start + HEADER_BYTES, end)
    return (end, True) if inner is None else (inner, False)


def _end_of_garbage(buffer: bytes, start: int, at_end: bool) -> tuple[int, bool] | None:
    found = find_record(buffer, start + 1)
    if found is not None:
        return found, False
    end = len(buffer) if at_end else len(buffer) - HEADER_BYTES
    return (end, False) if end > start else None


def _interpret(piece: bytes, is_record: bool, read: Callable[[bytes], Item]) -> Item | Rejection:
    if not is_record:
        return Rejection(None, RejectCause.CORRUPT, 0, f"{len(piece)} bytes that are no record")
    try:
        return read(piece)
    except UnusableRecordError as error:
        return error.rejection


def read_record(payload: bytes) -> RawRecord:
    """Read the header of the one miniSEED record that `payload` is.

    Raises
    ------
    UnusableRecordError
        If it is no record, is cut short, holds no time series or an impossible time.
    """
    try:
        record = MS3Record.parse(payload)
    except (MiniSEEDError, ValueError) as error:
        raise UnusableRecordError(RejectCause.CORRUPT, f"not decodable: {error}") from error
    channel = _channel(record.sourceid)
    start_ns, count, rate_hz = record.starttime, record.samplecnt, record.samprate
    if count <= 0 or rate_hz <= 0:
        raise UnusableRecordError(RejectCause.NOT_SEISMIC, "no time series", channel)
    require_possible_date(start_ns, channel, count)
    end_ns = start_ns + round(count * NS_PER_S / rate_hz)
    return RawRecord(channel, start_ns, end_ns, count, record.formatversion, payload)


def require_possible_date(start_ns: int, channel: ChannelId, sample_count: int) -> None:
    """Refuse a time that no archive holds.

    Raises
    ------
    UnusableRecordError
        With the cause DATE.
    """
    if not _EARLIEST_NS <= start_ns < _LATEST_NS:
        raise UnusableRecordError(RejectCause.DATE, "an impossible date", channel, sample_count)


@lru_cache(maxsize=65_536)
def _channel(source_id: str) -> ChannelId:
    try:
        return ChannelId.from_source_id(source_id)
    except ValueError as error:
        raise UnusableRecordError(RejectCause.NOT_SEISMIC, str(error)) from error


def read_part(path: Path, offset: int, count: int) -> bytes:
    """Read up to `count` bytes of a file; the file is open for that long only.

    Raises
    ------
    RecordError
        If the file cannot be read.
    """
    try:
        with open(path, "rb") as file:
            file.seek(offset)
            return file.read(count)
    except OSError as error:
        raise RecordError(f"{path}: cannot be read: {error.strerror}") from error
