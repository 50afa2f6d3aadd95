"""Files of miniSEED played in the order in which their records would have arrived.

A record arrives when its last sample has been taken, so records of all channels are merged by
their ends. A file is opened when the merge reaches its first sample and read in blocks: memory
does not grow with the length of the recording.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from heapq import heappop, heappush
from itertools import groupby
from pathlib import Path

from rtpick.ingest.archive_index import ArchiveFile, ArchiveIndex, index_archive, is_selected
from rtpick.ingest.archive_scan import BLOCK_BYTES, RawRecord, iterate_file, read_part, read_record
from rtpick.ingest.miniseed import UnusableRecordError, decode_record
from rtpick.vocabulary.waveform import Packet, Rejection

__all__ = ["ArchiveIndex", "index_archive", "iterate_packets", "iterate_raw_records"]

_Keyed = tuple[int, RawRecord | Rejection]


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
    for item in iterate_raw_records(index, start_ns, end_ns):
        if isinstance(item, Rejection):
            yield item
            continue
        try:
            yield decode_record(item.payload, source=source, sequence=None, received_ns=0)
        except UnusableRecordError as error:
            yield error.rejection


def iterate_raw_records(
    index: ArchiveIndex, start_ns: int | None = None, end_ns: int | None = None
) -> Iterator[RawRecord | Rejection]:
    """Merge the records of all files by their ends; see `iterate_packets`."""
    first = index.start_ns if start_ns is None else start_ns
    behind = index.end_ns if end_ns is None else end_ns
    files = [file for file in index.files if file.end_ns > first and file.start_ns < behind]
    for item in _merge(files, index.patterns):
        if isinstance(item, Rejection) or (item.end_ns > first and item.start_ns < behind):
            yield item


def _merge(files: Sequence[ArchiveFile], patterns: tuple[str, ...]) -> Iterator[RawRecord | Rejection]:
    waiting = deque(enumerate(sorted(files, key=lambda file: (file.start_ns, file.path))))
    heap: list[tuple[int, int, RawRecord | Rejection, Iterator[_Keyed]]] = []
    while waiting or heap:
        while waiting and (not heap or waiting[0][1].start_ns < heap[0][0]):
            number, file = waiting.popleft()
            _push(heap, number, _play_file(file, patterns))
        if heap:
            _, number, item, following = heappop(heap)
            yield item
            _push(heap, number, following)


def _push(
    heap: list[tuple[int, int, RawRecord | Rejection, Iterator[_Keyed]]],
    number: int,
    following: Iterator[_Keyed],
) -> None:
    keyed = next(following, None)
    if keyed is not None:
        heappush(heap, (keyed[0], number, keyed[1], following))


def _play_file(file: ArchiveFile, patterns: tuple[str, ...]) -> Iterator[_Keyed]:
    """Yield one file's selected records by their ends, each with its key in the merge."""
    records = _in_file_order(file.path, patterns) if file.ordered else _sorted(file, patterns)
    key_ns = file.start_ns
    for item in records:
        key_ns = item.end_ns if isinstance(item, RawRecord) else key_ns
        yield key_ns, item


def _in_file_order(path: Path, patterns: tuple[str, ...]) -> Iterator[RawRecord | Rejection]:
    for _, item in iterate_file(path):
        if isinstance(item, Rejection) or is_selected(item.channel, patterns):
            yield item


def _sorted(file: ArchiveFile, patterns: tuple[str, ...]) -> Iterator[RawRecord | Rejection]:
    """Sort by end the places of a file's records, then read these; damage is told first."""
    places: list[tuple[int, int, int]] = []
    for offset, item in iterate_file(file.path):
        if isinstance(item, Rejection):
            yield item
        elif is_selected(item.channel, patterns):
            places.append((item.end_ns, offset, len(item.payload)))
    places.sort()
    for run in _runs(places):
        yield from _read_run(file.path, run)


def _runs(places: Iterable[tuple[int, int, int]]) -> Iterator[list[tuple[int, int, int]]]:
    """Group places that lie behind one another in the file, so that one read fetches many records."""
    expected, start, number = -1, 0, 0

    def run_of(place: tuple[int, int, int]) -> int:
        nonlocal expected, start, number
        _, offset, length = place
        if offset != expected or offset + length - start > BLOCK_BYTES:
            number, start = number + 1, offset
        expected = offset + length
        return number

    for _, run in groupby(places, run_of):
        yield list(run)


def _read_run(path: Path, run: list[tuple[int, int, int]]) -> Iterator[RawRecord]:
    start = run[0][1]
    block = read_part(path, start, run[-1][1] + run[-1][2] - start)
    for _, offset, length in run:
        yield read_record(block[offset - start : offset - start + length])
