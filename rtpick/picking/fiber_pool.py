"""Tiles of all fibers that wait to be inferred together, and those that are being inferred.

B batch, K fiber channel, T time.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np

from rtpick.buffer.fiber_tiles import Tile
from rtpick.picking.fiber_engine import Pending
from rtpick.picking.fiber_stack import BoolArray, usable_samples
from rtpick.picking.fiber_strand import Strand
from rtpick.vocabulary.waveform import Float32Array


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


def gather(tiles: tuple[WaitingTile, ...], gap_guard: int) -> tuple[Float32Array, tuple[BoolArray, ...]]:
    """Copy the samples of tiles into one block, and say which may be believed."""
    geometry = tiles[0].strand.geometry
    tiles_BKT = np.empty((len(tiles), geometry.channels, geometry.samples), np.float32)
    for item, tile_KT in zip(tiles, tiles_BKT, strict=True):
        item.strand.cut(item.tile, tile_KT)
    return tiles_BKT, tuple(usable_samples(tile_KT, gap_guard) for tile_KT in tiles_BKT)
