"""What travels between the workers, and how it is put on a link without starving the watchdog."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rtpick.daemon.block_link import BlockLink, FiberArriving
from rtpick.runtime.clock import monotonic_s
from rtpick.runtime.edge import Edge
from rtpick.runtime.worker import Worker
from rtpick.vocabulary.event import Event
from rtpick.vocabulary.fiber import FiberPicks, FiberProgress
from rtpick.vocabulary.fiber_event import FiberEvent
from rtpick.vocabulary.pick import Pick
from rtpick.vocabulary.waveform import Clip, EndOfStream, Gap, Packet, Progress

WAIT_S = 1.0

Arriving = Packet | Gap | EndOfStream
Result = Pick | Clip | Progress | Gap | Event | FiberPicks | FiberEvent | FiberProgress


@dataclass(frozen=True, slots=True)
class Emitted:
    """A result and the monotonic time at which its worker let it go."""

    result: Result
    at_s: float


@dataclass(frozen=True)
class Links:
    """The edges between the workers."""

    packets: Edge[Arriving]
    blocks: BlockLink | None
    to_associate: Edge[Emitted]
    to_archive: Edge[Emitted]

    @property
    def all(self) -> tuple[Edge[Arriving] | Edge[Emitted] | Edge[FiberArriving], ...]:
        """Every edge, for the metrics."""
        blocks = () if self.blocks is None else (self.blocks.edge,)
        return self.packets, *blocks, self.to_associate, self.to_archive


def emit(results: Iterable[Result], edge: Edge[Emitted], worker: Worker) -> None:
    """Put results on a link that never drops: wait for room, beating meanwhile."""
    for result in results:
        emitted = Emitted(result, monotonic_s())
        while not edge.put(emitted, WAIT_S):
            worker.beat()
