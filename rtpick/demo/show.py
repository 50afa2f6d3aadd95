"""`rtpick demo`: server, daemon, live table, and at the end what was found beside what is known."""

from __future__ import annotations

import subprocess
from pathlib import Path

from rich.console import Console
from rich.live import Live

from rtpick.demo.prepare import Stage, prepare_stage
from rtpick.demo.processes import running_daemon, running_server
from rtpick.demo.report import report
from rtpick.demo.watch import Watch
from rtpick.publish.subscriber import Subscriber
from rtpick.runtime.clock import monotonic_s
from rtpick.vocabulary.errors import WorkerError

REFRESH_S = 0.25
RECORDING_S = 231.0
SPARE_S = 150.0
PIPE_WIDTH = 150


def run_demo(out: Path, speed: float) -> None:
    """Play the recording through server and daemon, then report.

    Parameters
    ----------
    out : Path
        Folder for recording, configuration, database and results; made if absent.
    speed : float
        Times faster than real time.

    Raises
    ------
    WorkerError
        If server or daemon fail; the message names the log to read.
    """
    console = wide_console()
    stage = prepare_stage(out)
    watch = Watch(stage.health_port)
    address = f"127.0.0.1:{stage.server_port}"
    console.print(f"SeedLink server on {address}, {speed:g} times real time; results in {out}/")
    console.print("the first start after an installation compiles the associator: half a minute, once")
    with running_server(stage, speed), running_daemon(stage) as daemon:
        follow(stage, daemon, watch, console, timeout_s=RECORDING_S / speed + SPARE_S)
    report(stage, watch, console)


def wide_console() -> Console:
    """A terminal as wide as it is; a pipe as wide as the tables."""
    console = Console()
    return console if console.is_terminal else Console(width=PIPE_WIDTH)


def follow(
    stage: Stage, daemon: subprocess.Popen[bytes], watch: Watch, console: Console, timeout_s: float
) -> None:
    """Show the daemon's life until it has ended.

    Raises
    ------
    WorkerError
        If it fails, or does not end in time.
    """
    subscriber = Subscriber(f"tcp://127.0.0.1:{stage.zeromq_port}", "pick.", "event.")
    deadline_s = monotonic_s() + timeout_s
    try:
        with Live(watch.render(), console=console, refresh_per_second=4) as live:
            while daemon.poll() is None and monotonic_s() < deadline_s:
                watch.hear(subscriber.messages(REFRESH_S))
                watch.look()
                live.update(watch.render())
            watch.hear(subscriber.messages(0.0))
            live.update(watch.render())
    finally:
        subscriber.close()
    if daemon.poll() != 0:
        what = "did not end in time" if daemon.poll() is None else f"ended with status {daemon.poll()}"
        raise WorkerError(f"the daemon {what}; see {stage.out / 'daemon.log'} for the reason")
