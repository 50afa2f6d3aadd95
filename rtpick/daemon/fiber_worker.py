"""Worker 5, where there are cables: the only one that touches their samples, network and associators.

Inference has a thread of its own, so that blocks never wait for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from structlog.stdlib import BoundLogger

from rtpick.association.fiber_virtual import VirtualStations
from rtpick.daemon.block_link import BlockLink
from rtpick.daemon.fiber_association import FiberAssociation, FiberOutput, FiberPast
from rtpick.daemon.links import Emitted, emit
from rtpick.picking.fiber_engine import FiberAnswer, FiberEngine, Pending, Work
from rtpick.picking.fiber_picker import FiberPicker
from rtpick.picking.fiber_rules import fit_decimation
from rtpick.runtime.background import Background
from rtpick.runtime.clock import monotonic_s, wall_ns
from rtpick.runtime.edge import Edge
from rtpick.runtime.worker import Worker
from rtpick.settings.fiber import FiberSettings
from rtpick.telemetry.metrics import Metrics
from rtpick.vocabulary.errors import NetworkError
from rtpick.vocabulary.fiber import DasBlock, FiberGap, FiberLayout, FiberPicks, FiberProgress
from rtpick.vocabulary.fiber_event import FiberEvent
from rtpick.vocabulary.pick import Pick
from rtpick.vocabulary.waveform import GapCause

TAKE_BLOCKS = 16
IDLE_S = 0.05
FAREWELL_S = 20.0


@dataclass(frozen=True, slots=True)
class FiberTerms:
    """What is known of the cables before their first block.

    Parameters
    ----------
    settings : FiberSettings
    sources : frozenset of str
        When all of them have ended, what remains is flushed.
    pasts : mapping of str to FiberPast
        By fiber.
    stations : mapping of str to VirtualStations
        Of the fibers of which it is known where they lie.
    """

    settings: FiberSettings
    sources: frozenset[str]
    pasts: Mapping[str, FiberPast]
    stations: Mapping[str, VirtualStations]


class MeteredInference:
    """Run the network in a thread of its own, counted.

    Attributes
    ----------
    tiles_inferred : int
    seconds_a_tile : float
        Of the last batch.
    answered_s : float
        When the last batch came back.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._background = Background("infer")
        self._metrics = metrics
        self.tiles_inferred = 0
        self.seconds_a_tile = 0.0
        self.answered_s = monotonic_s()

    def submit(self, work: Work) -> Pending:
        """Begin to compute."""
        return self._background.submit(lambda: self._run(work))

    def close(self) -> None:
        """Finish what was begun."""
        self._background.close()

    def _run(self, work: Work) -> FiberAnswer:
        began_s = monotonic_s()
        answer = work()
        self.answered_s = monotonic_s()
        self.tiles_inferred += len(answer.prob_BPKT)
        self.seconds_a_tile = (self.answered_s - began_s) / len(answer.prob_BPKT)
        self._metrics.record_tiles(len(answer.prob_BPKT), self.answered_s - began_s)
        return answer


