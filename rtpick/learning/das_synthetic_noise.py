"""What a fiber records when the Earth is quiet: the instrument, the sea, the wind, traffic, and bad channels.

Shape suffixes: K fiber channel, T time, F frequency.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rtpick.learning.das_sample import SAMPLING_RATE_HZ, FloatKT
from rtpick.learning.das_synthetic_cable import Cable, smooth_curve
from rtpick.learning.das_synthetic_draw import log_uniform
from rtpick.learning.das_synthetic_field import (
    FloatK,
    gauge_power,
    random_field,
    surface_wave_power,
    wavenumbers,
)

Float32F = NDArray[np.float32]


def instrument_noise(rng: np.random.Generator, cable: Cable, sample_count: int) -> FloatKT:
    """Draw white and pink noise, alike over a gauge length, louder on some channels and where light fades."""
    shape = (len(cable.east_m_K), sample_count)
    wavenumber_K1, frequency_1F = wavenumbers(shape, cable.channel_spacing_m)
    frequency_1F = np.maximum(frequency_1F, np.float32(0.02))
    pink_1F = (np.float32(log_uniform(rng, 0.02, 2.0)) / frequency_1F) ** np.float32(rng.uniform(0.7, 2.0))
    # What each channel has of its own: little where the gauge is long, or much.
    own = np.float32(log_uniform(rng, 5e-4, 0.3))
    power_KF = gauge_power(wavenumber_K1, cable.gauge_length_m) + own
    field_KT = random_field(rng, power_KF * (1.0 + pink_1F), sample_count)
    field_KT *= _loudness(rng, shape[0]).astype(np.float32)[:, None]
    fade(rng, field_KT)
    return field_KT


def ambient_noise(rng: np.random.Generator, cable: Cable, sample_count: int) -> FloatKT:
    """Draw what is always there: slow surface waves of people and wind, microseism, and swell."""
    shape = (len(cable.east_m_K), sample_count)
    wavenumber_K1, frequency_1F = wavenumbers(shape, cable.channel_spacing_m)
    power_KF = surface_wave_power(rng, wavenumber_K1, frequency_1F)
    power_KF *= _bumps(rng, frequency_1F) / np.maximum(power_KF.sum(axis=0, keepdims=True), 1e-20)
    if rng.random() < 0.5:
        power_KF += _swell(rng, wavenumber_K1, frequency_1F)
    power_KF *= gauge_power(wavenumber_K1, cable.gauge_length_m)
    field_KT = random_field(rng, power_KF, sample_count)
    coupling_K = np.exp(rng.uniform(0.0, 0.7) * smooth_curve(rng, shape[0], log_uniform(rng, 5.0, 100.0)))
    return field_KT * coupling_K.astype(np.float32)[:, None]


def site_amplification(rng: np.random.Generator, channel_count: int) -> FloatK:
    """Draw how strongly each channel is coupled to ground that amplifies more or less."""
    slow_K = rng.uniform(0.1, 0.6) * smooth_curve(rng, channel_count, log_uniform(rng, 20.0, 200.0))
    fast_K = rng.uniform(0.0, 0.35) * smooth_curve(rng, channel_count, log_uniform(rng, 3.0, 15.0))
    amplification_K = np.exp(slow_K + fast_K)
    for _ in range(rng.integers(0, 5)):
        first, length = int(rng.integers(channel_count)), int(log_uniform(rng, 5.0, 120.0))
        amplification_K[first : first + length] *= log_uniform(rng, 0.15, 3.0)
    return amplification_K


def fade(rng: np.random.Generator, field_KT: FloatKT) -> None:
    """Make noise louder where, and while, too little light comes back; in place."""
    channel_count, sample_count = field_KT.shape
    for _ in range(rng.integers(0, 8)):
        channel, width = int(rng.integers(channel_count)), int(log_uniform(rng, 1.0, 30.0))
        start, length = int(rng.integers(-sample_count // 2, sample_count)), int(log_uniform(rng, 100.0, 1e4))
        field_KT[channel : channel + width, max(start, 0) : start + length] *= log_uniform(rng, 2.0, 12.0)


def dead_channels(rng: np.random.Generator, channel_count: int) -> NDArray[np.bool_]:
    """Draw which channels give nothing: none mostly, single ones and short runs else."""
    dead_K = rng.random(channel_count) < rng.choice([0.0, 0.0, 0.005, 0.03])
    for _ in range(rng.choice([0, 0, 0, 1, 2])):
        first = int(rng.integers(channel_count))
        dead_K[first : first + int(log_uniform(rng, 2.0, 30.0))] = True
    return np.asarray(dead_K, np.bool_)


def _loudness(rng: np.random.Generator, channel_count: int) -> FloatK:
    rough_K = rng.uniform(0.0, 0.3) * rng.standard_normal(channel_count)
    smooth_K = rng.uniform(0.0, 0.6) * smooth_curve(rng, channel_count, log_uniform(rng, 10.0, 150.0))
    loudness_K: FloatK = np.exp(rough_K + smooth_K)
    loudness_K[rng.random(channel_count) < rng.uniform(0.0, 0.05)] *= log_uniform(rng, 2.0, 10.0)
    return loudness_K


def _bumps(rng: np.random.Generator, frequency_1F: Float32F) -> Float32F:
    """Colour ambient noise: a fall with frequency, some broad bumps, and now and then a sharp line."""
    safe_1F = np.maximum(frequency_1F, np.float32(0.05))
    colour_1F = 0.2 * safe_1F ** np.float32(-rng.uniform(0.0, 1.5))
    for _ in range(rng.integers(1, 5)):
        centre_hz, width = log_uniform(rng, 0.5, 35.0), rng.uniform(0.1, 0.5)
        bump_1F = np.exp(-0.5 * (np.log(safe_1F / np.float32(centre_hz)) / np.float32(width)) ** 2)
        colour_1F = colour_1F + np.float32(log_uniform(rng, 0.3, 10.0)) * bump_1F
    for _ in range(rng.choice([0, 0, 0, 0, 1, 2])):
        line_hz = np.float32(rng.uniform(3.0, 48.0))
        line_1F = np.exp(-0.5 * ((frequency_1F - line_hz) / np.float32(0.04)) ** 2)
        colour_1F = colour_1F + np.float32(log_uniform(rng, 5.0, 100.0)) * line_1F
    return np.asarray(colour_1F, np.float32)


def _swell(rng: np.random.Generator, wavenumber_K1: Float32F, frequency_1F: Float32F) -> Float32F:
    """Spread power as ocean gravity waves (5-20 m/s) or the microseism (1-3 km/s) do, below half a hertz."""
    at_sea = rng.random() < 0.5
    speed_m_s = np.float32(rng.uniform(5.0, 20.0) if at_sea else rng.uniform(1000.0, 3000.0))
    centre_hz = np.float32(log_uniform(rng, 0.06, 0.4))
    band_1F = np.exp(-0.5 * (np.log(np.maximum(frequency_1F, 1e-3) / centre_hz) / np.float32(0.25)) ** 2)
    spread = (wavenumber_K1 - frequency_1F / speed_m_s) / (0.1 * frequency_1F / speed_m_s + np.float32(1e-3))
    power_KF = np.exp(-0.5 * spread**2) * band_1F
    total = float(power_KF.sum()) / SAMPLING_RATE_HZ
    return np.asarray(power_KF * np.float32(log_uniform(rng, 0.5, 50.0) / max(total, 1e-12)), np.float32)
