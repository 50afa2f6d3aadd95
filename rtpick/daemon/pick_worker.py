"""Worker 2: the only one that touches rings, device and model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue

from rtpick.daemon.links import Arriving, Emitted, Result, emit
from rtpick.picking.picker import Picker
from rtpick.runtime.clock import monotonic_s, wall_ns
from rtpick.runtime.edge import Edge
from rtpick.runtime.worker import Worker
from rtpick.telemetry.metrics import Metrics
from rtpick.vocabulary.pick import Pick
from rtpick.vocabulary.waveform import EndOfStream, Gap, Progress

TAKE_PACKETS = 512
IDLE_S = 0.05


class PickWorker:
    """Turn packets into picks, clips and progress.

    Parameters
    ----------
    picker : Picker
    source_names : set of str
        When all of them have ended, what remains in the rings is flushed.
    incoming : Edge
    to_archive, to_associate : Edge
    """

    def __init__(
        self,
        picker: Picker,
        source_names: set[str],
        incoming: Edge[Arriving],
        to_archive: Edge[Emitted],
        to_associate: Edge[Emitted],
        metrics: Metrics,
    ) -> None:
        self._picker = picker
        self._open_sources = set(source_names)
        self._incoming = incoming
        self._to_archive = to_archive
        self._to_associate = to_associate
        self._metrics = metrics
        self._orders: SimpleQueue[Callable[[Picker], None]] = SimpleQueue()
        self.last_packet_s: float | None = None
        self.ended = False

    def order(self, change: Callable[[Picker], None]) -> None:
        """Have a change made to the picker between two batches, by its own thread."""
        self._orders.put(change)

    def body(self, worker: Worker) -> None:
        """Run until the link from ingest has ended."""
        self._picker.engine.warm_up()
        while not self._incoming.ended:
            self._obey()
            for item in self._incoming.take(TAKE_PACKETS, IDLE_S):
                self._accept(item, worker)
            self._pass_on(self._picker.step(wall_ns()), worker)
            worker.beat()
        self.ended = not self._open_sources
        last = self._picker.flush(wall_ns()) if self.ended else self._picker.step(wall_ns(), force=True)
        self._pass_on(last, worker)

    def _obey(self) -> None:
        try:
            while True:
                self._orders.get_nowait()(self._picker)
        except Empty:
            return

    def _accept(self, item: Arriving, worker: Worker) -> None:
        if isinstance(item, EndOfStream):
            self._open_sources.discard(item.source)
            return
        self.last_packet_s = monotonic_s()
        for finding in self._picker.add(item, wall_ns()):
            if isinstance(finding, Gap):
                self._metrics.record_gap(finding)
                emit([finding], self._to_archive, worker)
            else:
                self._metrics.record_rejection(finding)

    def _pass_on(self, results: Sequence[Result], worker: Worker) -> None:
        """Progress goes to the archive last in line, behind the picks it was caused by."""
        for result in results:
            if isinstance(result, Pick):
                self._metrics.record_pick(result)
            if isinstance(result, Pick | Progress):
                emit([result], self._to_associate, worker)
            emit([result], self._to_archive, worker)
