"""One generation of a fiber, from its samples to its picks: front, tiles, sheets.

B batch, K fiber channel, T time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import numpy as np

from rtpick.buffer.fiber_front import FiberFront
from rtpick.buffer.fiber_intake import Stretch
from rtpick.buffer.fiber_tiles import Tile, Tiler
from rtpick.picking.fiber_engine import FiberAnswer, FiberEngine
from rtpick.picking.fiber_features import measure_amplitudes
from rtpick.picking.fiber_hints import coarse, hint_planes, tell_hints, times_ns
from rtpick.picking.fiber_lane import FiberLane
from rtpick.picking.fiber_rules import FiberRules, fit_channels
from rtpick.picking.fiber_stack import BoolArray
from rtpick.settings.fiber import FiberSettings
from rtpick.vocabulary.fiber import FiberEventHints, FiberPicks
from rtpick.vocabulary.time import SampleGrid, to_ns
from rtpick.vocabulary.waveform import Float32Array

Told = FiberPicks | FiberEventHints
NEVER = 2**62
CLOCK_SLACK_NS = to_ns(0.6)
"""A clock that is followed may have moved the samples so far against the grid."""


class Strand:
    """A fiber as long as its layout and clock stay and no gap is longer than a tile.

    Parameters
    ----------
    front : FiberFront
    settings : FiberSettings
    rules : FiberRules
    engine : FiberEngine
        To know what it answers.
    settled_ns : int, optional
        Picks before it were told by an earlier run.
    shift : int
        Of the tiles along the fiber.
    """

    def __init__(
        self,
        front: FiberFront,
        settings: FiberSettings,
        rules: FiberRules,
        engine: FiberEngine,
        settled_ns: int | None = None,
        shift: int = 0,
    ) -> None:
        self.front = front
        self.closing = False
        self.geometry = fit_channels(rules.geometry, front.layout.channel_count, engine.channel_multiple)
        self._settings, self._rules, self._engine = settings, rules, engine
        self._grid = SampleGrid(engine.sampling_rate_hz)
        self._settled_ns = settled_ns
        begin = None
        if settled_ns is not None:
            index = self._grid.index(settled_ns - CLOCK_SLACK_NS) - self._reach
            begin = self.geometry.first_tile_of(index)
        coverage = min(settings.picking.minimum_coverage, self.geometry.surest_coverage)
        self._tiler = Tiler(front.ring, self.geometry, coverage, begin, shift)
        self.outstanding: deque[Tile] = deque()
        self._lane: FiberLane | None = None
        self._hints: FiberLane | None = None

    @property
    def _reach(self) -> int:
        """Samples before a pick that decide whether it is one, on the sheet and on the coarse one."""
        step = self._engine.event_step
        return 2 * self._rules.half_window + (4 * step[1] if step else 0)

    def retune(self, settings: FiberSettings, rules: FiberRules) -> None:
        """Take over new thresholds."""
        self._settings, self._rules = settings, rules
        if self._lane is not None:
            self._lane.retune(rules.threshold_P)
        if self._hints is not None:
            self._hints.retune(np.full(1, settings.picking.hint_threshold, np.float32))

    def take_in(self, stretch: Stretch) -> Iterator[list[Tile]]:
        """Take in samples; after each piece, name the tiles that have become complete."""
        for _ in self.front.add(stretch):
            yield self._expect(self._tiler.complete())

    def close(self) -> list[Tile]:
        """End the strand; name its last tiles, which reach beyond its samples."""
        self.closing = True
        return self._expect(self._tiler.complete(ended=True))

    def cut(self, tile: Tile, out_KT: Float32Array) -> None:
        """Copy a tile's samples."""
        self.front.ring.read_into(tile.start, tile.row, out_KT)

    def has_lost(self, tile: Tile, ahead: int = 0) -> bool:
        """Tell whether the ring has lost samples of a tile, or will have once it is so many samples on."""
        return tile.start < self.front.ring.head + ahead - self.front.ring.length

    def give_up(self, tile: Tile) -> None:
        """Go on without a tile."""
        self.outstanding.remove(tile)

    def accept(self, tile: Tile, answer: FiberAnswer, place: int, usable_KT: BoolArray) -> None:
        """Add what the network says of a tile; tiles come in the order in which they were named."""
        self.outstanding.popleft()
        if self._lane is None:
            self._open_sheets(tile.start)
        if self._lane is not None:
            self._lane.add(answer.prob_BPKT[place], tile.row, tile.start, usable_KT)
        step = self._engine.event_step
        if self._hints is not None and step is not None:
            row, start = tile.row // step[0], tile.start // step[1]
            self._hints.add(hint_planes(answer, place), row, start, coarse(usable_KT, step))

    def tell(self) -> list[Told]:
        """Tell the picks and hints that nothing can change any more."""
        if self._lane is None:
            return []
        before = self._decide(self._lane)
        picks, _, waiting = self._lane.take(before)
        told: list[Told] = []
        if len(picks.index_N):
            amplitude_N = measure_amplitudes(self.front.ring, picks, waiting, self._rules.reach_P)
            found = FiberPicks(
                self.front.layout.fiber,
                self.front.layout.channel_numbers[picks.row_N],
                np.array(self._engine.phases, "U1")[picks.phase_N],
                times_ns(picks.index_N, self._grid, self.front.phase_ns),
                picks.height_N,
                amplitude_N,
                self._engine.model_version,
            )
            told.append(self._new(found))
        if self._hints is not None and self._engine.event_step is not None:
            told += self._tell_hints(self._hints, before, self._engine.event_step)
        return [item for item in told if len(item)]

    @property
    def settled_ns(self) -> int | None:
        """Half a sample before the first sample whose picks may still come; None before the first tile."""
        if self._lane is None:
            return None
        ended = self.closing and not self.outstanding
        index = self._lane.decided - (0 if ended else self._longest)
        half_ns = round(self._grid.period_ns / 2)
        return self._grid.time_ns(index) + self.front.phase_ns(index) - half_ns

    def needed_from_ns(self, settled_ns: int) -> int:
        """Time of the earliest sample that a restart at a settled time needs."""
        index = self._grid.index(settled_ns - CLOCK_SLACK_NS) - self._reach
        tile_ns = self._grid.time_ns(self.geometry.first_tile_of(index))
        native_hz = self.front.native_layout.sampling_rate_hz
        return tile_ns - CLOCK_SLACK_NS - round(self.front.reach_samples * 1e9 / native_hz)

    @property
    def _longest(self) -> int:
        return int(self._rules.reach_P.max())

    def _expect(self, tiles: list[Tile]) -> list[Tile]:
        self.outstanding.extend(tiles)
        return tiles

    def _open_sheets(self, start: int) -> None:
        geometry, count = self.geometry, self.front.layout.channel_count
        first = start + geometry.lead
        phases = len(self._engine.phases)
        self._lane = FiberLane(self._rules.picking(geometry), phases, count, first)
        step = self._engine.event_step
        if step is not None:
            rule = self._rules.hinting(geometry, self._settings.picking.hint_threshold, step)
            self._hints = FiberLane(rule, 2, -(-count // step[0]), first // step[1])

    def _decide(self, lane: FiberLane) -> int:
        """Decide what is final; tell before which index nothing more is expected."""
        if self.closing and not self.outstanding:
            lane.finish()
            if self._hints is not None:
                self._hints.finish()
            return NEVER
        following = self.outstanding[0].start if self.outstanding else self._tiler.next_start or 0
        lane.advance(self.geometry.spoken_before(following))
        if self._hints is not None and self._engine.event_step is not None:
            self._hints.advance(self.geometry.spoken_before(following) // self._engine.event_step[1])
        return lane.decided - self._longest

    def _tell_hints(self, hints: FiberLane, before: int, step: tuple[int, int]) -> list[FiberEventHints]:
        peaks, travel_1N, _ = hints.take(min(before // step[1], hints.decided))
        if not len(peaks.index_N):
            return []
        found = tell_hints(peaks, travel_1N[0], step, self.front.layout, self._grid, self.front.phase_ns)
        return [found if self._settled_ns is None else _after_hints(found, self._settled_ns)]

    def _new(self, picks: FiberPicks) -> FiberPicks:
        """Leave out what an earlier run has told."""
        if self._settled_ns is None or not len(picks) or picks.time_ns_N[0] >= self._settled_ns:
            return picks
        kept_N = picks.time_ns_N >= self._settled_ns
        return FiberPicks(
            picks.fiber,
            picks.channel_number_N[kept_N],
            picks.phase_N[kept_N],
            picks.time_ns_N[kept_N],
            picks.probability_N[kept_N],
            picks.amplitude_N[kept_N],
            picks.model_version,
        )


def _after_hints(hints: FiberEventHints, settled_ns: int) -> FiberEventHints:
    kept_N = hints.center_ns_N >= settled_ns
    return FiberEventHints(
        hints.fiber,
        hints.channel_number_N[kept_N],
        hints.center_ns_N[kept_N],
        hints.origin_ns_N[kept_N],
        hints.probability_N[kept_N],
    )
