"""A recording as a stream of records to serve: when each is due, moved in time, cut smaller."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush

import numpy as np
from pymseed import MiniSEEDError, MS3Record

from rtpick.ingest.archive_replay import ArchiveIndex, iterate_raw_records
from rtpick.ingest.archive_scan import RawRecord, read_record
from rtpick.ingest.miniseed import UnusableRecordError
from rtpick.vocabulary.time import NS_PER_S
from rtpick.vocabulary.waveform import RejectCause, Rejection

_BTIME_OFFSET = 20  # year, day, hour, minute, second in the fixed header of miniSEED 2
_RECORD_BYTES = 512


@dataclass(frozen=True, slots=True)
class ReplaySettings:
    """How a recording is served.

    Parameters
    ----------
    speed : float
        Data seconds a second; 0: as fast as the clients read, and nothing is lost to a slow one.
    shift_to_now : bool
        Move all times so that the first sample is taken when the replay starts.
    end : bool
        A client that has the whole recording gets END; otherwise it stays connected.
    packet_samples : int or None
        Encode the samples again in records of at most so many.
    wait_for_client : bool
        Start to play when the first client streams.
    ring_bytes : int
        Bound of what is held for clients that resume.
    """

    speed: float = 1.0
    shift_to_now: bool = False
    end: bool = False
    packet_samples: int | None = None
    wait_for_client: bool = False
    ring_bytes: int = 1 << 28

    def __post_init__(self) -> None:
        if not 0 <= self.speed < float("inf"):
            raise ValueError(f"a speed of {self.speed}: give 1 for real time, 0 for no waiting")
        if self.packet_samples is not None and self.packet_samples < 1:
            raise ValueError(f"packets of {self.packet_samples} samples: give at least 1")
        if self.ring_bytes < 1:
            raise ValueError(f"a ring of {self.ring_bytes} bytes: give at least a few records' length")


def whole_second_shift_ns(start_ns: int, now_ns: int) -> int:
    """How far to move a recording that starts at `start_ns` so that it starts now.

    Whole seconds: the samples keep their place against the second.

    Examples
    --------
    >>> whole_second_shift_ns(1_250_000_000, 10_000_000_000)
    8000000000
    """
    return (now_ns - start_ns) // NS_PER_S * NS_PER_S


def due_s(record: RawRecord, first_ns: int, speed: float) -> float:
    """Seconds after the start of the replay at which a record's last sample has been taken.

    Parameters
    ----------
    record : RawRecord
        With its times as served.
    first_ns : int
        Time of the recording's first sample.
    speed : float
        Data seconds a second; 0 is without waiting.
    """
    return (record.end_ns - first_ns) / NS_PER_S / speed if speed else 0.0


def replay_records(index: ArchiveIndex, shift_ns: int, packet_samples: int | None) -> Iterator[RawRecord]:
    """Yield a recording's records by their ends, moved by `shift_ns`, cut to `packet_samples`.

    Notes
    -----
    Damaged stretches and records that cannot be decoded for cutting are left out.
    """
    items = iterate_raw_records(index)
    raws: Iterator[RawRecord] = (item for item in items if not isinstance(item, Rejection))
    if packet_samples is not None:
        raws = _in_order_of_ends(_cut_each(raws, packet_samples), index.longest_record_ns)
    for raw in raws:
        yield shift_record(raw, shift_ns) if shift_ns else raw


def shift_record(raw: RawRecord, shift_ns: int) -> RawRecord:
    """Move a record by whole seconds; miniSEED 2 keeps all its other bytes."""
    if raw.format_version == 2:
        payload = _shift_header2(raw.payload, shift_ns // NS_PER_S)
    else:
        payload = _encode_again(raw, shift_ns)
    return RawRecord(
        raw.channel,
        raw.start_ns + shift_ns,
        raw.end_ns + shift_ns,
        raw.sample_count,
        raw.format_version,
        payload,
    )


def _shift_header2(payload: bytes, shift_s: int) -> bytes:
    (big_endian_year,) = struct.unpack_from(">H", payload, _BTIME_OFFSET)
    fields = struct.Struct((">" if 1900 <= big_endian_year <= 2200 else "<") + "HHBBB")
    year, day, hour, minute, second = fields.unpack_from(payload, _BTIME_OFFSET)
    old = datetime(year, 1, 1, tzinfo=UTC) + timedelta(
        days=day - 1, hours=hour, minutes=minute, seconds=second
    )
    new = old + timedelta(seconds=shift_s)
    header = bytearray(payload)
    day = new.timetuple().tm_yday
    fields.pack_into(header, _BTIME_OFFSET, new.year, day, new.hour, new.minute, new.second)
    return bytes(header)


def _encode_again(raw: RawRecord, shift_ns: int) -> bytes:
    record = MS3Record.parse(raw.payload, unpack_data=True)
    record.starttime += shift_ns
    record.reclen = max(len(raw.payload) * 2, _RECORD_BYTES)
    return next(iter(record.generate()))


def _cut_each(raws: Iterable[RawRecord], packet_samples: int) -> Iterator[tuple[int, RawRecord]]:
    """Yield (end of the whole record, piece)."""
    for raw in raws:
        try:
            pieces = list(cut_samples(raw, packet_samples))
        except UnusableRecordError:
            continue
        for piece in pieces:
            yield raw.end_ns, piece


def cut_samples(raw: RawRecord, packet_samples: int) -> Iterator[RawRecord]:
    """Encode a record's samples again as records of at most `packet_samples` samples.

    Raises
    ------
    UnusableRecordError
        If the record cannot be decoded.
    """
    record = _decode(raw)
    samples: np.ndarray = record.np_datasamples.copy()
    rate_hz, start_ns, kind = record.samprate, record.starttime, record.sampletype
    record.reclen = _RECORD_BYTES
    for first in range(0, len(samples), packet_samples):
        record.starttime = start_ns + round(first * NS_PER_S / rate_hz)
        chunk = np.ascontiguousarray(samples[first : first + packet_samples])
        for payload in list(record.generate(data_samples=chunk, sample_type=kind)):
            yield read_record(payload)


def _decode(raw: RawRecord) -> MS3Record:
    try:
        return MS3Record.parse(raw.payload, unpack_data=True)
    except (MiniSEEDError, ValueError) as error:
        raise UnusableRecordError(RejectCause.CORRUPT, str(error), raw.channel) from error


def _in_order_of_ends(pieces: Iterable[tuple[int, RawRecord]], longest_ns: int) -> Iterator[RawRecord]:
    """Sort pieces whose whole records come by their ends; holds back one longest record of time."""
    heap: list[tuple[int, int, RawRecord]] = []
    for number, (whole_end_ns, piece) in enumerate(pieces):
        heappush(heap, (piece.end_ns, number, piece))
        while heap and heap[0][0] <= whole_end_ns - longest_ns:
            yield heappop(heap)[2]
    while heap:
        yield heappop(heap)[2]
