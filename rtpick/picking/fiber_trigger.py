"""Find the peaks of probability on every channel of a fiber.

P phase, K fiber channel, T time, N peaks.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from rtpick.numeric.compiled import compiled
from rtpick.vocabulary.waveform import Float32Array

IntArray = npt.NDArray[np.int64]


class Peaks(NamedTuple):
    """Peaks, a row each.

    Parameters
    ----------
    phase_N, row_N, index_N : ndarray of int64
        Which plane, which channel of the stack, and when.
    height_N : ndarray of float32
    """

    phase_N: IntArray
    row_N: IntArray
    index_N: IntArray
    height_N: Float32Array

    def take(self, chosen_N: npt.NDArray[np.bool_] | IntArray) -> Peaks:
        """Some of them."""
        return Peaks(
            self.phase_N[chosen_N], self.row_N[chosen_N], self.index_N[chosen_N], self.height_N[chosen_N]
        )


NO_PEAKS = Peaks(*(np.empty(0, np.int64),) * 3, np.empty(0, np.float32))


def find_fiber_peaks(
    prob_PKT: Float32Array, threshold_P: Float32Array, half_window: int, first: int, last: int
) -> Peaks:
    """Pick what exceeds the threshold and everything within half a window to either side.

    Parameters
    ----------
    prob_PKT : ndarray of float32, shape (P, K, T)
        NaN where unknown.
    threshold_P : ndarray of float32, shape (P,)
    half_window : int
        Samples.
    first, last : int
        Peaks are sought in ``[first, last)``; the array must reach half a window further, or end with what is
        known.

    Returns
    -------
    Peaks
        Indices within the array; by phase, channel and time.

    Notes
    -----
    Of a plateau the first sample is the peak. Beside an unknown sample there is none.

    References
    ----------
    The rule of Zhu et al. (2023), doi:10.1038/s41467-023-43355-3, and their published code.

    Examples
    --------
    >>> prob_PKT = np.float32([[[0, 0.4, 0.1, 0.6, 0.6, 0, 0.35, 0]]])
    >>> find_fiber_peaks(prob_PKT, np.float32([0.3]), 1, 0, 8).index_N.tolist()
    [1, 3, 6]
    >>> find_fiber_peaks(prob_PKT, np.float32([0.3]), 3, 0, 8).index_N.tolist()
    [3]
    """
    is_peak_PKT = np.zeros((*prob_PKT.shape[:2], max(last - first, 0)), np.bool_)
    _mark_peaks(prob_PKT, threshold_P, half_window, first, is_peak_PKT)
    phase_N, row_N, place_N = np.nonzero(is_peak_PKT)
    index_N = place_N + first
    return Peaks(phase_N, row_N, index_N, prob_PKT[phase_N, row_N, index_N])


@compiled
def _mark_peaks(
    prob_PKT: Float32Array,
    threshold_P: Float32Array,
    half: int,
    first: int,
    is_peak_PKT: npt.NDArray[np.bool_],
) -> None:
    last = min(first + is_peak_PKT.shape[2], prob_PKT.shape[2] - 1)
    for p in range(prob_PKT.shape[0]):
        threshold = threshold_P[p]
        for k in range(prob_PKT.shape[1]):
            prob_T = prob_PKT[p, k]
            for t in range(max(first, 1), last):
                if prob_T[t] > threshold and prob_T[t - 1] < prob_T[t] and prob_T[t + 1] <= prob_T[t]:
                    is_peak_PKT[p, k, t - first] = _is_highest(prob_T, t, half)


@compiled
def _is_highest(prob_T: Float32Array, t: int, half: int) -> bool:
    """Tell whether nothing near is higher, and nothing before as high."""
    for other in range(max(t - half, 0), min(t + half + 1, len(prob_T))):
        if prob_T[other] > prob_T[t] or (other < t and prob_T[other] == prob_T[t]):
            return False
    return True
