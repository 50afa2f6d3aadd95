"""Recorded noise of real cables, made as long and as wide as a sample needs.

Shape suffixes: K fiber channel, T time, F frequency.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import scipy.fft
from scipy.ndimage import zoom

from rtpick.learning.das_sample import SAMPLING_RATE_HZ, FloatKT
from rtpick.learning.das_synthetic_cable import smooth_curve
from rtpick.learning.das_synthetic_draw import log_uniform
from rtpick.learning.dataset import DatasetError
from rtpick.learning.resample import resample_rate

QUIET_BLOCK, QUIET_MARGIN = 25, 2
LOUD_RATIO = 1.8
SHORTEST_SAMPLES = 32


@dataclass(frozen=True, slots=True, eq=False)
class Background:
    """A stretch of a cable's record without an earthquake.

    Attributes
    ----------
    name
        Of its file.
    samples_KT
        (channel, time) at 100 Hz, each channel without its mean.
    channel_spacing_m
        Between rows.
    """

    name: str
    samples_KT: FloatKT
    channel_spacing_m: float


def read_backgrounds(
    folder: Path,
    *,
    leave_out: Sequence[str] = (),
    quiet_s: Mapping[str, tuple[float, float]] | None = None,
    pattern: str = "noise*.h5",
) -> list[Background]:
    """Read the noise records of a folder: HDF5 with `data` (channel, time) and its attributes `dt_s`, `dx_m`.

    Parameters
    ----------
    folder
        Where the files lie.
    leave_out
        File names without ending that training must not see.
    quiet_s
        By file name without ending: from when to when, in seconds from the start, nothing happens. Of other
        files the longest part is read that is nowhere much louder than their quiet fifth: "noise" files are
        seldom screened, and an earthquake taken for noise teaches the wrong thing.
    pattern
        Which files are noise.

    Raises
    ------
    DatasetError
        If no file remains, or one has no such data.
    """
    paths = [path for path in sorted(folder.glob(pattern)) if path.stem not in leave_out]
    if not paths:
        raise DatasetError(f"{folder} has no {pattern} to learn noise from: give another folder or pattern")
    return [_read_background(path, (quiet_s or {}).get(path.stem)) for path in paths]


def spread_background(rng: np.random.Generator, background: Background, shape: tuple[int, int]) -> FloatKT:
    """Make noise of any shape from a record: stretched, turned round, and continued.

    It is continued either by its own mirror images, or by drawing anew a field with the same power at
    each wavenumber
    and frequency, whose channels are as differently loud.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> record = Background("hill", rng.standard_normal((6, 80)).astype(np.float32), 10.0)
    >>> spread_background(rng, record, (16, 256)).shape
    (16, 256)
    """
    wave_KT = _stretched(rng, background.samples_KT)
    wave_KT = wave_KT[:: rng.choice([-1, 1]), :: rng.choice([-1, 1])] * np.float32(rng.choice([-1.0, 1.0]))
    texture = rng.random() < 0.6 or wave_KT.shape[1] < shape[1] // 8
    spread_KT = _texture(rng, wave_KT, shape) if texture else _mirrored(rng, wave_KT, shape)
    loudness_K = np.exp(rng.uniform(0.0, 0.4) * smooth_curve(rng, shape[0], log_uniform(rng, 8.0, 150.0)))
    return np.ascontiguousarray(spread_KT * loudness_K.astype(np.float32)[:, None], dtype=np.float32)


def quiet_part(samples_KT: FloatKT) -> FloatKT:
    """Cut out the longest part that is not much louder than the quiet fifth of a record, on most channels.

    Examples
    --------
    >>> wave_KT = np.random.default_rng(0).standard_normal((8, 1000)).astype(np.float32)
    >>> wave_KT[:, 600:] *= 5.0
    >>> quiet_part(wave_KT).shape
    (8, 550)
    """
    block_count = samples_KT.shape[1] // QUIET_BLOCK
    if block_count < 4:
        return samples_KT
    blocks = samples_KT[:, : block_count * QUIET_BLOCK].reshape(len(samples_KT), block_count, QUIET_BLOCK)
    spread = np.asarray(blocks.std(axis=2))
    level = np.median(spread / np.maximum(np.median(spread, axis=1, keepdims=True), 1e-30), axis=0)
    loud = np.flatnonzero(level > LOUD_RATIO * np.percentile(level, 20))
    if len(loud) == 0:
        return samples_KT
    # Two blocks more are left out where it grows loud: onsets are weak at first.
    begins = np.concatenate([[0], loud + 1 + QUIET_MARGIN])
    ends = np.concatenate([loud - QUIET_MARGIN, [block_count]])
    longest = int(np.argmax(ends - begins))
    first, last = int(begins[longest]), max(int(ends[longest]), int(begins[longest]))
    return samples_KT[:, QUIET_BLOCK * first : QUIET_BLOCK * last]


def _read_background(path: Path, quiet_s: tuple[float, float] | None) -> Background:
    try:
        with h5py.File(path, "r") as h5:
            data = h5["data"]
            samples_KT = data[()].astype(np.float32)
            interval_s, spacing_m = float(data.attrs["dt_s"]), float(data.attrs["dx_m"])
    except (OSError, KeyError) as error:
        raise DatasetError(f"{path}: {error}; it needs `data` with attributes dt_s and dx_m") from error
    if quiet_s is not None:
        samples_KT = samples_KT[:, round(quiet_s[0] / interval_s) : round(quiet_s[1] / interval_s)]
    samples_KT = samples_KT - samples_KT.mean(axis=1, keepdims=True)
    samples_KT = _resampled(samples_KT, 1.0 / interval_s)
    if quiet_s is None:
        samples_KT = quiet_part(samples_KT)
    if samples_KT.shape[1] < SHORTEST_SAMPLES:
        raise DatasetError(f"{path}: no quiet part long enough; leave it out, or say where it is quiet")
    spread_K = samples_KT.std(axis=1)
    alive_K = spread_K > 1e-6 * np.median(spread_K)
    return Background(path.stem, samples_KT[alive_K], spacing_m)


def _resampled(samples_KT: FloatKT, rate_hz: float) -> FloatKT:
    """Bring channels to 100 Hz, a file's odd rate rounded to whole hertz."""
    return resample_rate(samples_KT, float(round(rate_hz)), SAMPLING_RATE_HZ)


