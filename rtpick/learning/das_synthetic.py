"""Make up what a fiber records, and the picks that belong to it.

Shape suffixes: K fiber channel, T time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from rtpick.learning.das_sample import (
    PHASES,
    SAMPLING_RATE_HZ,
    DasSample,
    FloatKT,
    no_channels,
    no_times,
)
from rtpick.learning.das_synthetic_cable import Cable, draw_cable
from rtpick.learning.das_synthetic_draw import log_uniform
from rtpick.learning.das_synthetic_event import Wavefield, make_event
from rtpick.learning.das_synthetic_field import FloatK
from rtpick.learning.das_synthetic_noise import (
    ambient_noise,
    dead_channels,
    instrument_noise,
    site_amplification,
)
from rtpick.learning.das_synthetic_rays import draw_medium
from rtpick.learning.das_synthetic_transients import add_disturbances
from rtpick.learning.das_synthetic_visible import BEHIND, VISIBLE_RATIO, hide_around, local_ratio, show_around

EVENT_COUNT_SHARES = {1: 0.72, 2: 0.20, 3: 0.08}
WEAKEST_SNR, STRONGEST_SNR = 0.5, 30.0


def make_synthetic(
    rng: np.random.Generator,
    shape: tuple[int, int],
    *,
    event_count: int | None = None,
    background_KT: FloatKT | None = None,
) -> DasSample:
    """Make up a record of a fiber and its picks.

    Parameters
    ----------
    rng
        Whence everything is drawn; the same state gives the same sample.
    shape
        Channels and samples at 100 Hz.
    event_count
        Earthquakes; drawn (1 to 3) where not given.
    background_KT
        Recorded noise of this shape to hide them in; made up where not given.

    Examples
    --------
    >>> sample = make_synthetic(np.random.default_rng(1), (32, 1024))
    >>> sample.samples_KT.shape, sample.samples_KT.dtype
    ((32, 1024), dtype('float32'))
    """
    cable, medium = draw_cable(rng, shape[0]), draw_medium(rng, shape[0])
    if event_count is None:
        event_count = int(rng.choice(list(EVENT_COUNT_SHARES), p=list(EVENT_COUNT_SHARES.values())))
    noise_KT = make_noise(rng, cable, shape[1]) if background_KT is None else levelled(background_KT)
    site_K1 = site_amplification(rng, shape[0]).astype(np.float32)[:, None]
    events = [make_event(rng, cable, medium, shape[1]) for _ in range(event_count)]
    events = [scale_event(rng, event, noise_KT, site_K1) for event in events]
    return assemble(rng, cable, events, noise_KT)


def make_noise(rng: np.random.Generator, cable: Cable, sample_count: int) -> FloatKT:
    """Make up what a cable records while there is no earthquake; its spread is about 1."""
    noise_KT = instrument_noise(rng, cable, sample_count)
    noise_KT += np.float32(log_uniform(rng, 0.1, 3.0)) * ambient_noise(rng, cable, sample_count)
    noise_KT /= _typical_spread(noise_KT)
    add_disturbances(rng, cable, noise_KT)
    return noise_KT


def limit_band(rng: np.random.Generator, parts: list[FloatKT]) -> list[FloatKT]:
    """Filter all parts of a record alike, as interrogators and archives do, without moving an onset.

    The low corner is 0.05 to 2 Hz, there in two cases of three; the high one 8 to 45 Hz, in every other case.
    """
    low_hz = log_uniform(rng, 0.05, 2.0) if rng.random() < 2 / 3 else 0.0
    high_hz = log_uniform(rng, 8.0, 45.0) if rng.random() < 0.5 else 1e3
    if low_hz == 0.0 and high_hz > SAMPLING_RATE_HZ:
        return parts
    frequency_hz_F = scipy.fft.rfftfreq(parts[0].shape[1], 1.0 / SAMPLING_RATE_HZ)
    gain_F = 1.0 / np.sqrt(1.0 + (frequency_hz_F / high_hz) ** 8)
    gain_F *= frequency_hz_F**2 / (frequency_hz_F**2 + low_hz**2 + 1e-9)
    return [_filtered(part_KT, gain_F.astype(np.float32)) for part_KT in parts]


def _filtered(wave_KT: FloatKT, gain_F: NDArray[np.float32]) -> FloatKT:
    spectrum_KF = scipy.fft.rfft(wave_KT, axis=1)
    spectrum_KF *= gain_F
    filtered_KT: FloatKT = scipy.fft.irfft(spectrum_KF, n=wave_KT.shape[1], axis=1, overwrite_x=True)
    return filtered_KT


def _typical_spread(wave_KT: FloatKT) -> np.float32:
    return np.float32(max(float(np.median(wave_KT[::4].std(axis=1))), 1e-30))


def levelled(background_KT: FloatKT) -> FloatKT:
    """Remove each channel's mean and bring the typical spread to 1."""
    centred_KT = background_KT - background_KT.mean(axis=1, keepdims=True)
    return np.asarray(centred_KT / _typical_spread(centred_KT), np.float32)


