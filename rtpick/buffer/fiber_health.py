"""Which channels of a fiber are dead, saturated or noisy: learnt slowly, from cells of fixed absolute time.

K channel, T time, M cells remembered. The map changes only where a cell ends, and what it changes to depends
on the samples alone: it never matters how samples were cut into blocks.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from rtpick.numeric.compiled import compiled
from rtpick.settings.fiber import FiberBufferSettings, FiberOverrides
from rtpick.vocabulary.fiber import FiberLayout
from rtpick.vocabulary.waveform import Float32Array

REMEMBERED_CELLS = 5
MINIMUM_CELLS = 3
"""A channel is judged by the median of its cells, once there are so many."""

NEIGHBOURS = 100
"""Channels to either side that say what level is usual."""

WHOLE_CELL = 0.5
"""Fraction of a cell that a channel must have delivered for the cell to count."""

CLIPPED_LEVEL = 3.0
"""Samples at the limit mean saturation only where the level is so many times the usual one."""

BoolArray = npt.NDArray[np.bool_]
Float64Array = npt.NDArray[np.float64]


class Health(IntEnum):
    """What is thought of a channel."""

    GOOD = 0
    DEAD = 1
    NOISY = 2
    SATURATED = 3
    DECLARED_BAD = 4


@dataclass(frozen=True, slots=True, eq=False)
class HealthMemory:
    """What was learnt, to go on from after a restart.

    Parameters
    ----------
    cell : int
        The last cell that is in it.
    levels_KM, clipped_KM : ndarray of float64
        Mean absolute first difference, and fraction of samples at the limit, of each cell; NaN where unknown.
    """

    cell: int
    levels_KM: Float64Array
    clipped_KM: Float64Array


class ChannelHealth:
    """The map of a fiber's bad channels.

    Parameters
    ----------
    layout : FiberLayout
        As the source delivers it.
    settings : FiberBufferSettings
    overrides : FiberOverrides
        Channel numbers that are bad or good whatever is learnt.
    cell_samples : int
        Length of a cell; cells lie at its multiples.
    memory : HealthMemory, optional
        Of an earlier run.

    Notes
    -----
    Until three cells are over, only what is declared is bad. The levels of 200 neighbours say what is usual,
    so that an earthquake, which raises them all, makes no channel bad.
    """

    def __init__(
        self,
        layout: FiberLayout,
        settings: FiberBufferSettings,
        overrides: FiberOverrides,
        cell_samples: int,
        memory: HealthMemory | None = None,
    ) -> None:
        count = layout.channel_count
        self._settings = settings
        self.cell_samples = cell_samples
        self._always_bad_K = channels_named(layout, overrides.bad_channels)
        self._never_bad_K = channels_named(layout, overrides.good_channels)
        fits = memory is not None and memory.levels_KM.shape[0] == count
        empty_KM = np.full((count, REMEMBERED_CELLS), np.nan)
        self._memory = memory if memory and fits else HealthMemory(-1, empty_KM, empty_KM)
        self._cell: int | None = None
        self._sums_5K = np.zeros((5, count))
        self.health_K = self._judge()

    @property
    def memory(self) -> HealthMemory:
        """What was learnt so far."""
        return self._memory

    @property
    def is_bad(self) -> BoolArray:
        """Channels that are not to be used, shape (K,)."""
        bad_K: BoolArray = self.health_K != Health.GOOD
        return bad_K

    def add(self, start: int, samples_KT: Float32Array) -> None:
        """Take in samples of one cell; the map is that of the cells before it.

        Parameters
        ----------
        start : int
            Native index of the first sample.
        samples_KT : ndarray of float32, shape (K, T)
            All within one cell.
        """
        if not self._settings.learn_bad_channels:
            return
        cell = start // self.cell_samples
        if cell != self._cell:
            self._close()
            self._cell = cell
            self.health_K = self._judge()
        _sum_up(samples_KT, self._sums_5K)

    def _close(self) -> None:
        """Put the cell that is over into the memory, unless an earlier run has done so."""
        sums_5K, cell = self._sums_5K, self._cell
        self._sums_5K = np.zeros_like(sums_5K)
        if cell is None or cell <= self._memory.cell:
            return
        count_K = sums_5K[0]
        enough_K = count_K >= WHOLE_CELL * self.cell_samples
        if not enough_K.any():
            return
        divisor_K = np.where(enough_K, count_K, np.nan)
        levels_KM = _shift_in(self._memory.levels_KM, sums_5K[1] / divisor_K)
        clipped_KM = _shift_in(self._memory.clipped_KM, sums_5K[3] / divisor_K)
        self._memory = HealthMemory(cell, levels_KM, clipped_KM)

    def _judge(self) -> npt.NDArray[np.int8]:
        level_K, clipped_K = _median(self._memory.levels_KM), _median(self._memory.clipped_KM)
        usual_K = usual_levels(level_K)
        health_K = np.full(len(level_K), Health.GOOD, np.int8)
        health_K[level_K > self._settings.noisy_above * usual_K] = Health.NOISY
        clips_K = clipped_K > self._settings.saturated_above
        health_K[clips_K & (level_K > CLIPPED_LEVEL * usual_K)] = Health.SATURATED
        health_K[level_K <= self._settings.dead_below * usual_K] = Health.DEAD
        health_K[self._never_bad_K] = Health.GOOD
        health_K[self._always_bad_K] = Health.DECLARED_BAD
        return health_K


def channels_named(layout: FiberLayout, ranges: Iterable[str]) -> BoolArray:
    """Mark the rows of channel numbers given as ``"17"`` or ``"100-120"``.

    Examples
    --------
    >>> channels_named(FiberLayout("a", 10, 4, 1.0, 100.0), ("11-12",)).tolist()
    [False, True, True, False]
    """
    numbers_K = layout.channel_numbers
    marked_K: BoolArray = np.zeros(len(numbers_K), np.bool_)
    for text in ranges:
        first, _, last = text.partition("-")
        marked_K |= (numbers_K >= int(first)) & (numbers_K <= int(last or first))
    return marked_K


def usual_levels(level_K: Float64Array) -> Float64Array:
    """Take the median of the levels around each channel; NaN where too few are known to tell.

    Examples
    --------
    >>> usual_levels(np.array([1.0, 2.0, 100.0])).tolist()
    [2.0, 2.0, 2.0]
    """
    count = len(level_K)
    step = max(NEIGHBOURS // 4, 1)
    usual_K = np.full(count, np.nan)
    for start in range(0, count, step):
        middle = start + step // 2
        around = level_K[max(middle - NEIGHBOURS, 0) : middle + NEIGHBOURS]
        known = around[np.isfinite(around)]
        if len(known):
            usual_K[start : start + step] = np.median(known)
    return usual_K


def _shift_in(values_KM: Float64Array, newest_K: Float64Array) -> Float64Array:
    return np.concatenate([values_KM[:, 1:], newest_K[:, None]], axis=1)


def _median(values_KM: Float64Array) -> Float64Array:
    """Median of the known cells, NaN where there are too few."""
    median_K = np.full(len(values_KM), np.nan)
    enough_K = np.isfinite(values_KM).sum(axis=1) >= MINIMUM_CELLS
    if enough_K.any():
        median_K[enough_K] = np.nanmedian(values_KM[enough_K], axis=1)
    return median_K


@compiled
def _sum_up(samples_KT: Float32Array, sums_5K: Float64Array) -> None:
    """Add samples to a cell's sums, one by one: count, differences, limit, how many at it, last."""
    for k in range(len(samples_KT)):
        count, total, limit, clipped, last = sums_5K[:, k]
        for t in range(samples_KT.shape[1]):
            sample = samples_KT[k, t]
            if sample == sample:  # noqa: PLR0124 - not NaN
                if count > 0:
                    total += abs(sample - last)
                if abs(sample) > limit:
                    limit, clipped = abs(sample), 0.0
                clipped += abs(sample) == limit
                count += 1
                last = sample
        sums_5K[0, k], sums_5K[1, k], sums_5K[2, k] = count, total, limit
        sums_5K[3, k], sums_5K[4, k] = clipped, last
