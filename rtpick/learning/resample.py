"""Bring whole recordings to the network's sampling rate before training.

Shape suffixes: C component, T time. The live path has a streaming filter of its own; here a recording is
all there.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly


def resample_rate(samples_CT: NDArray[np.float32], from_hz: float, to_hz: float) -> NDArray[np.float32]:
    """Resample by a polyphase filter, keeping missing samples missing.

    Parameters
    ----------
    samples_CT
        (C, T) float32, NaN where missing; the mean need not be zero.
    from_hz, to_hz
        Sampling rates, Hz; their ratio is taken to the nearest fraction with a denominator up to 1000.

    Returns
    -------
    ndarray
        (C, about T * to_hz / from_hz) float32; a sample is NaN where its nearest source sample was.
    """
    ratio = Fraction(to_hz / from_hz).limit_denominator(1000)
    if ratio == 1:
        return samples_CT.copy()
    missing_CT = ~np.isfinite(samples_CT)
    n_valid_C1 = np.maximum((~missing_CT).sum(axis=1, keepdims=True), 1)
    known_CT = np.where(missing_CT, 0.0, samples_CT)
    mean_C1 = known_CT.sum(axis=1, keepdims=True, dtype=np.float64) / n_valid_C1
    filled_CT = np.where(missing_CT, 0.0, samples_CT - mean_C1)
    resampled_CT = resample_poly(filled_CT, ratio.numerator, ratio.denominator, axis=1)
    nearest_T = np.minimum(
        (np.arange(resampled_CT.shape[1]) / float(ratio)).round().astype(int), samples_CT.shape[1] - 1
    )
    resampled_CT[missing_CT[:, nearest_T]] = np.nan
    result_CT: NDArray[np.float32] = resampled_CT.astype(np.float32)
    return result_CT
