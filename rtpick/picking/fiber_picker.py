"""Blocks in, picks out, for any number of fibers: intake, strands, pool and engine wired together.

B batch, K fiber channel, T time. Nothing is decided here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import partial

from rtpick.buffer.fiber_front import FiberFront
from rtpick.buffer.fiber_health import HealthMemory
from rtpick.buffer.fiber_intake import FiberIntake, Stretch
from rtpick.picking.fiber_engine import FiberEngine, Submit, run_at_once
from rtpick.picking.fiber_journal import FiberJournal
from rtpick.picking.fiber_pool import Batch, FiberPool, TileBlocks, WaitingTile, overload_gap
from rtpick.picking.fiber_rules import allowed_overrides, fiber_rules, fit_decimation
from rtpick.picking.fiber_spent import Spent
from rtpick.picking.fiber_stack import usable_samples
from rtpick.picking.fiber_strand import Strand
from rtpick.settings.fiber import FiberSettings
from rtpick.vocabulary.fiber import (
    DasBlock,
    FiberEventHints,
    FiberGap,
    FiberPicks,
    FiberProgress,
    FiberRejection,
)
from rtpick.vocabulary.time import SampleGrid, to_ns

FiberOutput = FiberPicks | FiberEventHints | FiberProgress
FiberNote = FiberGap | FiberRejection
UNDER_WAY = 2
"""Batches that the engine has at a time: one to work on, one to go on with."""


THRESHOLDS = ("p_threshold", "s_threshold", "hint_threshold")


@dataclass(slots=True)
class _Line:
    """What the picker keeps of a fiber."""

    intake: FiberIntake
    journal: FiberJournal
    strand: Strand | None = None
    generation: int = 0
    end: int = 0


class FiberPicker:
    """Pick phases on all channels of fiber-optic cables.

    Parameters
    ----------
    settings : FiberSettings
    engine : FiberEngine
        Runs the network; it is the picker's own.
    progress : iterable of FiberProgress
        Where an earlier run stood: what it told is not told again, and all else comes out as if there had
        been no stop, provided that the blocks from behind `FiberProgress.sequence` come again.
    memories : mapping of str to HealthMemory
        What was learnt of each fiber's channels.
    submit : callable
        Where the engine works: at once, or in a thread of its own so that blocks never wait for it.
    lossless : bool
        What happens to tiles that wait until their samples are about to be lost: inferred at once, for files;
        else the oldest are dropped, and told as a gap with cause overload.
    clock : callable
        Nanoseconds; only to measure where the time goes.
    shift : int
        Move the tiles along the fibers by so many channels; nothing but rounding may depend on it.

    Raises
    ------
    SettingsError
        If the tiles fit neither the network nor the memory.

    Notes
    -----
    Start-up, gap and end: tiles are partly missing, and what lies near to the edge of a gap is not believed.
    A new layout, a clock set back, or a gap longer than a tile ends one strand and begins another. Not to be
    shared between threads.
    """

    def __init__(
        self,
        settings: FiberSettings,
        engine: FiberEngine,
        *,
        progress: Iterable[FiberProgress] = (),
        memories: Mapping[str, HealthMemory] | None = None,
        submit: Submit = run_at_once,
        lossless: bool = False,
        clock: Callable[[], int] = lambda: 0,
        shift: int = 0,
    ) -> None:
        self.engine = engine
        self.spent = Spent(clock)
        self._settings = settings
        self._rules = fiber_rules(settings, engine)
        self._restored = {item.fiber: item for item in progress}
        self._memories = dict(memories or {})
        self._submit, self._lossless, self._shift = submit, lossless, shift
        self._grid = SampleGrid(engine.sampling_rate_hz)
        self._pool = FiberPool(
            settings.picking.batch_tiles or engine.batch_size, to_ns(settings.picking.batch_age_s)
        )
        self._blocks = TileBlocks(self._pool.batch_size)
        self._under_way: deque[Batch] = deque()
        self._lines: dict[str, _Line] = {}
        self._strands: list[Strand] = []
        self._early: list[FiberOutput] = []

    @property
    def waiting_count(self) -> int:
        """Tiles that wait to be inferred."""
        return len(self._pool.waiting)

    @property
    def memories(self) -> dict[str, HealthMemory]:
        """What was learnt of each fiber's channels, for the next start."""
        known = {name: line.strand for name, line in self._lines.items() if line.strand is not None}
        return self._memories | {name: strand.front.health.memory for name, strand in known.items()}

    @property
    def allocated_bytes(self) -> int:
        """Memory that the rings take."""
        return sum(strand.front.ring.allocated_bytes for strand in self._strands)

    def retune(self, settings: FiberSettings) -> None:
        """Take over new thresholds; all else stays as it was."""
        fresh = {name: getattr(settings.picking, name) for name in THRESHOLDS}
        picking = self._settings.picking.model_copy(update=fresh)
        self._settings = self._settings.model_copy(update={"picking": picking})
        self._rules = fiber_rules(self._settings, self.engine)
        for strand in self._strands:
            strand.retune(self._settings, self._rules)

    def add(self, block: DasBlock, now_ns: int) -> list[FiberNote]:
        """Take in a block; its complete tiles wait in the pool.

        Parameters
        ----------
        block : DasBlock
            Of any fiber.
        now_ns : int
            Wall time.

        Returns
        -------
        list of FiberGap and FiberRejection
            What was given up or set aside, and, with cause overload, what the dropped tiles would have begun.

        Raises
        ------
        NetworkError
            If the network was not trained on what the fiber measures.
        """
        fiber = block.layout.fiber
        line = self._lines.get(fiber)
        if line is None:
            line = self._lines[fiber] = self._new_line(block)
        with self.spent.on("intake"):
            stretches, found = line.intake.add(block, now_ns)
            line.journal.note(block)
        notes: list[FiberNote] = list(found)
        for stretch in stretches:
            notes += self._take_in(line, stretch, now_ns)
        return notes

    def step(self, now_ns: int, *, force: bool = False) -> list[FiberOutput]:
        """Infer the batches that are full or have waited for long enough.

        Parameters
        ----------
        now_ns : int
            Wall time.
        force : bool
            Infer everything that waits, wait for it, and say how far every fiber is.

        Returns
        -------
        list of FiberPicks, FiberEventHints and FiberProgress
            Progress comes behind the picks that it speaks of.
        """
        outputs, self._early = self._early, []
        outputs += self._infer(now_ns, force=force)
        self._forget_ended()
        for line in self._lines.values():
            if line.strand is not None:
                outputs += line.journal.tell(line.strand, force=force)
        return outputs

    def flush(self, now_ns: int) -> list[FiberOutput]:
        """End the stream: infer the partly filled tiles too, and tell every pick.

        Parameters
        ----------
        now_ns : int
            Wall time.
        """
        lossless, self._lossless = self._lossless, True
        for line in self._lines.values():
            for stretch in line.intake.flush()[0]:
                self._take_in(line, stretch, now_ns)
            if line.strand is not None:
                self._pool.add(line.strand, line.strand.close(), now_ns)
        self._lossless = lossless
        outputs = self.step(now_ns, force=True)
        for line in self._lines.values():
            line.strand = None
        return outputs

    def _new_line(self, block: DasBlock) -> _Line:
        allowed_overrides(self._settings, block.layout, self.engine)
        journal = FiberJournal(
            block.source, block.layout.fiber, to_ns(self._settings.picking.progress_interval_s)
        )
        return _Line(FiberIntake(self._settings.buffer), journal)

    def _take_in(self, line: _Line, stretch: Stretch, now_ns: int) -> list[FiberNote]:
        strand = line.strand
        if strand is None or stretch.generation != line.generation or self._is_cut_off(line, stretch):
            strand = self._begin(line, stretch, now_ns)
        line.end = stretch.end
        notes: list[FiberNote] = []
        pieces = strand.take_in(stretch)
        while True:
            with self.spent.on("condition"):
                tiles = next(pieces, None)
            if tiles is None:
                return notes
            self._pool.add(strand, tiles, now_ns)
            notes += self._make_room(now_ns)

    def _is_cut_off(self, line: _Line, stretch: Stretch) -> bool:
        """Tell whether a gap is longer than a tile, so that no tile would see both of its sides."""
        gap_s = Fraction(stretch.start - line.end) / stretch.lock.rate
        return gap_s * self._grid.ratio > self._rules.geometry.samples

    def _begin(self, line: _Line, stretch: Stretch, now_ns: int) -> Strand:
        """End a fiber's strand, if it has one, and begin another."""
        fiber = stretch.layout.fiber
        if line.strand is not None:
            self._memories[fiber] = line.strand.front.health.memory
            self._pool.add(line.strand, line.strand.close(), now_ns)
            self._early += self._infer(now_ns, force=True)
        overrides = allowed_overrides(self._settings, stretch.layout, self.engine)
        memory = self._memories.get(fiber)
        buffer = fit_decimation(self._settings, stretch.layout, self.engine)
        front = FiberFront(stretch.layout, stretch.lock, self._grid.ratio, buffer, overrides, memory)
        restored = self._restored.get(fiber) if stretch.generation == 0 else None
        settled_ns = restored.settled_ns if restored else None
        strand = Strand(front, self._settings, self._rules, self.engine, settled_ns, self._shift)
        if stretch.generation != line.generation:
            line.journal.forget()
        line.strand, line.generation = strand, stretch.generation
        self._strands.append(strand)
        return strand

    def _make_room(self, now_ns: int) -> list[FiberNote]:
        """Look ahead by one piece: see to the tiles whose samples the next one may overwrite."""
        ahead = round(self._settings.buffer.health_cell_s * float(self._grid.ratio))
        if not self._pool.is_losing(ahead):
            return []
        if self._lossless:
            self._early += self._infer(now_ns, force=True)
            return []
        return [overload_gap(item, self._grid) for item in self._pool.drop(ahead)]

    def _infer(self, now_ns: int, *, force: bool) -> list[FiberOutput]:
        """Start what is due, and stack what is done."""
        outputs: list[FiberOutput] = []
        while True:
            outputs += self._collect(wait=force and len(self._under_way) >= UNDER_WAY)
            if len(self._under_way) >= UNDER_WAY:
                break
            tiles = self._pool.take(now_ns, force=force)
            if not tiles:
                break
            self._start(tiles)
        while force and self._under_way:
            outputs += self._collect(wait=True)
        return outputs + (self._tell(self._strands) if force else [])

    def _start(self, tiles: tuple[WaitingTile, ...]) -> None:
        with self.spent.on("cut"):
            tiles_BKT = self._blocks.gather(tiles)
            usable_B = tuple(usable_samples(tile_KT, self._rules.gap_guard) for tile_KT in tiles_BKT)
        work = partial(self.engine.infer, tiles_BKT)
        with self.spent.on("infer"):
            self._under_way.append(Batch(tiles, tiles_BKT, usable_B, self._submit(work)))

    def _collect(self, *, wait: bool) -> list[FiberOutput]:
        """Stack the batches that are done, in the order in which they were started."""
        outputs: list[FiberOutput] = []
        while self._under_way and (wait or self._under_way[0].pending.done()):
            batch = self._under_way.popleft()
            with self.spent.on("infer"):
                answer = batch.pending.result()
            self._blocks.give_back(batch.tiles_BKT)
            with self.spent.on("stack"):
                for place, item in enumerate(batch.tiles):
                    item.strand.accept(item.tile, answer, place, batch.usable_B[place])
            outputs += self._tell({id(item.strand): item.strand for item in batch.tiles}.values())
            self.spent.note_delays(item.since_ns for item in batch.tiles)
            wait = False
        return outputs

    def _tell(self, strands: Iterable[Strand]) -> list[FiberOutput]:
        with self.spent.on("decide"):
            return [told for strand in strands for told in strand.tell()]

    def _forget_ended(self) -> None:
        self._strands = [item for item in self._strands if item.outstanding or not item.closing]
