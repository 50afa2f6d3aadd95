"""A cable through the whole daemon: a real publisher, a real process, picks and an event on disk."""

from __future__ import annotations

import csv
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rtpick.archive.catalog import Catalog
from rtpick.demo.prepare import free_ports
from rtpick.ingest.das_files_write import write_das_file
from rtpick.vocabulary.event import EventStatus
from rtpick.vocabulary.fiber import DasBlock, FiberLayout
from rtpick.vocabulary.fiber_event import FiberEvent

pytestmark = pytest.mark.slow

CHANNELS, RATE_HZ, SECONDS = 60, 100.0, 90
ORIGIN_S, APEX = 35.0, 20
BEGIN_NS = 1_700_000_000_000_000_000
SPACING_KM = 0.05
# Long enough for the slowest and busiest machine: only what never happens fails by it.
PATIENCE, POLL_S = 2000, 0.1

CONFIGURATION = """\
sources:
  - type: zeromq-das
    name: cable
    address: tcp://127.0.0.1:{port}
    format: rtpick
    on_end: stop
inventory: {{files: []}}
engine: {{precision: float32, threads: 1}}
publish: {{csv_directory: tables}}
archive: {{database: "sqlite:///rtpick.sqlite"}}
health: {{port: {health}}}
"""


def straight_km() -> np.ndarray:
    """How far an event is from the channels of a straight cable."""
    return 20.0 + SPACING_KM * np.abs(np.arange(CHANNELS) - APEX)


def make_cable(away_km_K: np.ndarray) -> np.ndarray:
    """An event beside a cable: P and S with a moveout, in noise."""
    random, time_s = np.random.default_rng(1), np.arange(int(SECONDS * RATE_HZ)) / RATE_HZ
    wave_KT = random.normal(0, 1, (len(away_km_K), len(time_s)))
    for channel, away_km in enumerate(away_km_K):
        for speed_km_s, height, frequency_hz in ((6.0, 15.0, 8.0), (3.4, 40.0, 5.0)):
            since_s = np.maximum(time_s - ORIGIN_S - away_km / speed_km_s, 0.0)
            envelope = height * np.exp(-since_s / 1.5) * np.minimum(1.0, since_s * 20.0)
            wave_KT[channel] += envelope * np.sin(2 * np.pi * frequency_hz * since_s)
    return (wave_KT * 1e-9).astype(np.float32)


