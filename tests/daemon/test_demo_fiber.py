"""`rtpick demo --das`: a real publisher, a real daemon, the earthquake found, the picture drawn."""

from __future__ import annotations

import csv
import subprocess
import sys
from datetime import datetime
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from rtpick.demo import fiber_recording
from rtpick.demo.fiber_recording import ORIGIN, SHAPE_KT
from rtpick.demo.fiber_show import run_fiber_demo
from rtpick.vocabulary.errors import SettingsError


@pytest.mark.slow
def test_the_demonstration_finds_the_earthquake(tmp_path: Path) -> None:
    out = tmp_path / "demo"
    command = [sys.executable, "-m", "rtpick", "demo", "--das", "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert (out / "cable.png").read_bytes().startswith(b"\x89PNG")
    (table,) = (out / "tables").glob("fiber-events-*.csv")
    with table.open(newline="") as file:
        latest = {row["event_id"]: row for row in csv.DictReader(file)}
    (event,) = (row for row in latest.values() if row["status"] not in {"merge", "retract"})
    late = datetime.fromisoformat(event["origin_time"][:26]) - datetime.fromisoformat(ORIGIN[:26])
    assert abs(late.total_seconds()) < 3.0
    assert int(event["n_p"]) > 0.25 * SHAPE_KT[0]
    assert int(event["n_s"]) > 0.25 * SHAPE_KT[0]


def test_without_the_recording_one_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(fiber_recording, "distribution", missing)
    with pytest.raises(SettingsError, match=r"pip install 'rtpick\[demo\]'"):
        run_fiber_demo(tmp_path / "demo", 10.0)
