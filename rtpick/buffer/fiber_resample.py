"""Change the rate of all channels of a fiber while their samples come in.

K channel, T time, P phases of the filter, F taps. An output depends on the inputs under its filter and on its
own absolute index alone, and they are added up in one fixed order: however the input was cut, the output is
the same to the bit.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from rtpick.buffer.resample import Conversion, Float64Array, design_conversion
from rtpick.numeric.compiled import compiled
from rtpick.vocabulary.errors import SettingsError
from rtpick.vocabulary.waveform import Float32Array


class StreamingResampler:
    """Samples of one rate in, samples of another out, both on absolute indices.

    Parameters
    ----------
    channel_count : int
    input_rate, output_rate : Fraction
        Hz.

    Raises
    ------
    SettingsError
        If the rates have no manageable ratio.

    Notes
    -----
    At the start and behind a gap the first outputs are those whose filter lies in what came; the filter never
    reaches across a gap.

    Examples
    --------
    >>> resampler = StreamingResampler(1, Fraction(50), Fraction(100))
    >>> start, out_KT = resampler.add(0, np.ones((1, 100), np.float32))
    >>> start, out_KT.shape, float(out_KT[0, 0])
    (56, (1, 86), 1.0)
    """

    def __init__(self, channel_count: int, input_rate: Fraction, output_rate: Fraction) -> None:
        self._same = input_rate == output_rate
        self._conversion = design_conversion(input_rate, output_rate)
        if len(self._conversion.taps_PK) != self._conversion.up + 1:
            raise SettingsError(f"a fiber of {input_rate} Hz cannot be resampled to {output_rate} Hz")
        self._tail_KT: Float32Array = np.empty((channel_count, 0), np.float32)
        self._tail_start: int | None = None
        self._next = 0

    @property
    def reach(self) -> int:
        """Input samples to either side that an output depends on."""
        return 0 if self._same else self._conversion.half_width

    def add(self, start: int, samples_KT: Float32Array) -> tuple[int, Float32Array]:
        """Take in samples and compute the outputs that are complete.

        Parameters
        ----------
        start : int
            Absolute index of the first input.
        samples_KT : ndarray of float32, shape (K, T)
            NaN where missing.

        Returns
        -------
        start : int
            Absolute index of the first output.
        out_KT : ndarray of float32, shape (K, T)
        """
        if self._same:
            return start, samples_KT
        if self._tail_start is None or start != self._tail_start + self._tail_KT.shape[1]:
            self._tail_start, self._tail_KT = start, samples_KT[:, :0]
            self._next = first_whole_output(self._conversion, start)
        joined_KT = np.concatenate([self._tail_KT, samples_KT], axis=1)
        first = self._next
        end = max(self._conversion.settled_outputs(start + samples_KT.shape[1]), first)
        out_KT = self._convert(joined_KT, self._tail_start, first, end)
        keep = self._conversion.inputs_needed(end, end + 1)[0] - self._tail_start
        self._tail_KT = joined_KT[:, max(keep, 0) :].copy()
        self._tail_start, self._next = self._tail_start + max(keep, 0), end
        return first, out_KT

    def _convert(self, joined_KT: Float32Array, joined_start: int, first: int, end: int) -> Float32Array:
        out_KT = np.empty((len(joined_KT), end - first), np.float32)
        conversion = self._conversion
        offset = conversion.inputs_needed(first, first + 1)[0] - joined_start
        remainder = first * conversion.down % conversion.up
        _convert_all(joined_KT, conversion.taps_PK, offset, remainder, conversion.down, conversion.up, out_KT)
        return out_KT


def first_whole_output(conversion: Conversion, start: int) -> int:
    """First output whose filter reaches no input before `start`."""
    return conversion.outputs_before(start + conversion.half_width - 1)


@compiled
def _convert_all(
    samples_KT: Float32Array,
    taps_PF: Float64Array,
    offset: int,
    remainder: int,
    down: int,
    up: int,
    out_KT: Float32Array,
) -> None:
    """Filter every channel; the first output's filter begins at input `offset`.

    Eight channels side by side: each sum has to wait for itself, but eight fit into one register.
    """
    side_T8 = np.zeros((samples_KT.shape[1], 8))
    for first in range(0, len(samples_KT), 8):
        lanes = min(8, len(samples_KT) - first)
        for lane in range(lanes):
            for t in range(samples_KT.shape[1]):
                side_T8[t, lane] = samples_KT[first + lane, t]
        place, phase = offset, remainder
        for j in range(out_KT.shape[1]):
            a, b, c, d, e, g, h, i = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
            for f in range(taps_PF.shape[1]):
                tap, t = taps_PF[phase, f], place + f
                a, b = a + tap * side_T8[t, 0], b + tap * side_T8[t, 1]
                c, d = c + tap * side_T8[t, 2], d + tap * side_T8[t, 3]
                e, g = e + tap * side_T8[t, 4], g + tap * side_T8[t, 5]
                h, i = h + tap * side_T8[t, 6], i + tap * side_T8[t, 7]
            sums = (a, b, c, d, e, g, h, i)
            for lane in range(lanes):
                out_KT[first + lane, j] = sums[lane]
            phase += down
            place += phase // up
            phase %= up