def _stretched(rng: np.random.Generator, wave_KT: FloatKT) -> FloatKT:
    """Stretch by half to twice in time, by a third to three times along the cable, one time in two each."""
    factor_K = log_uniform(rng, 1 / 3, 3.0) if rng.random() < 0.5 else 1.0
    factor_T = log_uniform(rng, 0.5, 2.0) if rng.random() < 0.5 else 1.0
    factor_K = max(factor_K, 4.0 / len(wave_KT))
    if factor_K == factor_T == 1.0:
        return wave_KT
    stretched_KT: FloatKT = zoom(wave_KT, (factor_K, factor_T), order=1)
    return stretched_KT


def _mirrored(rng: np.random.Generator, wave_KT: FloatKT, shape: tuple[int, int]) -> FloatKT:
    """Walk to and fro through the record from a random place."""
    index = []
    for there, wanted in zip(wave_KT.shape, shape, strict=True):
        period = max(2 * (there - 1), 1)
        place = (int(rng.integers(period)) + np.arange(wanted)) % period
        index.append(np.where(place < there, place, period - place))
    return wave_KT[np.ix_(index[0], index[1])]


def _texture(rng: np.random.Generator, wave_KT: FloatKT, shape: tuple[int, int]) -> FloatKT:
    """Draw a random field with the record's power spectrum, its channels as differently loud."""
    spread_K1 = np.maximum(wave_KT.std(axis=1, keepdims=True), 1e-12)
    taper_1T = np.hanning(wave_KT.shape[1]).astype(np.float32)[None, :]
    amplitude_KF = np.abs(scipy.fft.rfft2(wave_KT / spread_K1 * taper_1T)).astype(np.float32)
    # By wavenumber in order, so that neighbours can be interpolated.
    ordered_KF = scipy.fft.fftshift(amplitude_KF, axes=0)
    wanted_F = shape[1] // 2 + 1
    factors = (shape[0] / ordered_KF.shape[0], wanted_F / ordered_KF.shape[1])
    finer_KF = scipy.fft.ifftshift(zoom(ordered_KF, factors, order=1, mode="grid-wrap"), axes=0)
    phase_KF = rng.standard_normal((*finer_KF.shape, 2), dtype=np.float32).view(np.complex64)[..., 0]
    field_KT: FloatKT = scipy.fft.irfft2(finer_KF * phase_KF, s=shape)
    loudness_K = rng.choice(spread_K1[:, 0] / np.median(spread_K1), size=shape[0])
    mixed_K1 = (loudness_K ** rng.uniform(0.0, 1.0)).astype(np.float32)[:, None]
    return field_KT / max(float(field_KT.std()), 1e-30) * mixed_K1
