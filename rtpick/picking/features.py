"""Measure what the samples around an onset say: amplitude, signal-to-noise ratio, strongest component.

Arrays: C component, T time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rtpick.picking.stitch import BoolArray
from rtpick.vocabulary.inventory import Channel
from rtpick.vocabulary.waveform import Float32Array

Float64Array = npt.NDArray[np.float64]

NOISE_S = 2.0
SIGNAL_S = 2.0
AMPLITUDE_S = {"P": 3.0, "S": 5.0}
VERTICAL = "Z"


@dataclass(frozen=True, slots=True)
class Features:
    """Measurements; NaN where there are no samples.

    `row` is the component that the phase is reported on: the vertical for P, the stronger horizontal for S,
    what there is otherwise.
    """

    amplitude: float
    amplitude_unit: str
    snr: float
    row: int


def measure_onset(
    samples_CT: Float32Array,
    onset: int,
    amplitude_samples: int,
    sampling_rate_hz: float,
    *,
    phase: str,
    component_order: str,
    channels: Sequence[Channel | None],
) -> Features:
    """Measure an onset on raw samples.

    Parameters
    ----------
    samples_CT : ndarray of float32, shape (C, T)
        Raw samples, NaN where missing.
    onset : int
        Place of the onset in `samples_CT`.
    amplitude_samples : int
        How far behind the onset the amplitude is sought.
    sampling_rate_hz : float
        Of the samples.
    phase : str
        ``"P"`` or ``"S"``.
    component_order : str
        Rows of `samples_CT`.
    channels : sequence of Channel or None
        Metadata of each row, None where unknown.

    Returns
    -------
    Features
        `amplitude`: largest distance of any component from its mean over the 2 s before the onset; in m/s if
        the sensitivity to velocity of every component present is known, else in counts. `snr`: RMS of the 2 s
        behind the onset over that of the 2 s before it, both about that mean, over the components that the
        phase is reported on.

    Notes
    -----
    Without a sample before the onset the mean is that of the samples behind it and `snr` is unknown.

    Examples
    --------
    >>> samples_CT = np.zeros((3, 600), np.float32)
    >>> samples_CT[:, ::2] = 1
    >>> samples_CT[2, 300:] *= 10
    >>> features = measure_onset(
    ...     samples_CT, 300, 300, 100.0, phase="P", component_order="ENZ", channels=[None] * 3
    ... )
    >>> features.amplitude, features.amplitude_unit, round(features.snr, 1), features.row
    (9.5, 'counts', 13.5, 2)
    """
    noise = slice(max(onset - round(NOISE_S * sampling_rate_hz), 0), onset)
    signal = slice(onset, onset + round(SIGNAL_S * sampling_rate_hz))
    valid_CT = np.isfinite(samples_CT)
    centred_CT = _centre(samples_CT, valid_CT, noise)
    behind = slice(onset, onset + max(amplitude_samples, 1))
    present_C = valid_CT[:, behind].any(axis=1)
    peak_C = np.where(present_C, np.abs(centred_CT[:, behind]).max(axis=1, initial=0.0), np.nan)
    rows = _rows_of_phase(peak_C, phase, component_order)
    row = max(rows, key=lambda row: float(peak_C[row])) if rows else component_order.index(VERTICAL)
    factor_C, unit = _to_velocity(peak_C, channels)
    amplitude = float(np.nanmax(peak_C * factor_C)) if rows else float("nan")
    snr = _rms(centred_CT, valid_CT, rows, signal) / _rms(centred_CT, valid_CT, rows, noise)
    return Features(amplitude, unit, snr, row)


def _centre(samples_CT: Float32Array, valid_CT: BoolArray, noise: slice) -> Float64Array:
    """Remove the mean before the onset; what is missing becomes zero."""
    filled_CT = np.where(valid_CT, samples_CT, 0.0).astype(np.float64)
    count_C = valid_CT[:, noise].sum(axis=1)
    all_C = np.maximum(valid_CT.sum(axis=1), 1)
    before_C = filled_CT[:, noise].sum(axis=1) / np.maximum(count_C, 1)
    mean_C = np.where(count_C > 0, before_C, filled_CT.sum(axis=1) / all_C)
    return np.where(valid_CT, filled_CT - mean_C[:, None], 0.0)


def _rms(centred_CT: Float64Array, valid_CT: BoolArray, rows: list[int], span: slice) -> float:
    energy, count = np.square(centred_CT[rows, span]).sum(), valid_CT[rows, span].sum()
    return float(np.sqrt(energy / count)) if energy > 0 else float("nan")


def _rows_of_phase(peak_C: Float64Array, phase: str, component_order: str) -> list[int]:
    """Rows with samples that carry the phase best: the vertical for P, the horizontals for S."""
    present = [row for row in range(len(peak_C)) if np.isfinite(peak_C[row])]
    wanted = [row for row in present if (component_order[row] == VERTICAL) == (phase == "P")]
    return wanted or present


def _to_velocity(
    peak_C: Float64Array, channels: Sequence[Channel | None]
) -> tuple[Float64Array, str]:
    """Factors from counts to m/s, or ones."""
    factor_C = np.ones(len(peak_C))
    for row in np.flatnonzero(np.isfinite(peak_C)).tolist():
        channel = channels[row]
        if channel is None or not channel.sensitivity or (channel.input_unit or "").upper() != "M/S":
            return np.ones(len(peak_C)), "counts"
        factor_C[row] = 1.0 / abs(channel.sensitivity)
    return factor_C, "m/s" if np.isfinite(peak_C).any() else "counts"
