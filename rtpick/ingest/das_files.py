"""Recordings of a fiber in HDF5 files: what they hold, and their samples as blocks.

rtpick's layout is a dataset ``data`` (channel, time) with the attributes ``begin_time``, ``dt_s`` and
``dx_m`` (on the dataset or the file), and where known ``quantity``, ``unit``, ``gauge_length_m``,
``first_channel``, ``channel_step``, ``start_distance_m`` and ``fiber``. Event files of QuakeFlow have it
too. Other formats are read with dascore, where that is installed.

Arrays: K fiber channel, T time.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from rtpick.ingest.das_dascore import index_with_dascore, read_with_dascore
from rtpick.ingest.das_hdf5_filters import require_filters
from rtpick.ingest.das_terms import UnusableMessageError, quantity_of_unit
from rtpick.vocabulary.errors import RecordError
from rtpick.vocabulary.fiber import DasBlock, FiberLayout, Quantity
from rtpick.vocabulary.time import parse_utc

ENDINGS = {".h5", ".hdf5", ".hdf"}
DEFAULT_FIBER = "fiber"
_PIECE_BYTES = 1 << 26
_DAMAGE = (OSError, KeyError, RuntimeError, ValueError, TypeError, AttributeError)


@dataclass(frozen=True, slots=True)
class DasFile:
    """One file of a recording.

    Parameters
    ----------
    path : Path
    layout : FiberLayout
    start_ns : int
    sample_count : int
        In time.
    dtype : str
        Of the samples.
    by_dascore : bool
        Read with dascore, as it is not of rtpick's layout.
    """

    path: Path
    layout: FiberLayout
    start_ns: int
    sample_count: int
    dtype: str
    by_dascore: bool = False

    @property
    def end_ns(self) -> int:
        """Time just after the last sample."""
        return self.start_ns + round(self.sample_count * 1e9 / self.layout.sampling_rate_hz)


def index_das_files(
    paths: Iterable[Path],
    *,
    fiber: str | None = None,
    quantity: Quantity | None = None,
    unit: str | None = None,
) -> tuple[DasFile, ...]:
    """Look at recordings, in the order of time.

    Parameters
    ----------
    paths : iterable of Path
        Files, or folders of ``.h5`` and ``.hdf5`` files.
    fiber, quantity, unit : optional
        Instead of what the files say.

    Raises
    ------
    RecordError
        If there is nothing, or a file cannot be read; the message names it.
    """
    found = [_index(path, fiber) for path in _files(paths)]
    if not found:
        raise RecordError("no files: name HDF5 recordings, or folders of them")
    declared = [_declare(file, quantity, unit) for file in found]
    return tuple(sorted(declared, key=lambda file: (file.layout.fiber, file.start_ns)))


def _declare(file: DasFile, quantity: Quantity | None, unit: str | None) -> DasFile:
    layout = replace(file.layout, quantity=quantity or file.layout.quantity, unit=unit or file.layout.unit)
    return replace(file, layout=layout)


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(item for item in path.rglob("*") if item.suffix.lower() in ENDINGS)
        elif path.is_file():
            yield path
        else:
            raise RecordError(f"{path}: no such file or folder")


def _index(path: Path, fiber: str | None) -> DasFile:
    file = _index_own(path, fiber)
    if file is not None:
        return file
    return index_with_dascore(path, fiber or DEFAULT_FIBER)


def _index_own(path: Path, fiber: str | None) -> DasFile | None:
    """Look at a file of rtpick's layout; None where it is of another."""
    try:
        with h5py.File(path, "r") as opened:
            data = opened.get("data")
            if not isinstance(data, h5py.Dataset) or data.ndim != 2:
                return None
            fields = {**opened.attrs, **data.attrs}
            if not {"begin_time", "dt_s", "dx_m"} <= fields.keys():
                return None
            return _read_fields(path, fields, data, fiber)
    except _DAMAGE as error:
        if isinstance(error, RecordError):
            raise
        raise RecordError(f"{path} cannot be read as HDF5 ({error}); is it complete?") from error


