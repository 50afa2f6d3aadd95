"""Labelled records of fibers come back as they were written, and a dying writer leaves no half label."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from rtpick.learning import das_labels
from rtpick.learning.das_labels import (
    COLUMNS,
    LabelledFiber,
    as_sample,
    picks_table,
    read_label_names,
    read_labelled,
    write_labelled,
)
from rtpick.learning.dataset import DatasetError
from rtpick.vocabulary.time import parse_utc


def labelled(event_id: str = "20230106T122215Z") -> LabelledFiber:
    """Two channels with both phases, one with S alone, and a stray pick, at 125 Hz."""
    return LabelledFiber(
        event_id=event_id,
        start_ns=parse_utc("2023-01-06T12:22:15.741Z"),
        interval_s=0.008,
        channel_spacing_m=8.0,
        samples_KT=np.random.default_rng(0).standard_normal((4, 3000)).astype(np.float32),
        channel_N=np.array([0, 0, 1, 1, 2, 3]),
        phase_N=np.array(["P", "S", "P", "S", "S", "P"]),
        sample_N=np.array([1000.0, 1536.0, 1001.0, 1541.0, 1540.0, 77.0]),
        score_N=np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4]),
        origin_N=np.array([0, 0, 0, 0, 0, -1]),
        origin_sample_N=np.array([266.0] * 5 + [np.nan]),
        unit="1/s",
    )


def test_what_is_written_comes_back(tmp_path: Path) -> None:
    before = labelled()
    assert write_labelled(tmp_path, before)
    assert read_label_names(tmp_path) == [before.event_id]
    after = read_labelled(tmp_path, before.event_id)
    for name in LabelledFiber.__slots__:
        np.testing.assert_array_equal(getattr(after, name), getattr(before, name), err_msg=name)


def test_the_table_has_the_layouts_columns_and_pairs() -> None:
    table = picks_table(labelled())
    assert tuple(table.columns) == COLUMNS
    first = table.iloc[0]
    assert first["phase_time"] == "2023-01-06T12:22:23.741+00:00"
    assert first["origin_time"] == "2023-01-06T12:22:17.869+00:00"
    assert (first["ps_center"], first["ps_interval"]) == (1268.0, 536.0)
    assert table["ps_center"].isna().tolist() == [False] * 4 + [True] * 2


def test_writing_twice_changes_nothing(tmp_path: Path) -> None:
    before = labelled()
    write_labelled(tmp_path, before)
    other = replace(before, samples_KT=np.zeros((4, 3000), np.float32))
    assert not write_labelled(tmp_path, other)
    assert read_label_names(tmp_path) == [before.event_id]
    assert read_labelled(tmp_path, before.event_id).samples_KT.any()


@pytest.mark.parametrize("dies_at", ["data", "picks", "name", "half a name"])
def test_a_writer_that_dies_leaves_no_half_label(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dies_at: str
) -> None:
    write_labelled(tmp_path, labelled("first"))
    if dies_at == "half a name":
        write_labelled(tmp_path, labelled("second"))
        path = tmp_path / "labels.txt"
        path.write_bytes(path.read_bytes()[:-3])
    else:
        victim = {"data": "_as_hdf5", "picks": "_as_parquet", "name": "_append_name"}[dies_at]

        def die(*_: object) -> bytes:
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr(das_labels, victim, die)
            with pytest.raises(KeyboardInterrupt):
                write_labelled(tmp_path, labelled("second"))
    assert read_label_names(tmp_path) == ["first"]
    assert write_labelled(tmp_path, labelled("second"))
    assert read_label_names(tmp_path) == ["first", "second"]
    assert len(read_labelled(tmp_path, "second").sample_N) == 6


def test_files_of_others_are_read(tmp_path: Path) -> None:
    """Channel numbers as text, no earthquakes, attributes of the file instead of the data."""
    (tmp_path / "data").mkdir()
    (tmp_path / "picks").mkdir()
    with h5py.File(tmp_path / "data" / "x.h5", "w") as h5:
        h5["data"] = np.ones((2, 50), np.float64)
        h5.attrs.update({"begin_time": "2023-01-06T12:22:15.741+00:00", "dt_s": 0.01, "dx_m": 10.0})
    picks = pd.DataFrame({"channel_index": ["1"], "phase_index": [7], "phase_type": ["S"]})
    picks.to_parquet(tmp_path / "picks" / "x.parquet")
    read = read_labelled(tmp_path, "x")
    assert (read.channel_N.tolist(), read.sample_N.tolist(), read.origin_N.tolist()) == ([1], [7.0], [-1])
    assert read.samples_KT.dtype == np.float32


def test_what_cannot_be_a_name_or_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no name for a file"):
        write_labelled(tmp_path, labelled("../up"))
    with pytest.raises(DatasetError, match=r"labels\.txt"):
        read_label_names(tmp_path)
    with pytest.raises(DatasetError, match="layout"):
        read_labelled(tmp_path, "none")


def test_a_label_becomes_a_sample_at_the_networks_rate() -> None:
    sample = as_sample(labelled())
    assert sample.samples_KT.shape == (4, 2400)
    assert sample.channel_N.tolist() == [0, 0, 1, 1, 2]
    np.testing.assert_allclose(sample.sample_N, np.array([1000, 1536, 1001, 1541, 1540]) * 0.8)
    assert sample.known_KT is not None
    assert sample.known_KT.all(axis=1).tolist() == [True, True, False, False]
    assert not sample.known_KT[2:].any()


def test_of_several_earthquakes_only_the_surroundings_are_known() -> None:
    two = replace(labelled(), origin_N=np.array([0, 0, 1, 1, 1, -1]))
    known_KT = as_sample(two).known_KT
    assert known_KT is not None
    assert known_KT[0, [800, 1300]].all()
    assert not known_KT[0, [100, 2300]].any()
