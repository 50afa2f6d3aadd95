"""Thin out the channels of a fiber behind a spatial low-pass.

K channel in, J channel out, T time, F taps.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from rtpick.numeric.compiled import compiled
from rtpick.vocabulary.fiber import FiberLayout
from rtpick.vocabulary.waveform import Float32Array

MINIMUM_WEIGHT = 0.5
"""Of the filter's weight that must fall on channels that are there and good."""


@dataclass(frozen=True, slots=True, eq=False)
class SpatialFilter:
    """A low-pass along the fiber that keeps one channel of `step`.

    Parameters
    ----------
    step : int
    rows_J : ndarray of int64
        The row at the middle of each output.
    taps_F : ndarray of float32
        Symmetric; they add up to one.
    """

    step: int
    rows_J: np.ndarray
    taps_F: Float32Array

    def layout(self, layout: FiberLayout) -> FiberLayout:
        """Describe the channels that are left."""
        first = int(self.rows_J[0])
        return replace(
            layout,
            first_channel=layout.first_channel + first * layout.channel_step,
            channel_count=len(self.rows_J),
            channel_spacing_m=layout.channel_spacing_m * self.step,
            channel_step=layout.channel_step * self.step,
            first_distance_m=layout.first_distance_m + first * layout.channel_spacing_m,
        )


def design_spatial_filter(channel_count: int, step: int) -> SpatialFilter:
    """Design the filter: a sinc under a Hann window, half of its height at the new Nyquist wavenumber.

    Parameters
    ----------
    channel_count : int
        Channels that come in.
    step : int
        One is kept of so many.

    Examples
    --------
    >>> design_spatial_filter(10, 4).rows_J.tolist(), len(design_spatial_filter(10, 4).taps_F)
    ([1, 5], 23)
    """
    step = min(step, channel_count)
    rows_J = np.arange((step - 1) // 2, channel_count - step // 2, step)
    if step == 1:
        return SpatialFilter(1, rows_J, np.ones(1, np.float32))
    half = 3 * step
    place_F = np.arange(1 - half, half)
    taps_F = np.sinc(place_F / step) * np.cos(np.pi * place_F / 2 / half) ** 2
    return SpatialFilter(step, rows_J, (taps_F / taps_F.sum()).astype(np.float32))


def thin_channels(spatial: SpatialFilter, samples_KT: Float32Array) -> Float32Array:
    """Filter along the fiber and keep the channels of `spatial`.

    Parameters
    ----------
    spatial : SpatialFilter
    samples_KT : ndarray of float32, shape (K, T)
        NaN where missing and on bad channels.

    Returns
    -------
    ndarray of float32, shape (J, T)
        From the channels that are there; NaN where more than half of the filter's weight is missing.

    Notes
    -----
    At the fiber's ends, and beside channels that are missing, the filter is of what is there.

    Examples
    --------
    >>> thin_channels(design_spatial_filter(6, 2), np.ones((6, 1), np.float32)).round(6).ravel().tolist()
    [1.0, 1.0, 1.0]
    """
    if spatial.step == 1:
        return samples_KT
    out_JT = np.empty((len(spatial.rows_J), samples_KT.shape[1]), np.float32)
    _thin(samples_KT, spatial.rows_J, spatial.taps_F, out_JT)
    return out_JT


@compiled
def _thin(samples_KT: Float32Array, rows_J: np.ndarray, taps_F: Float32Array, out_JT: Float32Array) -> None:
    count = samples_KT.shape[1]
    weight_T = np.empty(count, np.float32)
    half = len(taps_F) // 2
    for j in range(len(rows_J)):
        out_JT[j] = 0.0
        weight_T[:] = 0.0
        for f in range(len(taps_F)):
            row = rows_J[j] + f - half
            if 0 <= row < len(samples_KT):
                for t in range(count):
                    sample = samples_KT[row, t]
                    if sample == sample:  # noqa: PLR0124 - not NaN
                        out_JT[j, t] += taps_F[f] * sample
                        weight_T[t] += taps_F[f]
        for t in range(count):
            enough = weight_T[t] > MINIMUM_WEIGHT
            out_JT[j, t] = out_JT[j, t] / weight_T[t] if enough else np.nan
