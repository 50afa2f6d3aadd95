"""`rtpick bench das`: the picker of fibers on this machine, at the fibers' own pace or as fast as it goes.

K channel, T time.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console

from rtpick.bench.fiber_blocks import synthetic_blocks
from rtpick.bench.fiber_engine import (
    UNTRAINED,
    TimedFiberEngine,
    build_bench_engine,
    flops_per_tile,
    measure_peak,
)
from rtpick.bench.fiber_report import FiberFigures, Load, StageShare, fiber_table
from rtpick.bench.latency import Quantiles
from rtpick.bench.machine import describe_machine
from rtpick.bench.resident import Resident, watch_resident
from rtpick.picking.fiber_picker import FiberOutput, FiberPicker
from rtpick.picking.fiber_warm import warm_up_fibers
from rtpick.runtime.background import Background
from rtpick.runtime.clock import monotonic_s
from rtpick.runtime.edge import Edge
from rtpick.runtime.worker import Worker
from rtpick.settings.fiber import FiberSettings
from rtpick.settings.schema import EngineSettings
from rtpick.vocabulary.fiber import DasBlock, FiberLayout, FiberPicks
from rtpick.vocabulary.time import NS_PER_S
from rtpick.vocabulary.waveform import GapCause

QUEUE_BLOCKS = 32
PATIENCE_S = 0.02
NO_FUTURE_S = 1e10  # the clock of the measurement counts from elsewhere


@dataclass(slots=True)
class _Tally:
    """What one run has seen."""

    blocks: int = 0
    dropped_blocks: int = 0
    dropped_tiles: int = 0
    picks: int = 0
    longest_add_s: float = 0.0


def bench_fibers(
    channel_count: int,
    rate_hz: float,
    *,
    cables: int = 1,
    seconds: float = 60.0,
    block_s: float = 1.0,
    paced: bool = False,
    weights: str = "random-small",
    engine: EngineSettings | None = None,
    settings: FiberSettings | None = None,
    json_path: Path | None = None,
    console: Console | None = None,
) -> FiberFigures:
    """Measure throughput, latency, memory, and where the time goes; print the figures.

    Parameters
    ----------
    channel_count : int
        Of each cable.
    rate_hz : float
        At which the cables deliver.
    cables : int
    seconds : float
        Of each cable's samples.
    block_s : float
        Length of a block.
    paced : bool
        At the cables' own pace, where a block that finds the queue full pushes the oldest out; else not.
    weights : str
        A network's name or path, or ``"random-small"`` or ``"random-full"`` for untrained ones.
    engine : EngineSettings, optional
    settings : FiberSettings, optional
    json_path : Path, optional
        File for the figures.
    console : Console, optional
    """
    settings = _patient(settings or FiberSettings(), weights)
    runner = TimedFiberEngine(build_bench_engine(weights, engine or EngineSettings()))
    runner.warm_up()
    warm_up_fibers()
    layouts = [FiberLayout(f"cable{i}", 0, channel_count, 8.0, rate_hz) for i in range(cables)]
    background = Background("infer")
    picker = FiberPicker(settings, runner, submit=background.submit, lossless=not paced, clock=_clock_ns)
    with watch_resident() as resident:
        began_s = monotonic_s()
        tally = _run(picker, layouts, seconds, block_s, paced)
        wall_s = monotonic_s() - began_s
    background.close()
    load = Load(channel_count, rate_hz, cables, seconds, paced)
    figures = _figures(load, tally, picker, runner, resident, wall_s)
    (console or Console(width=None if sys.stdout.isatty() else 120)).print(fiber_table(figures))
    if json_path is not None:
        json_path.write_text(json.dumps(asdict(figures), indent=2) + "\n", encoding="utf-8")
    return figures


def _figures(
    load: Load,
    tally: _Tally,
    picker: FiberPicker,
    runner: TimedFiberEngine,
    resident: Resident,
    wall_s: float,
) -> FiberFigures:
    samples = round(load.channel_count * load.rate_hz * load.seconds) * load.cables
    return FiberFigures(
        machine=describe_machine(),
        model_version=runner.model_version,
        engine=runner.description,
        load=load,
        wall_s=wall_s,
        samples_per_s=samples / wall_s,
        real_time_factor=load.seconds / wall_s,
        network_samples_per_s=runner.samples / max(runner.busy_s, 1e-9),
        flops=flops_per_tile(runner) * picker.spent.tiles / wall_s,
        peak_flops=measure_peak(*runner.arithmetic),
        tiles=picker.spent.tiles,
        blocks=tally.blocks,
        dropped_blocks=tally.dropped_blocks,
        dropped_tiles=tally.dropped_tiles,
        picks=tally.picks,
        block_to_picks=Quantiles.of([delay_ns / NS_PER_S for delay_ns in picker.spent.delays_ns]),
        longest_add_s=tally.longest_add_s,
        memory_before=resident.bytes[0],
        memory_halfway=resident.at(0.5),
        memory_peak=resident.peak_bytes,
        stages=_stages(picker, runner, wall_s),
    )


def _patient(settings: FiberSettings, weights: str) -> FiberSettings:
    """Let blocks be ahead of the clock; of an untrained network only take what it is wildly sure of."""
    buffer = settings.buffer.model_copy(update={"future_tolerance_s": NO_FUTURE_S})
    sure = {"p_threshold": 0.9, "s_threshold": 0.9, "hint_threshold": 0.9} if weights in UNTRAINED else {}
    picking = settings.picking.model_copy(update=sure)
    return settings.model_copy(update={"buffer": buffer, "picking": picking})


def _run(
    picker: FiberPicker, layouts: list[FiberLayout], seconds: float, block_s: float, paced: bool
) -> _Tally:
    """Feed the picker from a thread through a bounded link, as the daemon does."""
    tally = _Tally()
    edge: Edge[DasBlock] = Edge("blocks", QUEUE_BLOCKS * len(layouts))
    blocks = synthetic_blocks(layouts, seconds, block_s, _clock_ns)

    def feed(worker: Worker) -> None:
        for block in _paced(blocks, block_s, len(layouts), worker) if paced else blocks:
            if paced:
                tally.dropped_blocks += edge.displace(block) is not None
            else:
                edge.put(block)

    worker = Worker("feed", feed, edge.close)
    worker.start()
    while not edge.ended:
        for block in edge.take(QUEUE_BLOCKS, PATIENCE_S):
            _add(picker, block, tally)
        tally.picks += _count(picker.step(_clock_ns()))
    tally.picks += _count(picker.flush(_clock_ns()))
    if worker.failure is not None:
        raise worker.failure
    return tally


def _add(picker: FiberPicker, block: DasBlock, tally: _Tally) -> None:
    began_s = monotonic_s()
    notes = picker.add(block, block.received_ns)
    tally.longest_add_s = max(tally.longest_add_s, monotonic_s() - began_s)
    tally.blocks += 1
    tally.dropped_tiles += sum(note.cause is GapCause.OVERLOAD for note in notes)


def _paced(blocks: Iterator[DasBlock], block_s: float, cables: int, worker: Worker) -> Iterator[DasBlock]:
    """Hold each block back until its last sample would have been taken."""
    began_s = monotonic_s()
    for number, block in enumerate(blocks):
        wait_s = began_s + (number // cables + 1) * block_s - monotonic_s()
        if wait_s > 0:
            worker.pause(wait_s)
        yield DasBlock(block.layout, block.start_ns, block.samples_KT, block.source, number, _clock_ns())


def _count(outputs: list[FiberOutput]) -> int:
    return sum(len(item) for item in outputs if isinstance(item, FiberPicks))


def _stages(picker: FiberPicker, engine: TimedFiberEngine, wall_s: float) -> tuple[StageShare, ...]:
    spent = [
        StageShare(name, ns / NS_PER_S, ns / NS_PER_S / wall_s)
        for name, ns in picker.spent.by_stage_ns.items()
    ]
    return (*spent, StageShare("network (beside)", engine.busy_s, engine.busy_s / wall_s))


def _clock_ns() -> int:
    return round(monotonic_s() * NS_PER_S)
