"""Recordings of fibers: what is written is read, real files are understood, and mistakes are one line."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest

from rtpick.ingest import das_dascore
from rtpick.ingest.das_files import index_das_files, iterate_blocks, read_samples
from rtpick.ingest.das_files_write import write_das_file
from rtpick.vocabulary.errors import RecordError
from rtpick.vocabulary.fiber import DasBlock, FiberLayout, Quantity
from rtpick.vocabulary.time import parse_utc

T0 = parse_utc("2026-11-21T12:00:00.123456789Z")
LAYOUT = FiberLayout("north", 40, 3, 8.16, 250.0, Quantity.STRAIN, "1", 10.2, 4, 326.4)


def make_blocks(count: int, samples: int = 10, layout: FiberLayout = LAYOUT) -> list[DasBlock]:
    ramp = np.arange(count * samples, dtype=np.float32)
    whole_KT = ramp + 1000 * np.arange(layout.channel_count, dtype=np.float32)[:, None]
    period_ns = 1e9 / layout.sampling_rate_hz
    firsts = range(0, count * samples, samples)
    return [DasBlock(layout, T0 + round(k * period_ns), whole_KT[:, k : k + samples]) for k in firsts]


def test_what_is_written_is_read(tmp_path: Path) -> None:
    blocks = make_blocks(7)
    assert write_das_file(tmp_path / "a.h5", blocks) == 70
    (file,) = index_das_files([tmp_path])
    assert (file.layout, file.start_ns, file.sample_count) == (LAYOUT, T0, 70)
    assert file.end_ns == T0 + 280_000_000
    found = list(iterate_blocks([file], 0.1, source="played"))
    assert [block.samples_KT.shape[1] for block in found] == [25, 25, 20]
    assert [block.start_ns - T0 for block in found] == [0, 100_000_000, 200_000_000]
    whole_KT = np.hstack([block.samples_KT for block in blocks])
    np.testing.assert_array_equal(np.hstack([block.samples_KT for block in found]), whole_KT)
    assert found[0].source == "played"
    assert [path.name for path in tmp_path.iterdir()] == ["a.h5"]


def test_files_come_in_the_order_of_time(tmp_path: Path) -> None:
    blocks = make_blocks(6)
    write_das_file(tmp_path / "b.h5", blocks[:3])
    write_das_file(tmp_path / "a.h5", blocks[3:])
    files = index_das_files([tmp_path])
    assert [file.path.name for file in files] == ["b.h5", "a.h5"]
    values = np.hstack([block.samples_KT[0] for block in iterate_blocks(files)])
    np.testing.assert_array_equal(values, np.arange(60))


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        [make_blocks(3)[0], make_blocks(3)[2]],
        [make_blocks(1)[0], make_blocks(2, layout=replace(LAYOUT, channel_count=2))[1]],
    ],
)
def test_what_cannot_be_one_file_leaves_none(tmp_path: Path, wrong: list[DasBlock]) -> None:
    with pytest.raises(RecordError):
        write_das_file(tmp_path / "a.h5", wrong)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "shape", "rate_hz", "quantity"),
    [
        ("porotomo_brady_20160321_hawthorne", (500, 5000), 100.0, Quantity.STRAIN_RATE),
        ("noise_valencia_20200902", (100, 1249), 250.0, Quantity.STRAIN_RATE),
        ("noise_optodas_20231027", (51, 5000), 500.0, Quantity.STRAIN_RATE),
        ("noise_brady_20160308", (10, 10000), 1000.0, Quantity.COUNTS),
        ("noise_terra15_20220823", (43, 2060), 1 / 0.000310771, Quantity.COUNTS),
        ("mine_event_20220604_deformation_rate", (225, 900), 1 / 0.000500006, Quantity.COUNTS),
    ],
)
def test_real_recordings_are_understood(
    shared: Path, name: str, shape: tuple[int, int], rate_hz: float, quantity: Quantity
) -> None:
    path = shared / "data" / "das" / f"{name}.h5"
    (file,) = index_das_files([path], fiber="field")
    assert (file.layout.channel_count, file.sample_count) == shape
    assert file.layout.sampling_rate_hz == pytest.approx(rate_hz, rel=1e-9)
    assert file.layout.quantity is quantity
    assert file.layout.fiber == "field"
    with h5py.File(path) as opened:
        assert file.start_ns == parse_utc(str(opened.attrs["begin_time"]))
        assert file.layout.first_distance_m == opened.attrs["start_distance_m"]
        whole_KT = opened["data"][()]
    np.testing.assert_array_equal(np.hstack([b.samples_KT for b in iterate_blocks([file], 0.7)]), whole_KT)
    (told,) = index_das_files([path], quantity=Quantity.STRAIN, unit="1")
    assert (told.layout.quantity, told.layout.unit) == (Quantity.STRAIN, "1")


def test_a_damaged_or_missing_file_is_named(tmp_path: Path) -> None:
    write_das_file(tmp_path / "a.h5", make_blocks(3))
    whole = (tmp_path / "a.h5").read_bytes()
    (tmp_path / "cut.h5").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.h5").write_bytes(b"no such thing")
    for name, words in (("cut.h5", "complete"), ("text.h5", "HDF5"), ("none.h5", "no such file")):
        with pytest.raises(RecordError, match=words) as caught:
            index_das_files([tmp_path / name])
        assert name in str(caught.value)
    with pytest.raises(RecordError, match="no files"):
        index_das_files([])


def write_foreign(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["Acquisition"] = np.zeros((4, 4))


def test_another_format_without_dascore_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_foreign(tmp_path / "other.h5")
    monkeypatch.setitem(sys.modules, "dascore", None)
    with pytest.raises(RecordError, match=r"rtpick\[das-formats\]") as caught:
        index_das_files([tmp_path / "other.h5"])
    assert "\n" not in str(caught.value)


class FakePatch:
    """What dascore gives, as far as it is used."""

    def __init__(self) -> None:
        self.data = np.arange(12, dtype=np.int16).reshape(3, 4)
        times = np.datetime64(T0, "ns") + np.arange(4) * np.timedelta64(5_000_000, "ns")
        coordinates = {"time": times, "distance": np.array([20.0, 22.0, 24.0])}
        self.coords = SimpleNamespace(get_array=coordinates.get)
        self.attrs = SimpleNamespace(data_type="strain_rate", data_units="1/s", gauge_length=10.0)

    def transpose(self, *names: str) -> FakePatch:
        assert names == ("distance", "time")
        return self


def test_another_format_is_read_with_dascore(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_foreign(tmp_path / "other.h5")
    das_dascore._read.cache_clear()
    monkeypatch.setitem(sys.modules, "dascore", SimpleNamespace(read=lambda path: [FakePatch()]))
    (file,) = index_das_files([tmp_path / "other.h5"], fiber="field")
    assert file.layout == FiberLayout("field", 10, 3, 2.0, 200.0, Quantity.STRAIN_RATE, "1/s", 10.0, 1, 20.0)
    assert (file.start_ns, file.sample_count) == (T0, 4)
    assert read_samples(file, 1, 3).tolist() == [[1, 2], [5, 6], [9, 10]]
    das_dascore._read.cache_clear()