@dataclass
class Cable:
    """A recording, its publisher and a daemon, in a folder."""

    folder: Path
    configuration: str = CONFIGURATION
    away_km_K: np.ndarray = field(default_factory=straight_km)
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.port, self.health = free_ports(2)
        layout = FiberLayout("cable", 0, len(self.away_km_K), 1e3 * SPACING_KM, RATE_HZ)
        block = DasBlock(layout, BEGIN_NS, make_cable(self.away_km_K))
        write_das_file(self.folder / "cable.h5", [block])
        text = self.configuration.format(port=self.port, health=self.health)
        (self.folder / "cable.yaml").write_text(text)

    @property
    def catalog(self) -> Catalog:
        """The daemon's database, opened beside it."""
        return Catalog.open(f"sqlite:///{self.folder}/rtpick.sqlite")

    def keys(self) -> list[tuple[int, str, int]]:
        """Every pick on disk."""
        with self.catalog as catalog:
            batches = catalog.fiber_picks("cable")
        columns = (
            np.concatenate([getattr(batch, name) for batch in batches]).tolist() if batches else []
            for name in ("channel_number_N", "phase_N", "time_ns_N")
        )
        return sorted(zip(*columns, strict=True))

    def events(self) -> list[FiberEvent]:
        """Latest revisions on disk."""
        with self.catalog as catalog:
            return catalog.fiber_events("cable")

    def publish(self, speed: float) -> None:
        """Serve the recording as soon as somebody listens."""
        replay = f"DasReplay('rtpick', {speed}, wait_for_subscriber=True)"
        self._start(
            "publisher.log",
            "-c",
            "from pathlib import Path; from rtpick.serve_das import DasReplay, serve_das; "
            f"serve_das([Path('{self.folder}/cable.h5')], {replay}, port={self.port})",
        )

    def run(self) -> subprocess.Popen[bytes]:
        """Start the daemon."""
        return self._start("daemon.log", "-m", "rtpick", "run", str(self.folder / "cable.yaml"))

    def log(self) -> str:
        """What daemon and publisher have written."""
        return "\n".join(path.read_text() for path in self.folder.glob("*.log"))

    def fetch(self, path: str) -> str:
        """Ask the daemon over HTTP; whatever it answers, as text."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.health}{path}", timeout=5) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as refusal:
            return str(refusal.read().decode())
        except OSError as error:
            return str(error)

    def wait_for(self, condition: Callable[[], object]) -> None:
        """Wait for a condition, or fail with what was written."""
        for _ in range(PATIENCE):
            if condition():
                return
            time.sleep(POLL_S)
        pytest.fail(self.log())

    def expect_end(self, daemon: subprocess.Popen[bytes]) -> None:
        """Wait until the daemon has ended well."""
        self.wait_for(lambda: daemon.poll() is not None)
        assert daemon.returncode == 0, self.log()

    def close(self) -> None:
        """End what still runs."""
        for process in self.processes:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGKILL)
            process.wait(10)

    def _start(self, log: str, *arguments: str) -> subprocess.Popen[bytes]:
        with (self.folder / log).open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, *arguments], stdout=output, stderr=subprocess.STDOUT, cwd=self.folder
            )
        self.processes.append(process)
        return process


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Cable]]:
    cables: list[Cable] = []

    def make_one(*arguments: Any) -> Cable:
        cables.append(Cable(tmp_path, *arguments))
        return cables[-1]

    yield make_one
    for cable in cables:
        cable.close()


def test_a_cable_is_picked_and_its_event_found(make: Callable[..., Cable]) -> None:
    cable = make()
    cable.publish(0)
    cable.expect_end(cable.run())
    keys = cable.keys()
    assert len(set(keys)) == len(keys)
    for phase, speed_km_s in (("P", 6.0), ("S", 3.4)):
        onset_s = ORIGIN_S + 20.0 / speed_km_s
        found = {n for n, p, t in keys if p == phase and abs((t - BEGIN_NS) / 1e9 - onset_s - 0.2) < 0.6}
        assert len(found) >= 0.9 * CHANNELS
    (event,) = cable.events()
    assert event.status is EventStatus.FINAL
    assert abs((event.origin_ns - BEGIN_NS) / 1e9 - ORIGIN_S) < 1.0
    with cable.catalog as catalog:
        (progress,) = catalog.fiber_progress()
        assert progress.settled_ns > int(event.time_ns_M.max())
        assert catalog.unpublished() == []
    with (cable.folder / "tables" / "fiber-picks-2023-11-14.csv").open() as file:
        assert len(list(csv.DictReader(file))) == len(keys)
    with (cable.folder / "tables" / "fiber-events-2023-11-14.csv").open() as file:
        assert [row["status"] for row in csv.DictReader(file)][-1] == "final"


def test_a_running_cable_is_seen_from_outside_and_ends_when_told(make: Callable[..., Cable]) -> None:
    cable = make(CONFIGURATION.replace("on_end: stop", "on_end: reconnect"))
    cable.publish(10)
    daemon = cable.run()
    cable.wait_for(lambda: 'rtpick_fiber_picks_total{fiber="cable",phase="S"}' in cable.fetch("/metrics"))
    assert '"fiber inference"' in cable.fetch("/healthz")
    assert '"worker fiber"' in cable.fetch("/healthz")
    assert '"status": "ok"' in cable.fetch("/healthz")
    assert 'rtpick_fiber_lost_blocks_total{cause="overload"' not in cable.fetch("/metrics")
    cable.wait_for(cable.events)
    daemon.send_signal(signal.SIGTERM)
    cable.expect_end(daemon)


def test_picks_that_come_again_after_a_death_are_kept_once(make: Callable[..., Cable]) -> None:
    cable = make()
    cable.publish(10)
    daemon = cable.run()
    cable.wait_for(cable.events)
    daemon.kill()
    daemon.wait()
    before = cable.keys()
    cable.processes[0].kill()
    cable.processes[0].wait()
    cable.publish(0)
    cable.expect_end(cable.run())
    after = cable.keys()
    assert set(before) <= set(after)
    assert len(set(after)) == len(after)
    (event,) = cable.events()
    assert event.status is EventStatus.FINAL


def test_a_cable_that_lies_somewhere_locates_its_event(make: Callable[..., Cable], tmp_path: Path) -> None:
    """Along two sides of a square of 6 km, the event 8 km deep outside of it."""
    along_km = np.arange(240) * SPACING_KM
    east_km, north_km = np.minimum(along_km, 6.0), np.maximum(along_km - 6.0, 0.0)
    longitude, latitude = 11.0 + east_km / (111.19 * np.cos(np.radians(48.0))), 48.0 + north_km / 111.19
    rows = [f"{n},{a:.6f},{o:.6f},0" for n, (a, o) in enumerate(zip(latitude, longitude, strict=True))]
    (tmp_path / "channels.csv").write_text("\n".join(["channel,latitude,longitude,elevation_m", *rows]))
    away_km = np.sqrt((east_km - 1.0) ** 2 + (north_km - 5.0) ** 2 + 8.0**2)
    geometry = "fiber: {{fibers: {{cable: {{geometry: channels.csv}}}}}}\n"
    cable = make(CONFIGURATION + geometry, away_km)
    cable.publish(0)
    cable.expect_end(cable.run())
    (seen,) = cable.events()
    with cable.catalog as catalog:
        events, picks = catalog.events(), catalog.picks()
    assert {pick.station_id.network for pick in picks} == {"cable"}
    (event,) = [event for event in events if event.status is EventStatus.FINAL]
    assert len(event.arrivals) >= 6
    off_km = np.hypot(
        (event.origin.longitude_deg - 11.0) * 111.19 * np.cos(np.radians(48.0)) - 1.0,
        (event.origin.latitude_deg - 48.0) * 111.19 - 5.0,
    )
    assert off_km < 5.0
    assert abs(event.origin.time_ns - seen.origin_ns) < 2e9
