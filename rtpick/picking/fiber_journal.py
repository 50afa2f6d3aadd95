"""Which blocks of a fiber need not come again, so that a restart goes on as if nothing had happened."""

from __future__ import annotations

from collections import deque

from rtpick.picking.fiber_strand import Strand
from rtpick.vocabulary.fiber import DasBlock, FiberProgress

REMEMBERED_BLOCKS = 100_000


class FiberJournal:
    """The blocks of one fiber that a restart would still need.

    Parameters
    ----------
    source, fiber : str
    interval_ns : int
        Event time between two tellings.
    """

    def __init__(self, source: str, fiber: str, interval_ns: int) -> None:
        self._source, self._fiber, self._interval_ns = source, fiber, interval_ns
        self._blocks: deque[tuple[int, int | None]] = deque(maxlen=REMEMBERED_BLOCKS)
        self._sequence: int | None = None
        self._told_ns: int | None = None

    def note(self, block: DasBlock) -> None:
        """Write down that a block has come."""
        self._blocks.append((block.end_ns, block.sequence))

    def forget(self) -> None:
        """Begin anew, where times do not go on."""
        last = self._blocks.pop() if self._blocks else None
        self._blocks.clear()
        if last is not None:
            self._blocks.append(last)

    def tell(self, strand: Strand, *, force: bool) -> list[FiberProgress]:
        """Say how far the fiber is, if it is time."""
        settled_ns = strand.settled_ns
        if settled_ns is None:
            return []
        told_ns = self._told_ns
        is_early = told_ns is not None and told_ns <= settled_ns < told_ns + self._interval_ns
        if is_early and not force:
            return []
        self._strike(strand.needed_from_ns(settled_ns))
        self._told_ns = settled_ns
        return [FiberProgress(self._source, self._fiber, settled_ns, self._sequence)]

    def _strike(self, needed_ns: int) -> None:
        """Strike the blocks that end before what is needed."""
        while self._blocks and self._blocks[0][0] <= needed_ns:
            sequence = self._blocks.popleft()[1]
            if sequence is not None:
                self._sequence = max(sequence, -1 if self._sequence is None else self._sequence)
