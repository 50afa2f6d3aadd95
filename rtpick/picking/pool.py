"""Windows of all stations that wait to be inferred together.

Arrays: B batch, C component, T time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from rtpick.numeric.compiled import compiled_brief
from rtpick.vocabulary.codes import ChannelId
from rtpick.vocabulary.time import SampleGrid
from rtpick.vocabulary.waveform import Float32Array, Gap, GapCause, Window


@dataclass(frozen=True, slots=True, eq=False)
class Waiting:
    """A window and the wall time at which it came into the pool."""

    window: Window
    since_ns: int


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """Windows in order of arrival."""

    waiting: tuple[Waiting, ...] = ()


def add_windows(
    pool: Pool, windows: Iterable[Window], now_ns: int, limit: int
) -> tuple[Pool, tuple[Window, ...]]:
    """Put windows into the pool.

    Parameters
    ----------
    pool : Pool
        Not modified.
    windows : iterable of Window
        In order.
    now_ns : int
        Wall time; for measuring and for the age.
    limit : int
        Most windows that may wait.

    Returns
    -------
    Pool
    tuple of Window
        The oldest, dropped because more than `limit` would wait.

    Examples
    --------
    >>> pool, dropped = add_windows(Pool(), ["a", "b", "c"], now_ns=0, limit=2)
    >>> [item.window for item in pool.waiting], dropped
    (['b', 'c'], ('a',))
    """
    waiting = (*pool.waiting, *(Waiting(window, now_ns) for window in windows))
    excess = max(len(waiting) - limit, 0)
    return Pool(waiting[excess:]), tuple(item.window for item in waiting[:excess])


def take_batch(
    pool: Pool, now_ns: int, batch_size: int, batch_age_ns: int, *, force: bool = False
) -> tuple[Pool, tuple[Waiting, ...]]:
    """Take the oldest windows if there are enough, or if the oldest has waited for long enough.

    Parameters
    ----------
    pool : Pool
        Not modified.
    now_ns : int
        Wall time.
    batch_size : int
        Enough.
    batch_age_ns : int
        Long enough.
    force : bool
        Take what there is.

    Returns
    -------
    Pool
    tuple of Waiting
        At most `batch_size`; empty if it is not yet time.

    Examples
    --------
    >>> pool, _ = add_windows(Pool(), ["a"], now_ns=0, limit=9)
    >>> len(take_batch(pool, 100, 2, 200)[1]), len(take_batch(pool, 200, 2, 200)[1])
    (0, 1)
    """
    waiting = pool.waiting
    if not waiting:
        return pool, ()
    # A clock that was set back makes an age negative: such windows have waited for long enough.
    waits = 0 <= now_ns - waiting[0].since_ns < batch_age_ns
    if waits and len(waiting) < batch_size and not force:
        return pool, ()
    return Pool(waiting[batch_size:]), waiting[:batch_size]


def overload_gap(window: Window, grid: SampleGrid, stride_samples: int) -> Gap:
    """Tell of a window that was dropped as the span that only it would have begun."""
    code = window.instrument
    channel = ChannelId(code.network, code.station, code.location, code.band_instrument + "Z")
    start_ns = grid.time_ns(window.start_index)
    end_ns = grid.time_ns(window.start_index + stride_samples)
    return Gap(channel, start_ns, end_ns, GapCause.OVERLOAD)


def gather(batch: Sequence[Waiting], block_BCT: Float32Array) -> Float32Array:
    """Copy the samples of a batch into the head of a block, or of a new one where it has no room."""
    if len(block_BCT) < len(batch):
        block_BCT = np.empty((len(batch), *batch[0].window.samples_CT.shape), np.float32)
    for row_CT, item in zip(block_BCT, batch, strict=False):
        _copy(item.window.samples_CT, row_CT)
    return block_BCT


@compiled_brief
def _copy(from_CT: Float32Array, to_CT: Float32Array) -> None:
    to_CT[:] = from_CT
