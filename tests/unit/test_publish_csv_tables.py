"""Tables: the columns agreed, exact values, growth that a crash cannot spoil."""

from __future__ import annotations

import csv
import dataclasses
from pathlib import Path

import pandas
import pytest

from rtpick.publish.csv_tables import CsvTables, write_events, write_picks
from rtpick.vocabulary.codes import ChannelId
from rtpick.vocabulary.errors import ArchiveError
from rtpick.vocabulary.event import Arrival, Event, EventStatus, Magnitude, Origin
from rtpick.vocabulary.pick import Pick, PickStatus
from rtpick.vocabulary.time import parse_utc

NAN = float("nan")
T0_NS = 1_274_977_471_800_000_001
DAY_NS = 86_400_000_000_000
PICK = Pick("p0", ChannelId("BW", "UH1", "", "SHZ"), "P", T0_NS, 0.1 + 0.2, 0.05, NAN, 8.0, 1.0, "m-12345678")
ORIGIN = Origin(T0_NS, 48.05, 11.64, 4.8, 0.1, 0.5, NAN, False, 0.08, 120.0, 0.02)
ARRIVAL = Arrival("p0", "BW.UH1", "P", T0_NS, 0.01, 0.03, 12.0)
EVENT = Event("e1", 0, EventStatus.NEW, ORIGIN, (ARRIVAL,), Magnitude(2.1, "ML", 0.2, 4))


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_columns_of_picks_are_those_agreed(tmp_path: Path) -> None:
    write_picks(tmp_path / "picks.csv", [PICK])
    header = (tmp_path / "picks.csv").read_text().splitlines()[0]
    assert header == (
        "pick_id,network,station,location,channel,phase_hint,time,probability,uncertainty_s,amplitude,"
        "snr,coverage,model_version,status,revision"
    )
    assert rows(tmp_path / "picks.csv") == [
        {
            "pick_id": "p0", "network": "BW", "station": "UH1", "location": "", "channel": "SHZ",
            "phase_hint": "P", "time": "2010-05-27T16:24:31.800000001Z", "probability": "0.30000000000000004",
            "uncertainty_s": "0.05", "amplitude": "", "snr": "8.0", "coverage": "1.0",
            "model_version": "m-12345678", "status": "final", "revision": "0",
        }
    ]  # fmt: skip


def test_picks_stand_by_onset(tmp_path: Path) -> None:
    later = dataclasses.replace(PICK, pick_id="p1", time_ns=T0_NS + 1)
    write_picks(tmp_path / "picks.csv", [later, PICK])
    found = [parse_utc(row["time"]) for row in rows(tmp_path / "picks.csv")]
    assert found == [T0_NS, T0_NS + 1]


def test_an_empty_table_has_its_header(tmp_path: Path) -> None:
    write_events(tmp_path / "deep" / "events.csv", [])
    assert (tmp_path / "deep" / "events.csv").read_text().startswith("event_id,time,latitude,longitude,")


def test_pandas_reads_events(tmp_path: Path) -> None:
    write_events(tmp_path / "events.csv", [EVENT, dataclasses.replace(EVENT, event_id="e2", magnitude=None)])
    table = pandas.read_csv(tmp_path / "events.csv", parse_dates=["time"])
    assert table["time"][0].value == T0_NS
    assert list(table["magnitude"].isna()) == [False, True]
    assert list(table["n_picks"]) == [1, 1]
    assert table["depth_uncertainty_km"].isna().all()


def test_growing_tables_take_each_final_pick_and_each_revision_once(tmp_path: Path) -> None:
    news = [
        dataclasses.replace(PICK, status=PickStatus.PRELIMINARY),
        PICK,
        dataclasses.replace(PICK, pick_id="p1", status=PickStatus.WITHDRAWN),
        EVENT,
        dataclasses.replace(EVENT, revision=1, status=EventStatus.FINAL),
        dataclasses.replace(PICK, pick_id="p2", time_ns=T0_NS + DAY_NS),
    ]
    tables = CsvTables(tmp_path)
    tables.append(news)
    tables.append(news)
    CsvTables(tmp_path).append(news)
    assert [row["pick_id"] for row in rows(tmp_path / "picks-2010-05-27.csv")] == ["p0"]
    assert [row["pick_id"] for row in rows(tmp_path / "picks-2010-05-28.csv")] == ["p2"]
    assert [row["revision"] for row in rows(tmp_path / "events-2010-05-27.csv")] == ["0", "1"]


@pytest.mark.parametrize("keep", [0, 1, 50, 140, 220, 240])
def test_what_a_crash_cut_off_is_written_again(tmp_path: Path, keep: int) -> None:
    news = [dataclasses.replace(PICK, pick_id=f"p{n}") for n in range(3)]
    path = tmp_path / "picks-2010-05-27.csv"
    CsvTables(tmp_path).append(news)
    whole = path.read_bytes()
    path.write_bytes(whole[:keep])
    CsvTables(tmp_path).append(news)
    assert path.read_bytes() == whole


def test_a_table_that_was_moved_away_begins_anew(tmp_path: Path) -> None:
    tables = CsvTables(tmp_path)
    tables.append([PICK])
    (tmp_path / "picks-2010-05-27.csv").unlink()
    tables.append([dataclasses.replace(PICK, pick_id="p1")])
    assert [row["pick_id"] for row in rows(tmp_path / "picks-2010-05-27.csv")] == ["p1"]


def test_only_a_few_days_stay_open(tmp_path: Path) -> None:
    tables = CsvTables(tmp_path)
    for day in range(20):
        tables.append([dataclasses.replace(PICK, time_ns=T0_NS + day * DAY_NS)])
    assert len(list(tmp_path.iterdir())) == 20
    assert len(tables._tables) < 10


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ArchiveError, match="check that the folder exists"):
        CsvTables(tmp_path / "file").append([PICK])
    with pytest.raises(ArchiveError, match="check that the folder exists"):
        write_picks(tmp_path / "file" / "picks.csv", [PICK])
