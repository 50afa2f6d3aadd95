"""Samples of a cable on a small grid of channel and time: each cell shows the largest sample it holds.

Arrays: K channel, T time, Y row of cells, X column of cells.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.signal import butter, sosfilt

from rtpick.vocabulary.fiber import DasBlock
from rtpick.vocabulary.time import NS_PER_S

FloatArray = npt.NDArray[np.float64]
_ORDER = 4


@dataclass(frozen=True, slots=True)
class WaterfallGrid:
    """Span of time and of channel numbers, and into how many cells it is cut."""

    start_ns: int
    end_ns: int
    first_channel: int
    last_channel: int
    columns: int = 1600
    rows: int = 900

    @property
    def row_count(self) -> int:
        """Rows of cells: never more than channels."""
        return min(self.rows, self.last_channel - self.first_channel + 1)


def draw_together(
    blocks: Iterable[DasBlock], grid: WaterfallGrid, band_hz: tuple[float, float] | None = None
) -> FloatArray:
    """Reduce blocks to cells, shape (Y, X), NaN where there is no sample.

    Parameters
    ----------
    blocks : iterable of DasBlock
        In the order of time; only one is held at a time.
    grid : WaterfallGrid
    band_hz : tuple of float or None
        Filter first; at a gap the filter starts anew. Without it, each channel's first mean is taken off.

    Notes
    -----
    A cell shows the sample of largest magnitude with its sign: a spike of one sample is never lost.
    Neighbouring cells are filled where a cell is shorter than a sample.
    """
    peak_YX = np.full((grid.row_count, grid.columns), np.nan)
    clean = _Cleaner(band_hz)
    for block in blocks:
        samples_KT = clean.take(block)
        if block.end_ns > grid.start_ns and block.start_ns < grid.end_ns:
            _put(peak_YX, block, samples_KT, grid)
    return peak_YX


class _Cleaner:
    """What goes from one block to the next: the filter's memory, or the channels' means."""

    def __init__(self, band_hz: tuple[float, float] | None) -> None:
        self._band_hz = band_hz
        self._end_ns = -1
        self._memory: FloatArray | None = None
        self._mean_K: FloatArray | None = None

    def take(self, block: DasBlock) -> FloatArray:
        """Filter or centre a block; what is missing stays missing."""
        samples_KT = np.asarray(block.samples_KT, np.float64)
        missing_KT = ~np.isfinite(samples_KT)
        whole_KT = np.where(missing_KT, 0.0, samples_KT)
        if self._mean_K is None or len(self._mean_K) != len(whole_KT):
            self._mean_K, self._memory = whole_KT.mean(axis=1), None
        whole_KT = whole_KT - self._mean_K[:, None]
        if self._band_hz is not None:
            whole_KT = self._filtered(block, whole_KT)
        self._end_ns = block.end_ns
        return np.where(missing_KT, np.nan, whole_KT)

    def _filtered(self, block: DasBlock, whole_KT: FloatArray) -> FloatArray:
        rate_hz = block.layout.sampling_rate_hz
        low_hz, high_hz = self._band_hz or (0.0, 0.0)
        kind = "highpass" if high_hz >= 0.49 * rate_hz else "bandpass"
        edges = low_hz if kind == "highpass" else (low_hz, high_hz)
        sos = butter(_ORDER, edges, kind, fs=rate_hz, output="sos")
        gap_ns = abs(block.start_ns - self._end_ns)
        if self._memory is None or gap_ns > 0.5 * NS_PER_S / rate_hz:
            self._memory = np.zeros((len(sos), len(whole_KT), 2))
        filtered_KT, self._memory = sosfilt(sos, whole_KT, axis=1, zi=self._memory)
        return np.asarray(filtered_KT, np.float64)


def _put(peak_YX: FloatArray, block: DasBlock, samples_KT: FloatArray, grid: WaterfallGrid) -> None:
    """Keep the largest samples of a block in their cells."""
    rate_hz = block.layout.sampling_rate_hz
    since_s = (block.start_ns - grid.start_ns) / NS_PER_S
    cell_s = (grid.end_ns - grid.start_ns) / NS_PER_S / grid.columns
    channels = grid.last_channel - grid.first_channel + 1
    number_K = block.layout.channel_numbers - grid.first_channel
    row_K = np.floor(number_K * grid.row_count / channels).astype(np.int64)
    height = max(round(grid.row_count * block.layout.channel_step / channels), 1)
    edge_X = np.floor((np.arange(grid.columns + 1) * cell_s - since_s) * rate_hz + 0.5).astype(np.int64)
    first_X, behind_X = edge_X[:-1], np.maximum(edge_X[1:], edge_X[:-1] + 1)
    count = samples_KT.shape[1]
    shown = np.flatnonzero((behind_X > 0) & (first_X < count))
    filled_KT = np.nan_to_num(samples_KT, nan=0.0)
    for x in shown.tolist():
        piece_KT = slice(max(int(first_X[x]), 0), min(int(behind_X[x]), count))
        part = filled_KT[:, piece_KT]
        peak_K = part[np.arange(len(part)), np.abs(part).argmax(axis=1)]
        seen_K = np.isfinite(samples_KT[:, piece_KT]).any(axis=1)
        _raise(peak_YX, row_K, height, x, np.where(seen_K, peak_K, np.nan))


def _raise(
    peak_YX: FloatArray, row_K: npt.NDArray[np.int64], height: int, x: int, peak_K: FloatArray
) -> None:
    """Let each channel's peak stand where no larger one does."""
    rows = len(peak_YX)
    order = np.argsort(np.nan_to_num(np.abs(peak_K), nan=-1.0), kind="stable")  # the largest is written last
    for step in range(height):
        row = row_K[order] + step
        good = (row >= 0) & (row < rows) & np.isfinite(peak_K[order])
        best_Y = np.full(rows, np.nan)
        best_Y[row[good]] = peak_K[order][good]
        better = np.isfinite(best_Y) & ~(np.abs(best_Y) <= np.abs(peak_YX[:, x]))
        peak_YX[better, x] = best_Y[better]
