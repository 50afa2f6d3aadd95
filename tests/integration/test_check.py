"""``rtpick check`` tries what the daemon will write to and listen on."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from rtpick.check import examine_configuration
from rtpick.demo.recording import write_recording
from rtpick.runtime.health import Finding

Check = Callable[..., dict[str, Finding]]


@pytest.fixture
def check(tmp_path: Path, free_port: int) -> Check:
    (tmp_path / "waveforms").mkdir()
    write_recording(tmp_path / "waveforms")
    (tmp_path / "stations.csv").write_text(
        "network,station,latitude,longitude,elevation_m\n"
        "BW,UH1,48.0815,11.6361,500\nBW,UH2,48.0584,11.6817,500\n"
        "BW,UH3,48.0313,11.6366,500\nBW,UH4,48.0318,11.5354,500\n"
    )

    def examine(port: int = free_port, address: str = "tcp://127.0.0.1:*") -> dict[str, Finding]:
        (tmp_path / "rtpick.yaml").write_text(
            "sources:\n  - {type: archive, name: files, path: waveforms}\n"
            "inventory:\n  files: [stations.csv]\n"
            "archive:\n  clips_directory: clips\n"
            f"publish:\n  zeromq_bind: {address}\n  quakeml_directory: quakeml\n  csv_directory: tables\n"
            f"health:\n  port: {port}\n"
        )
        return {finding.name: finding for finding in examine_configuration(tmp_path / "rtpick.yaml")}

    return examine


def test_all_is_well_and_nothing_is_left_behind(check: Check, tmp_path: Path) -> None:
    findings = check()
    assert [finding.name for finding in findings.values() if not finding.well] == []
    assert {"archive.clips_directory", "publish.quakeml_directory", "publish.csv_directory"} <= set(findings)
    assert [*tmp_path.glob("clips/.*"), *tmp_path.glob("quakeml/.*"), *tmp_path.glob("tables/.*")] == []


@pytest.mark.parametrize("name", ["clips", "quakeml", "tables"])
def test_a_folder_that_cannot_be_written_is_told(check: Check, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("a file stands where the folder should be")
    (wrong,) = [finding for finding in check().values() if not finding.well]
    assert str(tmp_path / name) in wrong.detail
    assert "check that the folder exists and is writable" in wrong.detail


def test_an_address_that_is_taken_is_told(check: Check) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        findings = check(port=port, address=f"tcp://127.0.0.1:{port}")
    assert "give another health.port" in findings["health"].detail
    assert "name a free address" in findings["publish.zeromq_bind"].detail
    assert not findings["health"].well
    assert not findings["publish.zeromq_bind"].well
