"""Put the blocks of a fiber in order: doubled, late, lost and doubtful ones are dealt with here.

K channel, T time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from rtpick.buffer.continuity import Continuity, Span, settle
from rtpick.buffer.fiber_continuity import (
    BlockKind,
    FiberThread,
    Verdict,
    budget_samples,
    judge,
    open_thread,
    same_layout,
)
from rtpick.buffer.lock import PhaseLock
from rtpick.settings.fiber import FiberBufferSettings
from rtpick.vocabulary.fiber import DasBlock, FiberGap, FiberLayout, FiberRejectCause, FiberRejection
from rtpick.vocabulary.time import to_ns
from rtpick.vocabulary.waveform import Float32Array, GapCause

Note = FiberGap | FiberRejection
MAXIMUM_RATE_HZ = 20_000.0


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """Samples that nothing can come before any more.

    Parameters
    ----------
    generation : int
        Rises whenever a fiber begins anew: with another layout, or behind a clock that was set back.
    layout : FiberLayout
    lock : PhaseLock
    start : int
        Native index of the first sample.
    samples_KT : ndarray, shape (channel, time)
        As the source gave them.
    """

    generation: int
    layout: FiberLayout
    lock: PhaseLock
    start: int
    samples_KT: np.ndarray

    @property
    def end(self) -> int:
        """Native index just after the last sample."""
        return self.start + int(self.samples_KT.shape[1])


class FiberIntake:
    """The blocks of one fiber in, its samples in order out.

    Parameters
    ----------
    settings : FiberBufferSettings
        Reorder budget and tolerance for the future.

    Notes
    -----
    What lies before the first block may still come within the budget. A hole holds back what lies behind it
    for the budget, then it is a gap. Samples that were there already keep their first value.
    """

    def __init__(self, settings: FiberBufferSettings) -> None:
        self._settings = settings
        self._generation = 0
        self._thread: FiberThread | None = None
        self._waiting: list[Stretch] = []
        self._held: DasBlock | None = None

    def add(self, block: DasBlock, now_ns: int) -> tuple[list[Stretch], list[Note]]:
        """Take in a block.

        Parameters
        ----------
        block : DasBlock
            As a source delivered it.
        now_ns : int
            Wall time, for telling the future.

        Returns
        -------
        list of Stretch
            What is in order now.
        list of FiberGap and FiberRejection
        """
        refused = refuse_block(block, now_ns + to_ns(self._settings.future_tolerance_s))
        if refused is not None:
            return [], [refused]
        if self._thread is None:
            self._thread = open_thread(block.layout, block.start_ns, self._settings.reorder_budget_s)
        verdict = self._judge(self._thread, block)
        if verdict.kind is BlockKind.FAR:
            return self._doubt(self._thread, block)
        notes = self._reject_held()
        if verdict.kind is BlockKind.LAYOUT:
            stretches, gaps = self._reopen(self._thread, block)
            return stretches, [*notes, *gaps]
        return self._take(block, verdict, notes)

    def flush(self) -> tuple[list[Stretch], list[Note]]:
        """End the stream: wait for nothing any more."""
        held, self._held = self._held, None
        stretches: list[Stretch] = []
        notes: list[Note] = []
        if held is not None and self._thread is not None and self._is_ahead(self._thread, held):
            stretches, notes = self._leap(self._thread, held)
        elif held is not None:
            notes.append(_reject(held, FiberRejectCause.CLOCK_JUMP))
        if self._thread is not None:
            more, gaps = self._release(self._thread, -1)
            stretches, notes = stretches + more, [*notes, *gaps]
        return stretches, notes

    def _judge(self, thread: FiberThread, block: DasBlock) -> Verdict:
        count = int(block.samples_KT.shape[1])
        return judge(thread, block.layout, block.start_ns, count, self._reach_s)

    @property
    def _reach_s(self) -> float:
        return 2 * self._settings.reorder_budget_s + 60.0

    def _take(self, block: DasBlock, verdict: Verdict, notes: list[Note]) -> tuple[list[Stretch], list[Note]]:
        self._thread = thread = verdict.thread
        notes = [*notes, *_refusals(block, verdict)]
        for span in verdict.accepted:
            samples_KT = block.samples_KT[:, span.start - verdict.start : span.end - verdict.start]
            piece = Stretch(self._generation, thread.layout, thread.lock, span.start, samples_KT)
            self._waiting.append(piece)
        budget = budget_samples(thread.layout, self._settings.reorder_budget_s)
        stretches, gaps = self._release(thread, budget)
        return stretches, [*notes, *gaps]

    def _release(self, thread: FiberThread, budget: int) -> tuple[list[Stretch], list[Note]]:
        """Give out what is settled, in order."""
        state, holes = settle(thread.continuity, budget)
        self._thread = replace(thread, continuity=state)
        gaps: list[Note] = [_gap(thread, hole) for hole in holes]
        ready = sorted((item for item in self._waiting if item.start < state.settled), key=_by_start)
        self._waiting = [item for item in self._waiting if item.start >= state.settled]
        return ready, gaps

    def _doubt(self, thread: FiberThread, block: DasBlock) -> tuple[list[Stretch], list[Note]]:
        """Hold a far block until the next one goes on from it."""
        held, self._held = self._held, block
        if held is None or not _goes_on(held, block):
            return [], [] if held is None else [_reject(held, FiberRejectCause.CLOCK_JUMP)]
        self._held = None
        believe = self._leap if self._is_ahead(thread, held) else self._set_back
        stretches, notes = believe(thread, held)
        more, others = self.add(block, block.end_ns)
        return stretches + more, notes + others

    def _is_ahead(self, thread: FiberThread, block: DasBlock) -> bool:
        return thread.lock.index(block.start_ns) >= thread.continuity.newest

    def _leap(self, thread: FiberThread, block: DasBlock) -> tuple[list[Stretch], list[Note]]:
        """Go on behind a long gap."""
        start = thread.lock.index(block.start_ns)
        settled, notes = self._release(thread, -1)
        hole = Span(thread.continuity.newest, start)
        fresh = replace(thread, continuity=Continuity(start, start, (), (hole,)))
        notes.append(_gap(thread, hole))
        taken, others = self._take(block, self._judge(fresh, block), notes)
        return settled + taken, others

    def _set_back(self, thread: FiberThread, block: DasBlock) -> tuple[list[Stretch], list[Note]]:
        """Begin anew behind a clock that was set back."""
        newest_ns = thread.lock.time_ns(thread.continuity.newest)
        stretches, notes = self._reopen(thread, block)
        cause = FiberGap(block.layout.fiber, newest_ns, newest_ns, GapCause.CLOCK_JUMP, 0)
        return stretches, [*notes, cause]

    def _reopen(self, thread: FiberThread, block: DasBlock) -> tuple[list[Stretch], list[Note]]:
        """Give out what the old layout or clock has left, and begin anew."""
        stretches, notes = self._release(thread, -1)
        self._generation += 1
        fresh = open_thread(block.layout, block.start_ns, self._settings.reorder_budget_s)
        taken, others = self._take(block, self._judge(fresh, block), notes)
        return stretches + taken, others

    def _reject_held(self) -> list[Note]:
        held, self._held = self._held, None
        return [] if held is None else [_reject(held, FiberRejectCause.CLOCK_JUMP)]


def refuse_block(block: DasBlock, latest_ns: int) -> FiberRejection | None:
    """Set aside a block that no fiber could take.

    Examples
    --------
    >>> layout = FiberLayout("a", 0, 2, 1.0, 100.0)
    >>> refuse_block(DasBlock(layout, 0, np.zeros((3, 5))), 10**9).detail
    '3 rows, the layout says 2'
    """
    samples_KT, layout = block.samples_KT, block.layout
    if samples_KT.ndim != 2 or samples_KT.dtype.kind not in "iuf" or not samples_KT.size:
        return _reject(block, FiberRejectCause.CORRUPT, "not a table of numbers")
    if samples_KT.shape[0] != layout.channel_count:
        detail = f"{samples_KT.shape[0]} rows, the layout says {layout.channel_count}"
        return _reject(block, FiberRejectCause.LAYOUT, detail)
    rate_hz = layout.sampling_rate_hz
    if not (math.isfinite(rate_hz) and 1.0 <= rate_hz <= MAXIMUM_RATE_HZ):
        return _reject(block, FiberRejectCause.LAYOUT, f"a sampling rate of {rate_hz} Hz")
    if block.start_ns < 0:
        return _reject(block, FiberRejectCause.DATE, "before 1970")
    if block.end_ns > latest_ns:
        return _reject(block, FiberRejectCause.FUTURE)
    return None


def to_float32(samples_KT: np.ndarray, factor: float = 1.0) -> Float32Array:
    """Copy samples of any number type as float32, times a factor; what is not finite is missing.

    Examples
    --------
    >>> to_float32(np.array([[1, 2]], np.int16), 2.0), to_float32(np.array([[np.inf, 1.0]]))
    (array([[2., 4.]], dtype=float32), array([[nan,  1.]], dtype=float32))
    """
    wide = samples_KT.astype(np.float64) * factor if factor != 1.0 else samples_KT
    with np.errstate(over="ignore", invalid="ignore"):
        out_KT = np.array(wide, dtype=np.float32, order="C")
    out_KT[np.isinf(out_KT)] = np.nan
    return out_KT


def _refusals(block: DasBlock, verdict: Verdict) -> list[Note]:
    fiber, rows = block.layout.fiber, block.layout.channel_count
    whole = verdict.kind is BlockKind.DUPLICATE
    cause = FiberRejectCause.DUPLICATE if whole else FiberRejectCause.OVERLAP
    notes: list[Note] = []
    if verdict.repeated:
        notes.append(FiberRejection(fiber, cause, verdict.repeated * rows))
    if verdict.late:
        notes.append(FiberRejection(fiber, FiberRejectCause.LATE, verdict.late * rows))
    return notes


def _reject(block: DasBlock, cause: FiberRejectCause, detail: str = "") -> FiberRejection:
    return FiberRejection(block.layout.fiber, cause, int(block.samples_KT.size), detail)


def _gap(thread: FiberThread, hole: Span) -> FiberGap:
    count = (hole.end - hole.start) * thread.layout.channel_count
    start_ns, end_ns = thread.lock.time_ns(hole.start), thread.lock.time_ns(hole.end)
    return FiberGap(thread.layout.fiber, start_ns, end_ns, GapCause.MISSING, count)


def _goes_on(held: DasBlock, block: DasBlock) -> bool:
    slack_ns = round(2e9 / block.layout.sampling_rate_hz)
    return same_layout(held.layout, block.layout) and abs(block.start_ns - held.end_ns) <= slack_ns


def _by_start(stretch: Stretch) -> int:
    return stretch.start
