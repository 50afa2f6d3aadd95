"""Lay pulses and random waves over the channels and samples of a cable.

Shape suffixes: K fiber channel, T time, F frequency, O steps within a sample.
"""

from __future__ import annotations

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from rtpick.learning.das_sample import SAMPLING_RATE_HZ, FloatKT
from rtpick.learning.das_synthetic_source import PAUSE_SAMPLES, STEPS

FloatK = NDArray[np.float64]

# Of the largest power.
NOTHING = 1e-8


def place_pulse(field_KT: FloatKT, pulse_OT: FloatKT, onset_K: FloatK, amplitude_K: FloatK) -> None:
    """Add a pulse to each channel in place, its onset at a sample that need not be whole or inside.

    Examples
    --------
    >>> field_KT = np.zeros((1, 100), np.float32)
    >>> pulse_OT = np.zeros((STEPS, 20), np.float32)
    >>> pulse_OT[0, PAUSE_SAMPLES - 1] = 1.0
    >>> place_pulse(field_KT, pulse_OT, np.array([50.0]), np.array([2.0]))
    >>> float(field_KT[0, 50])
    2.0
    """
    sample_count, length = field_KT.shape[1], pulse_OT.shape[1]
    step_K = np.round(onset_K * STEPS).astype(np.int64)
    start_K = step_K // STEPS - (PAUSE_SAMPLES - 1)
    inside_K = (start_K > -length) & (start_K < sample_count) & (np.abs(amplitude_K) > 1e-4)
    for channel in np.flatnonzero(inside_K):
        start = int(start_K[channel])
        first, last = max(start, 0), min(start + length, sample_count)
        row_T = pulse_OT[step_K[channel] % STEPS, first - start : last - start]
        field_KT[channel, first:last] += np.float32(amplitude_K[channel]) * row_T


def follow_onset(shape_T: NDArray[np.float32], onset_K: FloatK, sample_count: int) -> FloatKT:
    """Shift a curve of time, which starts at the onset and is 0 before it, to each channel's onset.

    Examples
    --------
    >>> follow_onset(np.array([3.0, 2.0, 1.0], np.float32), np.array([1.0, -1.0]), 3).tolist()
    [[0.0, 3.0, 2.0], [2.0, 1.0, 0.0]]
    """
    moved_KT = np.zeros((len(onset_K), sample_count), np.float32)
    for channel, start in enumerate(np.ceil(onset_K).astype(np.int64)):
        first, last = max(start, 0), min(start + len(shape_T), sample_count)
        if first < last:
            moved_KT[channel, first:last] = shape_T[first - start : last - start]
    return moved_KT


def wavenumbers(shape: tuple[int, int], spacing_m: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return |wavenumber| in 1/m, (K, 1), and frequency in Hz, (1, F), of a field's transform."""
    channel_count, sample_count = shape
    wavenumber_K1 = np.abs(scipy.fft.fftfreq(channel_count, spacing_m)).astype(np.float32)[:, None]
    frequency_1F = scipy.fft.rfftfreq(sample_count, 1.0 / SAMPLING_RATE_HZ).astype(np.float32)[None, :]
    return wavenumber_K1, frequency_1F


def random_field(rng: np.random.Generator, power_KF: NDArray[np.float32], sample_count: int) -> FloatKT:
    """Draw a stationary random field of unit spread with this power over wavenumber and frequency.

    Examples
    --------
    >>> field_KT = random_field(np.random.default_rng(0), np.ones((8, 17), np.float32), 32)
    >>> field_KT.shape, bool(abs(field_KT.std() - 1) < 1e-3)
    ((8, 32), True)
    """
    # Frequencies that hold next to nothing need not be drawn.
    largest_F = power_KF.max(axis=0)
    used = int(np.flatnonzero(largest_F > NOTHING * largest_F.max())[-1]) + 1
    shape = (len(power_KF), used, 2)
    spectrum_KF = rng.standard_normal(shape, dtype=np.float32).view(np.complex64)[..., 0]
    spectrum_KF *= np.sqrt(power_KF[:, :used])
    spectrum_KF[:, 0] = 0.0
    spectrum_KF = scipy.fft.ifft(spectrum_KF, axis=0, overwrite_x=True)
    field_KT: FloatKT = scipy.fft.irfft(spectrum_KF, n=sample_count, axis=1, overwrite_x=True)
    field_KT *= np.float32(1.0 / max(float(field_KT.std()), 1e-30))
    return field_KT


def gauge_power(wavenumber_K1: NDArray[np.float32], gauge_m: float) -> NDArray[np.float32]:
    """Return what averaging over a gauge length leaves of the power at each wavenumber."""
    left_K1: NDArray[np.float32] = np.sinc(wavenumber_K1 * gauge_m) ** 2
    return left_K1


def surface_wave_power(
    rng: np.random.Generator, wavenumber_K1: NDArray[np.float32], frequency_1F: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Spread power as slow surface waves do, running both ways along the cable and from all sides.

    Their speed falls from at most 1500 m/s at low frequency to at least 150 m/s; waves that cross the
    cable at an angle
    fill the cone of smaller wavenumbers.
    """
    drawn = np.exp(rng.uniform(np.log([150.0, 500.0, 1.0]), np.log([450.0, 1500.0, 10.0])))
    slow_m_s, fast_m_s, turn_hz = drawn.astype(np.float32)
    speed_1F = slow_m_s + (fast_m_s - slow_m_s) / (1.0 + (frequency_1F / turn_hz) ** 2)
    edge_1F = frequency_1F / speed_1F
    width_1F = 0.15 * edge_1F + np.float32(2e-4)
    ridge_KF = np.exp(-0.5 * ((wavenumber_K1 - edge_1F) / width_1F) ** 2)
    cone_KF = 1.0 / (1.0 + np.minimum(wavenumber_K1 / (edge_1F + np.float32(1e-6)), 100.0) ** 8)
    power_KF: NDArray[np.float32] = (ridge_KF + np.float32(rng.uniform(0.05, 0.6)) * cone_KF) / width_1F
    return power_KF
