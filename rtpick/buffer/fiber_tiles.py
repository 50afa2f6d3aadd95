"""Where the tiles of a fiber lie, and which of them are complete.

K channel, T time. Tiles start at the multiples of the stride on the absolute grid of the network's rate, and
at fixed channels: where they lie never depends on when anything started or how blocks were cut.
"""

from __future__ import annotations

from dataclasses import dataclass

from rtpick.buffer.fiber_ring import FiberRing
from rtpick.vocabulary.errors import SettingsError

ALIGNMENT = 16
"""Networks answer about events on a grid this much coarser: tiles start on it."""


@dataclass(frozen=True, slots=True)
class TileGeometry:
    """How large tiles are and how they overlap.

    Parameters
    ----------
    channels : int
        Rows of a tile.
    samples : int
    stride : int
        Between the starts of two tiles.
    lead, guard : int
        Samples at a tile's start and end that the network sees but is not asked about.
    overlap_channels : int
        Least number of rows that two neighbouring tiles share.
    tapered : bool
        Whether what a tile says counts less towards its edges.

    Raises
    ------
    SettingsError
        If tiles would leave samples between them unspoken of.

    Examples
    --------
    >>> TileGeometry(256, 1024, 256, 256, 128, 64).spoken
    640
    """

    channels: int
    samples: int
    stride: int
    lead: int = 0
    guard: int = 0
    overlap_channels: int = 0
    tapered: bool = True

    def __post_init__(self) -> None:
        if self.spoken < self.stride:
            raise SettingsError(
                f"tiles of {self.samples} samples less lead {self.lead} and guard {self.guard} are shorter "
                f"than their stride of {self.stride}: shorten one of these"
            )
        if self.channels > 1 and self.overlap_channels >= self.channels:
            raise SettingsError(
                f"tiles of {self.channels} channels cannot overlap by {self.overlap_channels}"
            )

    @property
    def spoken(self) -> int:
        """Samples that a tile speaks of."""
        return self.samples - self.lead - self.guard

    @property
    def surest_coverage(self) -> float:
        """Fraction of a tile that is there in at least one of those that speak of the first sample of all."""
        return max(self.samples - self.lead - self.stride, 1) / self.samples

    def first_tile_of(self, index: int) -> int:
        """Start of the first tile that speaks of a sample."""
        earliest = index - self.samples + self.guard + 1
        return -(-earliest // self.stride) * self.stride

    def spoken_before(self, next_start: int) -> int:
        """End (exclusive) of the samples that no tile from `next_start` on speaks of."""
        return next_start + self.lead


@dataclass(frozen=True, slots=True)
class Tile:
    """A tile of a fiber, by its place; its samples stay in the ring until they are wanted."""

    start: int
    row: int


def tile_rows(channel_count: int, geometry: TileGeometry, shift: int = 0) -> tuple[int, ...]:
    """First rows of a fiber's tiles, spread evenly.

    Parameters
    ----------
    channel_count : int
    geometry : TileGeometry
    shift : int
        Move all tiles by this; rows before the fiber's first are missing ones.

    Returns
    -------
    tuple of int
        Multiples of 16, where the tiles are larger than that.

    Examples
    --------
    >>> tile_rows(1250, TileGeometry(512, 1024, 256, overlap_channels=128))
    (0, 384, 752)
    """
    height = geometry.channels
    align = ALIGNMENT if height >= 2 * ALIGNMENT else 1
    spread = -(-max(channel_count + shift - height, 0) // align)
    step = max((height - geometry.overlap_channels) // align, 1)
    count = -(-spread // step) + 1
    return tuple(align * (-(-spread * i // max(count - 1, 1))) - shift for i in range(count))


class Tiler:
    """Walks along a fiber's ring and says which tiles are complete.

    Parameters
    ----------
    ring : FiberRing
    geometry : TileGeometry
    minimum_coverage : float
        Tiles with fewer samples are passed over.
    begin : int, optional
        No tile before this one is cut; for a fiber that goes on after a restart.
    shift : int
        See `tile_rows`.

    Notes
    -----
    At the start, around a gap and at the end tiles are partly missing. A gap longer than a tile is not for a
    tiler to cross: what lies behind it is another ring's.
    """

    def __init__(
        self,
        ring: FiberRing,
        geometry: TileGeometry,
        minimum_coverage: float,
        begin: int | None = None,
        shift: int = 0,
    ) -> None:
        self._ring = ring
        self.geometry = geometry
        self._minimum = minimum_coverage * geometry.samples
        self._begin = begin
        self._rows = tile_rows(ring.channel_count, geometry, shift)
        self.next_start: int | None = None

    def complete(self, *, ended: bool = False) -> list[Tile]:
        """Name the tiles that have become complete, in order.

        Parameters
        ----------
        ended : bool
            Nothing comes any more: also those that reach beyond the newest sample.
        """
        first = self._ring.first
        if first is None:
            return []
        if self.next_start is None:
            self.next_start = max(self.geometry.first_tile_of(first), self._begin or -(2**62))
        tiles: list[Tile] = []
        reach = self.geometry.lead if ended else self.geometry.samples - 1
        while self.next_start + reach < self._ring.head:
            tiles += self._rows_at(self.next_start)
            self.next_start += self.geometry.stride
        return tiles

    def _rows_at(self, start: int) -> list[Tile]:
        if self._ring.count_present(start, start + self.geometry.samples) < self._minimum:
            return []
        return [Tile(start, row) for row in self._rows]
