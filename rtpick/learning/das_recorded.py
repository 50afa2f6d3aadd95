"""Real earthquakes on real cables, where nobody has picked: onsets that channels agree upon.

Only the first onset of a clear record is found this way. What comes behind it, S included, stays
unknown, and so do channels
whose onset differs from that of their neighbours.

Shape suffixes: K fiber channel, T time.

References
----------
Maeda, N. (1985), A method for reading and checking phase times in auto-processing system of seismic wave
data,
Zisin 38, 365-379 (the criterion that sets the onset where two variances part).
"""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from rtpick.learning.das_sample import DasSample, FloatKT
from rtpick.learning.dataset import DatasetError

MARGIN = 20
NEIGHBOURS = 31
TOLERANCE = 6.0
KNOWN_BEHIND = 30
RISEN_SHARE = 0.3
AFTER_RISE = 60
LEAD = 1500


def read_front(path: Path, difference_channels: int = 0) -> DasSample:
    """Read a clear record of an earthquake and mark P where neighbours agree; a column counts as 10 ms.

    Parameters
    ----------
    path
        HDF5 with `data` (channel, time) and its attributes `dt_s` and `dx_m`.
    difference_channels
        Where the record is of the fiber's motion: over how many channels to take differences, which are
        its strain.

    Raises
    ------
    DatasetError
        If the file cannot be read.

    Notes
    -----
    A mine's record at 2 kHz serves as it is: waves look alike whatever their scale. The spacing is
    scaled along.
    """
    try:
        with h5py.File(path, "r") as h5:
            samples_KT = h5["data"][()].astype(np.float32)
            interval_s, spacing_m = float(h5["data"].attrs["dt_s"]), float(h5["data"].attrs["dx_m"])
    except (OSError, KeyError) as error:
        raise DatasetError(f"{path}: {error}; it needs `data` with attributes dt_s and dx_m") from error
    if difference_channels:
        samples_KT = samples_KT[difference_channels:] - samples_KT[:-difference_channels]
    return mark_front(samples_KT, spacing_m * 0.01 / interval_s)


def mark_front(samples_KT: FloatKT, channel_spacing_m: float) -> DasSample:
    """Pick P where channels agree; behind it, and on other channels, nothing is known.

    The quiet part is lengthened by LEAD samples of its own mirror images.

    Examples
    --------
    >>> wave_KT = np.random.default_rng(0).standard_normal((40, 600)).astype(np.float32)
    >>> wave_KT[:, 300:] *= 20.0
    >>> sample = mark_front(wave_KT, 10.0)
    >>> len(sample.sample_N), bool(abs(sample.sample_N - LEAD - 300).max() <= 3)
    (40, True)
    """
    onset_K = first_breaks(samples_KT)
    agrees_K = np.abs(onset_K - _among_neighbours(onset_K)) <= TOLERANCE
    (rows,) = np.nonzero(agrees_K)
    quiet = int(onset_K[rows].min()) - MARGIN if len(rows) else 0
    if quiet > MARGIN:
        samples_KT, onset_K = _with_lead(samples_KT, quiet), onset_K + LEAD
    behind_KT = np.arange(samples_KT.shape[1])[None, :] > onset_K[:, None] + KNOWN_BEHIND
    return DasSample(
        samples_KT=samples_KT,
        channel_N=rows,
        phase_N=np.full(len(rows), "P"),
        sample_N=onset_K[rows],
        event_N=np.zeros(len(rows), np.int64),
        known_KT=agrees_K[:, None] & ~behind_KT,
        channel_spacing_m=channel_spacing_m,
        kind="recorded",
    )


def first_breaks(samples_KT: FloatKT) -> NDArray[np.float64]:
    """Find on each channel the sample that parts it best into a quiet and a loud part (Akaike's criterion).

    It is looked for up to a little behind the first large sample.
    """
    quiet_K1 = np.median(samples_KT[:, : samples_KT.shape[1] // 10], axis=1, keepdims=True)
    samples_KT = samples_KT - quiet_K1
    loud_KT = np.abs(samples_KT) > RISEN_SHARE * np.abs(samples_KT).max(axis=1, keepdims=True)
    end_K = np.clip(loud_KT.argmax(axis=1) + AFTER_RISE, 5 * MARGIN, samples_KT.shape[1])
    return np.array([_part(row_T[:end]) for row_T, end in zip(samples_KT, end_K, strict=True)], np.float64)


def _with_lead(samples_KT: FloatKT, quiet: int) -> FloatKT:
    """Put mirror images of the quiet beginning before a record, so that onsets may lie anywhere."""
    lead_KT = np.pad(samples_KT[:, :quiet], ((0, 0), (LEAD, 0)), mode="symmetric")[:, :LEAD]
    return np.concatenate([lead_KT, samples_KT], axis=1)


def _among_neighbours(onset_K: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the running median, a slope continued beyond the ends."""
    reach = min(NEIGHBOURS // 2, len(onset_K) - 1)
    continued = np.pad(onset_K, reach, mode="reflect", reflect_type="odd")
    median_K: NDArray[np.float64] = median_filter(continued, 2 * reach + 1)[reach : reach + len(onset_K)]
    return median_K


def _part(row_T: NDArray[np.float32]) -> int:
    count = len(row_T)
    before = np.arange(1, count)
    first, second = np.cumsum(row_T, dtype=np.float64), np.cumsum(np.square(row_T, dtype=np.float64))
    quiet = second[:-1] / before - (first[:-1] / before) ** 2
    mean = (first[-1] - first[:-1]) / (count - before)
    loud = (second[-1] - second[:-1]) / (count - before) - mean**2
    criterion = before * np.log(np.maximum(quiet, 1e-30)) + (count - before) * np.log(np.maximum(loud, 1e-30))
    return MARGIN + int(criterion[MARGIN:-MARGIN].argmin()) + 1
