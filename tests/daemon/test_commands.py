"""The commands, each as a process, as a user would call it."""

from __future__ import annotations

import subprocess
import sys

import obspy
import pandas as pd
import pytest

from rtpick.demo.recording import CATALOGUED, write_coordinates, write_recording
from rtpick.vocabulary.time import to_s

PICK_COLUMNS = [
    *("pick_id", "network", "station", "location", "channel", "phase_hint", "time", "probability"),
    *("uncertainty_s", "amplitude", "snr", "coverage", "model_version", "status", "revision"),
]


def rtpick(*arguments: str, cwd=None, timeout_s: float = 150.0) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "rtpick", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        timeout=timeout_s,
    )


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo")
    done = rtpick("demo", "--speed", "30", "--out", str(out))
    assert done.returncode == 0, done.stdout + done.stderr
    return out, done.stdout


def test_the_demonstration_locates_the_catalogued_earthquake_within_one_second_and_three_kilometres(demo):
    out, _ = demo
    events = obspy.read_events(str(out / "events.xml"))
    first = min((event.origins[0] for event in events), key=lambda origin: origin.time)
    assert abs(first.time.ns / 1e9 - to_s(CATALOGUED.time_ns)) < 1.0
    metres, _, _ = obspy.geodetics.gps2dist_azimuth(
        first.latitude, first.longitude, CATALOGUED.latitude_deg, CATALOGUED.longitude_deg
    )
    assert metres < 3000.0


def test_the_repeat_three_minutes_later_is_an_event_of_its_own(demo):
    out, _ = demo
    times = sorted(pd.to_datetime(pd.read_csv(out / "events.csv")["time"]))
    repeat = pd.Timestamp("2010-05-27T16:27:29", tz="UTC")
    assert any(abs((time - repeat).total_seconds()) < 3.0 for time in times)


def test_the_demonstration_leaves_its_files_and_shows_its_tables(demo):
    out, shown = demo
    assert list(pd.read_csv(out / "picks.csv").columns) == PICK_COLUMNS
    assert (out / "record_section.png").stat().st_size > 20_000
    for words in ("events beside what is known", "latency of the picks", "BW.UH4", "p95"):
        assert words in shown


def test_picking_the_files_gives_the_picks_of_the_daemon(demo, tmp_path):
    out, _ = demo
    table = tmp_path / "picks.csv"
    thresholds = ("--p-threshold", "0.2", "--s-threshold", "0.2")
    done = rtpick("pick", str(out / "recording"), "-o", str(table), *thresholds)
    assert done.returncode == 0, done.stderr
    offline, live = (pd.read_csv(path).sort_values("pick_id") for path in (table, out / "picks.csv"))
    assert list(offline["pick_id"]) == list(live["pick_id"])
    assert list(offline["time"]) == list(live["time"])


def test_associating_the_demonstrations_table_finds_the_same_earthquakes(demo, tmp_path):
    out, _ = demo
    arguments = ("--picks", str(out / "picks.csv"), "--stations", str(out / "stations.csv"))
    done = rtpick("associate", *arguments, "-o", str(tmp_path))
    assert done.returncode == 0, done.stderr
    found, live = pd.read_csv(tmp_path / "events.csv"), pd.read_csv(out / "events.csv")
    assert len(found) == len(live)
    for name in ("assignments.csv", "publications.csv"):
        assert len(pd.read_csv(tmp_path / name)) > 0


def test_checking_says_what_is_well_and_what_is_not(tmp_path):
    recording = tmp_path / "recording"
    recording.mkdir()
    write_recording(recording)
    write_coordinates(tmp_path / "stations.csv")
    config = tmp_path / "rtpick.yaml"
    config.write_text(
        "sources:\n  - {type: archive, name: files, path: recording}\ninventory:\n  files: [stations.csv]\n"
    )
    well = rtpick("check", str(config))
    assert well.returncode == 0, well.stdout + well.stderr
    assert "6 channels selected" in well.stdout
    config.write_text(config.read_text().replace("files: [", "filez: ["))
    bad = rtpick("check", str(config))
    assert bad.returncode == 1
    assert "filez" in bad.stdout
    assert "Traceback" not in bad.stdout + bad.stderr


def test_a_missing_file_is_one_line(tmp_path):
    done = rtpick("pick", str(tmp_path / "nowhere"))
    assert done.returncode == 1
    assert done.stderr.count("\n") <= 3
    assert "nowhere" in done.stderr
    assert "Traceback" not in done.stderr
