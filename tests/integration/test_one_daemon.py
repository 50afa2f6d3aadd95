"""Two daemons on one database: the second ends with one line, and a kill leaves nothing in the way."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest


@pytest.fixture
def config(tmp_path: Path, free_port: int) -> Path:
    (tmp_path / "stations.csv").write_text(
        "network,station,latitude,longitude,elevation_m\n"
        "BW,UH1,48.0815,11.6361,500\nBW,UH2,48.0584,11.6817,500\nBW,UH3,48.0313,11.6366,500\n"
    )
    path = tmp_path / "rtpick.yaml"
    path.write_text(
        "sources:\n  - {type: seedlink, name: nobody, port: 1, streams: ['BW.*.*.*']}\n"
        "inventory:\n  files: [stations.csv]\npublish:\n  csv_directory: tables\n"
        f"health:\n  port: {free_port}\n"
    )
    return path


def start(config: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "rtpick", "run", str(config)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=config.parent)


def findings(port: int) -> dict[str, bool]:
    """What /readyz says, once the daemon answers."""
    for _ in range(1800):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
                body = answer.read()
        except urllib.error.HTTPError as refusal:
            body = refusal.read()
        except OSError:
            time.sleep(0.1)
            continue
        return {finding["name"]: finding["ok"] for finding in json.loads(body)["findings"]}
    pytest.fail("no answer")


@pytest.mark.slow
def test_the_second_daemon_ends_with_one_line_and_a_kill_frees_the_database(config, free_port):
    first = start(config)
    try:
        told = findings(free_port)
        assert told["sink csv"]
        assert told["outbox"]
        assert not told["source nobody"]
        second = start(config)
        _, said = second.communicate(timeout=200)
        assert second.returncode == 1
        assert f"another rtpick (process {first.pid}) writes to it; stop it" in said
        assert len(said.strip().splitlines()) == 1
    finally:
        first.kill()
        first.communicate()
    third = start(config)
    try:
        assert findings(free_port)["archive"]
    finally:
        third.kill()
        third.communicate()
