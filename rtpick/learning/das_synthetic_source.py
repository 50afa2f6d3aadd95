"""The pulses that a made-up earthquake sends along a fiber.

A shear crack's far field (Brune) is causal: its spectrum is (1 + i f/fc)^-2. Strain rate follows the ground's
acceleration, hence two derivatives. Attenuation delays low frequencies, so that it stays causal too.

Shape suffixes: F frequency, T time, O steps within a sample.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from rtpick.learning.das_sample import SAMPLING_RATE_HZ, FloatKT
from rtpick.learning.das_synthetic_draw import log_uniform

STEPS = 8
PULSE_SAMPLES = 384
PAUSE_SAMPLES = 16
# Of a pulse's peak: where an eye would set the onset.
VISIBLE_SHARE = 0.04

Float32T = NDArray[np.float32]
ComplexF = NDArray[np.complex128]


@dataclass(frozen=True, slots=True)
class Source:
    """What shapes a pulse.

    Attributes
    ----------
    p_corner_hz, s_corner_hz
        Corner frequencies.
    quality
        Of the way, for S; for P it is `quality_ratio` times that.
    quality_ratio
        Quality for P over quality for S.
    site_s
        Attenuation time of the ground under the cable, for S.
    rupture_s
        Over which sub-events are spread.
    train_s
        Over which the way spreads a pulse into a train of waves.
    """

    p_corner_hz: float
    s_corner_hz: float
    quality: float
    quality_ratio: float
    site_s: float
    rupture_s: float
    train_s: float


def draw_source(rng: np.random.Generator, s_minus_p_s: float) -> Source:
    """Draw an earthquake that is small where it is near, and rather large where it is far."""
    far = np.clip(np.log(s_minus_p_s / 0.3) / np.log(100.0), 0.0, 1.0)
    corner_hz = log_uniform(rng, 3.0 - 2.2 * far, 30.0 - 18.0 * far)
    return Source(
        p_corner_hz=corner_hz * rng.uniform(1.0, 1.7),
        s_corner_hz=corner_hz,
        quality=log_uniform(rng, 60.0, 900.0) * (1.0 + 1.5 * far),
        quality_ratio=rng.uniform(0.7, 2.2),
        site_s=log_uniform(rng, 0.003, 0.08),
        rupture_s=min(1.5, 1.0 / corner_hz) * rng.uniform(0.0, 2.0),
        train_s=min(1.2, s_minus_p_s * rng.uniform(0.0, 0.08)),
    )


def phase_spectrum(
    source: Source, phase: str, travel_s: float, frequency_hz_F: NDArray[np.float64]
) -> ComplexF:
    """Return the complex spectrum of a phase's strain rate, with its onset at time 0."""
    is_p = phase == "P"
    corner_hz = source.p_corner_hz if is_p else source.s_corner_hz
    quality = source.quality * (source.quality_ratio if is_p else 1.0)
    fading_s = travel_s / quality + source.site_s * (0.5 if is_p else 1.0)
    crack_F = (2j * np.pi * frequency_hz_F) ** 2 / (1.0 + 1j * frequency_hz_F / corner_hz) ** 2
    return crack_F * _attenuation(frequency_hz_F, fading_s) * _antialias(frequency_hz_F)


def make_pulse(rng: np.random.Generator, source: Source, phase: str, travel_s: float) -> FloatKT:
    """Make a pulse, once for each of eight places of its onset within a sample.

    Returns
    -------
    ndarray, shape (STEPS, PULSE_SAMPLES)
        Row o holds the pulse for an onset o/STEPS samples after sample PAUSE_SAMPLES - 1; peak 1.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> pulse_OT = make_pulse(rng, draw_source(rng, 3.0), "P", 4.0)
    >>> pulse_OT.shape, float(abs(pulse_OT).max())
    ((8, 384), 1.0)
    """
    count = 2 * PULSE_SAMPLES * STEPS
    frequency_hz_F = scipy.fft.rfftfreq(count, 1.0 / (STEPS * SAMPLING_RATE_HZ))
    spectrum_F = phase_spectrum(source, phase, travel_s, frequency_hz_F)
    spectrum_F = spectrum_F * _ruptures(rng, source.rupture_s, frequency_hz_F)
    spectrum_F = spectrum_F * _train(rng, source.train_s, count)
    fine_T = scipy.fft.irfft(spectrum_F, n=count)
    return polyphase(fine_T / np.abs(fine_T).max())


def polyphase(fine_T: NDArray[np.float64]) -> FloatKT:
    """Arrange a pulse sampled STEPS times as finely by the place of its onset within a sample."""
    lead = (PAUSE_SAMPLES - 1) * STEPS
    rolled_T = np.roll(fine_T, lead - _first_break(fine_T))
    starts_O = -np.arange(STEPS)[:, None] + np.arange(PULSE_SAMPLES)[None, :] * STEPS
    pulse_OT = rolled_T[starts_O % len(rolled_T)]
    fade_T = np.ones(PULSE_SAMPLES)
    fade_T[-96:] = 0.5 + 0.5 * np.cos(np.linspace(0, np.pi, 96))
    return np.asarray(pulse_OT * fade_T, np.float32)


def _first_break(fine_T: NDArray[np.float64]) -> int:
    """Return where a pulse begins to be seen; what attenuation holds back of it comes that much later."""
    first = int(np.argmax(np.abs(fine_T[: len(fine_T) // 2]) > VISIBLE_SHARE * np.abs(fine_T).max()))
    return max(first, 0)


def _attenuation(frequency_hz_F: NDArray[np.float64], fading_s: float) -> ComplexF:
    """Absorb, with the delay of low frequencies that makes it causal (Kolsky)."""
    safe_F = np.maximum(frequency_hz_F, 0.05)
    delay_s_F = fading_s / np.pi * np.log(100.0 / np.minimum(safe_F, 100.0))
    exponent_F = -np.pi * frequency_hz_F * (fading_s + 2j * delay_s_F)
    attenuation_F: ComplexF = np.exp(exponent_F)
    return attenuation_F


def _antialias(frequency_hz_F: NDArray[np.float64]) -> ComplexF:
    """Pass what an interrogator's filter lets through: three equal causal poles."""
    poles_F = (1.0 + 1j * frequency_hz_F / 60.0) ** -3
    return np.asarray(poles_F * np.exp(-((frequency_hz_F / 48.0) ** 8)), np.complex128)


def _ruptures(rng: np.random.Generator, rupture_s: float, frequency_hz_F: NDArray[np.float64]) -> ComplexF:
    """Break in several places: the first may be weaker than those that follow, which mixes the phase."""
    count = int(rng.integers(0, 6))
    delay_s = rng.uniform(0.0, rupture_s, count)
    strength = rng.normal(0.0, 1.0, count)
    train_F = np.ones(len(frequency_hz_F), np.complex128)
    for one_s, height in zip(delay_s, strength, strict=True):
        train_F += height * np.exp(-2j * np.pi * frequency_hz_F * one_s)
    return train_F


def _train(rng: np.random.Generator, train_s: float, count: int) -> ComplexF:
    """Scatter a pulse forward: a first arrival, and a swarm behind it that dies away."""
    time_s_T = np.arange(count // 2) / (STEPS * SAMPLING_RATE_HZ)
    swarm_T = rng.standard_normal(len(time_s_T)) * np.exp(-time_s_T / (train_s + 1e-3))
    swarm_T *= rng.uniform(0.0, 2.0) / max(float(np.sqrt(np.sum(swarm_T**2))), 1e-12)
    swarm_T[0] += 1.0
    return np.asarray(scipy.fft.rfft(swarm_T, n=count), np.complex128)
