"""Clips and atomic files: whole or absent, bounded, readable without pickle."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from rtpick.archive.clips import ClipStore, clip_path, encode_clip, iterate_clips, read_clip
from rtpick.vocabulary.codes import InstrumentId, StationId
from rtpick.vocabulary.errors import ArchiveError
from rtpick.vocabulary.waveform import Clip

T0_NS = 1_274_977_471_800_000_001
DAY_NS = 86_400_000_000_000


def make_clip(pick_id: str = "p0", start_ns: int = T0_NS, count: int = 300) -> Clip:
    samples_CT = np.arange(3 * count, dtype=np.float32).reshape(3, count)
    samples_CT[2, 5] = np.nan
    return Clip(pick_id, InstrumentId("BW", "UH1", "", "SH"), start_ns, 100.0, "ENZ", samples_CT)


def assert_same_clip(one: Clip, other: Clip) -> None:
    np.testing.assert_array_equal(one.samples_CT, other.samples_CT)
    without = {"samples_CT": np.empty(0)}
    assert repr(dataclasses.replace(one, **without)) == repr(dataclasses.replace(other, **without))


def test_a_clip_comes_back(tmp_path: Path) -> None:
    path = ClipStore(tmp_path, 0).write(make_clip())
    assert path == tmp_path / "2010/147/BW.UH1/p0.npz"
    assert_same_clip(read_clip(path), make_clip())


def test_a_pick_id_never_leaves_the_folder() -> None:
    path = clip_path("../../etc/passwd", StationId("..", "/x"), T0_NS)
    assert len(path.parts) == 4
    assert ".." not in path.parts


def test_a_repeat_replaces_the_clip(tmp_path: Path) -> None:
    store = ClipStore(tmp_path, 0)
    store.write(make_clip(count=500))
    path = store.write(make_clip())
    assert_same_clip(read_clip(path), make_clip())
    assert (len(store), store.total_bytes) == (1, path.stat().st_size)


def test_the_oldest_make_room(tmp_path: Path) -> None:
    size = len(encode_clip(make_clip()))
    store = ClipStore(tmp_path, 3 * size)
    for number in range(5):
        store.write(make_clip(f"p{number}", T0_NS + number * DAY_NS))
    assert [path.stem for path in iterate_clips(tmp_path)] == ["p2", "p3", "p4"]
    assert store.total_bytes == 3 * size
    assert not (tmp_path / "2010/147/BW.UH1").exists()


def test_the_bound_holds_over_a_restart(tmp_path: Path) -> None:
    store = ClipStore(tmp_path, 0)
    for number in range(4):
        path = store.write(make_clip(f"p{number}"))
        os.utime(path, ns=(0, number + 1))
    reopened = ClipStore(tmp_path, 2 * path.stat().st_size)
    assert sorted(item.stem for item in iterate_clips(tmp_path)) == ["p2", "p3"]
    assert len(reopened) == 2


def test_what_a_crash_left_is_removed(tmp_path: Path) -> None:
    path = ClipStore(tmp_path, 0).write(make_clip())
    partial = path.with_name(".p1.npz.partial")
    partial.write_bytes(b"half")
    assert len(ClipStore(tmp_path, 0)) == 1
    assert not partial.exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 rubbish", b"\x93NUMPY rubbish", b"\x80\x04]."])
def test_a_damaged_clip_is_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "p0.npz"
    path.write_bytes(content)
    with pytest.raises(ArchiveError, match=r"p0\.npz.*not a clip"):
        read_clip(path)


@pytest.mark.parametrize("keep", [10, 200, 2000])
def test_a_clip_cut_short_is_told(tmp_path: Path, keep: int) -> None:
    path = ClipStore(tmp_path, 0).write(make_clip())
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ArchiveError, match="not a clip"):
        read_clip(path)


def test_a_missing_clip_is_told(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="not a clip"):
        read_clip(tmp_path / "p0.npz")


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ArchiveError, match="check that the folder exists"):
        ClipStore(tmp_path / "file" / "clips", 0)


LIMITED = """
import resource, signal, sys
from pathlib import Path
from rtpick.archive.atomic import write_atomic
from rtpick.vocabulary.errors import StorageFullError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
path = Path(sys.argv[1])
write_atomic(path, b"old")
try:
    write_atomic(path, b"x" * 5000)
except StorageFullError as error:
    print(error)
"""


def test_a_write_that_finds_no_room_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(path)], capture_output=True, text=True, check=True
    )
    assert "free some space" in done.stdout
    assert path.read_bytes() == b"old"
    assert [item.name for item in tmp_path.iterdir()] == ["file"]
