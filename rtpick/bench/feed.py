"""Deliver a synthetic network's records as a server would: at once, or as they fall due."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rtpick.bench.synthetic_network import Record, SyntheticNetwork
from rtpick.daemon.links import WAIT_S, Arriving
from rtpick.ingest.miniseed import decode_record
from rtpick.ingest.sanitise import sanitise_packet
from rtpick.runtime.clock import wall_ns
from rtpick.runtime.edge import Edge
from rtpick.runtime.worker import Worker
from rtpick.telemetry.metrics import Metrics
from rtpick.vocabulary.errors import RecordError
from rtpick.vocabulary.time import to_s
from rtpick.vocabulary.waveform import EndOfStream, Rejection

SOURCE = "bench"
EARLY_S = 0.002  # records due within this time go out together
SETTLE_S = 3.0  # between the end of the history and the first record that is paced


@dataclass(frozen=True, slots=True)
class Pace:
    """Records that end after `from_ns` (data time) are held until they fall due."""

    from_ns: int


class RecordFeed:
    """Decode records and put the packets on the link to the picker.

    Parameters
    ----------
    network : SyntheticNetwork
    edge : Edge
        To the picker.
    metrics : Metrics
    pace : Pace or None
        None: as fast as packets are taken.

    Attributes
    ----------
    arrived_ns : ndarray of int64
        Wall time at which each record came in; 0 for those that have not.
    real_offset_ns : int
        Wall time less data time of the paced records: the moment at which ground that moved at data time t
        really moved is ``t + real_offset_ns``.
    """

    def __init__(
        self, network: SyntheticNetwork, edge: Edge[Arriving], metrics: Metrics, pace: Pace | None = None
    ) -> None:
        self._network = network
        self._edge = edge
        self._metrics = metrics
        self._pace = pace
        self.arrived_ns = np.zeros(len(network.records), np.int64)
        self.real_offset_ns = 0

    def body(self, worker: Worker) -> None:
        """Run until the last record is out or a stop is asked for."""
        for number, record in enumerate(self._network.records):
            if self._pace is not None and record.end_ns > self._pace.from_ns:
                self._await(record.end_ns, self._pace, worker)
            if worker.stopping:
                return
            self.arrived_ns[number] = wall_ns()
            self._receive(record, number, worker)
        self._put(EndOfStream(SOURCE), worker)

    def _receive(self, record: Record, number: int, worker: Worker) -> None:
        """Do with a record what the ingest worker does."""
        received_ns = int(self.arrived_ns[number])
        packet = decode_record(record.content, source=SOURCE, sequence=number, received_ns=received_ns)
        believed = sanitise_packet(packet, received_ns)
        if isinstance(believed, Rejection):
            raise RecordError(f"a synthetic record is refused ({believed.cause}): mend the generator")
        self._metrics.record_packet(believed)
        self._put(believed, worker)

    def _await(self, end_ns: int, pace: Pace, worker: Worker) -> None:
        if self.real_offset_ns == 0:
            self._await_quiet(worker)
            self.real_offset_ns = wall_ns() - pace.from_ns
        ahead_s = to_s(end_ns + self.real_offset_ns - wall_ns())
        if ahead_s > EARLY_S:
            worker.pause(ahead_s)

    def _await_quiet(self, worker: Worker) -> None:
        """Let the picker catch up with the history."""
        while len(self._edge) and not worker.stopping:
            worker.pause(EARLY_S)
        worker.pause(SETTLE_S)

    def _put(self, item: Arriving, worker: Worker) -> None:
        while not self._edge.put(item, WAIT_S):
            worker.beat()
