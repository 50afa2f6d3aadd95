"""``rtpick serve`` as a process of its own."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from seedlink_client import SeedLink

from rtpick.demo.recording import write_recording
from rtpick.ingest.archive_replay import index_archive, iterate_raw_records
from rtpick.ingest.seedlink_server import ServerProgress
from rtpick.serve import describe, serve_folder
from rtpick.vocabulary.errors import RecordError, SettingsError
from rtpick.vocabulary.time import parse_utc

PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def recording(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("recording")
    write_recording(folder)
    return folder


@contextmanager
def running(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "rtpick", "serve", *arguments]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for_listener(port: int, process: subprocess.Popen[str]) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while process.poll() is None and time.monotonic() < deadline_s:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    pytest.fail(f"nothing listens: {process.communicate(timeout=5)}")


def test_a_folder_is_served_until_the_end(recording, free_port):
    expected = [record.payload for record in iterate_raw_records(index_archive([recording]))]
    with running(str(recording), "--port", str(free_port), "--speed", "0", "--end") as process:
        wait_for_listener(free_port, process)
        client = SeedLink("127.0.0.1", free_port, timeout=20)
        client.add_stream("*", seqnum=0)
        with client:
            found = [packet.payload for packet in client.collect(reconnect=False)]
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=PATIENCE_S)
    assert found == expected
    assert f"127.0.0.1:{free_port}: 6 channels, 368 records" in said.replace("\n", " ")
    assert "Traceback" not in said
    assert process.returncode in (0, 130)


def test_a_folder_without_records_is_told_in_one_line(tmp_path):
    with running(str(tmp_path), "--port", "0") as process:
        _, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1
    assert "no miniSEED" in said
    assert len(said.strip().splitlines()) == 1


def test_wrong_settings_are_told(recording, tmp_path):
    with pytest.raises(SettingsError, match="speed"):
        serve_folder(recording, speed=-1)
    with pytest.raises(RecordError, match="no such file"):
        serve_folder(tmp_path / "nowhere")


def test_the_line_says_how_far_the_replay_is():
    progress = ServerProgress(parse_utc("2010-05-27T16:25:00Z"), 0.5, 100, 70, 2, played=False)
    assert describe(progress) == "data 2010-05-27 16:25:00  clients 2  records sent 70"
    assert "nothing yet" in describe(ServerProgress(None, 0.0, 0, 0, 0, played=False))
