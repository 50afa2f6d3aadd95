"""The demonstration's server and daemon: two real processes, ended with their context."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rtpick.demo.prepare import Stage
from rtpick.runtime.clock import monotonic_s
from rtpick.vocabulary.errors import WorkerError

START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 10.0


@contextmanager
def running(arguments: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``rtpick ARGUMENTS`` in a process of its own, its output in `log`."""
    with log.open("wb") as output:
        command = [sys.executable, "-m", "rtpick", *arguments]
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()


@contextmanager
def running_server(stage: Stage, speed: float) -> Iterator[subprocess.Popen[bytes]]:
    """Our SeedLink server over the recording, listening when the context begins."""
    port = ["--port", str(stage.server_port)]
    arguments = ["serve", str(stage.recording), *port, "--speed", str(speed), "--end", "--wait"]
    log = stage.out / "server.log"
    with running(arguments, log) as server:
        await_listener(stage.server_port, server, log)
        yield server


@contextmanager
def running_daemon(stage: Stage) -> Iterator[subprocess.Popen[bytes]]:
    """The daemon on the demonstration's configuration."""
    with running(["run", str(stage.configuration)], stage.out / "daemon.log") as daemon:
        yield daemon


def await_listener(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until something listens on `port`.

    Raises
    ------
    WorkerError
        If the process ends or does not listen in time.
    """
    deadline_s = monotonic_s() + START_TIMEOUT_S
    while monotonic_s() < deadline_s and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=0.2).close()
        except OSError:
            continue
        return
    raise WorkerError(f"nothing listens on port {port}; see {log} for the reason")
