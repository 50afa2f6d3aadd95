"""Scores of cables' events: by hand, and the same as those of the reference scorer."""

from __future__ import annotations

import importlib.util
import io
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from rtpick.associate_fiber_picks import FiberTerms, associate_fiber_table
from rtpick.association.fiber_histogram import HistogramOptions
from rtpick.bench.fiber_association import (
    CONTENDERS,
    FiberScore,
    bench_fiber_association,
    find_fiber_scenarios,
    run_contender,
    score_fiber_events,
    sum_up,
)
from rtpick.bench.fiber_scene import Scene, SceneEvent, make_picks
from rtpick.fiber_table import read_fiber_table
from rtpick.vocabulary.errors import PickTableError
from rtpick.vocabulary.time import format_utc


@pytest.fixture(scope="module")
def tool(request: pytest.FixtureRequest) -> ModuleType:
    """The reference generator and scorer."""
    folder = Path(request.getfixturevalue("shared")) / "tools"
    sys.path.insert(0, str(folder))
    try:
        spec = importlib.util.spec_from_file_location("das_assoc_bench", folder / "das_assoc_bench.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(folder))
    return module


@pytest.fixture(scope="module")
def scenarios(tool: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scenarios")
    tool.write(folder / "lab_1", *tool.generate("lab", 1))
    return folder


def test_scores_equal_those_of_the_reference(tool: ModuleType, scenarios: Path) -> None:
    for place in find_fiber_scenarios(scenarios):
        true_events, true_picks = (pd.read_csv(place / f"truth_{n}.csv") for n in ("events", "picks"))
        for contender in (CONTENDERS[0], CONTENDERS[3]):
            own = run_contender(place, contender)
            result = associate_fiber_table(read_fiber_table(place / "picks.csv"), contender.mode)
            want = tool.score(result.events, result.picks, true_events, true_picks)
            assert (own.events, own.hits, own.neutral, own.wrong, own.missed) == tuple(
                want[name] for name in ("events", "tp", "neutral", "fp", "fn")
            )
            for mine, name in ((own.f1, "f1"), (own.pick_precision, "pick_precision"),
                               (own.pick_recall, "pick_recall"), (own.origin_error_s, "t0_err")):  # fmt: skip
                assert mine == pytest.approx(want[name], nan_ok=True)


@pytest.mark.slow
def test_one_setting_keeps_its_promises_on_seeds_that_nothing_was_tuned_on(
    tool: ModuleType, tmp_path: Path
) -> None:
    promised = {"lab": 0.95, "swarm": 0.90, "flood": 0.93, "common": 0.90, "long": 0.94}
    for name in (*promised, "noise"):
        for seed in (101, 102, 103):
            tool.write(tmp_path / f"{name}_{seed}", *tool.generate(name, seed))
    scores = [run_contender(place, CONTENDERS[0]) for place in find_fiber_scenarios(tmp_path)]
    sums = {score.scenario: score for score in sum_up(scores)}
    assert sums["noise"].wrong <= 1
    assert {name: sums[name].f1 >= least for name, least in promised.items()} == dict.fromkeys(promised, True)
    assert min(sums[name].pick_recall for name in promised) >= 0.80


def test_rows_of_the_histogram_are_those_of_the_reference(tool: ModuleType, scenarios: Path) -> None:
    """Without a moveout, whose random choices the reference makes otherwise."""
    place = scenarios / "lab_1"
    table = read_fiber_table(place / "picks.csv")
    for options, terms in (
        ({"bin_size": 1.0, "mph": 5, "mpd": 5, "origin_window": None, "max_ps": 20.0}, HistogramOptions()),
        ({"bin_size": 0.1, "mph": 100, "mpd": 50, "origin_window": 0.5},
         HistogramOptions(max_ps_dt_s=30.0, bin_size_s=0.1, minimum_peak_height=100, minimum_peak_distance=50,
                          origin_window_s=0.5)),
    ):  # fmt: skip
        result = associate_fiber_table(table, "histogram", None, FiberTerms(terms, None, 42_000))
        events, picks, _ = tool.associate(table.frame, 42_000, 0.01, moveout_window=None, **options)
        picks = picks.set_index("pick_id").loc[table.frame["pick_id"]]
        assert result.events["origin_time_s"].tolist() == events["origin_time_s"].tolist()
        for column in ("origin_id", "origin_index", "ps_center", "ps_interval"):
            np.testing.assert_array_equal(result.picks[column].to_numpy(), picks[column].to_numpy())


def counted(events: list[tuple[int, float]], owners: list[int], truth: list[int]) -> dict[str, float]:
    """Score against events at 10 s (required), 20 s (required) and 30 s (optional)."""
    picks = pd.DataFrame({"pick_id": np.arange(len(owners)), "origin_id": owners})
    true_picks = pd.DataFrame({"pick_id": np.arange(len(truth)), "event": truth})
    true_events = pd.DataFrame({"id": [0, 1, 2], "origin_time_s": [10.0, 20.0, 30.0],
                                "class": ["required", "required", "optional"]})  # fmt: skip
    found = pd.DataFrame(events, columns=["origin_id", "origin_time_s"])
    return score_fiber_events(found, picks, true_events, true_picks)


TRUTH = [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, -1, -1]


@pytest.mark.parametrize(
    ("events", "owners", "want"),
    [
        ([], [-1] * 12, {"hits": 0, "wrong": 0, "missed": 2, "pick_hits": 0}),
        ([(7, 10.1)], [7, 7, 7, 7, *[-1] * 8], {"hits": 1, "wrong": 0, "missed": 1, "pick_hits": 4}),
        ([(7, 12.0)], [7, 7, 7, 7, *[-1] * 8], {"hits": 0, "wrong": 1, "missed": 2, "pick_hits": 0}),
        ([(7, 10.0)], [7, -1, -1, -1, 7, 7, *[-1] * 6], {"hits": 0, "wrong": 1, "pick_hits": 0}),
        ([(1, 10.0), (2, 10.2)], [1, 1, 1, 2, *[-1] * 8], {"hits": 1, "wrong": 1, "pick_hits": 3}),
        ([(3, 30.0)], [*[-1] * 8, 3, 3, -1, -1], {"hits": 0, "neutral": 1, "wrong": 0, "picks_claimed": 0}),
        ([(5, 15.0)], [*[-1] * 10, 5, 5], {"hits": 0, "wrong": 1, "picks_claimed": 2, "picks_true": 8}),
    ],
    ids=["nothing", "found", "late", "mixed", "split", "optional", "noise"],
)
def test_counting_by_hand(events: list[tuple[int, float]], owners: list[int], want: dict[str, int]) -> None:
    counts = counted(events, owners, TRUTH)
    assert {name: counts[name] for name in want} == want


def small_scenario(folder: Path, seed: int) -> None:
    picks, event_N = make_picks(Scene((SceneEvent(20.0, 5.0, 9.0),), 300, 20.0, 60.0, seed=seed))
    place = folder / f"small_{seed}"
    place.mkdir(parents=True)
    start_ns = Scene().start_ns
    pd.DataFrame({
        "channel_index": picks.channel_number_N, "phase_index": (picks.time_ns_N - start_ns) // 10_000_000,
        "phase_time": [format_utc(int(t)) for t in picks.time_ns_N], "phase_score": 0.5,
        "phase_type": picks.phase_N, "dt_s": 0.01, "pick_id": np.arange(len(picks)),
    }).to_csv(place / "picks.csv", index=False)  # fmt: skip
    truth = pd.DataFrame({"pick_id": np.arange(len(picks)), "event": event_N})
    truth.to_csv(place / "truth_picks.csv", index=False)
    (place / "truth_events.csv").write_text("id,origin_time_s,class\n0,20.0,required\n")


def test_a_folder_is_run_summed_and_written(tmp_path: Path) -> None:
    for seed in (1, 2):
        small_scenario(tmp_path / "in", seed)
    text = io.StringIO()
    console = Console(file=text, width=150)
    scores = bench_fiber_association(tmp_path / "in", tmp_path / "out", CONTENDERS[:2], console)
    assert [(score.scenario, score.seed) for score in scores] == [("small", n) for n in (1, 1, 2, 2)]
    written = pd.read_csv(tmp_path / "out" / "scores.csv")
    assert written["seed"].tolist() == [1, 1, 2, 2, -1, -1]
    assert written[written["contender"] == "stream"]["f1"].tolist() == [1.0, 1.0, 1.0]
    assert "pick recall" in text.getvalue()
    assert "stream" in text.getvalue()


def test_rates_of_nothing_are_unknown() -> None:
    nothing = FiberScore("x", 1, "y", 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, float("nan"), 0.0)
    rates = nothing.f1, nothing.pick_precision, nothing.pick_recall, nothing.picks_per_s
    assert np.isnan(rates).all()


def test_incomplete_scenarios_are_named(tmp_path: Path) -> None:
    with pytest.raises(PickTableError, match="no scenario"):
        find_fiber_scenarios(tmp_path)
    small_scenario(tmp_path, 1)
    (tmp_path / "small_1" / "truth_events.csv").write_text("id\n0\n")
    with pytest.raises(PickTableError, match=r"truth_events\.csv has no column class, origin_time_s"):
        run_contender(tmp_path / "small_1", CONTENDERS[0])
    (tmp_path / "small_1" / "truth_events.csv").unlink()
    with pytest.raises(PickTableError, match="cannot read the truth"):
        run_contender(tmp_path / "small_1", CONTENDERS[0])
