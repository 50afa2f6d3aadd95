"""From a catalogue to a better one; locating one event on its own."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rtpick.associate_picks import associate_table
from rtpick.association import locate_origin
from rtpick.association.sphere import arc_km, geocentric_rad, unit_vectors
from rtpick.association.traveltime import build_travel_times
from rtpick.association.velocity import iasp91
from rtpick.ingest.inventory import read_inventory
from rtpick.ingest.quakeml import read_quakeml
from rtpick.pick_table import read_picks
from rtpick.publish.quakeml import write_catalogue
from rtpick.relocate_catalogue import METHOD, describe_relocation, relocate_catalogue
from rtpick.vocabulary.errors import PickTableError
from rtpick.vocabulary.inventory import Inventory
from rtpick.vocabulary.pick import Pick

EPOCH_S = 1_700_000_000.0


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight events within a kilometre at fourteen stations that each are late in their own way."""
    folder, rng = tmp_path_factory.mktemp("cluster"), np.random.default_rng(3)
    latitude, longitude = rng.uniform(44.7, 45.3, 14), rng.uniform(6.6, 7.4, 14)
    codes = [f"XX.D{n:02d}" for n in range(14)]
    pd.DataFrame({"id": codes, "latitude": latitude, "longitude": longitude}).to_csv(
        folder / "stations.csv", index=False
    )
    times, late_S, rows, truth = build_travel_times(iasp91(), 40.0, 200.0), rng.normal(0, 0.1, 14), [], []
    unit_S3 = unit_vectors(geocentric_rad(latitude), np.radians(longitude))
    for number in range(8):
        north, east, depth = (
            rng.uniform(-0.005, 0.005),
            rng.uniform(-0.005, 0.005),
            8.0 + rng.uniform(-0.5, 0.5),
        )
        here = unit_vectors(geocentric_rad(45.0 + north), np.array(np.radians(7.0 + east)))
        truth.append((45.0 + north, 7.0 + east, depth))
        for n, far_km in enumerate(arc_km(unit_S3, here)):
            for phase in "PS":
                travel_s = float(times.look_up(phase, far_km, depth)[0]) + late_S[n] + rng.normal(0, 0.01)
                rows.append((codes[n], phase, EPOCH_S + 200.0 * number + travel_s, 0.8, 1e-6))
    picks = pd.DataFrame(rows, columns=["station", "phase", "epoch", "score", "amplitude"]).sort_values(
        "epoch"
    )
    picks.insert(0, "pick_id", [f"p{n}" for n in range(len(picks))])
    picks.to_csv(folder / "picks.csv", index=False)
    pd.DataFrame(truth, columns=["latitude", "longitude", "depth_km"]).to_csv(
        folder / "truth.csv", index=False
    )
    associate_table(folder / "picks.csv", folder / "stations.csv", None, folder / "out", amplitude_unit="m/s")
    return folder


def relative_error_km(events: pd.DataFrame, truth: pd.DataFrame) -> float:
    km = np.array([111.2, 111.2 * np.cos(np.radians(45.0)), 1.0])
    columns = ["latitude", "longitude", "depth_km"]
    error = (events[columns].to_numpy() - truth[columns].to_numpy()) * km
    return float(np.sqrt(((error - error.mean(axis=0)) ** 2).sum(axis=1).mean()))


def test_improves_a_folder_of_tables(tables: Path, tmp_path: Path) -> None:
    stations, picks = [tables / "stations.csv"], tables / "picks.csv"
    improved = relocate_catalogue(tables / "out", stations, tmp_path / "dd", picks=picks)
    before, after = (pd.read_csv(folder / "events.csv") for folder in (tables / "out", tmp_path / "dd"))
    truth = pd.read_csv(tables / "truth.csv")
    assert len(before) == len(after) == 8
    assert relative_error_km(after, truth) < relative_error_km(before, truth)
    assert relative_error_km(after, truth) < 0.15
    assert list(after.event_id) == list(before.event_id)
    assert list(after.magnitude) == list(before.magnitude)
    assert after.magnitude.notna().all()
    assert len(pd.read_csv(tmp_path / "dd" / "assignments.csv")) == before.n_picks.sum()
    assert describe_relocation(improved).startswith("8 of 8 events moved by ")
    assert improved.relocation.after_s < improved.relocation.before_s


