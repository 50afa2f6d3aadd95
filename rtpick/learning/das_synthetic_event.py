"""The strain rate that a made-up earthquake leaves on a fiber, P and S apart.

A fiber feels a wave by the square of the cosine between its own and the wave's direction for P, and by
the sine of twice
that angle for S; steep waves are felt weakly, and much of what is seen was scattered into slow waves
near the cable.

Shape suffixes: K fiber channel, T time, F frequency.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtpick.learning.das_sample import SAMPLING_RATE_HZ, FloatKT
from rtpick.learning.das_synthetic_cable import Cable, smooth_curve
from rtpick.learning.das_synthetic_draw import log_uniform
from rtpick.learning.das_synthetic_field import (
    FloatK,
    follow_onset,
    gauge_power,
    place_pulse,
    random_field,
    surface_wave_power,
    wavenumbers,
)
from rtpick.learning.das_synthetic_rays import Arrival, Medium, arrive, draw_hypocentre
from rtpick.learning.das_synthetic_source import Source, draw_source, make_pulse, phase_spectrum
from rtpick.learning.das_synthetic_surface import DEEPEST_KM, surface_train

NO_P_SHARE = 0.12
# Of shallow earthquakes nearby, which have surface waves that matter.
SURFACE_SHARE, LONGEST_LAG_S = 0.5, 5.0


@dataclass(frozen=True, slots=True, eq=False)
class Wavefield:
    """One earthquake on a cable.

    Attributes
    ----------
    p_KT, s_KT
        What comes with P and with S, any unit.
    p_onset_K, s_onset_K
        In samples of the field; they may lie outside.
    before_KT
        What a recording holds before P, where there is one.
    """

    p_KT: FloatKT
    s_KT: FloatKT
    p_onset_K: FloatK
    s_onset_K: FloatK
    before_KT: FloatKT | None = None


def make_event(rng: np.random.Generator, cable: Cable, medium: Medium, sample_count: int) -> Wavefield:
    """Let an earthquake happen whose waves pass the cable within, or partly within, so many samples.

    Examples
    --------
    >>> from rtpick.learning.das_synthetic_cable import draw_cable
    >>> from rtpick.learning.das_synthetic_rays import draw_medium
    >>> rng = np.random.default_rng(0)
    >>> event = make_event(rng, draw_cable(rng, 32), draw_medium(rng, 32), 1024)
    >>> event.p_KT.shape, bool((event.s_onset_K > event.p_onset_K).all())
    ((32, 1024), True)
    """
    hypocentre = draw_hypocentre(rng, medium, cable)
    p, s = (arrive(medium, hypocentre, cable, phase) for phase in "PS")
    lag_s = float(np.median(s.first_s_K - p.first_s_K))
    origin = draw_origin(rng, p, s, sample_count)
    source = draw_source(rng, lag_s)
    scatter_KF = _scatter_power(rng, cable, sample_count)
    fields = []
    for phase, arrival in (("P", p), ("S", s)):
        field_KT = _direct_waves(rng, cable, medium, source, phase, arrival, origin, sample_count)
        field_KT += _coda(rng, cable, source, phase, arrival, origin, lag_s, scatter_KF, sample_count)
        fields.append(field_KT)
    p_onset_K, s_onset_K = (origin + SAMPLING_RATE_HZ * arrival.first_s_K for arrival in (p, s))
    if hypocentre.depth_km < DEEPEST_KM and lag_s < LONGEST_LAG_S and rng.random() < SURFACE_SHARE:
        train_KT = surface_train(rng, cable, hypocentre, origin, s_onset_K, sample_count)
        fields[1] += np.float32(log_uniform(rng, 0.1, 2.0)) * train_KT
    p_KT = _weaken_p(rng, fields[0], fields[1], p_onset_K, s_onset_K)
    return Wavefield(p_KT, fields[1], p_onset_K, s_onset_K)


def rms_behind(field_KT: FloatKT, onset_K: FloatK, window: int) -> float:
    """Return the median over channels of a field's strength in the `window` samples behind its onsets."""
    sample_count = field_KT.shape[1]
    seen = [
        float(np.sqrt(np.mean(field_KT[channel, start : start + window] ** 2)))
        for channel, start in enumerate(np.clip(onset_K, 0, None).astype(np.int64))
        if start < sample_count - 10 and onset_K[channel] > -window
    ]
    return float(np.median(seen)) if seen else 0.0


