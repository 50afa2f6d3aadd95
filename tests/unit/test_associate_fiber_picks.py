"""Tables of a cable's picks in, picks.csv and events.csv out; and what is said of tables that will not do."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rtpick.associate_fiber_picks import associate_fiber_picks, associate_fiber_table
from rtpick.association.fiber_geometry import read_fiber_geometry
from rtpick.association.fiber_histogram import ChannelPicks, HistogramOptions, associate_by_histogram
from rtpick.bench.fiber_scene import Scene, SceneEvent, make_picks, place_channels
from rtpick.fiber_table import EVENT_COLUMNS, read_fiber_table
from rtpick.vocabulary.errors import InventoryError, PickTableError
from rtpick.vocabulary.time import format_utc

SCENE = Scene((SceneEvent(20.0, 5.0, 9.0), SceneEvent(60.0, -30.0, 15.0, 12.0, 0.4)), 400, 20.0, 100.0)
KM_PER_DEG = 111.195


def scene_table() -> pd.DataFrame:
    picks, event_N = make_picks(SCENE)
    return pd.DataFrame(
        {
            "event_id": "window",
            "channel_index": picks.channel_number_N,
            "phase_index": (picks.time_ns_N - SCENE.start_ns) // 10_000_000,
            "phase_time": [f"{format_utc(int(t))[:23]}+00:00" for t in picks.time_ns_N],
            "phase_score": picks.probability_N.astype(float).round(4),
            "phase_type": picks.phase_N,
            "dt_s": 0.01,
            "truth": event_N,
        }
    )


@pytest.fixture
def table(tmp_path: Path) -> Path:
    scene_table().to_csv(tmp_path / "picks.csv", index=False)
    return tmp_path / "picks.csv"


def channels_csv(folder: Path) -> Path:
    x_K, y_K = place_channels(SCENE)
    frame = pd.DataFrame(
        {
            "channel": np.arange(400),
            "latitude": y_K / KM_PER_DEG,
            "longitude": 10.0 + x_K / KM_PER_DEG,
            "elevation_m": 0.0,
        }
    )
    frame.to_csv(folder / "channels.csv", index=False)
    return folder / "channels.csv"


def test_stream_fills_the_columns_and_writes_the_events(table: Path, tmp_path: Path) -> None:
    result = associate_fiber_picks(table, tmp_path / "out")
    picks, events = (pd.read_csv(tmp_path / "out" / name) for name in ("picks.csv", "events.csv"))
    assert tuple(events.columns) == EVENT_COLUMNS
    assert events["origin_time_s"].round(0).tolist() == [20.0, 60.0]
    assert (picks["origin_id"][picks["truth"] >= 0] == picks["truth"][picks["truth"] >= 0]).mean() > 0.97
    first = picks[picks["origin_id"] == 0]
    assert (first["origin_index"] * 0.01 - events["origin_time_s"][0]).abs().max() < 1e-3
    begin = pd.to_datetime(first["origin_time"].iloc[0])
    assert begin == pd.to_datetime(events["origin_time"][0])
    pair = first[first["ps_interval"].notna()].sort_values(["channel_index", "phase_index"])
    by_channel = pair.groupby("channel_index")
    between = by_channel["phase_index"].last() - by_channel["phase_index"].first()
    assert between.eq(by_channel["ps_interval"].first()).all()
    assert picks["origin_time"][picks["origin_id"] < 0].isna().all()
    assert result.associated_fraction == pytest.approx((picks["origin_id"] >= 0).mean())


def test_parquet_says_the_same_as_csv(table: Path, tmp_path: Path) -> None:
    pd.read_csv(table).to_parquet(tmp_path / "picks.parquet")
    one = associate_fiber_picks(table, tmp_path / "one")
    other = associate_fiber_picks(tmp_path / "picks.parquet", tmp_path / "other")
    assert one.events.equals(other.events)
    assert (one.picks["origin_id"] == other.picks["origin_id"]).all()


def test_rows_in_any_order_keep_their_places(tmp_path: Path) -> None:
    frame = scene_table()
    mixed = frame.sample(frac=1.0, random_state=3)
    frame.to_csv(tmp_path / "a.csv", index=False)
    mixed.to_csv(tmp_path / "b.csv", index=False)
    one, other = (associate_fiber_picks(tmp_path / n, tmp_path / "out") for n in ("a.csv", "b.csv"))
    assert (one.picks["origin_id"].to_numpy()[mixed.index] == other.picks["origin_id"].to_numpy()).all()


def test_histogram_is_told_window_by_window(tmp_path: Path) -> None:
    frame = scene_table()
    twice = pd.concat((frame, frame.assign(event_id="again")), ignore_index=True)
    twice.to_csv(tmp_path / "picks.csv", index=False)
    options = HistogramOptions(bin_size_s=0.5, minimum_peak_height=30, moveout_window_s=0.5)
    result = associate_fiber_picks(tmp_path / "picks.csv", tmp_path, "histogram", histogram=options,
                                   window_samples=10_000)  # fmt: skip
    own = read_fiber_table(tmp_path / "picks.csv").picks
    half = len(frame)
    window = ChannelPicks(own.channel_N[:half], own.index_N[:half], own.is_p_N[:half], own.score_N[:half])
    want = associate_by_histogram(window, 10_000, 0.01, options)
    ids = result.picks["origin_id"].to_numpy()
    assert ids[:half].tolist() == ids[half:].tolist() == want.origin_id_N.tolist()
    assert result.events["origin_time_s"].tolist() == [*want.origin_s_E, *want.origin_s_E]
    assert result.events["event_id"].unique().tolist() == ["window", "again"]


def test_with_channels_events_are_located(table: Path, tmp_path: Path) -> None:
    model = tmp_path / "model.csv"
    model.write_text(f"depth_km,vp,vs\n0,6.0,{6 / 1.74}\n60,6.01,{6.01 / 1.74}\n")
    channels = channels_csv(tmp_path)
    result = associate_fiber_picks(table, tmp_path / "out", channels=channels, velocity_model=model)
    event = result.events.iloc[0]
    x_km, y_km = (event["longitude"] - 10.0) * KM_PER_DEG, event["latitude"] * KM_PER_DEG
    assert np.hypot(x_km - 5.0, y_km - 9.0) < 2.0
    assert abs(event["origin_time_s"] - 20.0) < 0.2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: f.drop(columns="phase_score"), ["no column phase_score", "it has event_id"]),
        (lambda f: f.assign(phase_type=["X", *f["phase_type"][1:]]), ["row 1", "X", "neither P nor S"]),
        (lambda f: f.assign(phase_index=[-4, *f["phase_index"][1:]]), ["row 1: phase_index -4 is negative"]),
        (lambda f: f.assign(dt_s=[0.02, *f["dt_s"][1:]]), ["0.01 and 0.02", "one sampling interval"]),
        (lambda f: f.assign(dt_s=0.0), ["dt_s 0", "not positive"]),
        (lambda f: f.assign(phase_time="yesterday"), ["phase_time", "yesterday"]),
        (lambda f: f.assign(channel_index="north"), ["row 1", "north", "no number"]),
        (lambda f: f.assign(channel_index=10**9), ["row 1", "channel_index 1000000000 is beyond"]),
        (lambda f: f.assign(channel_index=0.5), ["channel_index 0.5", "no whole number"]),
    ],
)
def test_bad_tables_get_one_clear_message(change: object, words: list[str], tmp_path: Path) -> None:
    change(scene_table()).to_csv(tmp_path / "picks.csv", index=False)  # type: ignore[operator]
    with pytest.raises(PickTableError) as caught:
        associate_fiber_picks(tmp_path / "picks.csv", tmp_path)
    assert all(word in str(caught.value) for word in ["picks.csv", *words])


def test_unreadable_tables_and_unknown_modes(table: Path, tmp_path: Path) -> None:
    with pytest.raises(PickTableError, match="cannot read picks from"):
        associate_fiber_picks(tmp_path / "missing.csv", tmp_path)
    (tmp_path / "broken.parquet").write_bytes(b"no parquet")
    with pytest.raises(PickTableError, match=r"broken\.parquet"):
        associate_fiber_picks(tmp_path / "broken.parquet", tmp_path)
    with pytest.raises(PickTableError, match="stream or histogram"):
        associate_fiber_table(read_fiber_table(table), "magic")  # type: ignore[arg-type]


@pytest.mark.parametrize("mode", ["stream", "histogram"])
def test_an_empty_table_has_no_events(mode: str, tmp_path: Path) -> None:
    scene_table()[:0].to_csv(tmp_path / "picks.csv", index=False)
    result = associate_fiber_picks(tmp_path / "picks.csv", tmp_path / "out", mode)  # type: ignore[arg-type]
    assert len(result.events) == len(result.picks) == 0
    assert (tmp_path / "out" / "events.csv").read_text().startswith("origin_id,")


def geojson(folder: Path, coordinates: list[list[float]], **properties: object) -> Path:
    tree = {"type": "LineString", "coordinates": coordinates}
    feature = {"type": "Feature", "geometry": tree, "properties": properties}
    path = folder / "cable.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    return path


def test_a_line_is_cut_into_channels(tmp_path: Path) -> None:
    line = [[10.0, 45.0, 100.0], [10.0, 45.1, 300.0]]
    found = read_fiber_geometry(geojson(tmp_path, line, first_channel=7, channel_count=101))
    assert found.channel_number_K[[0, -1]].tolist() == [7, 107]
    assert found.place(57) == pytest.approx((45.05, 10.0, 200.0), abs=1e-4)
    assert found.channel_spacing_m == pytest.approx(111.1, abs=0.5)
    assert len(read_fiber_geometry(geojson(tmp_path, line, channel_spacing_m=1000.0))) == 12
    assert len(read_fiber_geometry(geojson(tmp_path, line), channel_spacing_m=500.0)) == 23


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("c.csv", "channel,latitude\n1,2\n", "columns channel, latitude and longitude"),
        ("c.csv", "channel,latitude,longitude\n1,45,7\n2,x,7\n", "line 3"),
        ("c.csv", "channel,latitude,longitude\n1,95,7\n", "no place on Earth"),
        ("c.csv", "channel,latitude,longitude\n1,45,7\n1,45,7\n", "channel 1 twice"),
        ("c.csv", "channel,latitude,longitude\n", "no channel"),
        ("c.geojson", "{", "line 1"),
        ("c.geojson", '{"type": "Point"}', "0 LineStrings"),
        ("c.geojson", '{"type": "LineString", "coordinates": [[1, 2], [1, 3]]}', "neither channel_spacing_m"),
        ("c.geojson", '{"type": "LineString", "coordinates": [["a", 2], [1, 3]]}', "could not convert"),
    ],
)
def test_bad_geometry_gets_one_clear_message(name: str, text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InventoryError) as caught:
        read_fiber_geometry(tmp_path / name)
    assert name in str(caught.value)
    assert words in str(caught.value)
