"""Change the rate of a channel with a zero-phase windowed sinc on absolute sample indices.

P phases, K taps, T time. An output depends on the input samples under its filter and on its own
absolute index alone, and they are added up in one fixed order: however the input was cut, the
output is the same to the bit. Numpy's sums choose their order by the shape of the array, so the
inner loop is compiled instead.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from rtpick.numeric.compiled import compiled
from rtpick.vocabulary.waveform import Float32Array

STOP_BAND_DB = 90.0
"""Attenuation from half the lower rate on; designed with 10 dB in hand."""

PASS_BAND = 0.40
STOP_BAND = 0.50
"""Fractions of the lower rate where the pass band ends and the stop band begins."""

MAXIMUM_PHASES = 1024
"""Ratios with more phases than this take their taps by linear interpolation (-110 dB)."""

Float64Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Conversion:
    """A change of rate: output `j` lies at ``j * down / up`` input samples.

    Parameters
    ----------
    up, down : int
        Output rate over input rate, in lowest terms.
    half_width : int
        Input samples that the filter reaches to either side.
    taps_PK : ndarray of float64, shape (P + 1, 2 * half_width)
        The filter at P equal steps between two input samples, both ends included.
    """

    up: int
    down: int
    half_width: int
    taps_PK: Float64Array

    def outputs_before(self, index: int) -> int:
        """Outputs that lie before the input sample `index`: the first one at or past it."""
        return -(-index * self.up // self.down)

    def outputs_touched(self, start: int, end: int) -> tuple[int, int]:
        """First and last (exclusive) output whose filter touches the inputs ``[start, end)``."""
        first = self.outputs_before(start - self.half_width)
        return first, self.outputs_before(end + self.half_width - 1)

    def inputs_needed(self, start: int, end: int) -> tuple[int, int]:
        """First and last (exclusive) input under the filters of the outputs ``[start, end)``."""
        first = start * self.down // self.up - self.half_width + 1
        return first, (end - 1) * self.down // self.up + self.half_width + 1

    def settled_outputs(self, settled: int) -> int:
        """End (exclusive) of the outputs whose whole filter lies before the input `settled`."""
        return self.outputs_before(settled - self.half_width)


@lru_cache(maxsize=32)
def design_conversion(input_rate: Fraction, output_rate: Fraction) -> Conversion:
    """Design the filter between two rates: a sinc under a Kaiser window.

    Parameters
    ----------
    input_rate, output_rate : Fraction
        Hz.

    Returns
    -------
    Conversion
        Zero phase; flat to 0.40, and at least 80 dB down from 0.50 of the lower rate on. The taps
        of each phase add up to one, so a constant stays that constant.

    References
    ----------
    Kaiser (1974), Nonrecursive digital filter design using the I0-sinh window function.

    Examples
    --------
    >>> conversion = design_conversion(Fraction(50), Fraction(100))
    >>> conversion.up, conversion.down, conversion.taps_PK.shape == (3, 2 * conversion.half_width)
    (2, 1, True)
    """
    ratio = output_rate / input_rate
    lower = min(1.0, float(ratio))
    width = (STOP_BAND_DB - 7.95) / (14.36 * (STOP_BAND - PASS_BAND))
    half_width = math.ceil(width / 2 / lower)
    phases = ratio.numerator if ratio.numerator <= MAXIMUM_PHASES else MAXIMUM_PHASES
    fraction_P1 = np.arange(phases + 1)[:, None] / phases
    distance_PK = fraction_P1 - np.arange(1 - half_width, half_width + 1)
    cutoff = (PASS_BAND + STOP_BAND) / 2 * lower
    taps_PK = np.sinc(2 * cutoff * distance_PK) * _kaiser(distance_PK / half_width)
    taps_PK /= taps_PK.sum(axis=1, keepdims=True)
    return Conversion(ratio.numerator, ratio.denominator, half_width, taps_PK)


def convert(conversion: Conversion, samples_T: Float32Array, start: int, end: int) -> Float32Array:
    """Compute the outputs ``[start, end)`` of a change of rate.

    Parameters
    ----------
    conversion : Conversion
        From `design_conversion`.
    samples_T : ndarray of float32, shape (T,)
        The inputs ``conversion.inputs_needed(start, end)``, NaN where missing.
    start, end : int
        Absolute indices of the outputs.

    Returns
    -------
    ndarray of float32, shape (end - start,)
        NaN where the filter touches a missing input.

    Examples
    --------
    >>> conversion = design_conversion(Fraction(50), Fraction(100))
    >>> first, last = conversion.inputs_needed(1000, 1004)
    >>> convert(conversion, np.ones(last - first, np.float32), 1000, 1004)
    array([1., 1., 1., 1.], dtype=float32)
    """
    out_T = np.empty(end - start, np.float32)
    remainder = start * conversion.down % conversion.up
    exact = len(conversion.taps_PK) == conversion.up + 1
    run = _run_exact if exact else _run_interpolated
    run(samples_T, conversion.taps_PK, remainder, conversion.down, conversion.up, out_T)
    return out_T


def _kaiser(position_PK: Float64Array) -> Float64Array:
    """Evaluate the Kaiser window at positions of -1..1, zero at and beyond the ends."""
    beta = 0.1102 * (STOP_BAND_DB - 8.7)
    inside_PK = np.maximum(1 - position_PK**2, 0)
    return np.where(inside_PK > 0, np.i0(beta * np.sqrt(inside_PK)) / np.i0(beta), 0)


@compiled
def _run_exact(
    samples_T: Float32Array, taps_PK: Float64Array, remainder: int, down: int, up: int, out_T: Float32Array
) -> None:
    """Filter with one row of taps a phase."""
    base = 0
    for j in range(len(out_T)):
        total = 0.0
        for k in range(taps_PK.shape[1]):
            total += taps_PK[remainder, k] * samples_T[base + k]
        out_T[j] = total
        remainder += down
        base += remainder // up
        remainder %= up


@compiled
def _run_interpolated(
    samples_T: Float32Array, taps_PK: Float64Array, remainder: int, down: int, up: int, out_T: Float32Array
) -> None:
    """Filter with taps between the two nearest rows."""
    base = 0
    phases = taps_PK.shape[0] - 1
    for j in range(len(out_T)):
        row = remainder * phases // up
        weight = (remainder * phases - row * up) / up
        total = 0.0
        for k in range(taps_PK.shape[1]):
            tap = (1.0 - weight) * taps_PK[row, k] + weight * taps_PK[row + 1, k]
            total += tap * samples_T[base + k]
        out_T[j] = total
        remainder += down
        base += remainder // up
        remainder %= up
