"""What cables send, on its way to the fiber worker: handed on at once, counted, never waited for."""

from __future__ import annotations

from structlog.stdlib import BoundLogger

from rtpick.daemon.block_link import BlockLink
from rtpick.daemon.told import Told
from rtpick.telemetry.metrics import Metrics
from rtpick.vocabulary.fiber import DasBlock, FiberGap, FiberRejection
from rtpick.vocabulary.waveform import GapCause


class FiberIngest:
    """Hand blocks on: what finds no room costs the oldest, never the newest.

    Parameters
    ----------
    blocks : BlockLink
        To the fiber worker.
    """

    def __init__(self, blocks: BlockLink, metrics: Metrics, log: BoundLogger) -> None:
        self.blocks = blocks
        self._metrics = metrics
        self._log = log
        self._told = Told()

    def take(self, item: DasBlock | FiberGap | FiberRejection) -> None:
        """Hand a block on, or count what is missing or was refused."""
        match item:
            case DasBlock():
                self._hand_on(item)
            case FiberGap():
                self._metrics.record_fiber_gap(item)
            case FiberRejection():
                self._set_aside(item)

    def _hand_on(self, block: DasBlock) -> None:
        self._metrics.record_block(block)
        for lost in self.blocks.put(block):
            fiber = lost.layout.fiber
            gap = FiberGap(fiber, lost.start_ns, lost.end_ns, GapCause.OVERLOAD, lost.samples_KT.size, 1)
            self._metrics.record_fiber_gap(gap)
            if self._told.may_tell(fiber, GapCause.OVERLOAD):
                self._log.warning("blocks come faster than they are looked at", fiber=fiber)

    def _set_aside(self, rejection: FiberRejection) -> None:
        self._metrics.record_fiber_rejection(rejection)
        if self._told.may_tell(rejection.fiber, rejection.cause):
            about = {"fiber": rejection.fiber, "cause": rejection.cause, "detail": rejection.detail}
            self._log.warning("message set aside", **about)
