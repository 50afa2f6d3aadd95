"""The link that a cable's blocks take: bounded in bytes; blocks never wait, the oldest gives way."""

from __future__ import annotations

from collections.abc import Sequence

from rtpick.runtime.edge import Edge
from rtpick.vocabulary.fiber import DasBlock
from rtpick.vocabulary.waveform import EndOfStream

MAXIMUM_BLOCKS = 10_000

FiberArriving = DasBlock | EndOfStream


class BlockLink:
    """Hand blocks from the ingest worker to the fiber worker.

    Parameters
    ----------
    maximum_bytes : int
        Of samples that may wait; a single block passes whatever its size.

    Notes
    -----
    One thread puts, one takes. Each total is written by one of them alone.
    """

    def __init__(self, maximum_bytes: int) -> None:
        self.edge: Edge[FiberArriving] = Edge("ingest->fiber", MAXIMUM_BLOCKS)
        self._maximum_bytes = maximum_bytes
        self._put_bytes = 0
        self._taken_bytes = 0

    @property
    def waiting_bytes(self) -> int:
        """Samples on the link."""
        return self._put_bytes - self._taken_bytes

    def put(self, item: FiberArriving) -> list[DasBlock]:
        """Put an item at once; return the blocks that had to give way."""
        size = _size(item)
        left: list[DasBlock] = []
        while len(self.edge) and self._is_full(size):
            left += self._give_way()
        self._put_bytes += size
        self.edge.displace(item, lambda _: False)
        return left

    def take(self, maximum: int, timeout_s: float) -> Sequence[FiberArriving]:
        """Take what has come, waiting at most so long for the first."""
        items = self.edge.take(maximum, timeout_s)
        self._taken_bytes += sum(map(_size, items))
        return items

    def _is_full(self, size: int) -> bool:
        return self.waiting_bytes + size > self._maximum_bytes or len(self.edge) >= MAXIMUM_BLOCKS

    def _give_way(self) -> list[DasBlock]:
        """Take the oldest item away; the end of a stream goes back behind the blocks of others."""
        left: list[DasBlock] = []
        for oldest in self.edge.take(1, 0.0):
            self._put_bytes -= _size(oldest)
            if isinstance(oldest, DasBlock):
                left.append(oldest)
            else:
                self.edge.displace(oldest, lambda _: False)
        return left


def _size(item: FiberArriving) -> int:
    return item.samples_KT.nbytes if isinstance(item, DasBlock) else 0
