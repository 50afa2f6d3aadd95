"""The columns that other programs read, as the commands really write them."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from rtpick.associate_picks import associate_table
from rtpick.demo.recording import write_coordinates, write_recording
from rtpick.pick_files import pick_paths
from rtpick.settings.schema import PickingSettings
from rtpick.vocabulary.time import parse_utc

PICKS = [
    "pick_id", "network", "station", "location", "channel", "phase_hint", "time", "probability",
    "uncertainty_s", "amplitude", "snr", "coverage", "model_version", "status", "revision",
]  # fmt: skip
PUBLICATIONS = ["event_id", "published_at", "status", "epoch", "latitude", "longitude", "depth_km", "n_picks"]
EVENTS = ["event_id", "epoch", "latitude", "longitude", "depth_km"]
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z")


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as lines:
        return list(csv.DictReader(lines))


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    """What `pick` and `associate` leave of the demonstration's recording."""
    out = tmp_path_factory.mktemp("results")
    recording = out / "recording"
    recording.mkdir()
    write_recording(recording)
    write_coordinates(out / "stations.csv")
    pick_paths([recording], out / "picks.csv", picking=PickingSettings(p_threshold=0.2, s_threshold=0.2))
    associate_table(out / "picks.csv", out / "stations.csv", None, out)
    return out


def test_picks(results):
    rows = read(results / "picks.csv")
    assert list(rows[0]) == PICKS
    for row in rows:
        assert TIME.fullmatch(row["time"])
        assert row["phase_hint"] in {"P", "S"}
        assert row["status"] == "final"
        assert 0.2 <= float(row["probability"]) <= 1
        assert 0 < float(row["coverage"]) <= 1
        assert float(row["uncertainty_s"]) > 0
        assert int(row["revision"]) >= 0
    assert len({row["pick_id"] for row in rows}) == len(rows)


def test_events(results):
    rows = read(results / "events.csv")
    assert set(EVENTS) <= set(rows[0])
    assert len({row["event_id"] for row in rows}) == len(rows) >= 2
    for row in rows:
        assert -90 <= float(row["latitude"]) <= 90
        assert -180 <= float(row["longitude"]) <= 180
        assert float(row["epoch"]) == pytest.approx(parse_utc(row["time"]) / 1e9, abs=1e-5)


def test_assignments_name_events_and_picks_that_are_there(results):
    rows = read(results / "assignments.csv")
    assert list(rows[0]) == ["event_id", "pick_id"]
    assert {row["event_id"] for row in rows} == {row["event_id"] for row in read(results / "events.csv")}
    assert {row["pick_id"] for row in rows} <= {row["pick_id"] for row in read(results / "picks.csv")}
    assert len({row["pick_id"] for row in rows}) == len(rows)


def test_publications_tell_each_event_from_its_first_word_on(results):
    rows = read(results / "publications.csv")
    assert list(rows[0])[: len(PUBLICATIONS)] == PUBLICATIONS
    assert {row["status"] for row in rows} <= {"new", "update", "merge", "retract"}
    first: dict[str, str] = {}
    for row in rows:
        first.setdefault(row["event_id"], row["status"])
        assert int(row["n_picks"]) >= 4
    assert set(first.values()) == {"new"}
    assert {row["event_id"] for row in read(results / "events.csv")} <= set(first)
    times = [float(row["published_at"]) for row in rows]
    assert times == sorted(times)
