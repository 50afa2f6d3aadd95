"""Two servers in one configuration, one of them dead: the other's picks come all the same."""

from __future__ import annotations

import shutil
import signal
from dataclasses import dataclass
from pathlib import Path

import pytest

from rtpick.archive.catalog import Catalog
from rtpick.demo.prepare import free_ports
from rtpick.vocabulary.pick import Pick, PickStatus

SECOND = """\
sources:
  - type: seedlink
    name: frail
    host: 127.0.0.1
    port: {port}
    streams: ["BW.UH4.*.*"]
    start: all
    on_end: stop
    connect_timeout_s: 1.0
    reconnect_min_s: 0.1
    reconnect_max_s: 0.3
"""
FRAIL = "UH4"
# The last windows of a station that is still awaited are final only at the end.
TAIL_NS = 40_000_000_000


@dataclass
class Pair:
    """The recording on two servers: three stations on the sound one, the fourth on the frail one."""

    rig: object
    sound: Path
    frail: Path
    frail_port: int

    def serve_sound(self, speed: float, *options: str):
        return self.rig.serve(speed, *options, folder=self.sound)

    def serve_frail(self, speed: float, *options: str):
        return self.rig.serve(speed, *options, folder=self.frail, port=self.frail_port)

    def frail_state(self, state: str) -> float:
        return self.rig.metric("rtpick_source_state", source="frail", state=state)

    def committed(self) -> set[str]:
        """The final picks on disk while the daemon runs."""
        with Catalog.open(f"sqlite:///{self.rig.database}") as catalog:
            return {pick.pick_id for pick in catalog.picks(status=PickStatus.FINAL)}


@pytest.fixture
def pair(make_rig) -> Pair:
    rig = make_rig()
    sound, frail = rig.stage.out / "sound", rig.stage.out / "frail"
    (port,) = free_ports(1)
    for path in rig.stage.recording.iterdir():
        folder = frail if FRAIL in path.name else sound
        folder.mkdir(exist_ok=True)
        shutil.copy(path, folder)
    rig.configure(("sources:\n", SECOND.format(port=port)))
    return Pair(rig, sound, frail, port)


def expected_of(picks: list[Pick], frail: bool) -> set[str]:
    """The picks of the sound or of the frail stations, less those of the recording's last seconds."""
    end_ns = max(pick.time_ns for pick in picks)
    chosen = [pick for pick in picks if (pick.channel.station == FRAIL) is frail]
    return {pick.pick_id for pick in chosen if pick.time_ns < end_ns - TAIL_NS}


def assert_told(pair: Pair) -> None:
    """That the frail server is away is said at every place where somebody may look."""
    status, body = pair.rig.fetch("/readyz")
    assert status == 503
    assert "source frail" in body
    assert pair.rig.fetch("/healthz")[0] == 200
    # Between two attempts it is: a server that hangs still lets its kernel take connections.
    pair.rig.wait_for(lambda: pair.frail_state("disconnected") == 1)
    assert pair.rig.metric("rtpick_source_state", source="demo", state="connected") == 1
    assert "source disconnected" in pair.rig.log()


def test_a_server_dead_from_the_start_delays_nobody_and_its_stations_come_when_it_returns(pair, undisturbed):
    rig = pair.rig
    wanted = undisturbed.final_picks()
    pair.serve_sound(0)
    daemon = rig.start_streaming_daemon()
    early = expected_of(wanted, frail=False)
    assert early
    # The sound server's picks are final and on disk while the frail one has never answered.
    rig.wait_for(lambda: early <= pair.committed())
    assert_told(pair)
    pair.serve_frail(0)
    rig.wait_for(lambda: expected_of(wanted, frail=True) <= pair.committed())
    assert rig.fetch("/readyz")[0] == 200
    daemon.send_signal(signal.SIGTERM)
    rig.expect_end(daemon)


@pytest.mark.slow
def test_a_server_dead_from_the_start_and_back_later_leaves_the_same_picks(pair, undisturbed):
    rig = pair.rig
    pair.serve_sound(0, "--end")
    daemon = rig.start_streaming_daemon()
    rig.wait_for(lambda: expected_of(undisturbed.final_picks(), frail=False) <= pair.committed())
    pair.serve_frail(0, "--end")
    rig.expect_end(daemon)
    rig.assert_same_picks(undisturbed)
    assert len(rig.standing_events()) == len(undisturbed.standing_events())


@pytest.mark.slow
def test_a_server_that_dies_midway_delays_nobody_and_costs_nothing_when_it_returns(pair, undisturbed):
    rig = pair.rig
    wanted = undisturbed.final_picks()
    pair.serve_sound(15, "--wait")
    frail = pair.serve_frail(15, "--wait")
    daemon = rig.start_streaming_daemon()
    rig.wait_for(lambda: rig.metric("rtpick_packets_total", station=FRAIL) > 20)
    frail.send_signal(signal.SIGKILL)
    frail.wait(10)
    rig.wait_for(lambda: expected_of(wanted, frail=False) <= pair.committed())
    assert_told(pair)
    pair.serve_frail(0)
    rig.wait_for(lambda: expected_of(wanted, frail=True) <= pair.committed())
    daemon.send_signal(signal.SIGTERM)
    rig.expect_end(daemon)


@pytest.mark.slow
def test_a_server_that_hangs_delays_nobody(pair, undisturbed):
    """It takes connections and never says a word."""
    rig = pair.rig
    frail = pair.serve_frail(0)
    frail.send_signal(signal.SIGSTOP)
    pair.serve_sound(0)
    daemon = rig.start_streaming_daemon()
    rig.wait_for(lambda: expected_of(undisturbed.final_picks(), frail=False) <= pair.committed())
    assert_told(pair)
    frail.send_signal(signal.SIGCONT)
    rig.wait_for(lambda: expected_of(undisturbed.final_picks(), frail=True) <= pair.committed())
    daemon.send_signal(signal.SIGTERM)
    rig.expect_end(daemon)