class FiberWorker:
    """Turn blocks into picks, events and progress.

    Parameters
    ----------
    terms : FiberTerms
    engine : FiberEngine
    incoming : BlockLink
    to_archive, to_associate : Edge
        To the network's associator go the picks of virtual stations, and how far they are.

    Notes
    -----
    A publisher keeps nothing for those who were away. So a restart costs what came meanwhile, and a stop
    the samples whose picks were not final: the last tile and the time in which amplitudes are sought. What
    was committed stays; blocks that come again are picked again, and kept once.
    """

    def __init__(
        self,
        terms: FiberTerms,
        engine: FiberEngine,
        incoming: BlockLink,
        to_archive: Edge[Emitted],
        to_associate: Edge[Emitted],
        metrics: Metrics,
        log: BoundLogger,
        progress: Sequence[FiberProgress] = (),
    ) -> None:
        self._terms = terms
        self._open_sources = set(terms.sources)
        self.inference = MeteredInference(metrics)
        self._picker = FiberPicker(terms.settings, engine, progress=progress, submit=self.inference.submit)
        self._incoming = incoming
        self._to_archive = to_archive
        self._to_associate = to_associate
        self._metrics = metrics
        self._log = log
        self._associations: dict[str, FiberAssociation] = {}
        self._waiting_since_s: float | None = None
        self.refused: dict[str, str] = {}
        self.ended = False

    @property
    def unanswered_s(self) -> float:
        """For how long tiles have been waiting without any being inferred."""
        since_s = self._waiting_since_s
        return 0.0 if since_s is None else max(0.0, monotonic_s() - max(since_s, self.inference.answered_s))

    def body(self, worker: Worker) -> None:
        """Run until the link from ingest has ended."""
        while not self._incoming.edge.ended:
            for item in self._incoming.take(TAKE_BLOCKS, IDLE_S):
                if isinstance(item, DasBlock):
                    self._add(item, worker)
                else:
                    self._open_sources.discard(item.source)
            self._pass_on(self._picker.step(wall_ns()), worker)
            self._note_waiting()
            worker.beat()
        self._end(worker)

    def _end(self, worker: Worker) -> None:
        """Flush where the streams have ended; after a mere stop the next start goes on."""
        self.ended = not self._open_sources
        last = self._picker.flush(wall_ns()) if self.ended else self._say_farewell()
        self._pass_on(last, worker)
        if self.ended:
            for association in self._associations.values():
                self._tell(*association.finish(), worker)
        self.inference.close()

    def _say_farewell(self) -> list[FiberOutput]:
        """Infer what waits, unless that would take longer than a stop may."""
        waiting = self._picker.waiting_count
        in_time = waiting * self.inference.seconds_a_tile < FAREWELL_S
        if not in_time:
            self._log.warning("stopped with tiles that were not picked", tiles=waiting)
        return self._picker.step(wall_ns(), force=in_time)

    def _add(self, block: DasBlock, worker: Worker) -> None:
        fiber = block.layout.fiber
        if fiber in self.refused:
            return
        try:
            notes = self._picker.add(block, wall_ns())
        except NetworkError as refusal:
            self.refused[fiber] = str(refusal)
            self._log.error("fiber cannot be picked", fiber=fiber, error=str(refusal))
            return
        self._greet(block.layout, worker)
        for note in notes:
            if not isinstance(note, FiberGap):
                self._metrics.record_fiber_rejection(note)
            elif note.cause is GapCause.OVERLOAD:  # the others were told by the source
                self._metrics.record_fiber_gap(note)

    def _greet(self, layout: FiberLayout, worker: Worker) -> None:
        """At a fiber's first block, take up its associator where an earlier run left it."""
        fiber = layout.fiber
        if fiber in self._associations:
            return
        buffer = fit_decimation(self._terms.settings, layout, self._picker.engine)
        past, stations = self._terms.pasts.get(fiber, FiberPast()), self._terms.stations.get(fiber)
        association = FiberAssociation(layout, buffer.channel_decimation or 1, stations, past)
        self._associations[fiber] = association
        self._tell(association.first_events, association.first_picks, worker)

    def _pass_on(self, outputs: Sequence[FiberOutput], worker: Worker) -> None:
        """Picks reach the archive before their events, and progress behind both."""
        for output in outputs:
            if isinstance(output, FiberPicks):
                self._metrics.record_fiber_picks(output, wall_ns())
                emit([output], self._to_archive, worker)
            association = self._associations.get(output.fiber)
            if association is not None:
                self._tell(*association.take(output), worker)
            if isinstance(output, FiberProgress):
                self._metrics.record_fiber_settled(output)
                emit([output], self._to_archive, worker)
                if output.fiber in self._terms.stations:
                    emit([output], self._to_associate, worker)

    def _tell(self, events: Sequence[FiberEvent], picks: Sequence[Pick], worker: Worker) -> None:
        for event in events:
            self._metrics.record_fiber_event(event)
        emit(events, self._to_archive, worker)
        emit(picks, self._to_archive, worker)
        emit(picks, self._to_associate, worker)

    def _note_waiting(self) -> None:
        waiting = self._picker.waiting_count
        self._metrics.record_waiting_tiles(waiting)
        if not waiting:
            self._waiting_since_s = None
        elif self._waiting_since_s is None:
            self._waiting_since_s = monotonic_s()