def draw_origin(rng: np.random.Generator, p: Arrival, s: Arrival, sample_count: int) -> float:
    """Choose the origin so that P or S reaches some channel at a sample within the field."""
    arrival = p if rng.random() < 0.5 else s
    travel_s = float(rng.choice(arrival.first_s_K))
    if rng.random() < 0.06:
        # Nothing but the coda of an earthquake that came before.
        return -SAMPLING_RATE_HZ * (float(s.first_s_K.max()) + rng.uniform(0.0, 10.0))
    return float(rng.uniform(0.0, sample_count)) - SAMPLING_RATE_HZ * travel_s


def axial_strain(phase: str, sine_K: FloatK, turned_rad_K: FloatK, polarisation_rad: float) -> FloatK:
    """Return the strain along a level fiber of a wave of unit strain.

    Parameters
    ----------
    phase
        ``"P"`` or ``"S"``.
    sine_K
        Of the angle between the ray and the vertical.
    turned_rad_K
        Azimuth of the fiber less that of the ray.
    polarisation_rad
        Of S: 0 in the plane of the ray and the vertical, a right angle across it.

    Examples
    --------
    >>> level, along, across = np.ones(1), np.zeros(1), np.full(1, np.pi / 2)
    >>> [float(axial_strain("P", level, turned, 0.0).round(6)[0]) for turned in (along, across)]
    [1.0, 0.0]
    """
    along_K, across_K = np.cos(turned_rad_K), np.sin(turned_rad_K)
    if phase == "P":
        return np.asarray((sine_K * along_K) ** 2, np.float64)
    vertical_K = np.cos(polarisation_rad) * np.sqrt(1.0 - sine_K**2) * along_K
    strain_K: FloatK = sine_K * along_K * (vertical_K + np.sin(polarisation_rad) * across_K)
    return strain_K


def _sensitivity(
    rng: np.random.Generator, cable: Cable, medium: Medium, phase: str, arrival: Arrival
) -> FloatK:
    """Return how strongly, and with which sign, each channel is strained by a phase."""
    sine_K = np.clip(arrival.slowness_s_km_K * medium.sediment_speed_km_s(phase), 0.03, 0.99)
    strain_K = axial_strain(
        phase, sine_K, cable.azimuth_rad_K - arrival.azimuth_rad_K, rng.uniform(0, 2 * np.pi)
    )
    strain_K = strain_K / max(float(np.sqrt(np.mean(strain_K**2))), 1e-6)
    # What the uneven ground turns into strain along the fiber, whatever the direction.
    knot_channels = log_uniform(rng, 4.0, 60.0)
    return strain_K + rng.uniform(0.1, 1.0) * smooth_curve(rng, len(strain_K), knot_channels)


def _direct_waves(
    rng: np.random.Generator,
    cable: Cable,
    medium: Medium,
    source: Source,
    phase: str,
    arrival: Arrival,
    origin: float,
    sample_count: int,
) -> FloatKT:
    """Lay down the first wave, those that follow it, and what scatterers near the cable send along it."""
    field_KT = np.zeros((len(arrival.first_s_K), sample_count), np.float32)
    pulse_OT = make_pulse(rng, source, phase, float(np.median(arrival.first_s_K)))
    strength_K = _sensitivity(rng, cable, medium, phase, arrival)
    onset_K = origin + SAMPLING_RATE_HZ * arrival.first_s_K
    is_head_K = arrival.first_s_K < arrival.direct_s_K - 0.05
    first_K = np.where(is_head_K, rng.uniform(0.1, 0.7), 1.0)
    place_pulse(field_KT, pulse_OT, onset_K, strength_K * first_K)
    if is_head_K.any():
        place_pulse(
            field_KT, pulse_OT, origin + SAMPLING_RATE_HZ * arrival.direct_s_K, strength_K * is_head_K
        )
    for _ in range(rng.integers(0, 6)):
        later_K = onset_K + SAMPLING_RATE_HZ * _later_s(rng, arrival)
        strength_K = _sensitivity(rng, cable, medium, phase, arrival)
        place_pulse(field_KT, pulse_OT, later_K, strength_K * rng.uniform(-0.8, 0.8))
    _scatter(rng, field_KT, pulse_OT, onset_K, cable)
    return field_KT


def _later_s(rng: np.random.Generator, arrival: Arrival) -> FloatK:
    """Delay a reflection or a conversion by up to a tenth of the travel time, a little tilted."""
    longest_s = min(3.0, 0.1 * float(np.median(arrival.first_s_K)) + 0.1)
    tilt_K = np.linspace(0.0, rng.uniform(-0.1, 0.1), len(arrival.first_s_K))
    delay_s_K: FloatK = np.maximum(rng.uniform(0.03, longest_s) + tilt_K, 0.02)
    return delay_s_K


