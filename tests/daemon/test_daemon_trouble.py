"""A full disk, damaged records, strangers and refusals: one clear message each, and the daemon goes on."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from rtpick.archive.catalog import Catalog
from rtpick.publish.subscriber import Subscriber

pytestmark = pytest.mark.timeout(900)  # many waits, each with patience


class SmallDisk:
    """A file system of its own size; needs root."""

    def __init__(self, folder) -> None:
        self.folder = folder
        self._filler = folder / "filler"
        folder.mkdir()
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder)], check=True, capture_output=True
        )

    def fill(self, free_bytes: int) -> None:
        """Take up all the room but this much."""
        self._filler.write_bytes(bytes(shutil.disk_usage(self.folder).free - free_bytes))

    def make_room(self) -> None:
        """Give it back."""
        self._filler.unlink()

    def remove(self) -> None:
        """Unmount."""
        subprocess.run(["umount", "-l", str(self.folder)], check=True)


@pytest.fixture
def small_disk(tmp_path):
    try:
        disk = SmallDisk(tmp_path / "disk")
    except subprocess.CalledProcessError:
        pytest.skip("mounting a small file system needs root")
    yield disk
    disk.remove()


def keep_on(rig, disk: SmallDisk) -> Path:
    """Have the daemon's catalogue on the small disk, where it is made now."""
    database = disk.folder / "rtpick.sqlite"
    rig.configure(
        ("sqlite:///rtpick.sqlite", f"sqlite:///{database}\n  retry_s: 0.5"),
        ("  clips_directory: clips\n", ""),
    )
    Catalog.open(f"sqlite:///{database}").close()
    return database


def test_a_full_disk_is_told_and_nothing_is_lost_once_there_is_room(make_rig, undisturbed, small_disk):
    rig = make_rig()
    database = keep_on(rig, small_disk)
    small_disk.fill(free_bytes=64 * 1024)
    rig.serve(0, "--end", "--wait")
    daemon = rig.start_streaming_daemon()
    rig.wait_for(lambda: "storage refuses" in rig.log())
    assert "free some space" in rig.log()
    assert rig.fetch("/readyz")[0] == 503
    small_disk.make_room()
    rig.expect_end(daemon)
    assert "storage takes again" in rig.log()
    rig.assert_same_outcome(undisturbed, database)


def kill_refused(rig, daemon, refusals: int) -> None:
    """Wait until storage has refused once more, and kill the daemon with what it holds back."""
    rig.wait_for(lambda: rig.log().count("storage refuses") > refusals)
    daemon.send_signal(signal.SIGKILL)
    assert daemon.wait(10) == -signal.SIGKILL


@pytest.mark.slow
def test_killed_while_the_disk_is_full_and_started_with_room_gives_the_same(
    make_rig, undisturbed, small_disk
):
    """Neither what was half-written nor what was held back is lost or told twice."""
    rig = make_rig()
    database = keep_on(rig, small_disk)
    rig.serve(15, "--end", "--wait")
    daemon = rig.start_streaming_daemon()
    rig.wait_for(lambda: rig.final_picks(database))
    small_disk.fill(free_bytes=8 * 1024)
    kill_refused(rig, daemon, 0)
    # Started on the full disk it waits as the one before it did.
    kill_refused(rig, rig.start_streaming_daemon(), 1)
    small_disk.make_room()
    rig.run_to_the_end()
    rig.assert_same_outcome(undisturbed, database)


def test_damaged_records_cost_only_themselves(make_rig, undisturbed):
    rig = make_rig()
    path = rig.stage.recording / "BW.UH3..SHE.mseed"
    records = bytearray(path.read_bytes())
    # Payload noise, a record of zeros, a broken header and a cut end, none near the earthquakes.
    count = len(records) // 512
    middle = (count // 2) * 512
    records[middle : middle + 512] = bytes(512)
    records[middle + 512 : middle + 520] = b"\xff" * 8
    path.write_bytes(bytes(records[:-100]))
    rig.serve(0, "--end", "--wait")
    rig.run_to_the_end()
    far = {pick.pick_id for pick in undisturbed.final_picks() if pick.station_id.station != "UH3"}
    assert far <= {pick.pick_id for pick in rig.final_picks()}
    assert len(rig.standing_events()) >= 2


def test_a_station_that_is_not_in_the_inventory_is_picked_but_not_located(make_rig):
    rig = make_rig()
    table = rig.stage.out / "stations.csv"
    lines = table.read_text().splitlines()
    table.write_text("\n".join(line for line in lines if "UH4" not in line) + "\n")
    rig.serve(0, "--end", "--wait")
    rig.run_to_the_end()
    assert {"UH1", "UH2", "UH3", "UH4"} == {pick.station_id.station for pick in rig.final_picks()}
    told = [line for line in rig.log().splitlines() if "not in the inventory" in line]
    assert len(told) == 1
    assert "BW.UH4" in told[0]
    located = {a.station for event in rig.standing_events() for a in event.arrivals}
    assert not any("UH4" in station for station in located)


def test_the_running_daemon_answers_and_publishes(make_rig):
    rig = make_rig()
    subscriber = Subscriber(f"tcp://127.0.0.1:{rig.stage.zeromq_port}", "pick.", "event.")
    rig.serve(15, "--wait")
    daemon = rig.start_streaming_daemon()
    heard = []
    rig.wait_for(lambda: heard.extend(subscriber.messages(0.2)) or any("event_id" in item for item in heard))
    assert rig.fetch("/healthz")[0] == 200
    assert rig.fetch("/readyz")[0] == 200
    assert rig.metric("rtpick_packets_total", network="BW", source="demo", station="UH1") > 0
    assert rig.metric("rtpick_stage_latency_seconds_count", stage="total") > 0
    picks = [item for item in heard if "pick_id" in item]
    assert {item["schema"] for item in picks} == {"rtpick/pick/1"}
    assert json.loads(rig.fetch("/healthz")[1])["status"] == "ok"
    daemon.send_signal(signal.SIGTERM)
    rig.expect_end(daemon)
    subscriber.close()


def test_sighup_changes_thresholds_and_a_mistake_changes_nothing(make_rig):
    rig = make_rig()
    rig.serve(5, "--wait")
    daemon = rig.start_streaming_daemon()
    rig.configure(("p_threshold: 0.2", "p_threshold: 0.25"))
    daemon.send_signal(signal.SIGHUP)
    rig.wait_for(lambda: "reloaded" in rig.log())
    rig.configure(("p_threshold: 0.25", "p_treshold: 0.25"))
    daemon.send_signal(signal.SIGHUP)
    rig.wait_for(lambda: "reload refused" in rig.log())
    assert "p_treshold" in rig.log()
    assert daemon.poll() is None
    daemon.send_signal(signal.SIGTERM)
    rig.expect_end(daemon)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("p_threshold: 0.2", "p_threshold: 2"), "p_threshold"),
        (("files: [stations.csv]", "files: [nowhere.csv]"), "nowhere.csv"),
        (("picking:\n", "picking:\n  weights: missing.safetensors\n"), "missing.safetensors"),
        (("velocity_model: iasp91", "velocity_model: nowhere.csv"), "nowhere.csv"),
        (("sqlite:///rtpick.sqlite", "sqlite:////proc/rtpick.sqlite"), "/proc/rtpick.sqlite"),
    ],
)
def test_what_cannot_start_says_why_in_one_line(make_rig, change, told):
    rig = make_rig()
    rig.configure(change)
    daemon = rig.start_daemon()
    rig.expect_end(daemon, 1)
    last = rig.log().strip().splitlines()[-1]
    assert told in last
    assert "Traceback" not in rig.log()
