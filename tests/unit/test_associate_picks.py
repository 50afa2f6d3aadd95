"""From a table of picks to tables of events."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rtpick.associate_picks import associate_table
from rtpick.association.sphere import arc_km, geocentric_rad, unit_vectors
from rtpick.association.traveltime import build_travel_times
from rtpick.association.velocity import iasp91
from rtpick.pick_table import read_picks
from rtpick.vocabulary.errors import InventoryError, PickTableError
from rtpick.vocabulary.pick import PickStatus

EPOCH_S = 1_700_000_000.0


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two events at twelve stations, in the columns of an offline benchmark, in order of arrival."""
    folder, rng = tmp_path_factory.mktemp("tables"), np.random.default_rng(2)
    latitude, longitude = rng.uniform(44.7, 45.3, 12), rng.uniform(6.6, 7.4, 12)
    codes = [f"XX.D{n:02d}" for n in range(12)]
    stations = pd.DataFrame({"id": codes, "latitude": latitude, "longitude": longitude, "elevation_m": 0.0})
    stations.to_csv(folder / "stations.csv", index=False)
    times, rows = build_travel_times(iasp91(), 40.0, 200.0), []
    unit = unit_vectors(geocentric_rad(latitude), np.radians(longitude))
    for origin_s in (10.0, 90.0):
        distance = arc_km(unit, unit_vectors(geocentric_rad(45.0), np.radians(7.0)))
        for n in range(12):
            for phase in "PS":
                time_s = EPOCH_S + origin_s + float(times.look_up(phase, distance[n], 8.0)[0])
                rows.append((codes[n], phase, time_s, 0.8, 1e-6, time_s + rng.uniform(1, 6)))
    columns = ["station", "phase", "epoch", "score", "amplitude", "available_at"]
    picks = pd.DataFrame(rows, columns=columns).sort_values("available_at")
    picks.insert(0, "pick_id", range(len(picks)))
    picks.to_csv(folder / "picks.csv", index=False)
    return folder


def test_writes_events_assignments_and_publications(tables: Path, tmp_path: Path) -> None:
    result = associate_table(
        tables / "picks.csv", tables / "stations.csv", None, tmp_path, arrival_column="available_at"
    )
    events, pairs, told = (
        pd.read_csv(tmp_path / f"{n}.csv") for n in ("events", "assignments", "publications")
    )
    assert len(result.events) == len(events) == 2
    np.testing.assert_allclose(events.epoch - EPOCH_S, [10.0, 90.0], atol=0.2)
    np.testing.assert_allclose(events.latitude, 45.0, atol=0.02)
    assert (events.n_picks == 24).all()
    assert sorted(pairs.pick_id) == list(range(48))
    assert set(told.status) <= {"new", "update", "merge", "retract"}
    assert list(told.drop_duplicates("event_id").status) == ["new", "new"]
    picks = pd.read_csv(tables / "picks.csv")
    assert np.isin(told.published_at.round(3), picks.available_at.round(3)).all()


def test_without_arrivals_picks_come_in_order_of_time(tables: Path, tmp_path: Path) -> None:
    shuffled = pd.read_csv(tables / "picks.csv").sample(frac=1.0, random_state=1)
    shuffled.to_csv(tmp_path / "picks.csv", index=False)
    associate_table(tables / "picks.csv", tables / "stations.csv", None, tmp_path / "a")
    associate_table(tmp_path / "picks.csv", tables / "stations.csv", None, tmp_path / "b")
    for name in ("events.csv", "publications.csv"):
        assert (tmp_path / "a" / name).read_text() == (tmp_path / "b" / name).read_text()


def test_reads_the_columns_of_our_own_table(tmp_path: Path) -> None:
    (tmp_path / "picks.csv").write_text(
        "pick_id,network,station,location,channel,phase_hint,time,probability,uncertainty_s,amplitude,snr,"
        "coverage,model_version,status,revision\n"
        "a1,BW,UH1,,SHZ,P,2010-05-27T16:24:33.123456789Z,0.91,0.05,1200,,1,default-1,withdrawn,2\n"
    )
    ((_, pick),) = read_picks(tmp_path / "picks.csv", None)
    assert (str(pick.channel), pick.phase_hint, pick.probability) == ("BW.UH1..SHZ", "P", 0.91)
    assert pick.time_ns % 1_000_000_000 == 123_456_789
    assert (pick.status, pick.revision) == (PickStatus.WITHDRAWN, 2)
    assert np.isnan(pick.snr)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("pick_id,phase,epoch\n1,P,5\n", "no column station"),
        ("pick_id,station,epoch\n1,XX.A,5\n", "no column phase"),
        ("pick_id,station,phase\n1,XX.A,P\n", "neither a column time nor epoch"),
        ("pick_id,station,phase,epoch\n1,XX.A,P,5\n2,XX.A,Q,6\n", "line 3.*neither P nor S"),
        ("pick_id,station,phase,epoch\n1,XX.A,P,soon\n", "line 2"),
        ("pick_id,station,phase,time\n1,XX.A,P,yesterday\n", "line 2"),
        ("", "cannot read"),
    ],
)
def test_says_what_is_wrong_with_a_table(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "picks.csv").write_text(text)
    with pytest.raises(PickTableError, match=complaint):
        read_picks(tmp_path / "picks.csv", None)


def test_says_that_the_arrival_column_is_missing(tables: Path) -> None:
    with pytest.raises(PickTableError, match="no column landed_at"):
        read_picks(tables / "picks.csv", "landed_at")


def test_says_that_stations_are_missing(tables: Path, tmp_path: Path) -> None:
    with pytest.raises(InventoryError):
        associate_table(tables / "picks.csv", tmp_path / "none.csv", None, tmp_path)
