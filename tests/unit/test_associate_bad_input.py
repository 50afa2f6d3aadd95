"""One clear message for each thing that can be wrong with what `rtpick associate` is given."""

from __future__ import annotations

import doctest
import importlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rtpick.associate_picks import Result, associate_table
from rtpick.association.oddities import clock_error
from rtpick.association.sphere import arc_km, geocentric_rad, unit_vectors
from rtpick.association.traveltime import build_travel_times
from rtpick.association.velocity import iasp91
from rtpick.vocabulary.errors import RtpickError, VelocityModelError

EPOCH_S = 1_700_000_000.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten events at twelve stations, nothing wrong."""
    folder, rng = tmp_path_factory.mktemp("tables"), np.random.default_rng(2)
    latitude, longitude = rng.uniform(44.7, 45.3, 12), rng.uniform(6.6, 7.4, 12)
    codes = [f"XX.D{n:02d}" for n in range(12)]
    table = pd.DataFrame({"id": codes, "latitude": latitude, "longitude": longitude})
    table.to_csv(folder / "stations.csv", index=False)
    times, rows = build_travel_times(iasp91(), 40.0, 200.0), []
    unit_S3 = unit_vectors(geocentric_rad(latitude), np.radians(longitude))
    for event in range(10):
        here = unit_vectors(
            geocentric_rad(45.0 + rng.normal(0, 0.1)), np.array(np.radians(7.0 + rng.normal(0, 0.1)))
        )
        for n, far_km in enumerate(arc_km(unit_S3, here)):
            for phase in "PS":
                time_s = (
                    EPOCH_S + 60.0 * event + float(times.look_up(phase, far_km, 8.0)[0]) + rng.normal(0, 0.03)
                )
                rows.append((codes[n], phase, time_s, 0.8))
    picks = pd.DataFrame(rows, columns=["station", "phase", "epoch", "score"]).sort_values("epoch")
    picks.insert(0, "pick_id", [f"p{n}" for n in range(len(picks))])
    picks["arrived"] = picks.epoch + 3.0
    picks.to_csv(folder / "picks.csv", index=False)
    return folder


def spoil(folder: Path, out: Path, change: object, column: str | None = None, plot: bool = False) -> Result:
    picks = pd.read_csv(folder / "picks.csv")
    changed = change(picks)  # type: ignore[operator]
    (picks if changed is None else changed).to_csv(out / "picks.csv", index=False)
    return associate_table(
        out / "picks.csv", folder / "stations.csv", None, out / "out", arrival_column=column, plot=plot
    )


def test_nothing_wrong_nothing_said(folder: Path, tmp_path: Path) -> None:
    result = spoil(folder, tmp_path, lambda picks: picks, "arrived", plot=True)
    assert len(result.events) == 10
    assert result.notes == ()
    assert (tmp_path / "out" / "catalogue.png").stat().st_size > 50_000


def test_unknown_stations(folder: Path, tmp_path: Path) -> None:
    result = spoil(folder, tmp_path, lambda p: p.replace({"station": {"XX.D03": "YY.NEW"}}))
    (note,) = result.notes
    assert note == (
        "20 picks of stations that the inventory does not hold are left out: YY.NEW (20); add these stations"
    )
    assert len(result.events) == 10


def test_a_pick_on_two_lines(folder: Path, tmp_path: Path) -> None:
    result = spoil(folder, tmp_path, lambda p: pd.concat([p, p.iloc[[4, 9]]]))
    assert result.notes == ("2 pick_ids stand on several lines, of which the first counts: p4, p9",)
    assert result.counts.duplicate == 2


def test_a_pick_under_two_names(folder: Path, tmp_path: Path) -> None:
    result = spoil(folder, tmp_path, lambda p: pd.concat([p, p.iloc[[4]].assign(pick_id="again")]))
    (note,) = result.notes
    assert "1 picks repeat another of the same station and phase within 0.05 s" in note
    assert not {"p4", "again"} <= {a.pick_id for e in result.events for a in e.arrivals}


def test_s_before_p(folder: Path, tmp_path: Path) -> None:
    def swap(picks: pd.DataFrame) -> None:
        of = picks.index[(picks.station == "XX.D05") & (picks.epoch < EPOCH_S + 50)]
        picks.loc[of, "phase"] = picks.loc[of, "phase"].map({"P": "S", "S": "P"})

    result = spoil(folder, tmp_path, swap)
    assert any(n.startswith("S is picked before P at 1 stations of events: XX.D05") for n in result.notes)
    for event in result.events:  # whatever the labels say, no event has S before P
        times = {(a.station, a.phase): a.time_ns for a in event.arrivals}
        assert all(times[s, "P"] < times[s, "S"] for s, phase in times if phase == "S" and (s, "P") in times)


@pytest.mark.parametrize("error_s", [1.0, -7.0, 12.0])
def test_a_clock_that_is_wrong(folder: Path, tmp_path: Path, error_s: float) -> None:
    def shift(picks: pd.DataFrame) -> None:
        picks.loc[picks.station == "XX.D07", "epoch"] += error_s

    result = spoil(folder, tmp_path, shift)
    (note,) = [n for n in result.notes if "clock" in n]
    assert note.startswith("XX.D07: ")
    assert f"{error_s:+.0f}"[0] == note.split(" stand ")[1][0]
    assert abs(float(note.split(" stand ")[1].split(" s ")[0]) - error_s) < 0.3
    assert len(result.events) == 10


def test_a_slow_path_is_no_clock(folder: Path, tmp_path: Path) -> None:
    """S late by 1.7 times as much as P: the ground, not the clock."""

    def slow(picks: pd.DataFrame) -> None:
        of = picks.station == "XX.D07"
        picks.loc[of, "epoch"] += picks[of].phase.map({"P": 0.7, "S": 1.2})

    assert not [note for note in spoil(folder, tmp_path, slow).notes if "clock" in note]


def test_an_honest_clock_is_not_accused() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        assert clock_error(rng.uniform(-20, 20, rng.integers(0, 400))) == (0.0, 0)


def test_picks_that_come_minutes_late(folder: Path, tmp_path: Path) -> None:
    def delay(picks: pd.DataFrame) -> None:
        picks.loc[[10, 20], "arrived"] += 150.0
        picks.loc[30, "arrived"] += 1500.0

    result = spoil(folder, tmp_path, delay, "arrived")
    (note,) = result.notes
    assert note.startswith("3 picks came more than 120 s after their time, the slowest 1503 s; 1 came after")
    assert result.counts.late == 1
    assert len(result.events) == 10


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("depth_km,vp,vs\n0,5,6\n", "node 1 needs vp > vs > 0"),
        ("depth_km,vp,vs\n5,5,3\n", "first depth must be 0 km"),
        ("depth_km,vp,vs\n0,5,3\n20,6,3.5\n10,7,4\n", "depth falls at node 3"),
        ("depth_km,vp,vs\n0,5,3\n20,six,3.5\n", "line 3: needs numbers"),
        ("depth,vp,vs\n0,5,3\n", "line 2: needs numbers in the columns depth_km, vp, vs"),
        ("depth_km,vp,vs\n0,5,nan\n", "finite"),
    ],
)
def test_a_velocity_model_with_an_error(folder: Path, tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "model.csv").write_text(text)
    with pytest.raises(VelocityModelError, match=complaint):
        associate_table(
            folder / "picks.csv", folder / "stations.csv", tmp_path / "model.csv", tmp_path / "out"
        )


def test_the_command_says_it_in_one_line(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "model.csv").write_text("depth_km,vp,vs\n0,5,6\n")
    command = [
        sys.executable,
        "-m",
        "rtpick",
        "associate",
        "--picks",
        str(folder / "picks.csv"),
        "-o",
        str(tmp_path),
    ]
    command += ["--stations", str(folder / "stations.csv"), "--velocity-model", str(tmp_path / "model.csv")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1
    assert "vp > vs" in done.stderr
    assert issubclass(VelocityModelError, RtpickError)


@pytest.mark.parametrize("module", ["association.oddities"])
def test_examples_hold(module: str) -> None:
    found = doctest.testmod(importlib.import_module(f"rtpick.{module}"))
    assert found.attempted > 0
    assert found.failed == 0
