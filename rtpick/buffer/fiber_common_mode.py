"""Take out what the interrogator does to all channels at once.

K channel, T time. Each sample of time is treated for itself, so that it never matters how samples were cut.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from rtpick.numeric.compiled import compiled
from rtpick.vocabulary.waveform import Float32Array

CommonMode = Literal["off", "steps", "median"]

TOGETHER = 16
"""Times whose samples are laid side by side at once, for the sake of the processor's cache."""

SAMPLED_CHANNELS = 192
"""At least so many channels tell whether a step is likely."""

STEP_RATIO = 4.0
"""A median so many times the channels' usual distance from it is no wave: a wave differs along the fiber."""

MINIMUM_CHANNELS = {"steps": 96, "median": 8}
"""Neighbouring channels share their gauge length: on few of them a wave looks like a step."""


def remove_common_mode(samples_KT: Float32Array, mode: CommonMode) -> Float32Array:
    """Subtract what the channels have in common.

    Parameters
    ----------
    samples_KT : ndarray of float32, shape (K, T)
        NaN where missing. Not modified.
    mode : {"off", "steps", "median"}
        ``"median"`` subtracts the median over the channels. ``"steps"`` subtracts it only as far as it stands
        out of the channels' distances from it, as a step or spike of the interrogator does; a wave that
        reaches a short fiber broadside stays.

    Returns
    -------
    ndarray of float32, shape (K, T)

    Notes
    -----
    Fewer than 96 channels never tell a step from a wave: there ``"steps"`` takes nothing out.

    Examples
    --------
    >>> wave_KT = np.arange(-50, 51, dtype=np.float32)[:, None]
    >>> bool((remove_common_mode(wave_KT, "steps") == wave_KT).all())
    True
    >>> remove_common_mode(wave_KT[::10] + 1000, "median").ravel().tolist()
    [-50.0, -40.0, -30.0, -20.0, -10.0, 0.0, 10.0, 20.0, 30.0, 40.0, 50.0]
    """
    if mode == "off" or len(samples_KT) < MINIMUM_CHANNELS[mode]:
        return samples_KT
    common_T = np.empty(samples_KT.shape[1], np.float32)
    _common(samples_KT, STEP_RATIO if mode == "steps" else 0.0, MINIMUM_CHANNELS[mode], common_T)
    return samples_KT - common_T


@compiled
def _common(samples_KT: Float32Array, ratio: float, least: int, common_T: Float32Array) -> None:
    """Find the median at each time, lessened where it is not far beyond `ratio` median distances."""
    side_TK = np.empty((TOGETHER, len(samples_KT)), np.float32)
    skip = max(len(samples_KT) // SAMPLED_CHANNELS, 1)
    for first in range(0, samples_KT.shape[1], TOGETHER):
        count = min(TOGETHER, samples_KT.shape[1] - first)
        for k in range(len(samples_KT)):
            for t in range(count):
                side_TK[t, k] = samples_KT[k, first + t]
        for t in range(count):
            common_T[first + t] = 0.0
            # Steps are rare: a sample of the channels says where the median stands out at all.
            if ratio == 0.0 or _excess(side_TK[t, ::skip], ratio / 2, least)[1] > 0.0:
                median, excess = _excess(side_TK[t], ratio, least)
                common_T[first + t] = median * excess


@compiled
def _excess(samples_K: Float32Array, ratio: float, least: int) -> tuple[float, float]:
    """Find the median, and how much of it stands out: from nothing at the ratio to all far beyond it."""
    present_K = samples_K[~np.isnan(samples_K)]
    if len(present_K) < least:
        return 0.0, 0.0
    median = float(np.median(present_K))
    if ratio == 0.0 or median == 0.0:
        return median, 1.0
    distance = float(np.median(np.abs(present_K - median)))
    return median, max(1.0 - (ratio * distance / median) ** 2, 0.0)
