"""Which onsets on a fiber can be seen, and which are there but must not be asked for.

The rule: filter signal and background so that each frequency counts by the signal's share of the power
there (Wiener);
compare the signal's strength in the second behind the onset with the background's in the two seconds
before it and that second;
smooth over neighbouring channels, since a front that runs along the cable is seen by the company it keeps.

Shape suffixes: K fiber channel, T time, F frequency.
"""

from __future__ import annotations

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from rtpick.learning.das_sample import FloatKT
from rtpick.learning.das_synthetic_field import FloatK

VISIBLE_RATIO = 1.3
BEHIND, BEFORE = 100, 200
# So near to the ends of a record there is too little to see.
MARGIN = 30
# Around an onset that is too weak: before it and behind it, in samples.
UNKNOWN_BEFORE, UNKNOWN_BEHIND = 60, 200
SHOWN_AROUND = 30
CHANNELS_LOOKED_AT = 96


def local_ratio(signal_KT: FloatKT, rest_KT: FloatKT, onset_K: FloatK, window: int = BEHIND) -> FloatK:
    """Return signal over background at each channel's onset; 0 where the onset is not within the record.

    Parameters
    ----------
    signal_KT, rest_KT
        The phase alone, and all the rest.
    onset_K
        In samples.
    window
        Samples behind the onset that count.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> rest_KT = rng.standard_normal((20, 1000)).astype(np.float32)
    >>> signal_KT = np.zeros_like(rest_KT)
    >>> signal_KT[:10, 500:] = 5 * rest_KT[:10, :500]
    >>> ratio_K = local_ratio(signal_KT, rest_KT, np.full(20, 500.0))
    >>> bool(ratio_K[:8].min() > 3), bool(ratio_K[12:].max() < 0.5)
    (True, True)
    """
    step = max(1, len(onset_K) // CHANNELS_LOOKED_AT)
    looked_K = np.arange(step // 2, len(onset_K), step)
    signal_KT, rest_KT = _matched(signal_KT[looked_K], rest_KT[looked_K])
    start_K = np.clip(onset_K[looked_K], 0, signal_KT.shape[1] - 1).astype(np.int64)
    strong_K = _mean_power(signal_KT, start_K, start_K + window)
    noise_K = _mean_power(rest_KT, start_K - BEFORE, start_K + min(window, 30))
    ratio_K = np.sqrt(_smooth(strong_K) / np.maximum(_smooth(noise_K), 1e-30))
    full_K = np.interp(np.arange(len(onset_K)), looked_K, ratio_K)
    inside_K = (onset_K >= MARGIN) & (onset_K < signal_KT.shape[1] - MARGIN)
    return np.where(inside_K, full_K, 0.0)


def hide_around(known_KT: NDArray[np.bool_], onset_K: FloatK, hidden_K: NDArray[np.bool_]) -> None:
    """Mark in place as unknown what surrounds the onsets of these channels."""
    sample_count = known_KT.shape[1]
    for channel in np.flatnonzero(hidden_K):
        first = max(int(onset_K[channel]) - UNKNOWN_BEFORE, 0)
        last = min(int(onset_K[channel]) + UNKNOWN_BEHIND, sample_count)
        known_KT[channel, first : max(last, 0)] = False


def show_around(known_KT: NDArray[np.bool_], onset_K: FloatK, shown_K: NDArray[np.bool_]) -> None:
    """Mark in place as known what surrounds onsets that can be seen, though a weaker one is near."""
    for channel in np.flatnonzero(shown_K):
        first = max(int(onset_K[channel]) - SHOWN_AROUND, 0)
        known_KT[channel, first : int(onset_K[channel]) + SHOWN_AROUND] = True


def _matched(signal_KT: FloatKT, rest_KT: FloatKT) -> tuple[FloatKT, FloatKT]:
    """Filter both by the signal's share of their power, frequency by frequency."""
    sample_count = signal_KT.shape[1]
    signal_KF, rest_KF = scipy.fft.rfft(signal_KT, axis=1), scipy.fft.rfft(rest_KT, axis=1)
    signal_F, rest_F = _spectrum(signal_KF), _spectrum(rest_KF)
    gain_F = np.sqrt(signal_F / (signal_F + rest_F + 1e-30)).astype(np.float32)
    gain_F[0] = 0.0
    filtered = [scipy.fft.irfft(one_KF * gain_F, n=sample_count, axis=1) for one_KF in (signal_KF, rest_KF)]
    return filtered[0], filtered[1]


def _spectrum(wave_KF: NDArray[np.complex64]) -> NDArray[np.float32]:
    """Return the median power over channels, smoothed over neighbouring frequencies."""
    power_F = np.median(wave_KF.real**2 + wave_KF.imag**2, axis=0)
    return np.convolve(power_F, np.full(25, 1 / 25, np.float32), mode="same")


def _mean_power(wave_KT: FloatKT, first_K: NDArray[np.int64], last_K: NDArray[np.int64]) -> FloatK:
    sample_count = wave_KT.shape[1]
    power_KT = np.cumsum(np.square(wave_KT, dtype=np.float64), axis=1)
    power_KT = np.concatenate([np.zeros((len(power_KT), 1)), power_KT], axis=1)
    first_K, last_K = np.clip(first_K, 0, sample_count), np.clip(last_K, 0, sample_count)
    row_K = np.arange(len(wave_KT))
    mean_K: FloatK = (power_KT[row_K, last_K] - power_KT[row_K, first_K]) / np.maximum(last_K - first_K, 1)
    return mean_K


def _smooth(power_K: FloatK) -> FloatK:
    """Average three neighbours that were looked at."""
    padded_K = np.pad(power_K, 1, mode="edge")
    smoothed_K: FloatK = (padded_K[:-2] + padded_K[1:-1] + padded_K[2:]) / 3.0
    return smoothed_K
