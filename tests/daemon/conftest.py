"""A real server and a real daemon, each a process of its own, over loopback."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from rtpick.archive.catalog import Catalog
from rtpick.demo.prepare import Stage, prepare_stage
from rtpick.vocabulary.event import Event, EventStatus
from rtpick.vocabulary.pick import Pick, PickStatus


@dataclass
class Rig:
    """The demonstration's network in a folder of its own."""

    stage: Stage
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def serve(self, speed: float, *options: str) -> subprocess.Popen[bytes]:
        """Start our SeedLink server and wait until it listens."""
        stage = self.stage
        port = str(stage.server_port)
        server = self._start(
            "server.log", "serve", str(stage.recording), "--port", port, "--speed", str(speed), *options
        )
        wait_until(lambda: listens(stage.server_port), 30.0)
        return server

    def start_daemon(self, environment: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start the daemon."""
        return self._start("daemon.log", "run", str(self.stage.configuration), environment=environment)

    def start_streaming_daemon(self) -> subprocess.Popen[bytes]:
        """Start the daemon and wait until it is connected to the server."""
        before = self.log().count("source connected")
        daemon = self.start_daemon()
        wait_until(lambda: self.log().count("source connected") > before, 60.0)
        return daemon

    def run_to_the_end(self) -> None:
        """Run the daemon until its sources have ended."""
        daemon = self.start_daemon()
        assert daemon.wait(120) == 0, self.log()

    def log(self) -> str:
        """What the daemon has written."""
        path = self.stage.out / "daemon.log"
        return path.read_text() if path.exists() else ""

    def configure(self, *changes: tuple[str, str]) -> None:
        """Replace pieces of the configuration."""
        text = self.stage.configuration.read_text()
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        self.stage.configuration.write_text(text)

    def final_picks(self) -> list[Pick]:
        """The final picks on disk, by onset and id."""
        with Catalog.open(f"sqlite:///{self.stage.out / 'rtpick.sqlite'}") as catalog:
            picks = catalog.picks(status=PickStatus.FINAL)
        return sorted(picks, key=lambda pick: (pick.time_ns, pick.pick_id))

    def standing_events(self) -> list[Event]:
        """The latest revisions of the events that were neither merged nor retracted, by time."""
        with Catalog.open(f"sqlite:///{self.stage.out / 'rtpick.sqlite'}") as catalog:
            events = catalog.events()
        gone = {EventStatus.MERGE, EventStatus.RETRACT}
        return sorted((e for e in events if e.status not in gone), key=lambda event: event.origin.time_ns)

    def close(self) -> None:
        """End what still runs."""
        for process in self.processes:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGKILL)
            process.wait(10)

    def _start(
        self, log: str, *arguments: str, environment: dict[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        with (self.stage.out / log).open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "rtpick", *arguments],
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env=environment,
            )
        self.processes.append(process)
        return process


def listens(port: int) -> bool:
    """Whether somebody accepts connections on `port`."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_until(condition, timeout_s: float) -> None:
    """Wait for a condition, or fail."""
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s, "the condition never came true"
        time.sleep(0.05)


@pytest.fixture
def make_rig(tmp_path: Path):
    """Make rigs in folders of their own; all are ended with the test."""
    rigs: list[Rig] = []

    def make(name: str = "rig") -> Rig:
        rigs.append(Rig(prepare_stage(tmp_path / name)))
        return rigs[-1]

    yield make
    for rig in rigs:
        rig.close()


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory) -> Rig:
    """A run that nothing disturbs: what every other run must come to."""
    rig = Rig(prepare_stage(tmp_path_factory.mktemp("undisturbed")))
    rig.serve(0, "--end")
    rig.run_to_the_end()
    rig.close()
    return rig
