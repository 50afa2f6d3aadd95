"""Packets in, picks out: buffer, pool, engine, lanes and report wired together. Nothing is decided here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from rtpick.buffer.stage import Buffer
from rtpick.picking.engine import Engine
from rtpick.picking.headway import Headway
from rtpick.picking.inference import Inference, Inferred, latency_of
from rtpick.picking.lane import Lane, LaneRule, LaneWindow, News, end_lane, new_lane, step_lane
from rtpick.picking.pool import Pool, Waiting, add_windows, overload_gap, take_batch
from rtpick.picking.report import Circumstances, Reporter
from rtpick.picking.resume import first_window_after
from rtpick.picking.rules import lane_rule
from rtpick.picking.stitch import usable_samples
from rtpick.settings.schema import BufferSettings, PickingSettings
from rtpick.vocabulary.codes import ChannelId, InstrumentId, StationId
from rtpick.vocabulary.inventory import Inventory
from rtpick.vocabulary.pick import Latency, Pick
from rtpick.vocabulary.time import SampleGrid
from rtpick.vocabulary.waveform import (
    Clip,
    Float32Array,
    Gap,
    Packet,
    Progress,
    Rejection,
    Window,
)

Output = Pick | Clip | Progress
COMPONENTS = "ZNE123"


@dataclass(slots=True)
class _Instrument:
    """What the picker keeps of an instrument."""

    lane: Lane
    phase_ns: int
    latency: Latency


class Picker:
    """Pick phases on all stations.

    Parameters
    ----------
    settings : PickingSettings
        Stride, stacking, thresholds, distances.
    buffer_settings : BufferSettings
        Passed on.
    engine : Engine
        Runs the network; it is the picker's own.
    inventory : Inventory
        For sensitivities; stations that it lacks are picked in counts.
    progress : iterable of Progress
        Where an earlier run stood: picks that were final then are not made again, and all others come out as
        if there had been no stop, provided that the samples from behind `Progress.sequence` come again.
    clock : callable, optional
        Nanoseconds; only to measure how long the network takes.

    Notes
    -----
    Start-up: an instrument's first picks come from its first window with enough samples. Gap: windows without
    enough samples are passed over. End: see `flush`. Not to be shared between threads.
    """

    def __init__(
        self,
        settings: PickingSettings,
        buffer_settings: BufferSettings,
        engine: Engine,
        *,
        inventory: Inventory,
        progress: Iterable[Progress] = (),
        clock: Callable[[], int] = lambda: 0,
    ) -> None:
        progress = tuple(progress)
        self.engine = engine
        self._settings = settings
        self._grid = SampleGrid(engine.sampling_rate_hz)
        self._buffer = Buffer(
            buffer_settings,
            component_order=engine.component_order,
            sampling_rate_hz=engine.sampling_rate_hz,
            window_samples=engine.window_samples,
            stride_samples=settings.stride_samples,
            locks=[lock for item in progress for lock in item.locks],
        )
        self._report = Reporter(
            self._buffer,
            inventory,
            settings,
            grid=self._grid,
            component_order=engine.component_order,
            phases=engine.phases,
        )
        silence = round(buffer_settings.station_silence_s * engine.sampling_rate_hz) + engine.window_samples
        self._headway = Headway(settings, self._grid, silence, progress)
        self._rules: dict[StationId, LaneRule] = {}
        self._pool = Pool()
        self._inference = Inference(engine, clock)
        self._model_version = engine.model_version
        self._newest_index = 0
        self._early: list[Output] = []
        self._first_cut: dict[InstrumentId, int] = {}
        self._instruments: dict[InstrumentId, _Instrument] = {}
        self._components: dict[InstrumentId, frozenset[str]] = {}
        self._met: set[ChannelId] = set()

    @property
    def buffer(self) -> Buffer:
        """The rings, to look at."""
        return self._buffer

    @property
    def waiting_count(self) -> int:
        """Windows that wait to be inferred."""
        return len(self._pool.waiting)

    def retune(self, settings: PickingSettings) -> None:
        """Take over new thresholds and the like; stride and stacking stay as they were."""
        kept = {"stride_samples": self._settings.stride_samples, "stacking": self._settings.stacking}
        self._settings = settings.model_copy(update=kept)
        self._rules.clear()

    def add(self, packet: Packet, now_ns: int) -> list[Gap | Rejection]:
        """Take in a packet; its complete windows wait in the pool.

        Parameters
        ----------
        packet : Packet
            Of any channel.
        now_ns : int
            Wall time.

        Returns
        -------
        list of Gap and Rejection
            What the buffer gave up or set aside, and, with cause overload, the span of every window that was
            dropped because too many were waiting: the oldest go first.
        """
        notes = self._buffer.add(packet, now_ns)
        self._headway.record(packet)
        if packet.channel not in self._met:
            self._meet(packet.channel)
        windows = self._buffer.complete_windows()
        if not windows:
            return notes
        dropped = self._pool_windows(windows, now_ns, self._settings.waiting_windows)
        if any(map(self._is_far_ahead, windows)):
            self._early += self._infer_all(now_ns)
        return [*notes, *dropped]

    def step(self, now_ns: int, *, force: bool = False) -> list[Output]:
        """Infer the batches that are full or have waited for long enough.

        Parameters
        ----------
        now_ns : int
            Wall time.
        force : bool
            Infer everything that waits, and say how far every station is.

        Returns
        -------
        list of Pick, Clip and Progress
            Progress comes behind the picks that it speaks of.

        Notes
        -----
        A full batch stays with the engine for a while in which packets come in.
        """
        outputs, self._early = self._early, []
        while batch := self._take(now_ns, force):
            outputs += self._stack(self._inference.start(batch, now_ns))
        if force or not self._inference.may_go_on(now_ns):
            outputs += self._stack(self._inference.finish())
        if self._headway.is_due(self._newest_index, force):
            waiting = self._first_waiting()
            outputs += self._finish_silent(waiting)
            outputs += self._headway.tell(self._lanes(), self._rule, self._buffer, waiting)
        return outputs

    def flush(self, now_ns: int) -> list[Output]:
        """End the stream: infer the partly filled windows too, and make every pick final.

        Parameters
        ----------
        now_ns : int
            Wall time.
        """
        windows = self._buffer.flush()
        self._pool_windows(windows, now_ns, len(windows) + self.waiting_count)
        outputs = self._early + self._infer_all(now_ns)
        self._early = []
        for name, item in self._instruments.items():
            outputs += self._end(name, item)
        return outputs + self.step(now_ns, force=True)

    def _meet(self, channel: ChannelId) -> None:
        self._met.add(channel)
        known = self._components.get(channel.instrument_id, frozenset())
        if channel.component in COMPONENTS:
            self._components[channel.instrument_id] = known | {channel.component}

    def _infer_all(self, now_ns: int) -> list[Output]:
        outputs: list[Output] = []
        while batch := self._take(now_ns, True):
            outputs += self._stack(self._inference.start(batch, now_ns))
        return outputs + self._stack(self._inference.finish())

    def _is_far_ahead(self, window: Window) -> bool:
        """Tell whether the rings may soon lose what the picks of windows that still wait are measured on."""
        known = self._instruments.get(window.instrument)
        if known is None:
            first = self._first_cut.setdefault(window.instrument, window.start_index)
        else:
            first = known.lane.end_index - self.engine.window_samples
        return window.start_index - first > self._buffer.memory_samples // 3

    def _pool_windows(self, windows: list[Window], now_ns: int, limit: int) -> list[Gap]:
        wanted = [window for window in windows if self._is_wanted(window)]
        if not wanted:
            return []
        self._pool, dropped = add_windows(self._pool, wanted, now_ns, limit)
        return [overload_gap(window, self._grid, self._settings.stride_samples) for window in dropped]

    def _is_wanted(self, window: Window) -> bool:
        """Leave out the windows that only speak of what was final in an earlier run."""
        station = window.instrument.station_id
        settled = self._headway.restored_index(station)
        return settled is None or window.start_index >= first_window_after(settled, self._rule(station))

    def _take(self, now_ns: int, force: bool) -> tuple[Waiting, ...]:
        self._pool, batch = take_batch(
            self._pool, now_ns, self.engine.batch_size, self.engine.batch_age_ns, force=force
        )
        return batch

    def _stack(self, work: Inferred | None) -> list[Output]:
        """Advance the lanes by a batch that the engine has done."""
        if work is None:
            return []
        self._model_version = work.model_version
        outputs: list[Output] = []
        for item, prob_PT, top_P in zip(work.batch, work.prob_BPT, work.prob_BPT.max(axis=2), strict=True):
            latency = latency_of(item, work, self._grid, self.engine.window_samples)
            outputs += self._advance(item, prob_PT, top_P, latency)
        return outputs

    def _advance(
        self, item: Waiting, prob_PT: Float32Array, top_P: Float32Array, latency: Latency
    ) -> list[Pick | Clip]:
        """Stack one window on its instrument's lane."""
        window, rule = item.window, self._rule(item.window.instrument.station_id)
        usable_T = None if window.coverage >= 1 else usable_samples(window.samples_CT, self._gap_guard)
        known = self._instruments.get(window.instrument)
        lane = known.lane if known else self._new_lane(window, rule)
        lane_window = LaneWindow(window.start_index, prob_PT, top_P, window.coverage, usable_T)
        lane, news = step_lane(lane, lane_window, rule)
        state = _Instrument(lane, window.phase_ns, latency)
        self._instruments[window.instrument] = state
        self._newest_index = max(self._newest_index, lane.end_index)
        return self._tell(window.instrument, state, news)

    def _new_lane(self, window: Window, rule: LaneRule) -> Lane:
        settled = self._headway.restored_index(window.instrument.station_id)
        return new_lane(window.start_index if settled is None else settled, rule)

    def _lanes(self) -> dict[InstrumentId, Lane]:
        return {name: item.lane for name, item in self._instruments.items()}

    def _first_waiting(self) -> dict[InstrumentId, int]:
        """Find the first window of each instrument that was cut and is not stacked yet."""
        first: dict[InstrumentId, int] = {}
        for item in (*self._inference.under_way, *self._pool.waiting):
            first.setdefault(item.window.instrument, item.window.start_index)
        return first

    def _finish_silent(self, waiting: Mapping[InstrumentId, int]) -> list[Pick | Clip]:
        """Make final what an instrument that has fallen silent left open."""
        lanes = self._lanes()
        outputs: list[Pick | Clip] = []
        for name in self._headway.silent(lanes):
            if lanes[name].busy and name not in waiting:
                outputs += self._end(name, self._instruments[name])
        return outputs

    def _end(self, name: InstrumentId, item: _Instrument) -> list[Pick | Clip]:
        item.lane, news = end_lane(item.lane, self._rule(name.station_id))
        return self._tell(name, item, news)

    def _tell(self, name: InstrumentId, item: _Instrument, news: list[News]) -> list[Pick | Clip]:
        if not news:
            return []
        about = Circumstances(
            instrument=name,
            components=self._components.get(name, frozenset()),
            lane=item.lane,
            rule=self._rule(name.station_id),
            phase_ns=item.phase_ns,
            model_version=self._model_version,
            latency=item.latency,
        )
        return self._report.report(news, about)

    @property
    def _gap_guard(self) -> int:
        return round(self._settings.gap_guard_s * self.engine.sampling_rate_hz)

    def _rule(self, station: StationId) -> LaneRule:
        rule = self._rules.get(station)
        if rule is None:
            rule = self._rules[station] = lane_rule(self._settings, self.engine, station)
        return rule
