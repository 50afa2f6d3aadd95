"""Lay a station's recording of an earthquake along a made-up cable.

Each channel plays the recording at its own pace, so that P and S come when a synthetic earthquake of the
same S minus P
says; the components are mixed, and echoed, differently along the cable.

Shape suffixes: K fiber channel, T time, C component.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rtpick.learning.das_sample import SAMPLING_RATE_HZ, DasSample, FloatKT
from rtpick.learning.das_synthetic import assemble, levelled, make_noise, scale_event
from rtpick.learning.das_synthetic_cable import draw_cable, smooth_curve
from rtpick.learning.das_synthetic_draw import log_uniform
from rtpick.learning.das_synthetic_event import Wavefield, draw_origin
from rtpick.learning.das_synthetic_noise import site_amplification
from rtpick.learning.das_synthetic_rays import Arrival, arrive, draw_hypocentre, draw_medium
from rtpick.learning.dataset import Recording

# Away from its picks, a recording may hold earthquakes that nobody has marked.
TRUSTED_BEFORE_S, TRUSTED_BEHIND_S = 8.0, 6.0
ECHOES = 4


def usable_recordings(recordings: list[Recording], shortest_s: float = 60.0) -> list[Recording]:
    """Choose recordings with an analyst's P and S, and long enough."""
    return [
        recording
        for recording in recordings
        if recording.kind == "manual"
        and len(recording.p_samples) == len(recording.s_samples) == 1
        and 0.2 < (recording.s_samples[0] - recording.p_samples[0]) / SAMPLING_RATE_HZ < 40.0
        and recording.samples_CT.shape[1] >= shortest_s * SAMPLING_RATE_HZ
    ]


def make_from_station(
    rng: np.random.Generator,
    recording: Recording,
    shape: tuple[int, int],
    background_KT: FloatKT | None = None,
) -> DasSample:
    """Make a cable's record, with picks, of the earthquake that a station recorded.

    Parameters
    ----------
    rng
        Whence everything is drawn.
    recording
        With one P and one S, see `usable_recordings`.
    shape
        Channels and samples at 100 Hz.
    background_KT
        Noise of this shape; made up where not given.
    """
    cable, medium = draw_cable(rng, shape[0]), draw_medium(rng, shape[0])
    lag_s = float(recording.s_samples[0] - recording.p_samples[0]) / SAMPLING_RATE_HZ
    hypocentre = draw_hypocentre(rng, medium, cable, lag_s)
    p, s = (arrive(medium, hypocentre, cable, phase) for phase in "PS")
    origin = draw_origin(rng, p, s, shape[1])
    played_KT = _play_times(recording, p, s, origin, shape[1])
    wave_KT = _play(rng, recording, played_KT)
    event = _split(recording, wave_KT, played_KT, origin, p, s)
    noise_KT = make_noise(rng, cable, shape[1]) if background_KT is None else levelled(background_KT)
    site_K1 = site_amplification(rng, shape[0]).astype(np.float32)[:, None]
    event = scale_event(rng, event, noise_KT, site_K1)
    return _distrust(assemble(rng, cable, [event], noise_KT), recording, played_KT)


def _play_times(
    recording: Recording, p: Arrival, s: Arrival, origin: float, sample_count: int
) -> NDArray[np.float32]:
    """Return which sample of the recording each channel plays at each instant."""
    recorded_p, recorded_s = float(recording.p_samples[0]), float(recording.s_samples[0])
    p_K1 = (origin + SAMPLING_RATE_HZ * p.first_s_K)[:, None]
    s_K1 = (origin + SAMPLING_RATE_HZ * s.first_s_K)[:, None]
    time_1T = np.arange(sample_count, dtype=np.float64)[None, :]
    pace_K1 = (recorded_s - recorded_p) / (s_K1 - p_K1)
    between_KT = recorded_p + pace_K1 * (time_1T - p_K1)
    played_KT = np.where(time_1T < p_K1, recorded_p + time_1T - p_K1, between_KT)
    played_KT = np.where(time_1T > s_K1, recorded_s + time_1T - s_K1, played_KT)
    return played_KT.astype(np.float32)


def _play(rng: np.random.Generator, recording: Recording, played_KT: NDArray[np.float32]) -> FloatKT:
    """Mix components and echoes for each channel, and play the mixture."""
    known_CT = np.nan_to_num(recording.samples_CT)
    if rng.random() < 0.5:
        known_CT = np.gradient(known_CT, axis=1)
    known_CT = known_CT / max(float(np.abs(known_CT).max()), 1e-30)
    echoes = _echoes(rng, known_CT)
    knot_channels = log_uniform(rng, 5.0, 100.0)
    weight_KE = np.stack([smooth_curve(rng, len(played_KT), knot_channels) for _ in echoes], axis=1)
    mixture_KT = (weight_KE.astype(np.float32) @ echoes).astype(np.float32)
    grid_T = np.arange(mixture_KT.shape[1])
    return np.stack(
        [np.interp(played_T, grid_T, row_T) for played_T, row_T in zip(played_KT, mixture_KT, strict=True)]
    ).astype(np.float32)


def _echoes(rng: np.random.Generator, known_CT: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the components, and weaker ones that come up to 0.4 s later: what a rough ground adds."""
    present_CT = known_CT[known_CT.any(axis=1)]
    echoes = [present_CT]
    for _ in range(rng.integers(0, ECHOES + 1)):
        delay = int(rng.integers(1, 40))
        echo_T = rng.uniform(0.1, 0.6) * present_CT[rng.integers(len(present_CT))]
        echoes.append(np.pad(echo_T, (delay, 0))[None, : len(echo_T)])
    return np.concatenate(echoes).astype(np.float32)


def _split(
    recording: Recording,
    wave_KT: FloatKT,
    played_KT: NDArray[np.float32],
    origin: float,
    p: Arrival,
    s: Arrival,
) -> Wavefield:
    behind_p_KT = played_KT >= np.float32(recording.p_samples[0])
    behind_s_KT = played_KT >= np.float32(recording.s_samples[0])
    p_onset_K, s_onset_K = (origin + SAMPLING_RATE_HZ * arrival.first_s_K for arrival in (p, s))
    return Wavefield(
        p_KT=np.where(behind_p_KT & ~behind_s_KT, wave_KT, np.float32(0.0)),
        s_KT=np.where(behind_s_KT, wave_KT, np.float32(0.0)),
        p_onset_K=p_onset_K,
        s_onset_K=s_onset_K,
        before_KT=np.where(behind_p_KT, np.float32(0.0), wave_KT),
    )


def _distrust(sample: DasSample, recording: Recording, played_KT: NDArray[np.float32]) -> DasSample:
    """Call unknown what is far from the recording's picks, or was not recorded at all."""
    p, s = float(recording.p_samples[0]), float(recording.s_samples[0])
    first = p - TRUSTED_BEFORE_S * SAMPLING_RATE_HZ
    last = s + TRUSTED_BEHIND_S * SAMPLING_RATE_HZ + 2.0 * (s - p)
    trusted_KT = (played_KT >= max(first, 0.0)) & (played_KT <= min(last, recording.samples_CT.shape[1] - 1))
    known_KT = trusted_KT if sample.known_KT is None else trusted_KT & sample.known_KT
    return replace(sample, known_KT=known_KT, kind="station")