def _scatter(
    rng: np.random.Generator, field_KT: FloatKT, pulse_OT: FloatKT, onset_K: FloatK, cable: Cable
) -> None:
    """Send slow waves both ways along the cable from where it bends or the ground changes."""
    channel_count = len(onset_K)
    speed_m_s = log_uniform(rng, 150.0, 1500.0)
    reach_m = speed_m_s * log_uniform(rng, 0.05, 1.0)
    strength, count = log_uniform(rng, 0.1, 2.5), int(log_uniform(rng, 1.0, 60.0)) - 1
    for centre in rng.integers(0, channel_count, size=count):
        away_m_K = cable.channel_spacing_m * np.abs(np.arange(channel_count) - centre)
        start_K = onset_K[centre] + SAMPLING_RATE_HZ * away_m_K / speed_m_s
        fading_K = rng.normal(0.0, strength) * np.exp(-away_m_K / reach_m)
        # A scattered wave that overtakes the first one would be an onset of its own.
        fading_K[start_K < onset_K] = 0.0
        place_pulse(field_KT, pulse_OT, start_K, np.where(np.abs(fading_K) > 0.02, fading_K, 0.0))


def _scatter_power(rng: np.random.Generator, cable: Cable, sample_count: int) -> NDArray[np.float32]:
    shape = (len(cable.east_m_K), sample_count)
    wavenumber_K1, frequency_1F = wavenumbers(shape, cable.channel_spacing_m)
    power_KF = surface_wave_power(rng, wavenumber_K1, frequency_1F)
    power_KF *= gauge_power(wavenumber_K1, cable.gauge_length_m)
    return power_KF


def _coda(
    rng: np.random.Generator,
    cable: Cable,
    source: Source,
    phase: str,
    arrival: Arrival,
    origin: float,
    lag_s: float,
    scatter_KF: NDArray[np.float32],
    sample_count: int,
) -> FloatKT:
    """Let scattered waves swell behind the onset and die away; their spectrum is the phase's own."""
    frequency_hz_F = np.asarray(np.fft.rfftfreq(sample_count, 1.0 / SAMPLING_RATE_HZ), np.float64)
    travel_s = float(np.median(arrival.first_s_K))
    colour_F = np.abs(phase_spectrum(source, phase, travel_s, frequency_hz_F)) ** 2
    across_F = np.maximum(scatter_KF.sum(axis=0), 1e-20)
    field_KT = random_field(rng, scatter_KF * (colour_F / across_F).astype(np.float32), sample_count)
    onset_K = origin + SAMPLING_RATE_HZ * arrival.first_s_K
    envelope_T = _envelope(rng, phase, lag_s, sample_count + max(0, -int(onset_K.min())))
    field_KT *= follow_onset(envelope_T, onset_K, sample_count)
    # Pulses have a peak of about 1, which lasts a few samples only.
    field_KT *= np.float32(log_uniform(rng, 0.06, 0.7))
    return field_KT


def _envelope(rng: np.random.Generator, phase: str, lag_s: float, length: int) -> NDArray[np.float32]:
    time_s_T = (np.arange(length) + 1.0) / SAMPLING_RATE_HZ
    slowest_s = float(np.clip(0.05 * lag_s, 0.05, 0.6))
    rise_s = log_uniform(rng, 0.015, slowest_s)
    if phase == "P":
        fall_s = float(np.clip(lag_s * rng.uniform(0.25, 1.2), 0.3, 15.0))
    else:
        fall_s = float(np.clip(lag_s * rng.uniform(0.4, 1.8), 0.8, 25.0))
    power = rng.uniform(0.0, 0.8)
    swell_T = 1.0 - np.exp(-time_s_T / rise_s)
    decay_T = np.exp(-time_s_T / fall_s) * (1.0 + 3.0 * time_s_T / fall_s) ** -power
    return np.asarray(swell_T * decay_T, np.float32)


def _weaken_p(
    rng: np.random.Generator, p_KT: FloatKT, s_KT: FloatKT, p_onset_K: FloatK, s_onset_K: FloatK
) -> FloatKT:
    """Bring P to 0.06 to 1 times the strength of S, or take it away."""
    lag = int(np.clip(np.median(s_onset_K - p_onset_K), 20, 300))
    p_rms, s_rms = rms_behind(p_KT, p_onset_K, lag), rms_behind(s_KT, s_onset_K, lag)
    if rng.random() < NO_P_SHARE:
        return p_KT * np.float32(0.0)
    wanted = log_uniform(rng, 0.06, 1.0)
    return p_KT * np.float32(wanted * s_rms / p_rms if p_rms > 0 and s_rms > 0 else 0.3)
