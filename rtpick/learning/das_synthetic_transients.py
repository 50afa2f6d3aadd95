"""What comes and goes on a fiber and is no earthquake: vehicles, hammers, knocks, steps, glitches.

Shape suffixes: K fiber channel, T time. Every function adds to a field in place, whose unit is the
spread of the noise.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rtpick.learning.das_sample import SAMPLING_RATE_HZ, FloatKT
from rtpick.learning.das_synthetic_cable import Cable, smooth_curve
from rtpick.learning.das_synthetic_draw import log_uniform
from rtpick.learning.das_synthetic_field import FloatK, follow_onset, place_pulse
from rtpick.learning.das_synthetic_source import STEPS, polyphase


def add_disturbances(rng: np.random.Generator, cable: Cable, field_KT: FloatKT) -> None:
    """Add any number of transients of any kind: none in two samples of five."""
    if rng.random() < 0.4:
        return
    kinds = [add_vehicle, add_step, add_knock, add_hammer, add_glitches]
    for kind in rng.choice(len(kinds), size=rng.integers(1, 5), p=[0.35, 0.2, 0.15, 0.15, 0.15]):
        kinds[kind](rng, cable, field_KT)


def add_vehicle(rng: np.random.Generator, cable: Cable, field_KT: FloatKT) -> None:
    """Drive along a part of the cable at 5-35 m/s: the ground sags under it and rumbles around it."""
    channel_count, sample_count = field_KT.shape
    speed_m_s = rng.choice([-1, 1]) * rng.uniform(5.0, 35.0)
    place_m_K = cable.distances_m - cable.distances_m[rng.integers(channel_count)]
    passing_K = rng.uniform(0, sample_count) + SAMPLING_RATE_HZ * place_m_K / speed_m_s
    near_K = _stretch_of_cable(rng, channel_count)
    depth_m = max(rng.uniform(2.0, 15.0), cable.gauge_length_m / 2)
    pulse_OT = _sag(depth_m / abs(speed_m_s))
    middle = pulse_OT.shape[1] / 2
    strength = log_uniform(rng, 0.5, 20.0)
    place_pulse(field_KT, pulse_OT, passing_K - middle, np.asarray(strength * near_K))
    _rumble(rng, field_KT, passing_K, near_K * log_uniform(rng, 0.3, 8.0))


def add_step(rng: np.random.Generator, cable: Cable, field_KT: FloatKT) -> None:
    """Let the laser jump: one pulse on all channels at the same instant, ringing or not."""
    channel_count, sample_count = field_KT.shape
    onset_K = np.full(channel_count, rng.uniform(0, sample_count))
    pulse_OT = _ringing(log_uniform(rng, 2.0, 45.0), log_uniform(rng, 0.01, 0.3))
    strength = log_uniform(rng, 0.5, 25.0)
    same_K = np.asarray(1.0 + rng.uniform(0.0, 0.6) * rng.standard_normal(channel_count))
    place_pulse(field_KT, pulse_OT, onset_K, strength * same_K)


def add_knock(rng: np.random.Generator, cable: Cable, field_KT: FloatKT) -> None:
    """Shake the instrument for some seconds: a common mode that starts as sharply as an earthquake does."""
    channel_count, sample_count = field_KT.shape
    length = int(log_uniform(rng, 30.0, 1500.0))
    shape_T = np.exp(-np.arange(length) / (0.3 * length)).astype(np.float32)
    mean_hz, width_hz = log_uniform(rng, 1.0, 30.0), log_uniform(rng, 0.5, 15.0)
    shape_T *= _narrow_noise(rng, length, mean_hz, width_hz)
    alike_K = 1.0 + rng.uniform(0.0, 0.4) * rng.standard_normal(channel_count)
    same_K = np.asarray(log_uniform(rng, 0.3, 8.0) * alike_K)
    start = int(rng.integers(-length // 2, sample_count))
    first, last = max(start, 0), min(start + length, sample_count)
    field_KT[:, first:last] += same_K.astype(np.float32)[:, None] * shape_T[first - start : last - start]


def add_hammer(rng: np.random.Generator, cable: Cable, field_KT: FloatKT) -> None:
    """Strike or dig beside the cable, once or often: surface waves run away at 100-800 m/s."""
    channel_count, sample_count = field_KT.shape
    centre, speed_m_s = int(rng.integers(channel_count)), log_uniform(rng, 100.0, 800.0)
    away_m_K = np.hypot(cable.distances_m - cable.distances_m[centre], rng.uniform(1.0, 60.0))
    nearest_m = float(away_m_K.min())
    reach_m = log_uniform(rng, 10.0, 600.0)
    fading_K = np.exp(-(away_m_K - nearest_m) / reach_m) * np.sqrt(nearest_m / away_m_K)
    pulse_OT = _ringing(log_uniform(rng, 3.0, 30.0), log_uniform(rng, 0.03, 0.3))
    strength = log_uniform(rng, 1.0, 30.0)
    start, interval = rng.uniform(0, sample_count), log_uniform(rng, 30.0, 1000.0)
    for stroke in range(rng.integers(1, 8)):
        onset_K = start + stroke * interval + SAMPLING_RATE_HZ * away_m_K / speed_m_s
        place_pulse(field_KT, pulse_OT, onset_K, np.where(fading_K > 0.01, strength * fading_K, 0.0))


def add_glitches(rng: np.random.Generator, cable: Cable, field_KT: FloatKT) -> None:
    """Lose count of the phase here and there: single samples of any height, or stretches of loud noise."""
    channel_count, sample_count = field_KT.shape
    count = int(log_uniform(rng, 1.0, 300.0))
    channels, samples = rng.integers(channel_count, size=count), rng.integers(sample_count, size=count)
    height = log_uniform(rng, 3.0, 60.0)
    field_KT[channels, samples] += (height * rng.standard_normal(count)).astype(np.float32)


def _stretch_of_cable(rng: np.random.Generator, channel_count: int) -> FloatK:
    """Draw where a road runs along the cable, with soft ends and uneven coupling."""
    ends = np.sort(rng.uniform(-0.3, 1.3, 2)) * channel_count
    softness = rng.uniform(1.0, 10.0)
    channel_K = np.arange(channel_count)
    gate_K = 0.5 * (np.tanh((channel_K - ends[0]) / softness) - np.tanh((channel_K - ends[1]) / softness))
    coupling_K: FloatK = gate_K * np.exp(0.4 * smooth_curve(rng, channel_count, 8.0))
    return np.where(coupling_K > 0.01, coupling_K, 0.0)


def _sag(width_s: float) -> FloatKT:
    """Make the strain rate of a load that passes: the derivative of a Mexican hat, six widths long."""
    width = float(np.clip(width_s * SAMPLING_RATE_HZ, 3.0, 250.0))
    length = int(8 * width)
    time_OT = (np.arange(length)[None, :] - np.arange(STEPS)[:, None] / STEPS - length / 2) / width
    sag_OT = time_OT * (3.0 - time_OT**2) * np.exp(-0.5 * time_OT**2)
    return np.asarray(sag_OT / np.abs(sag_OT).max(), np.float32)


def _rumble(rng: np.random.Generator, field_KT: FloatKT, passing_K: FloatK, strength_K: FloatK) -> None:
    """Add noise of an engine's and a road's frequencies while the vehicle is near."""
    sample_count = field_KT.shape[1]
    width = log_uniform(rng, 40.0, 400.0)
    length = int(5 * width)
    bell_T = np.exp(-0.5 * ((np.arange(length) - length / 2) / width) ** 2)
    carrier_T = _narrow_noise(rng, length, log_uniform(rng, 4.0, 25.0), log_uniform(rng, 0.5, 8.0))
    # Twice the same noise at one place would be a wave that travels with the vehicle: shuffle its parts.
    near_K = np.flatnonzero(strength_K > 0)
    rumble_KT = follow_onset((bell_T).astype(np.float32), passing_K[near_K] - length / 2, sample_count)
    shifts = np.cumsum(rng.integers(1, 12, size=len(near_K)))
    noise_T = np.resize(carrier_T, sample_count)
    for row, channel in enumerate(near_K):
        rumble_KT[row] *= np.roll(noise_T, shifts[row]) * np.float32(strength_K[channel])
    field_KT[near_K] += rumble_KT


def _narrow_noise(
    rng: np.random.Generator, length: int, mean_hz: float, width_hz: float
) -> NDArray[np.float32]:
    """Draw noise of unit spread around a frequency."""
    frequency_hz = np.fft.rfftfreq(length, 1.0 / SAMPLING_RATE_HZ)
    gain = np.exp(-0.5 * ((frequency_hz - mean_hz) / width_hz) ** 2) + 1e-6
    spectrum = gain * (rng.standard_normal(len(gain)) + 1j * rng.standard_normal(len(gain)))
    noise_T = np.fft.irfft(spectrum, n=length)
    return np.asarray(noise_T / max(float(noise_T.std()), 1e-12), np.float32)


def _ringing(frequency_hz: float, decay_s: float) -> FloatKT:
    """Make a pulse that sets in at once and rings out."""
    time_s = np.arange(STEPS * 768) / (STEPS * SAMPLING_RATE_HZ)
    return polyphase(np.exp(-time_s / decay_s) * np.cos(2 * np.pi * frequency_hz * time_s))
