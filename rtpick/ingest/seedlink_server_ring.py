"""The records that a SeedLink server still holds, numbered, with a bound in bytes.

One sequence counts the records of all stations, as most servers do. The ring is mutable and has
one owner: the server's event loop.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

from rtpick.ingest.archive_scan import RawRecord
from rtpick.vocabulary.codes import ChannelId, StationId


@dataclass(frozen=True, slots=True)
class HeldRecord:
    """A record and its number in the ring."""

    sequence: int
    raw: RawRecord


@dataclass(frozen=True, slots=True)
class ChannelSpan:
    """What the ring holds of a channel; `end_sequence` is one past its newest record."""

    channel: ChannelId
    start_ns: int
    end_ns: int
    start_sequence: int
    end_sequence: int
    format_version: int


class Ring:
    """Records in the order of their arrival; the oldest leave when the bound is reached.

    Parameters
    ----------
    maximum_bytes : int
        Bound of the payloads held; a single longer record is still held, alone.
    first_sequence : int
        Number of the first record.
    """

    def __init__(self, maximum_bytes: int, first_sequence: int = 1) -> None:
        self.maximum_bytes = maximum_bytes
        self.next_sequence = first_sequence
        self._records: deque[HeldRecord] = deque()
        self._channels: dict[ChannelId, deque[HeldRecord]] = {}
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._records)

    @property
    def oldest_sequence(self) -> int:
        """Number of the oldest record held; `next_sequence` while there is none."""
        return self._records[0].sequence if self._records else self.next_sequence

    @property
    def is_full(self) -> bool:
        """Whether the bound is reached."""
        return self._bytes >= self.maximum_bytes

    def append(self, raw: RawRecord, *, keep_all: bool = False) -> HeldRecord:
        """Take a record in; the oldest go where there is no room, unless all are to be kept."""
        held = HeldRecord(self.next_sequence, raw)
        self.next_sequence += 1
        self._records.append(held)
        self._channels.setdefault(raw.channel, deque()).append(held)
        self._bytes += len(raw.payload)
        while not keep_all and self._bytes > self.maximum_bytes and len(self._records) > 1:
            self._let_go()
        return held

    def release(self, sequence: int) -> None:
        """Let go of records before `sequence`, as many as the bound asks for."""
        while self.is_full and self._records and self._records[0].sequence < sequence:
            self._let_go()

    def wipe(self, next_sequence: int = 1) -> None:
        """Lose everything and count anew, as a server does whose ring file was deleted."""
        self._records.clear()
        self._channels.clear()
        self._bytes = 0
        self.next_sequence = next_sequence

    def get(self, sequence: int) -> HeldRecord | None:
        """The record of that number, or None where it is not held."""
        index = sequence - self.oldest_sequence
        return self._records[index] if 0 <= index < len(self._records) else None

    def read(self, sequence: int, count: int) -> list[HeldRecord]:
        """Up to `count` records from `sequence` on; from the oldest where that one has gone."""
        index = max(0, sequence - self.oldest_sequence)
        if index >= len(self._records):
            return []
        if index < len(self._records) // 2:
            return list(islice(self._records, index, index + count))
        back = len(self._records) - index
        newest_first = islice(reversed(self._records), max(0, back - count), back)
        return list(newest_first)[::-1]

    def first_sequence_behind(self, time_ns: int, wanted: Callable[[ChannelId], bool]) -> int:
        """Number of the first wanted record that ends behind `time_ns`; the next one if there is none."""
        starts = [
            next((held.sequence for held in records if held.raw.end_ns > time_ns), self.next_sequence)
            for channel, records in self._channels.items()
            if wanted(channel)
        ]
        return min(starts, default=self.next_sequence)

    def newest_end_ns(self, channel: ChannelId) -> int:
        """End of the channel's newest record."""
        return self._channels[channel][-1].raw.end_ns

    def channels(self) -> tuple[ChannelId, ...]:
        """The channels of which something is held, sorted."""
        return tuple(sorted(self._channels))

    def spans(self) -> Iterator[ChannelSpan]:
        """What is held of each channel, by code."""
        for channel in self.channels():
            records = self._channels[channel]
            oldest, newest = records[0], records[-1]
            yield ChannelSpan(
                channel=channel,
                start_ns=oldest.raw.start_ns,
                end_ns=newest.raw.end_ns,
                start_sequence=oldest.sequence,
                end_sequence=newest.sequence + 1,
                format_version=newest.raw.format_version,
            )

    def stations(self) -> dict[StationId, list[ChannelSpan]]:
        """What is held, by station."""
        stations: dict[StationId, list[ChannelSpan]] = {}
        for span in self.spans():
            stations.setdefault(span.channel.station_id, []).append(span)
        return stations

    def _let_go(self) -> None:
        oldest = self._records.popleft()
        self._bytes -= len(oldest.raw.payload)
        records = self._channels[oldest.raw.channel]
        records.popleft()
        if not records:
            del self._channels[oldest.raw.channel]
