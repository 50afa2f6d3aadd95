"""Surface waves of a shallow earthquake nearby: a slow train, one frequency after the other.

Shape suffixes: K fiber channel, T time, O steps within a sample.
"""

from __future__ import annotations

import numpy as np

from rtpick.learning.das_sample import SAMPLING_RATE_HZ, FloatKT
from rtpick.learning.das_synthetic_cable import Cable
from rtpick.learning.das_synthetic_draw import log_uniform
from rtpick.learning.das_synthetic_field import FloatK, place_pulse
from rtpick.learning.das_synthetic_rays import Hypocentre
from rtpick.learning.das_synthetic_source import STEPS

DEEPEST_KM = 8.0
BANDS = 12


def surface_train(
    rng: np.random.Generator,
    cable: Cable,
    hypocentre: Hypocentre,
    origin: float,
    s_onset_K: FloatK,
    sample_count: int,
) -> FloatKT:
    """Let surface waves run from the epicentre along the ground, but not before S.

    Parameters
    ----------
    rng
        Whence speeds, frequencies and strengths are drawn.
    cable, hypocentre
        Where they are felt, and where they come from.
    origin
        Of the earthquake, in samples of the field.
    s_onset_K
        In samples; no surface wave is there before.
    sample_count
        Of the field.

    Examples
    --------
    >>> from rtpick.learning.das_synthetic_cable import draw_cable
    >>> cable = draw_cable(np.random.default_rng(0), 8)
    >>> near, rng = Hypocentre(1.0, 0.0, 1.0), np.random.default_rng(0)
    >>> surface_train(rng, cable, near, 100.0, np.full(8, 150.0), 512).shape
    (8, 512)
    """
    field_KT = np.zeros((len(s_onset_K), sample_count), np.float32)
    east_m_K = cable.east_m_K - 1000 * hypocentre.east_km
    north_m_K = cable.north_m_K - 1000 * hypocentre.north_km
    offset_m_K = np.hypot(east_m_K, north_m_K)
    # Waves along the fiber strain it, waves across it hardly.
    along_K = np.cos(cable.azimuth_rad_K - np.arctan2(east_m_K, north_m_K))
    slow_m_s, ratio = log_uniform(rng, 200.0, 800.0), rng.uniform(1.0, 4.0)
    lowest_hz, highest_hz = log_uniform(rng, 0.5, 2.0), log_uniform(rng, 3.0, 15.0)
    nearest_m = max(float(offset_m_K.min()), 100.0)
    decay_K = np.sqrt(nearest_m / np.maximum(offset_m_K, nearest_m))
    for frequency_hz in np.geomspace(lowest_hz, highest_hz, BANDS):
        share = np.log(highest_hz / frequency_hz) / np.log(highest_hz / lowest_hz)
        speed_m_s = slow_m_s * ratio**share
        absorbed_K = np.exp(-np.pi * frequency_hz * (offset_m_K - nearest_m) / (speed_m_s * 40.0))
        onset_K = np.maximum(origin + SAMPLING_RATE_HZ * offset_m_K / speed_m_s, s_onset_K)
        strength = rng.normal(0.0, 1.0)
        place_pulse(
            field_KT, _packet(rng, frequency_hz), onset_K, strength * along_K**2 * decay_K * absorbed_K
        )
    return field_KT


def _packet(rng: np.random.Generator, frequency_hz: float) -> FloatKT:
    """Make a packet of some cycles of one frequency, its beginning at the onset."""
    width = min(rng.uniform(0.7, 2.0) / frequency_hz * SAMPLING_RATE_HZ, 150.0)
    time_OT = np.arange(int(6 * width))[None, :] - 3 * width - np.arange(STEPS)[:, None] / STEPS
    phase_rad = 2 * np.pi * (frequency_hz / SAMPLING_RATE_HZ * time_OT + rng.random())
    return np.asarray(np.exp(-0.5 * (time_OT / width) ** 2) * np.cos(phase_rad), np.float32)
