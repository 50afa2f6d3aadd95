"""Worker 3: picks become events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

from rtpick.association.associate import AssociatorState, Counts, finish, step
from rtpick.association.sizes import Sizes, size_events, take_amplitudes
from rtpick.daemon.fiber_association import VIRTUAL_DELAY_S
from rtpick.daemon.links import Emitted, Result, emit
from rtpick.runtime.clock import monotonic_s
from rtpick.runtime.edge import Edge
from rtpick.runtime.worker import Worker
from rtpick.telemetry.metrics import Metrics
from rtpick.vocabulary.codes import StationId
from rtpick.vocabulary.event import Event
from rtpick.vocabulary.fiber import FiberProgress
from rtpick.vocabulary.pick import Pick
from rtpick.vocabulary.time import to_ns
from rtpick.vocabulary.waveform import Progress

TAKE_ITEMS = 64
IDLE_S = 0.1


class Watermark:
    """How far the picks of the network are complete.

    The least settled time over the stations, less those that have been silent for `silence_s`.
    """

    def __init__(self, silence_s: float) -> None:
        self._silence_ns = to_ns(silence_s)
        self._settled_ns: dict[StationId, int] = {}

    def advance(self, progress: Progress) -> None:
        """Take note of one station's progress."""
        known_ns = self._settled_ns.get(progress.station, progress.settled_ns)
        self._settled_ns[progress.station] = max(known_ns, progress.settled_ns)

    def advance_fiber(self, progress: FiberProgress) -> None:
        """Take note of how far a cable's virtual stations are: behind its channels, as fronts take time."""
        settled_ns = progress.settled_ns - to_ns(VIRTUAL_DELAY_S)
        station = StationId(progress.fiber, "")
        self._settled_ns[station] = max(self._settled_ns.get(station, settled_ns), settled_ns)

    @property
    def time_ns(self) -> int:
        """The watermark; 0 before anything is known."""
        newest_ns = max(self._settled_ns.values(), default=0)
        heard = [t for t in self._settled_ns.values() if t >= newest_ns - self._silence_ns]
        return min(heard, default=0)


class AssociateWorker:
    """Own the associator's state; never drops a pick.

    Parameters
    ----------
    state : AssociatorState or None
        Fresh, or rebuilt from the archive; None where no place of any station is known.
    sizes : Sizes or None
        What is known of amplitudes, for the magnitudes of events.
    """

    def __init__(
        self,
        state: AssociatorState | None,
        watermark: Watermark,
        incoming: Edge[Emitted],
        to_archive: Edge[Emitted],
        metrics: Metrics,
        sizes: Sizes | None = None,
    ) -> None:
        self._state = state
        self._sizes = sizes or Sizes()
        self._watermark = watermark
        self._incoming = incoming
        self._to_archive = to_archive
        self._metrics = metrics
        self.settle_at_end = False

    def body(self, worker: Worker) -> None:
        """Run until the link from the picker has ended."""
        while not self._incoming.ended:
            self._take_part(worker)
            worker.beat()
        if self.settle_at_end and self._state is not None:
            self._state, events = finish(self._state)
            self._publish(events, worker)

    def _take_part(self, worker: Worker) -> None:
        arrived = [emitted.result for emitted in self._incoming.take(TAKE_ITEMS, IDLE_S)]
        if not arrived:
            return
        progress = [result for result in arrived if isinstance(result, Progress)]
        for item in progress:
            self._watermark.advance(item)
        for result in arrived:
            if isinstance(result, FiberProgress):
                self._watermark.advance_fiber(result)
        self._associate(arrived, worker)
        emit(progress, self._to_archive, worker)

    def _associate(self, arrived: Sequence[Result], worker: Worker) -> None:
        if self._state is None:
            return
        self._sizes = take_amplitudes(self._sizes, arrived)
        picks = [result for result in arrived if isinstance(result, Pick)]
        began_s, before = monotonic_s(), self._state.counts
        self._state, events = step(self._state, picks, self._watermark.time_ns)
        self._metrics.record_stage("associate", monotonic_s() - began_s)
        self._tell_set_aside(before, self._state.counts)
        self._publish(events, worker)

    def _tell_set_aside(self, before: Counts, now: Counts) -> None:
        for field in fields(Counts):
            more = getattr(now, field.name) - getattr(before, field.name)
            self._metrics.record_set_aside(field.name, more)

    def _publish(self, events: Sequence[Event], worker: Worker) -> None:
        sized = size_events(self._sizes, events)
        for event in sized:
            self._metrics.record_event(event)
        emit(sized, self._to_archive, worker)
