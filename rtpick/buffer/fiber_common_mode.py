"""Take out what the interrogator does to all channels at once.

K channel, T time. Each sample of time is treated for itself, so that it never matters how samples were cut.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from rtpick.numeric.compiled import compiled
from rtpick.vocabulary.waveform import Float32Array

CommonMode = Literal["off", "steps", "median"]

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
    present_K = np.empty(len(samples_KT), np.float32)
    for t in range(samples_KT.shape[1]):
        count = 0
        for k in range(len(samples_KT)):
            sample = samples_KT[k, t]
            if sample == sample:  # noqa: PLR0124 - not NaN
                present_K[count] = sample
                count += 1
        common_T[t] = 0.0
        if count >= least:
            median = np.median(present_K[:count])
            distance = np.median(np.abs(present_K[:count] - median)) if ratio > 0 else 0.0
            # Grows smoothly from nothing at the ratio to all of the median far beyond it.
            excess = 1.0 - (ratio * distance / median) ** 2 if median != 0 else 0.0
            common_T[t] = median * max(excess, 0.0)
