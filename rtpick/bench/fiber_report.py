"""The figures of the picker of fibers, as a table."""

from __future__ import annotations

from dataclasses import dataclass

from rich.table import Table

from rtpick.bench.latency import Quantiles
from rtpick.bench.machine import Machine

MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class StageShare:
    """Wall time of a stage, in seconds and as a fraction of the run."""

    stage: str
    seconds: float
    share: float


@dataclass(frozen=True, slots=True)
class Load:
    """What was delivered: cables, channels of each, their rate, how long, and whether at its own pace."""

    channel_count: int
    rate_hz: float
    cables: int
    seconds: float
    paced: bool


@dataclass(frozen=True, slots=True)
class FiberFigures:
    """What one run showed.

    Parameters
    ----------
    machine : Machine
    model_version, engine : str
    load : Load
    wall_s : float
    samples_per_s : float
        Samples of the cables a second of work.
    real_time_factor : float
        Seconds of samples a second of work.
    network_samples_per_s : float
        Samples of tiles, overlaps counted as often as they come, while the network works.
    flops, peak_flops : float
        Arithmetic of the network a second of the run, and what matrix products reach on the device.
    tiles, blocks, dropped_blocks, dropped_tiles, picks : int
    block_to_picks : Quantiles
        From the receipt of the block that completes a tile to its picks.
    longest_add_s : float
        That any block waited to be taken in.
    memory_before, memory_halfway, memory_peak : int
        Resident, bytes.
    stages : tuple of StageShare
    """

    machine: Machine
    model_version: str
    engine: str
    load: Load
    wall_s: float
    samples_per_s: float
    real_time_factor: float
    network_samples_per_s: float
    flops: float
    peak_flops: float
    tiles: int
    blocks: int
    dropped_blocks: int
    dropped_tiles: int
    picks: int
    block_to_picks: Quantiles
    longest_add_s: float
    memory_before: int
    memory_halfway: int
    memory_peak: int
    stages: tuple[StageShare, ...]


def fiber_table(figures: FiberFigures) -> Table:
    """Lay the figures out for people."""
    load = figures.load
    pace = "at its own pace" if load.paced else "as fast as it goes"
    title = (
        f"{load.cables} x {load.channel_count} channels x {load.rate_hz:g} Hz, "
        f"{load.seconds:g} s {pace}; {figures.model_version}, {figures.engine}"
    )
    table = Table(title=title, show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for name, value in _rows(figures):
        table.add_row(name, value)
    table.add_section()
    for stage in figures.stages:
        table.add_row(f"  {stage.stage}", f"{stage.seconds:.2f} s  {100 * stage.share:5.1f} %")
    return table


def _rows(figures: FiberFigures) -> list[tuple[str, str]]:
    delays = figures.block_to_picks
    memory = (figures.memory_before, figures.memory_halfway, figures.memory_peak)
    share = figures.flops / figures.peak_flops
    return [
        ("samples/s", f"{figures.samples_per_s / 1e6:.3f} million"),
        ("times real time", f"{figures.real_time_factor:.2f}"),
        ("network alone, samples/s of tiles", f"{figures.network_samples_per_s / 1e6:.3f} million"),
        ("arithmetic", f"{figures.flops / 1e9:.1f} GFLOP/s, {100 * share:.0f} % of matrix products"),
        (
            "block to picks, p50 / p95 / max",
            f"{delays.p50_s:.2f} / {delays.p95_s:.2f} / {delays.maximum_s:.2f} s",
        ),
        ("longest that a block was taken in", f"{figures.longest_add_s:.3f} s"),
        ("tiles, dropped", f"{figures.tiles}, {figures.dropped_tiles}"),
        ("blocks, dropped", f"{figures.blocks}, {figures.dropped_blocks}"),
        ("picks", f"{figures.picks}"),
        ("memory before / halfway / peak", " / ".join(f"{b / MEBIBYTE:.0f}" for b in memory) + " MiB"),
    ]
