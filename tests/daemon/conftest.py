"""A real server and a real daemon, each a process of its own, over loopback."""

from __future__ import annotations

import asyncio
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from rtpick.archive.catalog import Catalog
from rtpick.demo.prepare import Stage, prepare_stage
from rtpick.ingest.archive_replay import index_archive
from rtpick.ingest.archive_scan import RawRecord
from rtpick.ingest.seedlink_server import SeedLinkServer
from rtpick.ingest.seedlink_server_replay import replay_records
from rtpick.vocabulary.event import Event, EventStatus
from rtpick.vocabulary.pick import Pick, PickStatus

# Long enough for the slowest and busiest machine: only what never happens fails by it.
PATIENCE_S = 200.0
POLL_S = 0.05
TIME_TOLERANCE_NS = 1_000
PROBABILITY_TOLERANCE = 1e-3


@dataclass
class Rig:
    """The demonstration's network in a folder of its own."""

    stage: Stage
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def database(self) -> Path:
        """The catalogue, unless the configuration says otherwise."""
        return self.stage.out / "rtpick.sqlite"

    def serve(
        self, speed: float, *options: str, folder: Path | None = None, port: int | None = None
    ) -> subprocess.Popen[bytes]:
        """Start our SeedLink server over the recording, or over a part of it, and wait until it listens."""
        port = port or self.stage.server_port
        folder = folder or self.stage.recording
        server = self._start(
            "server.log", "serve", str(folder), "--port", str(port), "--speed", str(speed), *options
        )
        wait_until(lambda: listens(port))
        return server

    def start_daemon(self, environment: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start the daemon."""
        return self._start("daemon.log", "run", str(self.stage.configuration), environment=environment)

    def start_streaming_daemon(self) -> subprocess.Popen[bytes]:
        """Start the daemon and wait until it is connected to the server."""
        before = self.log().count("source connected")
        daemon = self.start_daemon()
        self.wait_for(lambda: self.log().count("source connected") > before)
        return daemon

    def wait_for(self, condition: Callable[[], object]) -> None:
        """Wait for a condition, or fail with the daemon's log."""
        wait_until(condition, self.log)

    def run_to_the_end(self) -> None:
        """Run the daemon until its sources have ended."""
        self.expect_end(self.start_daemon())

    def expect_end(
        self, daemon: subprocess.Popen[bytes], status: int = 0, patience_s: float = PATIENCE_S
    ) -> None:
        """Wait until the daemon has ended as it should."""
        wait_until(lambda: daemon.poll() is not None, self.log, patience_s)
        assert daemon.returncode == status, self.log()

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

    def fetch(self, path: str) -> tuple[int, str]:
        """Ask the daemon over HTTP: status and body."""
        try:
            with urllib.request.urlopen(self._url(path), timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refusal:
            return refusal.code, refusal.read().decode()

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric over the series that carry these labels."""
        lines = re.findall(rf"^{name}(\{{.*\}})? (\S+)$", self.fetch("/metrics")[1], re.MULTILINE)
        wanted = [f'{key}="{value}"' for key, value in labels.items()]
        return sum(float(value) for series, value in lines if all(item in series for item in wanted))

    def final_picks(self, database: Path | None = None) -> list[Pick]:
        """The final picks on disk, by onset and id."""
        with Catalog.open(f"sqlite:///{database or self.database}") as catalog:
            picks = catalog.picks(status=PickStatus.FINAL)
        return sorted(picks, key=lambda pick: (pick.time_ns, pick.pick_id))

    def standing_events(self, database: Path | None = None) -> list[Event]:
        """The latest revisions of the events that were neither merged nor retracted, by time."""
        with Catalog.open(f"sqlite:///{database or self.database}") as catalog:
            events = catalog.events()
        gone = {EventStatus.MERGE, EventStatus.RETRACT}
        return sorted((e for e in events if e.status not in gone), key=lambda event: event.origin.time_ns)

    def assert_same_outcome(self, other: Rig, database: Path | None = None) -> None:
        """The picks and the events of the other run: none lost, none twice."""
        assert_same_picks(self.final_picks(database), other.final_picks())
        assert_same_events(self.standing_events(database), other.standing_events())

    def assert_same_picks(self, other: Rig) -> None:
        """The picks of the other run: none lost, none twice."""
        assert_same_picks(self.final_picks(), other.final_picks())

    def close(self) -> None:
        """End what still runs."""
        for process in self.processes:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGKILL)
            process.wait(10)

    def _url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.stage.health_port}{path}"

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


def assert_same_picks(found: Sequence[Pick], expected: Sequence[Pick]) -> None:
    """The same picks, each once: identities to the letter, probabilities to float noise."""
    assert [pick.pick_id for pick in found] == [pick.pick_id for pick in expected]
    for one, other in zip(found, expected, strict=True):
        assert abs(one.time_ns - other.time_ns) <= TIME_TOLERANCE_NS
        assert one.probability == pytest.approx(other.probability, abs=PROBABILITY_TOLERANCE)


def assert_same_events(found: Sequence[Event], expected: Sequence[Event]) -> None:
    """The same events from the same picks at the same place."""
    assert [event.pick_ids for event in found] == [event.pick_ids for event in expected]
    for one, other in zip(found, expected, strict=True):
        assert one.origin.latitude_deg == pytest.approx(other.origin.latitude_deg, abs=1e-3)
        assert one.origin.longitude_deg == pytest.approx(other.origin.longitude_deg, abs=1e-3)
        assert one.origin.time_ns == pytest.approx(other.origin.time_ns, abs=1e7)


def listens(port: int) -> bool:
    """Whether somebody accepts connections on `port`."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_until(
    condition: Callable[[], object], tell: Callable[[], str] = str, patience_s: float = PATIENCE_S
) -> None:
    """Wait for a condition, or fail with what `tell` says; time in which nobody runs does not count."""
    for _ in range(round(patience_s / POLL_S)):
        if condition():
            return
        time.sleep(POLL_S)
    pytest.fail(f"the condition never came true; {tell()}")


class EndingServer(SeedLinkServer):
    """A server of what is published, which ends the streams when it is told to."""

    ends = False

    @property
    def nothing_follows(self) -> bool:
        """Whether clients that have everything are told END."""
        return self.ends

    @property
    def all_is_sent(self) -> bool:
        """Whether somebody listens, and everybody who does has been sent all that there is."""
        cursors = [connection.cursor for connection in self._connections]
        return bool(cursors) and all(cursor is not None and cursor.is_level for cursor in cursors)

    def end(self) -> None:
        """Tell END to whoever has everything, from now on."""
        self.ends = True
        self._announce()


class Puppet:
    """Our SeedLink server in a thread of this process: its faults come when the test wants them."""

    def __init__(self, recording: Path, port: int) -> None:
        self.records: list[RawRecord] = list(replay_records(index_archive([recording]), 0, None))
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.server = self._await(self._open(port))

    async def _open(self, port: int) -> EndingServer:
        server = EndingServer(None, clock=time.time_ns, port=port)
        await server.start()
        return server

    def _await(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def do(self, action: Callable[[EndingServer], Any]) -> Any:
        """Have something done to the server, in its own thread."""

        async def act() -> Any:
            done = action(self.server)
            return await done if asyncio.iscoroutine(done) else done

        return self._await(act())

    def publish(self, start: int, stop: int | None = None) -> None:
        """Publish records of the recording by their places in it."""
        for record in self.records[start:stop]:
            self.do(lambda server, record=record: server.publish(record))

    def wait_until_sent(self) -> None:
        """Wait until the daemon is connected and has been sent all that there is."""
        wait_until(lambda: self.do(lambda server: server.all_is_sent))

    def close(self) -> None:
        """Stop the server and its thread."""
        self._await(self.server.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


@pytest.fixture
def make_puppet():
    """Put our server in a thread before a rig's daemon; it ends with the test."""
    puppets: list[Puppet] = []

    def make(rig: Rig) -> Puppet:
        puppets.append(Puppet(rig.stage.recording, rig.stage.server_port))
        return puppets[-1]

    yield make
    for puppet in puppets:
        puppet.close()


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
