"""The histogram's events and every pick's event are those of PyPI's phasenet 0.2.5, row by row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rtpick.association.fiber_histogram import (
    ChannelPicks,
    HistogramOptions,
    associate_by_histogram,
    find_peaks,
    pair_by_event_heads,
    pair_neighbours,
)

GOLDEN: dict[str, Any] = json.loads((Path(__file__).parent / "fiber_histogram.json").read_text("utf-8"))
NAMES = {
    "vp_vs": "vp_vs", "max_ps_dt": "max_ps_dt_s", "bin_size": "bin_size_s", "mph": "minimum_peak_height",
    "mpd": "minimum_peak_distance", "origin_window": "origin_window_s", "moveout_window": "moveout_window_s",
}  # fmt: skip


def golden_picks() -> ChannelPicks:
    return ChannelPicks(
        np.array(GOLDEN["channel_index"], np.int64), np.array(GOLDEN["phase_index"], np.int64),
        np.array(list(GOLDEN["phase_type"])) == "P", np.array(GOLDEN["phase_score"]),
    )  # fmt: skip


@pytest.mark.parametrize("run", GOLDEN["runs"], ids=["defaults", "half_a_second", "tenth_of_a_second"])
def test_rows_are_those_of_the_package(run: dict[str, Any]) -> None:
    options = HistogramOptions(**{NAMES[name]: value for name, value in run["options"].items()})
    result = associate_by_histogram(golden_picks(), GOLDEN["window_samples"], GOLDEN["dt_s"], options)
    assert result.origin_s_E.tolist() == run["event_times"]
    assert result.origin_id_N.tolist() == run["origin_id"]
    assert len(result.pairs.origin_s_Q) == run["pairs"]
    assert result.pairs.origin_s_Q.sum() == run["pair_t0_sum"]


def test_event_heads_pair_as_in_the_package() -> None:
    picks, options, found = golden_picks(), HistogramOptions(), GOLDEN["event_heads"]
    rows = [(d["channel_index"], d["event_center_index"], d["event_time"], d["event_center_score"])
            for d in GOLDEN["detections"]]  # fmt: skip
    channel, center, shift, score = (np.array(column) for column in zip(*rows, strict=True))
    pairs = pair_by_event_heads(picks, channel, center, shift, score, GOLDEN["dt_s"], options)
    index = [np.where(row_Q >= 0, picks.index_N[row_Q], -1) for row_Q in (pairs.p_row_Q, pairs.s_row_Q)]
    made = np.column_stack((*index, pairs.origin_s_Q, pairs.weight_Q))
    np.testing.assert_array_equal(made, np.array(found["pairs"]))
    result = associate_by_histogram(picks, GOLDEN["window_samples"], GOLDEN["dt_s"], options, pairs)
    assert result.origin_s_E.tolist() == found["event_times"]
    assert result.origin_id_N.tolist() == found["origin_id"]


def picks_of(*rows: tuple[int, int, str]) -> ChannelPicks:
    channel, index, phase = zip(*rows, strict=True)
    return ChannelPicks(
        np.array(channel), np.array(index), np.array([p == "P" for p in phase]), np.ones(len(rows))
    )


def test_columns_of_the_workshop() -> None:
    """A lone P, and a pair that no event took: its own estimate, rounded."""
    picks = picks_of((7, 1701, "P"), (7, 2656, "S"), (8, 15048, "P"), (8, 16032, "S"), (9, 50, "P"))
    options = HistogramOptions(bin_size_s=0.1, minimum_peak_height=100)
    result = associate_by_histogram(picks, 42_000, 0.01, options)
    assert result.center_N.tolist()[:4] == [2178.5, 2178.5, 15540.0, 15540.0]
    assert result.interval_N.tolist()[:4] == [955.0, 955.0, 984.0, 984.0]
    assert result.origin_index_N.tolist()[:4] == [393.0, 393.0, 13700.0, 13700.0]
    assert np.isnan([result.origin_index_N[4], result.center_N[4], result.interval_N[4]]).all()
    assert set(result.origin_id_N.tolist()) == {-1}


def test_an_associated_pick_shows_the_middle_of_its_bin() -> None:
    rows = [(k, 1701, "P") for k in range(5)] + [(k, 2656, "S") for k in range(5)]
    result = associate_by_histogram(picks_of(*rows), 42_000, 0.01, HistogramOptions(bin_size_s=0.1))
    assert np.allclose(result.origin_index_N, 395.0)
    assert set(result.origin_id_N.tolist()) == {0}


@pytest.mark.parametrize(
    ("rows", "pairs"),
    [
        ([(1, 100, "P"), (1, 400, "S")], 1),
        ([(1, 100, "P"), (1, 200, "P"), (1, 400, "S")], 1),
        ([(1, 100, "P"), (2, 400, "S")], 0),
        ([(1, 100, "P"), (1, 2100, "S")], 0),
        ([(1, 100, "S"), (1, 400, "P")], 0),
        ([(1, 100, "P"), (1, 400, "S"), (1, 500, "S")], 1),
    ],
)
def test_only_the_very_next_pick_makes_a_pair(rows: list[tuple[int, int, str]], pairs: int) -> None:
    assert len(pair_neighbours(picks_of(*rows), 0.01, HistogramOptions()).p_row_Q) == pairs


def test_peaks_at_the_ends_are_none_and_of_equals_the_later_stands() -> None:
    assert find_peaks(np.array([9, 0, 6, 0, 6, 0, 9]), 5, 2).tolist() == [4]
    assert find_peaks(np.array([1, 2]), 1, 1).tolist() == []


def test_no_picks_no_events() -> None:
    nothing = ChannelPicks(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, bool), np.zeros(0))
    assert len(associate_by_histogram(nothing, 1000, 0.01, HistogramOptions()).origin_s_E) == 0
