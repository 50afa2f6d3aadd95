"""Tiles of all fibers that wait to be inferred together, and those that are being inferred.

B batch, K fiber channel, T time.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np

from rtpick.buffer.fiber_tiles import Tile
from rtpick.picking.fiber_engine import Pending
from rtpick.picking.fiber_stack import BoolArray
from rtpick.picking.fiber_strand import Strand
from rtpick.vocabulary.fiber import FiberGap
from rtpick.vocabulary.time import SampleGrid
from rtpick.vocabulary.waveform import Float32Array, GapCause


@dataclass(frozen=True, slots=True, eq=False)
class WaitingTile:
    """A complete tile, its strand, and the wall time at which it was completed."""

    strand: Strand
    tile: Tile
    since_ns: int


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Tiles under way: `usable_B` says of each which of its samples may be believed."""

    tiles: tuple[WaitingTile, ...]
    tiles_BKT: Float32Array
    usable_B: tuple[BoolArray, ...]
    pending: Pending


@dataclass(slots=True)
class FiberPool:
    """Tiles in the order in which they were completed.

    Parameters
    ----------
    batch_size : int
        Tiles that are worth a batch.
    batch_age_ns : int
        How long a tile may wait for others.
    """

    batch_size: int
    batch_age_ns: int
    waiting: deque[WaitingTile] = field(default_factory=deque)

    def add(self, strand: Strand, tiles: list[Tile], now_ns: int) -> None:
        """Let tiles wait."""
        self.waiting.extend(WaitingTile(strand, tile, now_ns) for tile in tiles)

    def take(self, now_ns: int, *, force: bool) -> tuple[WaitingTile, ...]:
        """Take the oldest tiles of one shape, if there are enough or the oldest has waited long enough."""
        if not self.waiting:
            return ()
        oldest = self.waiting[0]
        alike = [item for item in self.waiting if item.strand.geometry == oldest.strand.geometry]
        chosen = alike[: self.batch_size]
        # A clock that was set back makes an age negative: such tiles have waited for long enough.
        waits = 0 <= now_ns - oldest.since_ns < self.batch_age_ns
        if waits and len(chosen) < self.batch_size and not force:
            return ()
        taken = set(map(id, chosen))
        self.waiting = deque(item for item in self.waiting if id(item) not in taken)
        return tuple(chosen)

    def drop(self, ahead: int) -> list[WaitingTile]:
        """Take out the tiles that their rings lose within the next `ahead` samples; tell which."""
        lost = [item for item in self.waiting if item.strand.has_lost(item.tile, ahead)]
        for item in lost:
            item.strand.give_up(item.tile)
        if lost:
            gone = set(map(id, lost))
            self.waiting = deque(item for item in self.waiting if id(item) not in gone)
        return lost

    def is_losing(self, ahead: int) -> bool:
        """Tell whether any tile would be lost within the next `ahead` samples."""
        return any(item.strand.has_lost(item.tile, ahead) for item in self.waiting)


def overload_gap(item: WaitingTile, grid: SampleGrid) -> FiberGap:
    """Tell of a tile that was dropped as the span that only it would have begun."""
    geometry = item.strand.geometry
    start = item.tile.start + geometry.lead
    span_ns = grid.time_ns(start), grid.time_ns(start + geometry.stride)
    fiber, count = item.strand.front.layout.fiber, geometry.channels * geometry.stride
    return FiberGap(fiber, *span_ns, GapCause.OVERLOAD, count)


class TileBlocks:
    """Memory for the samples of batches, used again and again: fresh memory costs more than to fill it.

    Parameters
    ----------
    batch_size : int
        Most tiles of a batch.
    """

    def __init__(self, batch_size: int) -> None:
        self._batch_size = batch_size
        self._free: dict[tuple[int, int], list[Float32Array]] = {}

    def gather(self, tiles: tuple[WaitingTile, ...]) -> Float32Array:
        """Copy the samples of tiles of one shape side by side."""
        geometry = tiles[0].strand.geometry
        shape = geometry.channels, geometry.samples
        free = self._free.setdefault(shape, [])
        block_BKT = free.pop() if free else np.empty((self._batch_size, *shape), np.float32)
        for item, tile_KT in zip(tiles, block_BKT, strict=False):
            item.strand.cut(item.tile, tile_KT)
        return block_BKT[: len(tiles)]

    def give_back(self, tiles_BKT: Float32Array) -> None:
        """Let a block, or the part of one that `gather` gave, be used again."""
        whole = tiles_BKT.base if isinstance(tiles_BKT.base, np.ndarray) else tiles_BKT
        self._free[tiles_BKT.shape[1], tiles_BKT.shape[2]].append(whole)
