"""Recordings to learn from, read from labelled windows in SeisBench's HDF5 layout.

Shape suffixes: C component (E, N, Z), T time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rtpick.learning.resample import resample_rate
from rtpick.vocabulary.errors import RtpickError

COMPONENT_ORDER = "ENZ"
SAMPLING_RATE_HZ = 100.0

Kind = Literal["manual", "automatic", "noise", "continuous"]


class DatasetError(RtpickError, ValueError):
    """Training data that cannot be read or used."""


@dataclass(frozen=True)
class Recording:
    """One stretch of ground motion at 100 Hz and what is known of it.

    Attributes
    ----------
    name
        A label for messages and score tables, unique in its data set.
    kind
        ``manual``: arrivals picked by analysts; ``automatic``: by a machine; ``noise``: believed free of
        arrivals; ``continuous``: nothing known.
    samples_CT
        (3, T) float32 in the order E, N, Z, any unit, NaN where a sample or component is missing.
    p_samples, s_samples
        Arrivals in samples from the start, fractions allowed.
    """

    name: str
    kind: Kind
    samples_CT: NDArray[np.float32]
    p_samples: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    s_samples: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))


def read_windows(folder: Path, split: str) -> list[Recording]:
    """Read the windows of one split.

    Parameters
    ----------
    folder
        Holds ``metadata.csv`` and ``waveforms.hdf5`` in SeisBench's layout, components in the order Z, N, E.
    split
        ``train``, ``dev`` or ``test``.

    Raises
    ------
    DatasetError
        If a file is missing or the split is empty.
    """
    table = _read_metadata(folder / "metadata.csv")
    rows = table[table["split"] == split]
    if rows.empty:
        raise DatasetError(f"{folder}/metadata.csv has no rows of split {split!r}: use train, dev or test")
    waveforms = folder / "waveforms.hdf5"
    if not waveforms.exists():
        raise DatasetError(f"{waveforms} is missing: it belongs beside metadata.csv")
    with h5py.File(waveforms, "r") as h5:
        return [_to_recording(row, h5["data"][row["trace_name"]][()]) for _, row in rows.iterrows()]


def _read_metadata(path: Path) -> pd.DataFrame:
    if not path.exists():
        raise DatasetError(f"{path} is missing: give the folder of a data set in SeisBench's layout")
    return pd.read_csv(path, low_memory=False)


def _to_recording(row: pd.Series, samples_ZNE: NDArray[np.float32]) -> Recording:
    rate_hz = float(row["trace_sampling_rate_hz"])
    scale = SAMPLING_RATE_HZ / rate_hz
    samples_CT = resample_rate(samples_ZNE[::-1].astype(np.float32), rate_hz, SAMPLING_RATE_HZ)
    absent = [c not in row["trace_components_present"] for c in COMPONENT_ORDER]
    samples_CT[absent] = np.nan
    return Recording(
        name=f"{row['source_id']}.{row['trace_name']}",
        kind=_kind(row),
        samples_CT=samples_CT,
        p_samples=_arrivals(row["trace_p_arrival_sample"]) * scale,
        s_samples=_arrivals(row["trace_s_arrival_sample"]) * scale,
    )


def _kind(row: pd.Series) -> Kind:
    if row["trace_category"] == "noise":
        return "noise"
    return "manual" if row["trace_p_status"] == "manual" else "automatic"


def _arrivals(sample: float) -> NDArray[np.float64]:
    return np.array([] if np.isnan(sample) else [sample], dtype=np.float64)
