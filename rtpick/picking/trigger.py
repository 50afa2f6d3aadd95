"""Find the peaks of a curve of probability.

Arrays: T time, N peaks. Everything here is a pure function of the curve.

References
----------
The rule is that of Zhu and Beroza (2019), doi:10.1093/gji/ggy423, and their published code: rising edge,
minimum height, minimum distance with the highest peak first.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rtpick.vocabulary.waveform import Float32Array

IntArray = npt.NDArray[np.int64]

# Full width at half maximum over the standard deviation of a Gaussian.
FWHM_PER_SIGMA = 2.354820045


def find_peaks(
    prob_T: Float32Array, threshold: float, minimum_distance: int, minimum_rise: float = 0.0
) -> IntArray:
    """Pick the arrivals of one phase off its curve.

    Parameters
    ----------
    prob_T : ndarray of float32, shape (T,)
        NaN where unknown.
    threshold : float
        Least height of a peak.
    minimum_distance : int
        Samples within which only the highest peak is kept.
    minimum_rise : float
        Least height above the lowest sample within `minimum_distance`, on both sides.

    Returns
    -------
    ndarray of int64, shape (N,)
        Indices of the peaks, ascending.

    Notes
    -----
    The first and last sample and those beside an unknown one are never peaks.

    Examples
    --------
    >>> prob_T = np.float32([0, 0.4, 0.1, 0.6, 0.6, 0, 0.35, 0])
    >>> find_peaks(prob_T, 0.3, 2).tolist()
    [3, 6]
    >>> find_peaks(prob_T, 0.3, 3).tolist()
    [3]
    """
    candidates = local_maxima(prob_T, threshold, minimum_distance, minimum_rise)
    return keep_best(candidates, prob_T[candidates], minimum_distance)


def local_maxima(prob_T: Float32Array, threshold: float, reach: int, minimum_rise: float = 0.0) -> IntArray:
    """List the samples that stand above the one before, are not exceeded by the next, and are high enough.

    Parameters
    ----------
    prob_T : ndarray of float32, shape (T,)
        NaN where unknown.
    threshold : float
        Least height.
    reach : int
        Samples to either side in which the rise is measured.
    minimum_rise : float
        Least height above the lowest sample within `reach`, on both sides.

    Returns
    -------
    ndarray of int64, shape (N,)

    Examples
    --------
    >>> prob_T = np.float32([0.3, 0.4, 0.3, 0.6, 0.2])
    >>> local_maxima(prob_T, 0.3, 2).tolist(), local_maxima(prob_T, 0.3, 2, minimum_rise=0.2).tolist()
    ([1, 3], [3])
    """
    middle_T = prob_T[1:-1]
    peaked_T = (middle_T >= threshold) & (middle_T > prob_T[:-2]) & (prob_T[2:] <= middle_T)
    candidates: IntArray = np.flatnonzero(peaked_T) + 1
    if minimum_rise <= 0:
        return candidates
    return np.array([i for i in candidates if _rise(prob_T, i, reach) >= minimum_rise], np.int64)


def keep_best(indices: IntArray, heights: Float32Array, minimum_distance: int) -> IntArray:
    """Keep the highest peak and drop those near it, then the next highest, and so on.

    Of equally high peaks the later one goes first.

    Parameters
    ----------
    indices : ndarray of int64, shape (N,)
        Ascending.
    heights : ndarray of float32, shape (N,)
        The curve there.
    minimum_distance : int
        Peaks this near (inclusive) to a kept one are dropped.

    Returns
    -------
    ndarray of int64, shape (M,)
        Ascending.

    Examples
    --------
    >>> keep_best(np.array([10, 14, 18]), np.float32([0.5, 0.9, 0.8]), 4).tolist()
    [14]
    """
    if len(indices) < 2:
        return indices
    kept: list[int] = []
    for place in np.argsort(heights, kind="stable")[::-1]:
        index = int(indices[place])
        if all(abs(index - other) > minimum_distance for other in kept):
            kept.append(index)
    return np.array(sorted(kept), np.int64)


def peak_sigma(prob_T: Float32Array, index: int, reach: int) -> float:
    """Measure how wide a peak is, as the standard deviation of the Gaussian of the same width at half height.

    Parameters
    ----------
    prob_T : ndarray of float32, shape (T,)
        The curve.
    index : int
        The peak.
    reach : int
        Samples to either side within which the half height is sought; a flank that does not fall so far
        counts as `reach`, and one that runs into an unknown sample as the distance to it.

    Returns
    -------
    float
        Samples.

    Examples
    --------
    >>> t_T = np.arange(101)
    >>> round(peak_sigma(np.exp(-((t_T - 50) ** 2) / 72).astype(np.float32), 50, 40), 2)
    6.0
    """
    left = _flank(prob_T[max(index - reach, 0) : index + 1][::-1], reach)
    right = _flank(prob_T[index : index + reach + 1], reach)
    return (left + right) / FWHM_PER_SIGMA


def _rise(prob_T: Float32Array, index: int, reach: int) -> float:
    before = prob_T[max(index - reach, 0) : index]
    after = prob_T[index + 1 : index + 1 + reach]
    return float(prob_T[index] - max(np.nanmin(before), np.nanmin(after)))


def _flank(falling_T: Float32Array, reach: int) -> float:
    half = falling_T[0] / 2
    fallen = np.flatnonzero(~(falling_T >= half))
    if not len(fallen):
        return float(reach)
    foot = int(fallen[0])
    if np.isnan(falling_T[foot]):
        return float(foot)
    return float(foot - (half - falling_T[foot]) / (falling_T[foot - 1] - falling_T[foot]))
