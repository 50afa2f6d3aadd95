"""What a station of a synthetic network hears: a real recording now and then, and noise like its own between.

Shape suffixes: C component (Z, N, E), T time, F frequency.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

SAMPLING_RATE_HZ = 100
COMPONENTS = "ZNE"
GAIN_RANGE = (0.3, 3.0)  # of a station as a whole
SIZE_RANGE = (0.1, 1.0)  # of the earthquakes against the station's noise, the recording's being 1
FADE_SAMPLES = 400  # over which the recording rises out of the noise and sinks into it

Int32Array = npt.NDArray[np.int32]
Float64Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """Real ground motion at 100 Hz in counts, (3, T), and a stretch of it without earthquakes."""

    recording_CT: Float64Array
    quiet_CT: Float64Array


def draw_station(
    reference: Reference, sample_count: int, repeat_s: float, chance: np.random.Generator
) -> Int32Array:
    """Draw one station's samples.

    Parameters
    ----------
    reference : Reference
        What to draw from.
    sample_count : int
        Length.
    repeat_s : float
        The recording is heard once in this time, from a moment of the station's own.
    chance : Generator
        Decides on noise, moment, size and gain.

    Returns
    -------
    ndarray of int32, shape (3, sample_count)
        Counts.
    """
    ground_CT = draw_noise(reference.quiet_CT, sample_count, chance)
    size = np.exp(chance.uniform(*np.log(SIZE_RANGE)))
    quake_CT = size * fade_ends(reference.recording_CT, FADE_SAMPLES)
    repeat = max(round(repeat_s * SAMPLING_RATE_HZ), quake_CT.shape[1])
    first = int(chance.integers(repeat)) - repeat
    for start in range(first, sample_count, repeat):
        _add(ground_CT, quake_CT, start)
    gain = np.exp(chance.uniform(*np.log(GAIN_RANGE)))
    counts_CT: Int32Array = np.rint(gain * ground_CT).astype(np.int32)
    return counts_CT


def draw_noise(quiet_CT: Float64Array, sample_count: int, chance: np.random.Generator) -> Float64Array:
    """Draw noise with the spectrum of a quiet stretch and with its likeness between the components.

    Examples
    --------
    >>> quiet_CT = np.random.default_rng(0).normal(scale=7.0, size=(3, 4000))
    >>> noise_CT = draw_noise(quiet_CT, 10_000, np.random.default_rng(1))
    >>> noise_CT.shape, bool(np.all(np.abs(noise_CT.std(axis=1) - 7) < 1))
    ((3, 10000), True)
    """
    spectrum_CF = np.fft.rfft(quiet_CT - quiet_CT.mean(axis=1, keepdims=True))
    known_F = np.linspace(0.0, 1.0, spectrum_CF.shape[1])
    wanted_F = np.linspace(0.0, 1.0, sample_count // 2 + 1)
    amplitude_CF = np.stack([np.interp(wanted_F, known_F, np.abs(row_F)) for row_F in spectrum_CF])
    turn_F = chance.uniform(0.0, 2 * np.pi, len(wanted_F))
    own_CF = chance.uniform(0.0, 2 * np.pi, (len(quiet_CT), 1))
    scale = np.sqrt(sample_count / quiet_CT.shape[1])
    return np.fft.irfft(scale * amplitude_CF * np.exp(1j * (turn_F + own_CF)), sample_count)


def fade_ends(recording_CT: Float64Array, fade_samples: int) -> Float64Array:
    """Let a recording begin and end at zero.

    Examples
    --------
    >>> fade_ends(np.ones((1, 5)), 2).tolist()
    [[0.0, 1.0, 1.0, 1.0, 0.0]]
    """
    taper_T = np.ones(recording_CT.shape[1])
    taper_T[:fade_samples] = np.linspace(0.0, 1.0, fade_samples)
    taper_T[-fade_samples:] = np.linspace(1.0, 0.0, fade_samples)
    return recording_CT * taper_T


def _add(ground_CT: Float64Array, quake_CT: Float64Array, start: int) -> None:
    """Add what of the earthquakes falls into the span."""
    first, last = max(start, 0), min(start + quake_CT.shape[1], ground_CT.shape[1])
    if first < last:
        ground_CT[:, first:last] += quake_CT[:, first - start : last - start]
