"""What comes out of the daemon does not depend on speed, deaths, servers or disks."""

from __future__ import annotations

import csv
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rtpick.publish.csv_tables import PICK_COLUMNS, pick_cells
from rtpick.vocabulary.pick import Pick
from rtpick.vocabulary.time import parse_utc

PATIENCE_S = 200.0
NUMBERS = ("probability", "uncertainty_s", "amplitude", "snr", "coverage")
TEXTS = tuple(set(PICK_COLUMNS) - {*NUMBERS, "revision"})
pytestmark = pytest.mark.timeout(900)  # many waits, each with patience


def test_the_undisturbed_run_finds_both_earthquakes(undisturbed):
    events = undisturbed.standing_events()
    assert len(events) >= 2
    assert len(undisturbed.final_picks()) >= 11


def test_twenty_times_real_time_gives_the_same(make_rig, undisturbed):
    rig = make_rig()
    rig.serve(20, "--end")
    rig.run_to_the_end()
    rig.assert_same_outcome(undisturbed)


@pytest.mark.slow
def test_real_time_gives_the_same(make_rig, undisturbed):
    rig = make_rig()
    rig.serve(1, "--end")
    rig.expect_end(rig.start_daemon(), patience_s=600)
    rig.assert_same_outcome(undisturbed)


def pick_offline(rig, table: Path, *options: str) -> list[dict[str, str]]:
    """The rows that the file command writes, by onset and id."""
    command = [sys.executable, "-m", "rtpick", "pick", str(rig.stage.recording), "-o", str(table)]
    thresholds = ["--p-threshold", "0.2", "--s-threshold", "0.2"]
    subprocess.run([*command, *thresholds, *options], check=True, capture_output=True, timeout=PATIENCE_S)
    with table.open(newline="") as lines:
        return sorted(csv.DictReader(lines), key=lambda row: (parse_utc(row["time"]), row["pick_id"]))


def assert_rows_are(rows: list[dict[str, str]], picks: list[Pick]) -> None:
    """Every column but the revision, which counts how often a pick was looked at."""
    assert [row["pick_id"] for row in rows] == [pick.pick_id for pick in picks]
    for row, pick in zip(rows, picks, strict=True):
        cells = dict(zip(PICK_COLUMNS, pick_cells(pick), strict=True))
        numbers = {name for name in NUMBERS if cells[name]}
        assert {name: row[name] for name in TEXTS} == {name: cells[name] for name in TEXTS}
        assert {name: float(row[name]) for name in numbers} == pytest.approx(
            {name: float(cells[name]) for name in numbers}, rel=5e-3
        )


def test_picking_offline_gives_the_same(undisturbed, tmp_path):
    assert_rows_are(pick_offline(undisturbed, tmp_path / "picks.csv"), undisturbed.final_picks())


@pytest.mark.slow
def test_picking_offline_with_other_options_gives_the_same(make_rig, tmp_path):
    rig = make_rig()
    rig.configure(("picking:\n", "picking:\n  stacking: max\n  stride_samples: 128\n"))
    rig.serve(20, "--end")
    rig.run_to_the_end()
    options = ("--stacking", "max", "--stride", "128")
    assert_rows_are(pick_offline(rig, tmp_path / "picks.csv", *options), rig.final_picks())


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (2, 3, 4))])
def test_killed_at_random_moments_and_restarted_gives_the_same(make_rig, undisturbed, seed):
    rig = make_rig()
    draw = random.Random(seed)
    rig.serve(15, "--end", "--wait")
    for longest_s in (6.0, 2.0):
        daemon = rig.start_streaming_daemon()
        time.sleep(draw.uniform(0.2, longest_s))
        daemon.send_signal(signal.SIGKILL)
        assert daemon.wait(10) == -signal.SIGKILL
    rig.run_to_the_end()
    rig.assert_same_outcome(undisturbed)


def test_killed_within_its_first_seconds_a_station_loses_nothing(make_rig, undisturbed):
    rig = make_rig()
    rig.configure(("start: all", "start: resume"))
    rig.serve(15, "--end", "--wait")
    daemon = rig.start_streaming_daemon()
    time.sleep(1.5)
    daemon.send_signal(signal.SIGKILL)
    assert daemon.wait(10) == -signal.SIGKILL
    rig.run_to_the_end()
    rig.assert_same_outcome(undisturbed)


def test_sigterm_drains_and_the_next_run_goes_on(make_rig, undisturbed):
    rig = make_rig()
    rig.serve(15, "--end", "--wait")
    daemon = rig.start_streaming_daemon()
    time.sleep(5.0)
    daemon.send_signal(signal.SIGTERM)
    rig.expect_end(daemon)
    early = {pick.pick_id for pick in rig.final_picks()}
    rig.run_to_the_end()
    assert early
    assert early <= {pick.pick_id for pick in rig.final_picks()}
    rig.assert_same_outcome(undisturbed)


def test_a_server_that_dies_and_comes_back_costs_nothing(make_rig, undisturbed):
    rig = make_rig()
    server = rig.serve(15, "--end", "--wait")
    daemon = rig.start_streaming_daemon()
    time.sleep(5.0)
    server.send_signal(signal.SIGKILL)
    server.wait(10)
    time.sleep(1.0)
    rig.serve(0, "--end")
    rig.expect_end(daemon)
    rig.assert_same_outcome(undisturbed)
