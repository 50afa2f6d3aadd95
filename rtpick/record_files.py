"""What a recorder writes: one HDF5 file an hour and fiber, one miniSEED file an hour and channel.

A crash at any moment leaves whole files and at most one spool for each fiber, which the next start makes
into a file.
"""

from __future__ import annotations

import asyncio
import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rtpick.archive.atomic import storage_errors
from rtpick.ingest.das_files_write import write_das_file
from rtpick.ingest.das_spool import ENDING, Spool, read_spool
from rtpick.ingest.das_terms import layouts_agree
from rtpick.ingest.miniseed_write import encode_packet
from rtpick.vocabulary.errors import SettingsError
from rtpick.vocabulary.fiber import DasBlock
from rtpick.vocabulary.time import NS_PER_S, format_utc, to_ns
from rtpick.vocabulary.waveform import Packet

_PENDING_BYTES = 1 << 22


@dataclass(frozen=True, slots=True)
class FileRules:
    """When a file is closed and another begun.

    Parameters
    ----------
    folder : Path
    file_s : float
        Files begin at whole multiples of it.
    file_bytes : int
        Or earlier, when a fiber's is as large.
    """

    folder: Path
    file_s: float = 3600.0
    file_bytes: int = 1 << 30

    def number(self, time_ns: int) -> int:
        """Which file a time belongs to."""
        return time_ns // to_ns(self.file_s)


def time_stamp(time_ns: int) -> str:
    """Write a time so that names of files sort by it.

    Examples
    --------
    >>> time_stamp(1_700_000_000_250_000_000)
    '20231114T221320.250000Z'
    """
    text = format_utc(time_ns)[:26]
    return text.replace("-", "").replace(":", "") + "Z"


@dataclass(slots=True)
class _Open:
    """The file of a fiber that is being written."""

    first: DasBlock
    spool: Spool
    sample_count: int = 0


class FiberFiles:
    """Files of all fibers; one owner, in one loop.

    Parameters
    ----------
    rules : FileRules
    """

    def __init__(self, rules: FileRules) -> None:
        self._rules = rules
        self._open: dict[str, _Open] = {}
        self._closing: set[asyncio.Task[Path | None]] = set()

    async def write(self, block: DasBlock) -> None:
        """Append a block to its fiber's file, or begin another.

        Raises
        ------
        StorageFullError, ArchiveError
            If the device refuses.
        """
        fiber = block.layout.fiber
        current = self._open.get(fiber)
        if current is not None and not self._goes_on(current, block):
            await self._close(fiber)
            current = None
        with storage_errors(self._rules.folder):
            if current is None:
                current = self._open[fiber] = self._begin(block)
            current.spool.append(block)
        current.sample_count += block.samples_KT.shape[1]

    def _begin(self, block: DasBlock) -> _Open:
        self._rules.folder.mkdir(parents=True, exist_ok=True)
        stem = f"{block.layout.fiber}.{time_stamp(block.start_ns)}"
        return _Open(block, Spool(_free(self._rules.folder, f".{stem}", ENDING), block.layout.fiber))

    def _goes_on(self, current: _Open, block: DasBlock) -> bool:
        """Whether a block can stand in the file without moving a sample by more than half a period."""
        first = current.first
        rate_hz = first.layout.sampling_rate_hz
        due_ns = first.start_ns + round(current.sample_count * 1e9 / rate_hz)
        return (
            layouts_agree(first.layout, block.layout)
            and first.samples_KT.dtype == block.samples_KT.dtype
            and abs(block.start_ns - due_ns) <= 0.5e9 / rate_hz
            and self._rules.number(block.start_ns) == self._rules.number(first.start_ns)
            and current.spool.byte_count < self._rules.file_bytes
        )

    async def _close(self, fiber: str) -> None:
        """Make a spool into a recording beside the loop; at most one waits behind another."""
        await self._settle()
        current = self._open.pop(fiber)
        current.spool.close()
        self._closing.add(asyncio.create_task(asyncio.to_thread(make_recording, current.spool.path)))

    async def _settle(self) -> None:
        if self._closing:
            done, self._closing = await asyncio.gather(*self._closing), set()
            del done

    async def close(self) -> None:
        """Close all files."""
        for fiber in tuple(self._open):
            await self._close(fiber)
        await self._settle()


@contextmanager
def claim_folder(folder: Path) -> Iterator[None]:
    """Keep other recorders out of a folder; it is made where it is missing.

    Raises
    ------
    SettingsError
        If another is there: its spools are not ours to finish.
    """
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / ".recorder").open("wb")
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise SettingsError(f"{folder}: another recorder writes there; name another folder") from error
        yield


def make_recording(spool: Path) -> Path | None:
    """Make a spool into an HDF5 file beside it, then remove it; None where nothing whole was in it.

    Raises
    ------
    StorageFullError, ArchiveError
        If the device refuses; the spool stays.
    """
    with storage_errors(spool):
        if next(read_spool(spool), None) is None:
            spool.unlink()
            return None
        target = _free(spool.parent, spool.name.removeprefix(".").removesuffix(ENDING), ".h5")
        write_das_file(target, read_spool(spool))
        spool.unlink()
        return target


def recover_spools(folder: Path) -> list[Path]:
    """Make recordings of what a crash left."""
    made = [make_recording(spool) for spool in sorted(folder.glob(f".*{ENDING}"))]
    return [path for path in made if path is not None]


def _free(folder: Path, stem: str, ending: str) -> Path:
    """A name that is not taken: nothing is ever written over."""
    path, number = folder / f"{stem}{ending}", 1
    while path.exists():
        number += 1
        path = folder / f"{stem}-{number}{ending}"
    return path


@dataclass(slots=True)
class StationFiles:
    """miniSEED files of all channels: records are only ever appended, so a crash costs the last at most.

    Parameters
    ----------
    rules : FileRules
    """

    rules: FileRules
    _pending: dict[Path, bytearray] = field(default_factory=dict)
    _pending_bytes: int = 0

    def write(self, packet: Packet) -> int:
        """Put a packet's records by; how many bytes they are."""
        records = encode_packet(packet)
        begin_ns = self.rules.number(packet.start_ns) * to_ns(self.rules.file_s)
        hour = time_stamp(begin_ns - begin_ns % NS_PER_S)[:15]
        path = self.rules.folder / str(packet.channel.station_id) / f"{packet.channel}.{hour}Z.mseed"
        self._pending.setdefault(path, bytearray()).extend(records)
        self._pending_bytes += len(records)
        if self._pending_bytes > _PENDING_BYTES:
            self.flush()
        return len(records)

    def flush(self) -> None:
        """Append what was put by to the files.

        Raises
        ------
        StorageFullError, ArchiveError
            If the device refuses.
        """
        for path, records in self._pending.items():
            with storage_errors(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("ab") as file:
                    file.write(records)
        self._pending.clear()
        self._pending_bytes = 0
