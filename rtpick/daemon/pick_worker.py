"""Worker 2: the only one that touches rings, device and model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from rtpick.daemon.links import Arriving, Emitted, Result, emit
from rtpick.picking.picker import Picker
from rtpick.runtime.clock import monotonic_s, wall_ns
from rtpick.runtime.edge import Edge
from rtpick.runtime.orders import Orders
from rtpick.runtime.worker import Worker
from rtpick.telemetry.metrics import Metrics
from rtpick.vocabulary.codes import StationId
from rtpick.vocabulary.pick import Pick
from rtpick.vocabulary.time import to_ns
from rtpick.vocabulary.waveform import Clip, EndOfStream, Gap, Packet, Progress

TAKE_PACKETS = 192
IDLE_S = 0.05
LINGER_S = 0.005
BIRTH_MARGIN_S = 120.0


class PickWorker:
    """Turn packets into picks, clips and progress.

    Parameters
    ----------
    picker : Picker
    source_names : set of str
        When all of them have ended, what remains in the rings is flushed.
    incoming : Edge
    to_archive, to_associate : Edge
    known_stations : iterable of (source, StationId)
        Those that have a resume point already.
    count_windows : callable
        Windows inferred so far.
    """

    def __init__(
        self,
        picker: Picker,
        source_names: set[str],
        incoming: Edge[Arriving],
        to_archive: Edge[Emitted],
        to_associate: Edge[Emitted],
        metrics: Metrics,
        *,
        known_stations: Iterable[tuple[str, StationId]] = (),
        count_windows: Callable[[], int] = lambda: 0,
    ) -> None:
        self._picker = picker
        self._open_sources = set(source_names)
        self._incoming = incoming
        self._to_archive = to_archive
        self._to_associate = to_associate
        self._metrics = metrics
        self._count_windows = count_windows
        self._orders = Orders[Picker]()
        self._known_stations = set(known_stations)
        self._inferred = 0
        self._heard_s: tuple[float, float] | None = None
        self.ended = False

    def order(self, change: Callable[[Picker], None]) -> None:
        """Have a change made to the picker between two batches, by its own thread."""
        self._orders.give(change)

    def body(self, worker: Worker) -> None:
        """Run until the link from ingest has ended."""
        while not self._incoming.ended:
            self._orders.obey(self._picker)
            for item in self._incoming.take(TAKE_PACKETS, IDLE_S, LINGER_S):
                self._accept(item, worker)
                if self._picker.waiting_count >= self._picker.engine.batch_size:
                    self._pass_on(self._picker.step(wall_ns()), worker)
            self._pass_on(self._picker.step(wall_ns()), worker)
            self._note_inference()
            worker.beat()
        self.ended = not self._open_sources
        last = self._picker.flush(wall_ns()) if self.ended else self._picker.step(wall_ns(), force=True)
        self._pass_on(last, worker)

    @property
    def unanswered_s(self) -> float:
        """For how long packets have come in since the last inference; silence does not count."""
        heard_s = self._heard_s
        return 0.0 if heard_s is None else heard_s[1] - heard_s[0]

    def _note_inference(self) -> None:
        inferred = self._count_windows()
        if inferred != self._inferred:
            self._inferred = inferred
            self._heard_s = None

    def _accept(self, item: Arriving, worker: Worker) -> None:
        if isinstance(item, EndOfStream):
            self._open_sources.discard(item.source)
        elif isinstance(item, Gap):
            self._tell_gap(item, worker)
        else:
            self._add(item, worker)

    def _add(self, packet: Packet, worker: Worker) -> None:
        self._welcome(packet, worker)
        now_s = monotonic_s()
        self._heard_s = (self._heard_s or (now_s, now_s))[0], now_s
        for finding in self._picker.add(packet, wall_ns()):
            if isinstance(finding, Gap):
                self._tell_gap(finding, worker)
            else:
                self._metrics.record_rejection(finding)

    def _tell_gap(self, gap: Gap, worker: Worker) -> None:
        self._metrics.record_gap(gap)
        emit([gap], self._to_archive, worker)

    def _welcome(self, packet: Packet, worker: Worker) -> None:
        """Keep where a station began: a death before its first window must not cost what it sent."""
        key = packet.source, packet.channel.station_id
        if key in self._known_stations:
            return
        self._known_stations.add(key)
        before = None if packet.sequence is None else packet.sequence - 1
        settled_ns = packet.start_ns - to_ns(BIRTH_MARGIN_S)
        birth = Progress(*key, before, packet.start_ns, settled_ns)
        emit([birth], self._to_associate, worker)

    def _pass_on(self, results: Sequence[Result], worker: Worker) -> None:
        """A pick reaches the archive before its event can; progress goes the long way, behind both."""
        for result in results:
            if not isinstance(result, Progress):
                emit([result], self._to_archive, worker)
            if isinstance(result, Pick):
                self._metrics.record_pick(result)
            if isinstance(result, Pick | Clip | Progress):
                emit([result], self._to_associate, worker)
