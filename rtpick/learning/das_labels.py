"""Labelled records of fibers on disk, in the layout that QuakeFlow's data sets of cables have.

``data/{event}.h5`` holds `data` (channel, time) with the attributes begin_time, dt_s and dx_m;
``picks/{event}.parquet`` a row
for each pick; ``labels.txt`` one event a line. An event is named in ``labels.txt`` once both of its
files are whole on disk, so a
reader that goes by it never meets half a label, whenever the writer dies.

Shape suffixes: K fiber channel, T time, N picks.
"""

from __future__ import annotations

import io
import os
import re
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rtpick.archive.atomic import storage_errors, sync_directory, write_atomic
from rtpick.learning.das_label_table import COLUMNS, NO_ORIGIN, LabelledFiber, picks_table
from rtpick.learning.das_sample import (
    SAMPLING_RATE_HZ,
    DasSample,
    FloatKT,
)
from rtpick.learning.dataset import DatasetError
from rtpick.learning.resample import resample_rate
from rtpick.vocabulary.time import format_utc, parse_utc

__all__ = [
    "COLUMNS",
    "LabelledFiber",
    "as_sample",
    "picks_table",
    "read_label_names",
    "read_labelled",
    "write_labelled",
]

LABELS = "labels.txt"
KNOWN_AROUND = 300
EVENT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:+-]{0,199}")


def read_label_names(folder: Path) -> list[str]:
    """Read which events of a folder are labelled; a line without its end is left out.

    Raises
    ------
    DatasetError
        If the folder has no ``labels.txt``.
    """
    path = folder / LABELS
    if not path.exists():
        raise DatasetError(f"{path} is missing: give a folder with data/, picks/ and {LABELS}")
    whole, _, _ = path.read_text("utf-8").rpartition("\n")
    return list(dict.fromkeys(line.strip() for line in whole.splitlines() if line.strip()))


def write_labelled(folder: Path, labelled: LabelledFiber) -> bool:
    """Add a labelled stretch to a folder.

    Returns
    -------
    bool
        False where the event had been added before; nothing is changed then.

    Raises
    ------
    DatasetError
        If the event's name cannot be that of a file.
    ArchiveError
        If the folder cannot be written.

    Notes
    -----
    The name goes to ``labels.txt`` last. What a crash leaves before that is overwritten by the next attempt.
    """
    if not EVENT_NAME.fullmatch(labelled.event_id):
        raise DatasetError(f"{labelled.event_id!r} is no name for a file: use letters, digits, '.', '_', '-'")
    if (folder / LABELS).exists() and labelled.event_id in read_label_names(folder):
        return False
    write_atomic(_data_path(folder, labelled.event_id), _as_hdf5(labelled))
    write_atomic(_picks_path(folder, labelled.event_id), _as_parquet(labelled))
    _append_name(folder / LABELS, labelled.event_id)
    return True


def read_labelled(folder: Path, event_id: str) -> LabelledFiber:
    """Read a stretch and its picks, as this program or QuakeFlow wrote them.

    Raises
    ------
    DatasetError
        If a file is missing or lacks what the layout asks for.
    """
    data_path, picks_path = _data_path(folder, event_id), _picks_path(folder, event_id)
    try:
        with h5py.File(data_path, "r") as h5:
            data = h5["data"]
            samples_KT = data[()].astype(np.float32)
            attributes = {**dict(h5.attrs), **dict(data.attrs)}
        picks = pd.read_parquet(picks_path)
        return _labelled(event_id, samples_KT, attributes, picks)
    except (OSError, KeyError, ValueError) as error:
        raise DatasetError(f"{data_path} and {picks_path}: {error}; see {__name__} for the layout") from error


