"""What lies in files of miniSEED: which channels, from when to when, how many samples.

Only headers are read here; a file is never held whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

from rtpick.ingest.archive_scan import BLOCK_BYTES, RawRecord, iterate_file, read_part, read_record
from rtpick.ingest.miniseed_header import find_record
from rtpick.vocabulary.codes import ChannelId
from rtpick.vocabulary.errors import RecordError


@dataclass(frozen=True, slots=True)
class ArchiveFile:
    """A file's content; `ordered` where its records lie in the order of their ends."""

    path: Path
    channels: frozenset[ChannelId]
    start_ns: int
    end_ns: int
    record_count: int
    sample_count: int
    longest_record_ns: int
    ordered: bool


@dataclass(frozen=True, slots=True)
class ArchiveIndex:
    """The files of a recording, by their start, and the patterns that select from them."""

    files: tuple[ArchiveFile, ...]
    patterns: tuple[str, ...] = ("*.*.*.*",)

    @property
    def channels(self) -> tuple[ChannelId, ...]:
        """Every selected channel, sorted."""
        return tuple(sorted(set().union(*(file.channels for file in self.files))))

    @property
    def start_ns(self) -> int:
        """Time of the first sample."""
        return min(file.start_ns for file in self.files)

    @property
    def end_ns(self) -> int:
        """Time just after the last sample."""
        return max(file.end_ns for file in self.files)

    @property
    def record_count(self) -> int:
        """Selected records in all files."""
        return sum(file.record_count for file in self.files)

    @property
    def sample_count(self) -> int:
        """Selected samples in all files."""
        return sum(file.sample_count for file in self.files)

    @property
    def longest_record_ns(self) -> int:
        """Span of the longest record: no record starts further before its end."""
        return max(file.longest_record_ns for file in self.files)


def index_archive(paths: Iterable[Path | str], patterns: Sequence[str] = ("*.*.*.*",)) -> ArchiveIndex:
    """Read the headers of every record in files, folders or SDS archives.

    Parameters
    ----------
    paths : iterable of Path or str
        Files are read whatever their name; folders are searched, and what holds no miniSEED in
        them (station metadata, catalogues) is passed over.
    patterns : sequence of str
        ``NET.STA.LOC.CHA`` with ``*`` and ``?``; a channel that fits any of them is selected.

    Raises
    ------
    RecordError
        If a path does not exist, a named file holds no miniSEED, or nothing is selected.
    """
    chosen = tuple(patterns)
    files = [_index_file(path, chosen, named) for path, named in _find_files(paths)]
    found = sorted((file for file in files if file), key=lambda file: (file.start_ns, file.path))
    if not found:
        places = ", ".join(str(path) for path in paths)
        raise RecordError(f"{places}: no miniSEED of {', '.join(chosen)}; give other files or patterns")
    return ArchiveIndex(tuple(found), chosen)


@lru_cache(maxsize=65_536)
def is_selected(channel: ChannelId, patterns: tuple[str, ...]) -> bool:
    """Tell whether a channel fits one of the ``NET.STA.LOC.CHA`` patterns.

    Examples
    --------
    >>> is_selected(ChannelId("BW", "UH1", "", "SHZ"), ("BW.*..SH?",))
    True
    """
    return any(_fits(channel, pattern) for pattern in patterns)


def _fits(channel: ChannelId, pattern: str) -> bool:
    parts = pattern.split(".")
    if len(parts) != 4:
        raise ValueError(f"{pattern!r} is not a pattern such as BW.UH?..SH*: give four codes")
    codes = (channel.network, channel.station, channel.location, channel.channel)
    return all(fnmatchcase(code, part) for code, part in zip(codes, parts, strict=True))


def _find_files(paths: Iterable[Path | str]) -> Iterator[tuple[Path, bool]]:
    for path in map(Path, paths):
        if path.is_dir():
            for file in sorted(path.rglob("*")):
                if file.is_file() and not file.name.startswith("."):
                    yield file, False
        elif path.is_file():
            yield path, True
        else:
            raise RecordError(f"{path}: no such file or folder")


def _index_file(path: Path, patterns: tuple[str, ...], named: bool) -> ArchiveFile | None:
    if find_record(read_part(path, 0, BLOCK_BYTES), 0) is None:
        if named:
            raise RecordError(f"{path}: holds no miniSEED record")
        return None
    channels: set[ChannelId] = set()
    spans: list[tuple[int, int, int]] = []
    for _, item in iterate_file(path, read_record):
        if isinstance(item, RawRecord) and is_selected(item.channel, patterns):
            channels.add(item.channel)
            spans.append((item.start_ns, item.end_ns, item.sample_count))
    return _summarise(path, frozenset(channels), spans) if spans else None


def _summarise(path: Path, channels: frozenset[ChannelId], spans: list[tuple[int, int, int]]) -> ArchiveFile:
    ends = [end for _, end, _ in spans]
    return ArchiveFile(
        path=path,
        channels=channels,
        start_ns=min(start for start, _, _ in spans),
        end_ns=max(ends),
        record_count=len(spans),
        sample_count=sum(count for _, _, count in spans),
        longest_record_ns=max(end - start for start, end, _ in spans),
        ordered=all(a <= b for a, b in pairwise(ends)),
    )