def _read_fields(path: Path, fields: dict[str, Any], data: h5py.Dataset, fiber: str | None) -> DasFile:
    period_s, spacing_m = float(fields["dt_s"]), float(fields["dx_m"])
    possible = 0 < period_s < math.inf and math.isfinite(spacing_m) and data.dtype.kind in "if"
    if not possible or 0 in data.shape:
        raise RecordError(f"{path}: dt_s {period_s}, dx_m {spacing_m}, {data.dtype} of shape {data.shape}")
    unit = str(fields.get("unit", ""))
    first = fields.get("first_channel", fields.get("start_channel", 0))
    layout = FiberLayout(
        fiber or str(fields.get("fiber", DEFAULT_FIBER)),
        int(first),
        data.shape[0],
        spacing_m,
        rate_of_period(period_s),
        quantity_of(fields.get("quantity"), unit),
        unit or "unknown",
        float(fields.get("gauge_length_m", math.nan)),
        int(fields.get("channel_step", 1)),
        float(fields.get("start_distance_m", fields.get("first_distance_m", 0.0))),
    )
    start_ns = parse_utc(str(fields["begin_time"]))
    return DasFile(path, layout, start_ns, int(data.shape[1]), data.dtype.str)


def quantity_of(word: object, unit: str) -> Quantity:
    """Read a quantity by its word, else by the unit; counts where neither tells."""
    if isinstance(word, str) and word in {item.value for item in Quantity}:
        return Quantity(word)
    return quantity_of_unit(unit) or Quantity.COUNTS


def rate_of_period(period_s: float) -> float:
    """Samples a second; a period that stands for a round rate gives it.

    Examples
    --------
    >>> rate_of_period(0.004), round(rate_of_period(0.000310771), 3)
    (250.0, 3217.803)
    """
    rate_hz = 1.0 / period_s
    figure_hz = round(rate_hz, 3)
    return figure_hz if abs(rate_hz - figure_hz) <= 1e-9 * rate_hz else rate_hz


def iterate_blocks(
    files: Sequence[DasFile], block_s: float = 1.0, *, source: str = "file"
) -> Iterator[DasBlock]:
    """Read recordings as blocks, in the order of `files`.

    Parameters
    ----------
    files : sequence of DasFile
        From `index_das_files`.
    block_s : float
        Length of the blocks; the last of a file may be shorter.
    source : str
        Written into each block.

    Raises
    ------
    RecordError
        If a file is damaged.
    """
    for file in files:
        length = max(1, round(block_s * file.layout.sampling_rate_hz))
        for start, piece_KT in _pieces(file, length):
            for first in range(0, piece_KT.shape[1], length):
                start_ns = file.start_ns + round((start + first) * 1e9 / file.layout.sampling_rate_hz)
                yield DasBlock(file.layout, start_ns, piece_KT[:, first : first + length], source)


def _pieces(file: DasFile, length: int) -> Iterator[tuple[int, np.ndarray]]:
    """Read whole blocks together: a compressed chunk is unpacked once, not once a block."""
    row_bytes = file.layout.channel_count * np.dtype(file.dtype).itemsize
    count = length * max(1, _PIECE_BYTES // (row_bytes * length))
    for first in range(0, file.sample_count, count):
        yield first, read_samples(file, first, min(first + count, file.sample_count))


def read_samples(file: DasFile, first: int, behind: int) -> np.ndarray:
    """Read samples `first` to `behind` of all channels, shape (channel, time).

    Raises
    ------
    RecordError
        If the file is damaged, or compressed by a filter that is not installed.
    """
    if file.by_dascore:
        return read_with_dascore(file.path, first, behind)
    try:
        with h5py.File(file.path, "r") as opened:
            require_filters(opened["data"])
            samples_KT: np.ndarray = opened["data"][:, first:behind]
            return samples_KT
    except UnusableMessageError as error:
        raise RecordError(f"{file.path}: {error.detail}") from error
    except _DAMAGE as error:
        raise RecordError(f"{file.path} is damaged ({error})") from error
