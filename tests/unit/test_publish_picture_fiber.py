"""Waterfalls lose no spike and show no sample where there is none; pictures show what they say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import matplotlib.image
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtpick.associate_fiber_picks import associate_fiber_picks
from rtpick.association.fiber_associate import FiberAssociatorState, finish, step
from rtpick.association.fiber_options import FiberOptions
from rtpick.bench.fiber_scene import Scene, SceneEvent, make_picks
from rtpick.fiber_table import read_fiber_table
from rtpick.ingest.das_files_write import write_das_file
from rtpick.plot_fiber_picks import plot_fiber_picks, scene_of_table
from rtpick.publish.picture_fiber import plot_fiber, scene_of_events
from rtpick.publish.waterfall import WaterfallGrid, draw_together
from rtpick.vocabulary.errors import PickTableError
from rtpick.vocabulary.event import EventStatus
from rtpick.vocabulary.fiber import DasBlock, FiberLayout
from rtpick.vocabulary.time import format_utc, to_ns

LAYOUT = FiberLayout("ridge", 0, 40, 10.0, 100.0)
START_NS = 1_760_000_000_000_000_000
SCENE = Scene((SceneEvent(20.0, 5.0, 9.0),), 400, 20.0, 60.0, start_ns=START_NS)


def blocks(samples_KT: npt.NDArray[np.float64], cuts: Sequence[int] = ()) -> list[DasBlock]:
    ends = [0, *sorted(cuts), samples_KT.shape[1]]
    return [DasBlock(LAYOUT, START_NS + first * 10_000_000, samples_KT[:, first:last])
            for first, last in pairwise(ends) if last > first]  # fmt: skip


def grid(columns: int, rows: int, seconds: float = 10.0) -> WaterfallGrid:
    return WaterfallGrid(START_NS, START_NS + to_ns(seconds), 0, 39, columns, rows)


@settings(max_examples=30, deadline=None)
@given(
    channel=st.integers(0, 39),
    sample=st.integers(0, 999),
    columns=st.integers(1, 1500),
    rows=st.integers(1, 60),
)
def test_a_spike_of_one_sample_is_never_lost(channel: int, sample: int, columns: int, rows: int) -> None:
    samples_KT = np.zeros((40, 1000))
    samples_KT[channel, sample] = -7.0
    cells_YX = draw_together(blocks(samples_KT, [333, 334]), grid(columns, rows))
    assert np.nanmin(cells_YX) < -6.9
    y, x = np.unravel_index(np.nanargmin(cells_YX), cells_YX.shape)
    assert y == channel * len(cells_YX) // 40
    assert abs((x + 0.5) / columns - (sample + 0.5) / 1000) < 1.0 / columns + 1e-3


def test_what_is_missing_stays_empty() -> None:
    samples_KT = np.random.default_rng(1).normal(size=(40, 1000))
    samples_KT[:, 400:600] = np.nan
    samples_KT[20:, :] = np.nan
    cells_YX = draw_together(blocks(samples_KT), grid(10, 40, 20.0))
    heard = np.isfinite(cells_YX)
    assert heard[:20].all(axis=0).tolist() == [True, True, False, True, True] + [False] * 5
    assert not heard[20:].any()


def test_a_filter_runs_on_from_block_to_block() -> None:
    samples_KT = np.random.default_rng(1).normal(size=(40, 1000)).cumsum(axis=1)
    samples_KT -= samples_KT[:, :100].mean(axis=1, keepdims=True)
    whole = draw_together(blocks(samples_KT, [100]), grid(100, 40), (2.0, 20.0))
    parts = draw_together(blocks(samples_KT, [100, 101, 500, 730]), grid(100, 40), (2.0, 20.0))
    np.testing.assert_allclose(parts, whole, atol=1e-9)
    assert np.abs(whole).max() < np.abs(samples_KT).max()


def test_channels_at_a_distance_fill_the_cells_between() -> None:
    layout = FiberLayout("ridge", 0, 8, 50.0, 100.0, channel_step=5)
    block = DasBlock(layout, START_NS, np.random.default_rng(2).normal(size=(8, 1000)))
    assert np.isfinite(draw_together([block], grid(20, 40))).all()


def test_picks_and_curves_are_drawn_in_the_colours_of_their_events(tmp_path: Path) -> None:
    picks, event_N = make_picks(SCENE)
    state, said = step(FiberAssociatorState("ridge", FiberOptions().for_cable(400, 20.0)), picks,
                       START_NS + to_ns(60.0))  # fmt: skip
    events = [e for e in said + finish(state)[1] if e.status is EventStatus.FINAL]
    scene = scene_of_events(picks, events)
    assert (scene.owner_N[event_N == 0] == 0).mean() > 0.97
    assert scene.labels == [format_utc(events[0].origin_ns)[11:21]]
    shown = WaterfallGrid(START_NS, START_NS + to_ns(60.0), 0, 399)
    cells_YX = np.zeros((400, 1600))
    plot_fiber(tmp_path / "with.png", scene, shown, cells_YX, title="ridge", channel_spacing_m=20.0)
    plot_fiber(tmp_path / "none.png", scene_of_events(picks, []), shown)
    coloured, grey = (matplotlib.image.imread(tmp_path / name)[:, :, :3] for name in ("with.png", "none.png"))
    blue = np.array([0x00, 0x72, 0xB2]) / 255.0
    assert (np.abs(coloured - blue).max(axis=2) < 0.1).sum() > 200
    assert (np.abs(grey - blue).max(axis=2) < 0.1).sum() == 0


def table(folder: Path) -> Path:
    picks, _ = make_picks(SCENE)
    pd.DataFrame({
        "channel_index": picks.channel_number_N, "phase_index": (picks.time_ns_N - START_NS) // 10_000_000,
        "phase_time": [format_utc(int(t)) for t in picks.time_ns_N], "phase_score": 0.5,
        "phase_type": picks.phase_N, "dt_s": 0.01,
    }).to_csv(folder / "picks.csv", index=False)  # fmt: skip
    return folder / "picks.csv"


def test_a_table_is_drawn_before_and_after_association(tmp_path: Path) -> None:
    path = table(tmp_path)
    plot_fiber_picks(tmp_path / "before.png", path)
    result = associate_fiber_picks(path, tmp_path / "out")
    scene = scene_of_table(read_fiber_table(tmp_path / "out" / "picks.csv"))
    assert (scene.owner_N >= 0).sum() == (result.picks["origin_id"] >= 0).sum()
    assert [curve is not None for curve in scene.curves] == [True]
    plot_fiber_picks(tmp_path / "after.png", tmp_path / "out" / "picks.csv")
    for name in ("before.png", "after.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")


def test_a_recording_lies_behind_the_picks_of_its_rows(tmp_path: Path) -> None:
    samples_KT = np.random.default_rng(1).normal(size=(40, 1000)).astype(np.float32)
    layout = replace(LAYOUT, first_channel=2500)
    write_das_file(tmp_path / "ridge.h5", [DasBlock(layout, START_NS, samples_KT)])
    plot_fiber_picks(tmp_path / "x.png", None, [tmp_path / "ridge.h5"], end_ns=START_NS + to_ns(5.0))
    shown = matplotlib.image.imread(tmp_path / "x.png")[200:800, 200:1000, :3]
    assert shown.std() > 0.05


def test_nothing_to_draw_is_said(tmp_path: Path) -> None:
    with pytest.raises(PickTableError, match="name a table of picks"):
        plot_fiber_picks(tmp_path / "x.png")
    pd.read_csv(table(tmp_path))[:0].to_csv(tmp_path / "picks.csv", index=False)
    with pytest.raises(PickTableError, match="no picks; name a recording"):
        plot_fiber_picks(tmp_path / "x.png", tmp_path / "picks.csv")
