"""The samples around each pick, kept for those who look at them later and for training.

One small NumPy archive a pick, ``YEAR/DOY/NET.STA/PICK_ID.npz``, without pickle: ``samples_CT`` (float32,
NaN where missing), ``start_ns``, ``sampling_rate_hz``, ``component_order``, ``instrument``, ``pick_id``.

A clip takes its name only when it is whole, so that a killed process leaves at most a hidden ``.partial``
file, which is removed when the store is next opened. Clips are not flushed one by one, which would hold up
the picks: a power cut may spoil those of the last seconds. They carry checksums, and `read_clip` tells.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import numpy as np

from rtpick.archive.atomic import storage_errors, write_atomic
from rtpick.vocabulary.codes import InstrumentId, StationId
from rtpick.vocabulary.errors import ArchiveError
from rtpick.vocabulary.time import NS_PER_S
from rtpick.vocabulary.waveform import Clip

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ClipStore:
    """A folder of clips of bounded size: the clips written longest ago make room for new ones.

    Parameters
    ----------
    directory : Path
        Made where it is missing.
    maximum_bytes : int
        What all clips together may take; 0 for no bound.

    Raises
    ------
    ArchiveError
        If the folder cannot be made or read.
    """

    def __init__(self, directory: Path, maximum_bytes: int) -> None:
        self.directory = directory
        self.maximum_bytes = maximum_bytes
        with storage_errors(directory):
            directory.mkdir(parents=True, exist_ok=True)
            _remove_partial(directory)
            self._sizes_bytes = _sizes_by_age(directory)
        self.total_bytes = sum(self._sizes_bytes.values())
        self._make_room(0)

    def __len__(self) -> int:
        return len(self._sizes_bytes)

    def write(self, clip: Clip) -> Path:
        """Write a clip; one of the same pick is replaced.

        Raises
        ------
        StorageFullError
            If the device is full.
        ArchiveError
            If the folder cannot be written.
        """
        content = encode_clip(clip)
        path = self.directory / clip_path(clip.pick_id, clip.instrument.station_id, clip.start_ns)
        self._forget(path)
        self._make_room(len(content))
        write_atomic(path, content, flush=False)
        self._sizes_bytes[path] = len(content)
        self.total_bytes += len(content)
        return path

    def _make_room(self, needed_bytes: int) -> None:
        while self._sizes_bytes and 0 < self.maximum_bytes < self.total_bytes + needed_bytes:
            oldest = next(iter(self._sizes_bytes))
            with storage_errors(oldest):
                oldest.unlink(missing_ok=True)
                _remove_if_empty(oldest.parent)
            self._forget(oldest)

    def _forget(self, path: Path) -> None:
        self.total_bytes -= self._sizes_bytes.pop(path, 0)


def clip_path(pick_id: str, station: StationId, start_ns: int) -> Path:
    """Name the clip's file inside the folder; characters that no file name can hold are escaped.

    Examples
    --------
    >>> clip_path("a/b", StationId("BW", "UH1"), 1_274_977_443_000_000_000)
    PosixPath('2010/147/BW.UH1/a%2Fb.npz')
    """
    day = _EPOCH + timedelta(seconds=start_ns // NS_PER_S)
    return Path(f"{day:%Y/%j}", quote(str(station), safe=""), quote(pick_id, safe="") + ".npz")


def encode_clip(clip: Clip) -> bytes:
    """Write a clip as the bytes of an ``.npz`` file."""
    buffer = io.BytesIO()
    np.savez(
        buffer,
        samples_CT=np.asarray(clip.samples_CT, dtype=np.float32),
        start_ns=np.int64(clip.start_ns),
        sampling_rate_hz=np.float64(clip.sampling_rate_hz),
        component_order=np.str_(clip.component_order),
        instrument=np.str_(clip.instrument),
        pick_id=np.str_(clip.pick_id),
    )
    return buffer.getvalue()


def read_clip(path: Path) -> Clip:
    """Read a clip back.

    Raises
    ------
    ArchiveError
        If the file is missing, damaged or not a clip.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            return Clip(
                pick_id=str(stored["pick_id"]),
                instrument=InstrumentId(*str(stored["instrument"]).split(".")),
                start_ns=int(stored["start_ns"]),
                sampling_rate_hz=float(stored["sampling_rate_hz"]),
                component_order=str(stored["component_order"]),
                samples_CT=stored["samples_CT"],
            )
    except (OSError, ValueError, KeyError, TypeError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise ArchiveError(f"{path}: not a clip that can be read ({error}); delete the file") from error


def iterate_clips(directory: Path) -> Iterator[Path]:
    """Name every clip below a folder, by path: oldest day first."""
    yield from sorted(directory.glob("[0-9]*/[0-9]*/*/*.npz"))


def _sizes_by_age(directory: Path) -> dict[Path, int]:
    found = [(path.stat(), path) for path in iterate_clips(directory)]
    found.sort(key=lambda item: (item[0].st_mtime_ns, item[1]))
    return {path: status.st_size for status, path in found}


def _remove_if_empty(directory: Path) -> None:
    with suppress(FileNotFoundError):
        if next(directory.iterdir(), None) is None:
            directory.rmdir()


def _remove_partial(directory: Path) -> None:
    for partial in directory.glob("[0-9]*/[0-9]*/*/.*.partial"):
        partial.unlink()
