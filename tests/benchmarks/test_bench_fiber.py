"""`rtpick bench das` measures what it says; no figure is judged."""

from __future__ import annotations

import json

import pytest
from rich.console import Console

from rtpick.bench.fiber import bench_fibers
from rtpick.settings.fiber import FiberBufferSettings, FiberPickingSettings, FiberSettings
from rtpick.settings.schema import EngineSettings

SMALL = FiberSettings(
    buffer=FiberBufferSettings(memory_s=40),
    picking=FiberPickingSettings(
        tile_channels=64,
        tile_samples=1024,
        stride_samples=256,
        lead_samples=256,
        guard_samples=256,
        overlap_channels=16,
        amplitude_p_s=2,
        amplitude_s_s=2,
    ),
)


@pytest.mark.slow
@pytest.mark.parametrize("paced", [False, True])
def test_every_block_and_tile_is_accounted_for(tmp_path, paced):
    console = Console(record=True, width=120)
    figures = bench_fibers(
        100,
        100.0,
        cables=2,
        seconds=20 if paced else 60,
        paced=paced,
        settings=SMALL,
        engine=EngineSettings(backend="torch", device="cpu", threads=1),
        json_path=tmp_path / "figures.json",
        console=console,
    )
    assert figures.blocks + figures.dropped_blocks == (40 if paced else 120)
    assert figures.tiles > 0
    assert figures.block_to_picks.count == figures.tiles
    assert 0 < figures.flops < 2 * figures.peak_flops
    assert figures.network_samples_per_s > 0
    assert not paced or figures.real_time_factor <= 1.01
    assert {stage.stage for stage in figures.stages} >= {
        "intake",
        "condition",
        "cut",
        "infer",
        "stack",
        "decide",
    }
    assert json.loads((tmp_path / "figures.json").read_text())["tiles"] == figures.tiles
    assert "times real time" in console.export_text()