def as_sample(labelled: LabelledFiber, smallest_score: float = 0.3) -> DasSample:
    """Turn a labelled stretch into one to learn from, at 100 Hz.

    Only picks of an earthquake count, and among them those with at least this score. On a channel with
    both phases all
    is known, or, where the stretch has several earthquakes, what surrounds them; on others nothing is.
    """
    rate_hz = 1.0 / labelled.interval_s
    scale = SAMPLING_RATE_HZ / rate_hz
    samples_KT = resample_rate(np.nan_to_num(labelled.samples_KT), rate_hz, SAMPLING_RATE_HZ)
    kept_N = (labelled.origin_N >= 0) & (labelled.score_N >= smallest_score)
    kept_N &= labelled.sample_N * scale < samples_KT.shape[1]
    sample = DasSample(
        samples_KT=samples_KT,
        channel_N=labelled.channel_N[kept_N],
        phase_N=labelled.phase_N[kept_N],
        sample_N=labelled.sample_N[kept_N] * scale,
        event_N=labelled.origin_N[kept_N],
        channel_spacing_m=labelled.channel_spacing_m,
        kind="recorded",
    )
    return replace(sample, known_KT=_known(sample))


def _known(sample: DasSample) -> NDArray[np.bool_]:
    """Trust channels with both phases of an earthquake: wholly, or around each if there are several."""
    known_KT = np.zeros(sample.samples_KT.shape, np.bool_)
    times: dict[tuple[int, int], dict[str, float]] = {}
    for channel, event, phase, onset in zip(
        sample.channel_N, sample.event_N, sample.phase_N, sample.sample_N, strict=True
    ):
        times.setdefault((int(channel), int(event)), {})[str(phase)] = float(onset)
    pairs = {key: both for key, both in times.items() if len(both) == 2}
    alone = len({event for _, event in pairs}) <= 1
    for (channel, _), both in pairs.items():
        around = (both["S"] - both["P"]) / 2 + KNOWN_AROUND
        first, last = (0, None) if alone else (max(int(both["P"] - around), 0), int(both["S"] + around))
        known_KT[channel, first:last] = True
    return known_KT


def _labelled(
    event_id: str, samples_KT: FloatKT, attributes: dict[str, object], picks: pd.DataFrame
) -> LabelledFiber:
    return LabelledFiber(
        event_id=event_id,
        start_ns=parse_utc(str(attributes["begin_time"])),
        interval_s=float(str(attributes["dt_s"])),
        channel_spacing_m=float(str(attributes["dx_m"])),
        samples_KT=samples_KT,
        channel_N=_numbers(picks, "channel_index").astype(np.int64),
        phase_N=picks["phase_type"].to_numpy().astype("U1"),
        sample_N=_numbers(picks, "phase_index"),
        score_N=_numbers(picks, "phase_score", 1.0),
        origin_N=_numbers(picks, "origin_id", NO_ORIGIN).astype(np.int64),
        origin_sample_N=_numbers(picks, "origin_index", np.nan),
        unit=str(attributes.get("unit", "")),
    )


def _numbers(picks: pd.DataFrame, column: str, missing: float | None = None) -> NDArray[np.float64]:
    """Read a column of numbers, perhaps written as text; `missing` stands in for what is not there."""
    if column not in picks and missing is not None:
        return np.full(len(picks), missing)
    numbers_N = np.asarray(picks[column].astype(np.float64), np.float64)
    return numbers_N if missing is None else np.where(np.isnan(numbers_N), missing, numbers_N)


def _as_hdf5(labelled: LabelledFiber) -> bytes:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as h5:
        data = h5.create_dataset("data", data=np.asarray(labelled.samples_KT, np.float32))
        data.attrs["begin_time"] = format_utc(labelled.start_ns)
        data.attrs["dt_s"], data.attrs["dx_m"] = labelled.interval_s, labelled.channel_spacing_m
        data.attrs["event_id"], data.attrs["unit"] = labelled.event_id, labelled.unit
    return buffer.getvalue()


def _as_parquet(labelled: LabelledFiber) -> bytes:
    buffer = io.BytesIO()
    picks_table(labelled).to_parquet(buffer, index=False)
    return buffer.getvalue()


def _append_name(path: Path, name: str) -> None:
    """Add a line; a last line without its end is what a crash left, and is taken back first."""
    with storage_errors(path), path.open("a+b") as file:
        file.seek(0)
        content = file.read()
        file.truncate(content.rfind(b"\n") + 1)
        file.write(f"{name}\n".encode())
        file.flush()
        os.fsync(file.fileno())
    sync_directory(path.parent)


def _data_path(folder: Path, event_id: str) -> Path:
    return folder / "data" / f"{event_id}.h5"


def _picks_path(folder: Path, event_id: str) -> Path:
    return folder / "picks" / f"{event_id}.parquet"
