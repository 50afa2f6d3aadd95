"""A session over real TCP against our own server: every outage, and nothing lost that the server holds."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest
from pymseed import DataEncoding, MS3Record

from rtpick.ingest.seedlink import Emitted, probe_server, run_session
from rtpick.ingest.seedlink_server import SeedLinkServer, server_tls
from rtpick.ingest.seedlink_server_dialogue import ServerFacts
from rtpick.ingest.seedlink_server_replay import ReplaySettings
from rtpick.ingest.source_status import LINK_STATES, SourceState, SourceStatus
from rtpick.settings.schema import SeedLinkSettings
from rtpick.vocabulary.codes import StationId
from rtpick.vocabulary.errors import AuthenticationError
from rtpick.vocabulary.time import NS_PER_S
from rtpick.vocabulary.waveform import Packet, Progress

T0 = 1_795_000_000 * NS_PER_S
VERSIONS = pytest.mark.parametrize("version", ["v3", "v4"])
STATIONS = ("UH1", "UH2", "UH3")


def make_record(number: int, station: str = "UH1", channel: str = "S_H_Z", lag_s: float = 0.0) -> bytes:
    record = MS3Record(reclen=512, encoding=DataEncoding.STEIM2)
    record.formatversion = 2
    record.sourceid = f"FDSN:BW_{station}__{channel}"
    record.starttime = T0 + number * NS_PER_S - round(lag_s * NS_PER_S)
    record.samprate = 100.0
    samples = [(number * 7919 + n * n) % 1009 for n in range(100)]
    (data,) = record.generate(data_samples=samples, sample_type="i")
    return bytes(data)


@dataclass
class Sink:
    """Takes what a session emits, and wakes whoever waits for something in it."""

    items: list[Emitted] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    async def take(self, item: Emitted) -> None:
        await self.gate.wait()
        self.items.append(item)
        self.changed.set()

    async def until(self, condition: Callable[[], bool], timeout_s: float = 20.0) -> None:
        async with asyncio.timeout(timeout_s):
            while not condition():
                self.changed.clear()
                await self.changed.wait()

    @property
    def packets(self) -> list[Packet]:
        return [item for item in self.items if isinstance(item, Packet)]

    def seconds(self, station: str = "UH1") -> list[int]:
        """Which records of a station came, by their time."""
        mine = [packet for packet in self.packets if packet.channel.station == station]
        return [(packet.start_ns - T0) // NS_PER_S for packet in mine]

    @property
    def states(self) -> list[SourceState]:
        return [item.state for item in self.items if isinstance(item, SourceStatus)]

    def progress(self) -> dict[StationId, Progress]:
        """What a daemon would have stored behind the packets."""
        return {
            packet.channel.station_id: Progress(
                packet.source, packet.channel.station_id, packet.sequence, packet.start_ns, packet.start_ns
            )
            for packet in self.packets
        }


class Rig:
    """A server and sessions against it."""

    def __init__(self, server: SeedLinkServer, version: str = "auto") -> None:
        self.server = server
        self.version = version
        self.sink = Sink()
        self._tasks: list[asyncio.Task[None]] = []

    def publish(self, numbers: range, stations: tuple[str, ...] = ("UH1",)) -> None:
        for number in numbers:
            for station in stations:
                self.server.publish(make_record(number, station))

    def settings(self, **changes: object) -> SeedLinkSettings:
        values: dict[str, object] = {
            "type": "seedlink",
            "name": "ring",
            "port": self.server.port,
            "streams": ("BW.*.*.*",),
            "start": "all",
            "protocol": self.version,
            "reconnect_min_s": 0.02,
            "reconnect_max_s": 0.1,
        }
        return SeedLinkSettings.model_validate(values | changes)

    def connect(
        self,
        resume: Mapping[StationId, Progress] | None = None,
        clock: Callable[[], int] = time.time_ns,
        **changes: object,
    ) -> asyncio.Task[None]:
        settings = self.settings(**changes)
        task = asyncio.create_task(run_session(settings, resume or {}, self.sink.take, clock, Random(1)))
        self._tasks.append(task)
        return task

    async def disconnect(self) -> None:
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError, AuthenticationError):
                await task
        self._tasks.clear()


def drive(
    work: Callable[[Rig], Awaitable[None]], version: str = "auto", ring_bytes: int = 1 << 26, **server: object
) -> Sink:
    """Start a server, do the work, and give what was received."""

    async def main() -> Sink:
        replay = ReplaySettings(ring_bytes=ring_bytes)
        seedlink = SeedLinkServer(replay=replay, clock=time.time_ns, **server)  # type: ignore[arg-type]
        await seedlink.start()
        rig = Rig(seedlink, version)
        try:
            await work(rig)
        finally:
            await rig.disconnect()
            await seedlink.close()
        return rig.sink

    return asyncio.run(main())


@VERSIONS
def test_everything_held_and_everything_new_arrives_once(version):
    async def work(rig: Rig) -> None:
        rig.publish(range(10), STATIONS)
        rig.connect()
        await rig.sink.until(lambda: len(rig.sink.packets) == 30)
        rig.publish(range(10, 20), STATIONS)
        await rig.sink.until(lambda: len(rig.sink.packets) == 60)

    sink = drive(work, version)
    for station in STATIONS:
        assert sink.seconds(station) == list(range(20))
    assert sink.states == [SourceState.CONNECTING, SourceState.CONNECTED]
    assert [packet.sequence for packet in sink.packets] == list(range(1, 61))
    assert {packet.source for packet in sink.packets} == {"ring"}


@VERSIONS
def test_now_begins_with_what_is_new(version):
    async def work(rig: Rig) -> None:
        rig.publish(range(10))
        rig.connect(start="now")
        await rig.sink.until(lambda: SourceState.CONNECTED in rig.sink.states)
        await asyncio.sleep(0.1)
        rig.publish(range(10, 15))
        await rig.sink.until(lambda: 14 in rig.sink.seconds())

    assert drive(work, version).seconds() == list(range(10, 15))


@VERSIONS
def test_a_time_begins_there(version):
    async def work(rig: Rig) -> None:
        rig.publish(range(10))
        begin = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(T0 // NS_PER_S + 6))
        rig.connect(start=begin)
        await rig.sink.until(lambda: 9 in rig.sink.seconds())

    assert drive(work, version).seconds() == [6, 7, 8, 9]


@VERSIONS
def test_selected_channels_only(version):
    async def work(rig: Rig) -> None:
        for channel in ("S_H_Z", "S_H_N", "L_H_Z"):
            for station in STATIONS:
                rig.server.publish(make_record(1, station, channel))
        rig.connect(streams=("BW.UH1..SHZ", "BW.UH3.*.SH?"))
        await rig.sink.until(lambda: len(rig.sink.packets) == 3)
        await asyncio.sleep(0.1)

    sink = drive(work, version)
    channels = sorted(str(packet.channel) for packet in sink.packets)
    assert channels == ["BW.UH1..SHZ", "BW.UH3..SHN", "BW.UH3..SHZ"]
    assert len(sink.items) == 5  # and the server sent nothing else


@VERSIONS
def test_a_server_that_restarts_with_its_ring_loses_nothing(version):
    async def work(rig: Rig) -> None:
        rig.publish(range(10), STATIONS)
        rig.connect()
        await rig.sink.until(lambda: len(rig.sink.packets) == 30)
        await rig.server.stop_listening()
        rig.publish(range(10, 15), STATIONS)  # while it cannot be reached
        await asyncio.sleep(0.4)
        await rig.server.listen()
        rig.publish(range(15, 20), STATIONS)
        await rig.sink.until(lambda: len(rig.sink.packets) == 60)
        await asyncio.sleep(0.1)

    sink = drive(work, version)
    for station in STATIONS:
        assert sink.seconds(station) == list(range(20))
    connected, lost = SourceState.CONNECTED, SourceState.DISCONNECTED
    assert sink.states == [SourceState.CONNECTING, connected, lost, connected]


@VERSIONS
def test_a_server_that_is_not_there_yet_is_waited_for(version):
    async def work(rig: Rig) -> None:
        await rig.server.stop_listening()
        rig.connect()
        await asyncio.sleep(0.4)
        await rig.server.listen()
        rig.publish(range(5))
        await rig.sink.until(lambda: 4 in rig.sink.seconds())

    sink = drive(work, version)
    assert sink.seconds() == list(range(5))
    assert sink.states == [SourceState.CONNECTING, SourceState.DISCONNECTED, SourceState.CONNECTED]


@VERSIONS
def test_drops_within_records_while_records_come(version):
    async def work(rig: Rig) -> None:
        rig.connect()
        for number in range(120):
            rig.publish(range(number, number + 1), STATIONS)
            if number % 15 == 7:
                rig.server.drop_clients(mid_record=number % 2 == 0)
            await asyncio.sleep(0.01)
        await rig.sink.until(lambda: all(119 in rig.sink.seconds(name) for name in STATIONS))

    sink = drive(work, version)
    for station in STATIONS:
        assert sink.seconds(station) == list(range(120))


@VERSIONS
def test_a_wiped_ring_is_told_and_everything_new_in_it_comes(version):
    async def work(rig: Rig) -> None:
        rig.publish(range(50), STATIONS)
        rig.connect()
        await rig.sink.until(lambda: len(rig.sink.packets) == 150)
        await rig.server.stop_listening()
        rig.server.ring.wipe()
        rig.publish(range(50, 60), STATIONS)
        await rig.server.listen()
        await rig.sink.until(lambda: 59 in rig.sink.seconds("UH3"))
        rig.publish(range(60, 65), STATIONS)
        await rig.sink.until(lambda: 64 in rig.sink.seconds("UH3"))

    sink = drive(work, version)
    for station in STATIONS:
        assert sink.seconds(station) == list(range(65))
    assert sink.states.count(SourceState.RING_RESET) == 1


@VERSIONS
def test_a_wiped_ring_that_has_grown_past_the_old_number_is_noticed(version):
    async def work(rig: Rig) -> None:
        rig.publish(range(10))
        rig.connect()
        await rig.sink.until(lambda: 9 in rig.sink.seconds())
        await rig.server.stop_listening()
        rig.server.ring.wipe()
        rig.publish(range(10, 40))
        await rig.server.listen()
        await rig.sink.until(lambda: 39 in rig.sink.seconds())

    sink = drive(work, version)
    assert sink.seconds() == list(range(40))
    assert sink.states.count(SourceState.RING_RESET) == 1


@VERSIONS
def test_a_ring_rolled_back_uses_numbers_again_and_nothing_new_is_lost(version):
    async def work(rig: Rig) -> None:
        rig.publish(range(20))
        rig.connect()
        await rig.sink.until(lambda: 19 in rig.sink.seconds())
        await rig.server.stop_listening()
        rig.server.ring.wipe()
        rig.publish(range(10))  # its last clean stop: 10 to 19 are gone, their numbers are used again
        rig.publish(range(20, 25))
        await rig.server.listen()
        rig.publish(range(25, 40))
        await rig.sink.until(lambda: 39 in rig.sink.seconds())

    sink = drive(work, version)
    assert sorted(set(sink.seconds())) == list(range(40))
    assert sink.states.count(SourceState.RING_RESET) == 1


@VERSIONS
def test_a_ring_that_ran_over_gives_all_it_still_holds_and_that_is_told(version):
    async def work(rig: Rig) -> None:
        rig.publish(range(10))
        rig.connect()
        await rig.sink.until(lambda: 9 in rig.sink.seconds())
        await rig.server.stop_listening()
        rig.publish(range(10, 81))
        rig.server.publish(make_record(81, "UH2", lag_s=3600.0))  # an hour late, and the oldest held
        rig.publish(range(81, 100))
        await rig.server.listen()
        await rig.sink.until(lambda: 99 in rig.sink.seconds())

    sink = drive(work, version, ring_bytes=512 * 20)
    assert sink.seconds() == [*range(10), *range(81, 100)]
    assert len(sink.seconds("UH2")) == 1
    assert sink.states.count(SourceState.RING_OVERTAKEN) == 1
    assert SourceState.RING_RESET not in sink.states


@VERSIONS
@pytest.mark.parametrize("scope", ["server", "station"])
def test_a_daemon_that_restarts_goes_on_behind_what_it_has_stored(version, scope):
    async def work(rig: Rig) -> None:
        rig.publish(range(10), STATIONS)
        rig.connect(sequence_scope=scope)
        await rig.sink.until(lambda: len(rig.sink.packets) == 30)
        await rig.disconnect()
        stored = rig.sink.progress()
        rig.sink.items.clear()
        rig.publish(range(10, 20), STATIONS)
        rig.connect(stored, sequence_scope=scope, start="resume")
        await rig.sink.until(lambda: len(rig.sink.packets) >= 30)
        await asyncio.sleep(0.1)

    sink = drive(work, version)
    for station in STATIONS:
        assert set(sink.seconds(station)) >= set(range(10, 20))
    repeated = len(sink.packets) - 30
    assert repeated == (2 if scope == "server" else 0)  # from the smallest number of the three stations on


@VERSIONS
def test_of_stations_stored_at_different_places_none_loses(version):
    async def work(rig: Rig) -> None:
        rig.publish(range(30), STATIONS)
        stored = {}
        for station, number in zip(STATIONS, (25, 12, 19), strict=True):
            name = StationId("BW", station)
            sequence = number * 3 + STATIONS.index(station) + 1
            stored[name] = Progress("ring", name, sequence, T0 + number * NS_PER_S, 0)
        rig.connect(stored)
        await rig.sink.until(lambda: all(29 in rig.sink.seconds(name) for name in STATIONS))

    sink = drive(work, version)
    for station, number in zip(STATIONS, (25, 12, 19), strict=True):
        seconds = sink.seconds(station)
        assert set(range(number + 1, 30)) <= set(seconds)
        assert len(seconds) == len(set(seconds))


def test_a_station_no_longer_wanted_holds_nothing_back():
    async def work(rig: Rig) -> None:
        rig.publish(range(30), ("UH1", "UH2"))
        places = {"UH1": (41, 20), "UH2": (2, 0)}
        stored = {
            StationId("BW", name): Progress("ring", StationId("BW", name), sequence, T0 + n * NS_PER_S, 0)
            for name, (sequence, n) in places.items()
        }
        rig.connect(stored, streams=("BW.UH1..SHZ",))
        await rig.sink.until(lambda: 29 in rig.sink.seconds())

    assert drive(work).seconds() == list(range(21, 30))


@VERSIONS
def test_a_stalled_server_is_told_and_left_and_taken_up_again(version):
    async def work(rig: Rig) -> None:
        rig.publish(range(5))
        rig.connect(silent_alarm_s=0.3)
        await rig.sink.until(lambda: 4 in rig.sink.seconds())
        rig.server.pause()
        rig.publish(range(5, 10))
        await rig.sink.until(lambda: SourceState.SILENT in rig.sink.states)
        rig.server.resume()
        await rig.sink.until(lambda: 9 in rig.sink.seconds())

    sink = drive(work, version)
    assert sink.seconds() == list(range(10))
    silent, connected = SourceState.SILENT, SourceState.CONNECTED
    assert sink.states == [SourceState.CONNECTING, connected, silent, connected]


def test_a_silence_that_lasts_over_reconnections_is_told_once():
    async def work(rig: Rig) -> None:
        rig.connect(silent_alarm_s=0.1)
        await rig.sink.until(lambda: SourceState.SILENT in rig.sink.states)
        await asyncio.sleep(2.5)  # two more connections without a record

    sink = drive(work)
    states = [state for state in sink.states if state in LINK_STATES]
    assert states == [SourceState.CONNECTING, SourceState.CONNECTED, SourceState.SILENT]


def test_a_single_channel_that_falls_silent_is_told_and_so_is_its_return():
    async def work(rig: Rig) -> None:
        rig.connect(channel_silent_alarm_s=0.5)
        rig.publish(range(1), ("UH1", "UH2"))
        await rig.sink.until(lambda: len(rig.sink.packets) == 2)
        number = 1
        while SourceState.CHANNEL_SILENT not in rig.sink.states:
            rig.publish(range(number, number + 1), ("UH1",))
            number += 1
            await asyncio.sleep(0.05)
        rig.publish(range(number, number + 1), ("UH2",))
        await rig.sink.until(lambda: SourceState.CHANNEL_HEARD in rig.sink.states)

    sink = drive(work)
    told = [item for item in sink.items if isinstance(item, SourceStatus)]
    incidents = [item for item in told if item.state not in LINK_STATES]
    assert [(item.state, item.detail) for item in incidents] == [
        (SourceState.CHANNEL_SILENT, "BW.UH2..SHZ"),
        (SourceState.CHANNEL_HEARD, "BW.UH2..SHZ"),
    ]
    assert SourceState.SILENT not in sink.states


def test_whoever_does_not_take_packets_is_not_taken_for_a_silent_server():
    async def work(rig: Rig) -> None:
        rig.publish(range(5))
        rig.connect(silent_alarm_s=1.2, channel_silent_alarm_s=1.2)
        await rig.sink.until(lambda: 1 in rig.sink.seconds())
        rig.sink.gate.clear()
        await asyncio.sleep(0.1)
        rig.publish(range(5, 300))
        await asyncio.sleep(2.0)
        rig.sink.gate.set()
        await rig.sink.until(lambda: 299 in rig.sink.seconds())

    sink = drive(work)
    assert sink.seconds() == list(range(300))
    assert sink.states == [SourceState.CONNECTING, SourceState.CONNECTED]


@VERSIONS
def test_keepalives_between_records_disturb_nothing(version):
    async def work(rig: Rig) -> None:
        rig.connect(keepalive_s=0.05)
        for number in range(60):
            rig.publish(range(number, number + 1), STATIONS)
            await asyncio.sleep(0.02)
        await rig.sink.until(lambda: len(rig.sink.packets) == 180)

    sink = drive(work, version)
    for station in STATIONS:
        assert sink.seconds(station) == list(range(60))
    assert len(sink.items) == 182


def test_one_dead_server_does_not_delay_another():
    async def work(rig: Rig) -> None:
        with socket.socket() as listener:  # accepts and says nothing
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            rig.connect(port=listener.getsockname()[1], name="dead", connect_timeout_s=30.0)
            rig.connect()
            rig.publish(range(20), STATIONS)
            await rig.sink.until(lambda: len(rig.sink.packets) == 60, timeout_s=5.0)

    assert {packet.source for packet in drive(work).packets} == {"ring"}


class TestCredentials:
    FACTS = ServerFacts(users={"me": "sesame"}, tokens=frozenset({"t0ken"}))

    def files(self, folder: Path) -> dict[str, Path]:
        for name, secret in [("good", "sesame"), ("bad", "wrong"), ("token", "t0ken")]:
            (folder / name).write_text(secret + "\n")
        return {name: folder / name for name in ("good", "bad", "token")}

    def test_the_right_ones_open_the_door(self, tmp_path):
        files = self.files(tmp_path)

        async def work(rig: Rig) -> None:
            rig.publish(range(3))
            rig.connect(username="me", password_file=files["good"])
            rig.connect(token_file=files["token"])
            await rig.sink.until(lambda: len(rig.sink.packets) == 6)
            report = await probe_server(rig.settings(token_file=files["token"]))
            assert (report.authenticated, report.matching_streams) == (True, 1)

        drive(work, facts=self.FACTS)

    @pytest.mark.parametrize("given", ["none", "wrong"])
    @pytest.mark.parametrize("version", ["auto", "v3"])
    def test_without_them_the_session_ends_with_one_clear_error(self, tmp_path, given, version):
        files = self.files(tmp_path)
        credentials = {} if given == "none" else {"username": "me", "password_file": files["bad"]}

        async def work(rig: Rig) -> None:
            session = rig.connect(**credentials)
            with pytest.raises(AuthenticationError):
                await asyncio.wait_for(session, 10)

        assert drive(work, version, facts=self.FACTS).states[-1] is SourceState.FAILED


@pytest.fixture(scope="module")
def certificate(tmp_path_factory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    key, path = folder / "key.pem", folder / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-batch"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    files = ["-keyout", key, "-out", path]
    try:
        subprocess.run([*command, *names, *files], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("no openssl here to make a certificate with")
    return path, key


class TestTls:
    def test_a_named_authority_is_trusted(self, certificate):
        async def work(rig: Rig) -> None:
            rig.publish(range(5))
            rig.connect(tls=True, ca_file=certificate[0])
            await rig.sink.until(lambda: 4 in rig.sink.seconds())

        assert drive(work, tls=server_tls(*certificate)).seconds() == list(range(5))

    def test_another_authority_is_not_and_the_remedy_is_told(self, certificate):
        async def work(rig: Rig) -> None:
            rig.connect(tls=True)
            await rig.sink.until(lambda: SourceState.DISCONNECTED in rig.sink.states)

        sink = drive(work, tls=server_tls(*certificate))
        (told,) = [item for item in sink.items if getattr(item, "state", None) is SourceState.DISCONNECTED]
        assert "ca_file" in told.detail

    def test_a_file_that_is_no_authority_is_named(self, tmp_path):
        async def work(rig: Rig) -> None:
            report = await probe_server(rig.settings(tls=True, ca_file=tmp_path / "missing.pem"))
            assert "missing.pem" in report.problem

        drive(work)

    def test_plain_text_to_a_tls_port_is_an_outage_like_another(self, certificate):
        async def work(rig: Rig) -> None:
            rig.connect(connect_timeout_s=1.0)
            await rig.sink.until(lambda: SourceState.DISCONNECTED in rig.sink.states)

        drive(work, tls=server_tls(*certificate))


@VERSIONS
def test_a_look_at_a_server_tells_what_is_there(version, free_port):
    async def work(rig: Rig) -> None:
        rig.publish(range(3), STATIONS)
        report = await probe_server(rig.settings(streams=("BW.UH?..SHZ",)))
        assert (report.reachable, report.version, report.matching_streams) == (True, version, 3)
        assert "rtpick" in report.software
        assert not report.problem
        elsewhere = await probe_server(rig.settings(streams=("XX.*.*.*",)))
        assert (elsewhere.reachable, elsewhere.matching_streams) == (True, 0)
        assert "streams" in elsewhere.problem
        nobody = await probe_server(rig.settings(port=free_port))
        assert not nobody.reachable
        assert str(free_port) in nobody.problem

    drive(work, version)
