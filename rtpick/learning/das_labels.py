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
from dataclasses import dataclass, field, replace
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rtpick.archive.atomic import storage_errors, sync_directory, write_atomic
from rtpick.learning.das_sample import (
    SAMPLING_RATE_HZ,
    DasSample,
    FloatKT,
    no_channels,
    no_phases,
    no_times,
)
from rtpick.learning.dataset import DatasetError
from rtpick.learning.resample import resample_rate
from rtpick.vocabulary.time import NS_PER_S, format_utc, parse_utc

LABELS = "labels.txt"
COLUMNS = (
    "event_id",
    "channel_index",
    "phase_index",
    "phase_time",
    "phase_score",
    "phase_type",
    "dt_s",
    "origin_id",
    "origin_index",
    "origin_time",
    "ps_center",
    "ps_interval",
)
NO_ORIGIN = -1
KNOWN_AROUND = 300
EVENT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:+-]{0,199}")


@dataclass(frozen=True, slots=True, eq=False)
class LabelledFiber:
    """A stretch of a fiber's record and its picks.

    Attributes
    ----------
    event_id
        Name of the stretch, and of its files.
    start_ns
        Time of the first sample.
    interval_s, channel_spacing_m
        Between columns, and between rows.
    samples_KT
        (channel, time) float32.
    channel_N
        Row of each pick.
    phase_N
        ``"P"`` or ``"S"``.
    sample_N
        Onset in samples; files hold whole ones.
    score_N
        Of the picker, 0 to 1.
    origin_N
        Which earthquake of the stretch each pick belongs to, -1 for none.
    origin_sample_N
        When that earthquake happened, in samples from the start; NaN where unknown.
    unit
        Of the samples.
    """

    event_id: str
    start_ns: int
    interval_s: float
    channel_spacing_m: float
    samples_KT: FloatKT
    channel_N: NDArray[np.int64] = field(default_factory=no_channels)
    phase_N: NDArray[np.str_] = field(default_factory=no_phases)
    sample_N: NDArray[np.float64] = field(default_factory=no_times)
    score_N: NDArray[np.float64] = field(default_factory=no_times)
    origin_N: NDArray[np.int64] = field(default_factory=no_channels)
    origin_sample_N: NDArray[np.float64] = field(default_factory=no_times)
    unit: str = ""


def read_label_names(folder: Path) -> list[str]:
    """Read which events of a folder are labelled; a line that was being written when its writer died is
    left out.

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


def picks_table(labelled: LabelledFiber) -> pd.DataFrame:
    """Lay picks out in the columns of the layout.

    `ps_center` and `ps_interval` are filled where an earthquake has both phases on a channel.
    """
    whole_N = np.round(labelled.sample_N).astype(np.int64)
    center_N, interval_N = _pairs(labelled, whole_N)
    origin_sample_N = (
        labelled.origin_sample_N if len(labelled.origin_sample_N) else np.full(len(whole_N), np.nan)
    )
    values = (
        labelled.event_id,
        labelled.channel_N,
        whole_N,
        [_time_text(labelled, sample) for sample in whole_N],
        labelled.score_N if len(labelled.score_N) else np.ones(len(whole_N)),
        labelled.phase_N,
        labelled.interval_s,
        labelled.origin_N if len(labelled.origin_N) else np.full(len(whole_N), NO_ORIGIN),
        origin_sample_N,
        [None if np.isnan(sample) else _time_text(labelled, sample) for sample in origin_sample_N],
        center_N,
        interval_N,
    )
    return pd.DataFrame(dict(zip(COLUMNS, values, strict=True)), index=range(len(whole_N)))


def _pairs(
    labelled: LabelledFiber, whole_N: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    center_N, interval_N = np.full(len(whole_N), np.nan), np.full(len(whole_N), np.nan)
    rows_of: dict[tuple[int, int], dict[str, int]] = {}
    for row, (channel, origin) in enumerate(zip(labelled.channel_N, labelled.origin_N, strict=False)):
        if origin >= 0:
            rows_of.setdefault((int(channel), int(origin)), {})[str(labelled.phase_N[row])] = row
    for rows in rows_of.values():
        if len(rows) == 2:
            both = [rows["P"], rows["S"]]
            center_N[both] = whole_N[both].sum() / 2
            interval_N[both] = whole_N[rows["S"]] - whole_N[rows["P"]]
    return center_N, interval_N


def _time_text(labelled: LabelledFiber, sample: float) -> str:
    """Write a sample's time to the millisecond, as the layout does."""
    time_ns = labelled.start_ns + round(float(sample) * labelled.interval_s * NS_PER_S)
    nearest_ns = (time_ns + 500_000) // 1_000_000 * 1_000_000
    return f"{format_utc(nearest_ns)[:23]}+00:00"


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
    """Read a column of numbers, which others may have written as text; `missing` stands for it if it is
    not there.
    """
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