def scale_event(
    rng: np.random.Generator, event: Wavefield, noise_KT: FloatKT, site_K1: NDArray[np.float32]
) -> Wavefield:
    """Bring an earthquake to a signal-to-noise ratio of 0.5 to 30 for its stronger phase, in its own band."""
    ratios = [
        local_ratio(wave_KT, noise_KT, onset_K)
        for wave_KT, onset_K in ((event.p_KT, event.p_onset_K), (event.s_KT, event.s_onset_K))
    ]
    seen = [float(np.median(ratio_K[ratio_K > 0])) for ratio_K in ratios if np.any(ratio_K > 0)]
    now = max(seen, default=0.0)
    # A little more often strong than evenly in the logarithm: P is several times weaker than S.
    wanted = WEAKEST_SNR * (STRONGEST_SNR / WEAKEST_SNR) ** (rng.random() ** 0.6)
    # Without an onset inside, what is left of the earthquake is brought to the noise's own level.
    gain = wanted / now if now > 0 else wanted / float(_typical_spread(event.p_KT + event.s_KT) + 1e-12)
    scale_K1 = np.float32(min(gain, 1e12)) * site_K1
    before_KT = None if event.before_KT is None else event.before_KT * scale_K1
    return replace(event, p_KT=event.p_KT * scale_K1, s_KT=event.s_KT * scale_K1, before_KT=before_KT)


def assemble(rng: np.random.Generator, cable: Cable, events: list[Wavefield], noise_KT: FloatKT) -> DasSample:
    """Add earthquakes to noise, filter all alike, and pick what can be seen."""
    for event in events:
        noise_KT = noise_KT if event.before_KT is None else noise_KT + event.before_KT
    waves = [wave_KT for event in events for wave_KT in (event.p_KT, event.s_KT)]
    *waves, total_KT = limit_band(rng, [*waves, noise_KT.copy()])
    for wave_KT in waves:
        total_KT += wave_KT
    dead_K = dead_channels(rng, len(total_KT))
    fronts = _fronts(events, waves, total_KT, dead_K)
    total_KT[dead_K] = 0.0
    return _as_sample(total_KT, fronts, cable)


@dataclass(frozen=True, slots=True, eq=False)
class _Front:
    """The onset of one phase of one earthquake on all channels, and where it can be seen."""

    event: int
    phase: str
    onset_K: FloatK
    visible_K: NDArray[np.bool_]

    @property
    def channels(self) -> NDArray[np.int64]:
        return np.flatnonzero(self.visible_K)


def _fronts(
    events: list[Wavefield], waves: list[FloatKT], total_KT: FloatKT, dead_K: NDArray[np.bool_]
) -> list[_Front]:
    fronts = []
    for number, wave_KT in enumerate(waves):
        event = events[number // 2]
        onset_K = event.s_onset_K if number % 2 else event.p_onset_K
        # Behind P only what comes before S counts.
        lag = float(np.median(event.s_onset_K - event.p_onset_K))
        window = int(np.clip(0.9 * lag, 10, BEHIND))
        ratio_K = local_ratio(wave_KT, total_KT - wave_KT, onset_K, window)
        visible_K = (ratio_K > VISIBLE_RATIO) & ~dead_K
        fronts.append(_Front(number // 2, PHASES[number % 2], onset_K, visible_K))
    return fronts


def _as_sample(total_KT: FloatKT, fronts: list[_Front], cable: Cable) -> DasSample:
    known_KT = np.ones(total_KT.shape, np.bool_)
    for front in fronts:
        hide_around(known_KT, front.onset_K, ~front.visible_K)
    for front in fronts:
        show_around(known_KT, front.onset_K, front.visible_K)
    counts = [len(front.channels) for front in fronts]
    return DasSample(
        samples_KT=total_KT,
        channel_N=np.concatenate([no_channels(), *(front.channels for front in fronts)]),
        phase_N=np.repeat(np.array([front.phase for front in fronts], "U1"), counts),
        sample_N=np.concatenate([no_times(), *(front.onset_K[front.visible_K] for front in fronts)]),
        event_N=np.repeat(np.array([front.event for front in fronts], np.int64), counts),
        known_KT=known_KT,
        channel_spacing_m=cable.channel_spacing_m,
        kind="synthetic" if fronts else "noise",
    )