def test_improves_quakeml_and_keeps_what_it_cannot_link(tables: Path, tmp_path: Path) -> None:
    result = associate_table(tables / "picks.csv", tables / "stations.csv", None, tmp_path / "again")
    write_catalogue(
        tmp_path / "in.xml", result.events, [p for _, p in read_picks(tables / "picks.csv", None)]
    )
    assert {e.event_id for e in read_quakeml(tmp_path / "in.xml")} == {e.event_id for e in result.events}
    relocate_catalogue(tmp_path / "in.xml", [tables / "stations.csv"], tmp_path / "out.xml")
    moved = read_quakeml(tmp_path / "out.xml")
    assert {e.event_id for e in moved} == {e.event_id for e in result.events}
    assert all(len(e.arrivals) > 20 for e in moved)
    assert METHOD in (tmp_path / "out.xml").read_text()


def test_says_what_is_missing(tables: Path, tmp_path: Path) -> None:
    stations = [tables / "stations.csv"]
    with pytest.raises(PickTableError, match="name the pick list with --picks"):
        relocate_catalogue(tables / "out", stations, tmp_path)
    (tmp_path / "other.csv").write_text("pick_id,station,phase,epoch\nq1,XX.D00,P,5\n")
    with pytest.raises(PickTableError, match=r"lacks pick p\d+ .*name the right list"):
        relocate_catalogue(tables / "out", stations, tmp_path, picks=tmp_path / "other.csv")
    (tmp_path / "no.xml").write_text("<nothing/>")
    with pytest.raises(PickTableError, match="no QuakeML"):
        relocate_catalogue(tmp_path / "no.xml", stations, tmp_path)
    with pytest.raises(PickTableError, match="no QuakeML"):
        relocate_catalogue(tmp_path / "missing.xml", stations, tmp_path)


def first_event(tables: Path) -> tuple[list[Pick], Inventory]:
    picks = [pick for _, pick in read_picks(tables / "picks.csv", None)]
    return [p for p in picks if p.time_ns < (EPOCH_S + 100) * 1e9], read_inventory([tables / "stations.csv"])


def test_locates_one_event(tables: Path) -> None:
    picks, inventory = first_event(tables)
    times = build_travel_times(iasp91(), 40.0, 200.0)
    found = locate_origin(picks, inventory, times)
    origin = found.origin
    assert abs(origin.latitude_deg - 45.0) < 0.02
    assert abs(origin.longitude_deg - 7.0) < 0.02
    assert abs(origin.depth_km - 8.0) < 4
    assert abs(origin.time_ns / 1e9 - EPOCH_S) < 0.3
    assert len(found.arrivals) == 28
    assert max(abs(a.residual_s) for a in found.arrivals) < 0.5
    assert 0.1 < origin.horizontal_uncertainty_km < 2.0
    fixed = locate_origin(picks, inventory, times, fixed_depth_km=5.0).origin
    assert (fixed.depth_km, fixed.depth_fixed) == (5.0, True)
    assert np.isnan(fixed.depth_uncertainty_km)


def test_an_outlier_counts_little(tables: Path) -> None:
    from dataclasses import replace

    picks, inventory = first_event(tables)
    times = build_travel_times(iasp91(), 40.0, 200.0)
    good = locate_origin(picks, inventory, times).origin
    wild = [replace(picks[0], time_ns=picks[0].time_ns - 5 * 10**9), *picks[1:]]
    spoilt = locate_origin(wild, inventory, times).origin
    assert abs(spoilt.latitude_deg - good.latitude_deg) < 0.005
    assert abs(spoilt.longitude_deg - good.longitude_deg) < 0.005


def test_four_picks_locate_three_do_not(tables: Path) -> None:
    picks, inventory = first_event(tables)
    times = build_travel_times(iasp91(), 40.0, 200.0)
    with pytest.raises(PickTableError, match=r"3 of 3 picks .* 4 locate"):
        locate_origin(picks[:3], inventory, times)
    assert len(locate_origin(picks[:4], inventory, times).arrivals) == 4


@pytest.mark.parametrize("module", ["association.location"])
def test_examples_hold(module: str) -> None:
    found = doctest.testmod(importlib.import_module(f"rtpick.{module}"))
    assert found.attempted > 0
    assert found.failed == 0
