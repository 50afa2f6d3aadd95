"""Files of miniSEED played in the order in which their records would have arrived.

A record arrives when its last sample has been taken, so records of all channels are merged by
their ends. A file is opened when the merge reaches its first sample and read in blocks: memory
does not grow with the length of the recording.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from heapq import heappop, heappush
from itertools import groupby
from pathlib import Path

from rtpick.ingest.archive_index import ArchiveFile, ArchiveIndex, index_archive, is_selected
from rtpick.ingest.archive_scan import (
    BLOCK_BYTES,
    Item,
    RawRecord,
    iterate_file,
    read_part,
    read_record,
    require_possible_date,
)
from rtpick.ingest.miniseed import UnusableRecordError, decode_record
from rtpick.vocabulary.waveform import Packet, Rejection

__all__ = ["ArchiveIndex", "index_archive", "iterate_packets", "iterate_raw_records"]

Read = Callable[[bytes], Item]
_Place = tuple[int, int, int]  # end of the record, offset, length
# End and number of the file (unique, so nothing behind it is compared), next record, those behind it.
_Playing = tuple[int, int, Item | Rejection, Iterator[tuple[int, Item | Rejection]]]


def iterate_packets(
    index: ArchiveIndex, start_ns: int | None = None, end_ns: int | None = None, *, source: str = "archive"
) -> Iterator[Packet | Rejection]:
    """Decode a recording into packets in time order across its channels.

    Parameters
    ----------
    index : ArchiveIndex
        From `index_archive`; its `sample_count` is the total for a progress bar.
    start_ns, end_ns : int, optional
        Records that overlap ``[start_ns, end_ns)`` come, whole; all without.
    source : str
        Written into each packet.

    Yields
    ------
    Packet or Rejection
        A damaged stretch or an undecodable record becomes a Rejection, in its place.

    Notes
    -----
    `received_ns` is 0: nothing was received.
    """
    yield from _iterate(index, start_ns, end_ns, partial(_decode, source))


def _decode(source: str, payload: bytes) -> Packet:
    packet = decode_record(payload, source=source, sequence=None, received_ns=0)
    require_possible_date(packet.start_ns, packet.channel, len(packet.samples))
    return packet


def iterate_raw_records(
    index: ArchiveIndex, start_ns: int | None = None, end_ns: int | None = None
) -> Iterator[RawRecord | Rejection]:
    """Merge the records of all files by their ends, undecoded; see `iterate_packets`."""
    yield from _iterate(index, start_ns, end_ns, read_record)


def _iterate(
    index: ArchiveIndex, start_ns: int | None, end_ns: int | None, read: Read[Item]
) -> Iterator[Item | Rejection]:
    first = index.start_ns if start_ns is None else start_ns
    behind = index.end_ns if end_ns is None else end_ns
    files = [file for file in index.files if file.end_ns > first and file.start_ns < behind]
    for end, item in _merge(files, index.patterns, read):
        if isinstance(item, Rejection) or (end > first and item.start_ns < behind):
            yield item


def _merge(
    files: Sequence[ArchiveFile], patterns: tuple[str, ...], read: Read[Item]
) -> Iterator[tuple[int, Item | Rejection]]:
    """Yield (end of the record, record); a Rejection has the end of the record before it."""
    waiting = deque(enumerate(sorted(files, key=lambda file: (file.start_ns, file.path))))
    heap: list[_Playing[Item]] = []
    while waiting or heap:
        while waiting and (not heap or waiting[0][1].start_ns < heap[0][0]):
            number, file = waiting.popleft()
            _push(heap, number, _play_file(file, patterns, read))
        if heap:
            end, number, item, following = heappop(heap)
            yield end, item
            _push(heap, number, following)


def _push(heap: list[_Playing[Item]], number: int, following: Iterator[tuple[int, Item | Rejection]]) -> None:
    upcoming = next(following, None)
    if upcoming is not None:
        heappush(heap, (upcoming[0], number, upcoming[1], following))


def _play_file(
    file: ArchiveFile, patterns: tuple[str, ...], read: Read[Item]
) -> Iterator[tuple[int, Item | Rejection]]:
    """Yield one file's selected records by their ends."""
    end = file.start_ns
    for item in _in_file_order(file.path, read) if file.ordered else _sorted(file.path, read):
        if isinstance(item, Rejection):
            yield end, item
        elif is_selected(item.channel, patterns):
            end = item.end_ns
            yield end, item


def _in_file_order(path: Path, read: Read[Item]) -> Iterator[Item | Rejection]:
    return (item for _, item in iterate_file(path, read))


def _sorted(path: Path, read: Read[Item]) -> Iterator[Item | Rejection]:
    """Sort by end the places of a file's records, then read these; damage is told first."""
    places: list[_Place] = []
    for offset, item in iterate_file(path, read_record):
        if isinstance(item, Rejection):
            yield item
        else:
            places.append((item.end_ns, offset, len(item.payload)))
    places.sort()
    for run in _runs(places):
        yield from _read_run(path, run, read)


def _runs(places: Iterable[_Place]) -> Iterator[list[_Place]]:
    """Group places that lie behind one another in the file, so that one read fetches many records."""
    expected, start, number = -1, 0, 0

    def run_of(place: _Place) -> int:
        nonlocal expected, start, number
        _, offset, length = place
        if offset != expected or offset + length - start > BLOCK_BYTES:
            number, start = number + 1, offset
        expected = offset + length
        return number

    for _, run in groupby(places, run_of):
        yield list(run)


def _read_run(path: Path, run: list[_Place], read: Read[Item]) -> Iterator[Item | Rejection]:
    start = run[0][1]
    block = read_part(path, start, run[-1][1] + run[-1][2] - start)
    for _, offset, length in run:
        try:
            yield read(block[offset - start : offset - start + length])
        except UnusableRecordError as error:
            yield error.rejection
