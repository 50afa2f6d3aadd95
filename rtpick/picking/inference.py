"""One batch with the engine while the next is filled.

Arrays: B batch, C component, P phase, T time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rtpick.picking.engine import Engine
from rtpick.picking.engine_backend import Promise
from rtpick.picking.pool import Waiting, gather
from rtpick.vocabulary.pick import Latency
from rtpick.vocabulary.time import NS_PER_S, SampleGrid
from rtpick.vocabulary.waveform import Float32Array

PATIENCE_NS = 5_000_000
"""A batch takes longer than this; other work goes on for so long before anyone waits for it."""


@dataclass(frozen=True, slots=True, eq=False)
class Inferred:
    """A batch, its probabilities, (B, P, T), and what made them; `taken_ns` is when it left the pool."""

    batch: tuple[Waiting, ...]
    prob_BPT: Float32Array
    model_version: str
    taken_ns: int
    compute_s: float


@dataclass(frozen=True, slots=True, eq=False)
class _UnderWay:
    batch: tuple[Waiting, ...]
    promise: Promise
    model_version: str
    taken_ns: int
    began_ns: int


class Inference:
    """Hand batches to the engine, one ahead of the other.

    Parameters
    ----------
    engine : Engine
        Its network may be swapped at any time: what is under way is finished by the old one.
    clock : callable
        Nanoseconds; only to measure how long the network takes.
    """

    def __init__(self, engine: Engine, clock: Callable[[], int]) -> None:
        self._engine = engine
        self._clock = clock
        self._under_way: _UnderWay | None = None
        # Two: one is filled while the engine reads the other.
        self._blocks = [np.empty((0, 0, 0), np.float32)] * 2

    @property
    def under_way(self) -> tuple[Waiting, ...]:
        """The windows that the engine has and whose probabilities have not been fetched."""
        return self._under_way.batch if self._under_way else ()

    def may_go_on(self, now_ns: int) -> bool:
        """Tell whether a full batch has been under way for too short a time to wait for it."""
        work = self._under_way
        if work is None or len(work.batch) < self._engine.batch_size:
            return False
        return 0 <= now_ns - work.taken_ns < PATIENCE_NS

    def start(self, batch: tuple[Waiting, ...], now_ns: int) -> Inferred | None:
        """Hand a batch over, then fetch the one before, if any."""
        began_ns, version = self._clock(), self._engine.model_version
        self._blocks = [self._blocks[1], gather(batch, self._blocks[0])]
        promise = self._engine.start(self._blocks[1][: len(batch)])
        before, self._under_way = self.finish(), _UnderWay(batch, promise, version, now_ns, began_ns)
        return before

    def finish(self) -> Inferred | None:
        """Wait for the batch that is under way, if any."""
        if self._under_way is None:
            return None
        work, self._under_way = self._under_way, None
        prob_BPT = work.promise()
        compute_s = (self._clock() - work.began_ns) / NS_PER_S
        return Inferred(work.batch, prob_BPT, work.model_version, work.taken_ns, compute_s)


def latency_of(item: Waiting, work: Inferred, grid: SampleGrid, window_samples: int) -> Latency:
    """Split the way of a window, from its newest sample to its probabilities, into stages."""
    window = item.window
    newest_ns = grid.time_ns(window.start_index + window_samples) + window.phase_ns
    received_ns = window.completed_ns or item.since_ns
    return Latency(
        network_s=(received_ns - newest_ns) / NS_PER_S,
        buffer_s=(item.since_ns - received_ns) / NS_PER_S,
        batch_s=(work.taken_ns - item.since_ns) / NS_PER_S,
        compute_s=work.compute_s,
    )
