"""Our SeedLink server before the clients of the field, over real TCP: obspy's and EarthScope's."""

from __future__ import annotations

import asyncio
import json
import shutil
import ssl
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from obspy import UTCDateTime
from obspy.clients.seedlink.slclient import SLClient
from obspy.clients.seedlink.slpacket import SLPacket
from seedlink_client import SeedLink, SeedLinkAuthError, SeedLinkError
from seedlink_client.protocol import Protocol

from rtpick.demo.recording import write_recording
from rtpick.ingest.archive_replay import ArchiveIndex, index_archive, iterate_raw_records
from rtpick.ingest.archive_scan import RawRecord, read_record
from rtpick.ingest.seedlink_server import SeedLinkServer, server_tls
from rtpick.ingest.seedlink_server_dialogue import ServerFacts
from rtpick.ingest.seedlink_server_replay import ReplaySettings
from rtpick.vocabulary.errors import SourceError
from rtpick.vocabulary.time import parse_utc

AT_ONCE = ReplaySettings(speed=0, end=True)
BOTH = pytest.mark.parametrize("protocol", [Protocol.V3, Protocol.V4])
INFO_ITEMS = "ID", "CAPABILITIES", "STATIONS", "STREAMS", "CONNECTIONS"
WINDOW = "2010-05-27T16:25:00Z", "2010-05-27T16:25:30Z"


@pytest.fixture(scope="module")
def index(tmp_path_factory) -> ArchiveIndex:
    folder = tmp_path_factory.mktemp("recording")
    write_recording(folder)
    return index_archive([folder])


@pytest.fixture(scope="module")
def records(index) -> list[RawRecord]:
    """The recording's records in the order in which they are served."""
    return list(iterate_raw_records(index))


@asynccontextmanager
async def serving(
    index: ArchiveIndex | None, replay: ReplaySettings = AT_ONCE, **more: Any
) -> AsyncIterator[SeedLinkServer]:
    server = SeedLinkServer(index, replay, clock=time.time_ns, **more)
    await server.start()
    try:
        yield server
    finally:
        await server.close()


def with_server(
    index: ArchiveIndex | None,
    client: Callable[[int], Any],
    replay: ReplaySettings = AT_ONCE,
    **more: Any,
) -> Any:
    """Run a blocking client, given the port, beside a server in this thread's loop."""

    async def run() -> Any:
        async with serving(index, replay, **more) as server:
            return await asyncio.to_thread(client, server.port)

    return asyncio.run(run())


def collect(
    port: int, protocol: Protocol, station: str = "BW_*", selectors: str | None = None, **options: Any
) -> list[tuple[int, bytes]]:
    """Sequence and bytes of all that EarthScope's client gets; from the first record by default."""
    window, count = options.pop("window", None), options.pop("count", None)
    seqnum = options.pop("seqnum", 0)
    client = SeedLink("127.0.0.1", port, protocol=protocol, timeout=20, **options)
    client.add_stream(station, selectors, seqnum=None if window else seqnum)
    if window:
        client.set_timewindow(*window)
    found = []
    with client:
        for packet in client.collect(reconnect=False):
            found.append((packet.seqnum, packet.payload))
            if count is not None and len(found) == count:
                break
    return found


def collect_with_obspy(port: int, multiselect: str, begin: str, end: str | None = None) -> list[SLPacket]:
    found: list[SLPacket] = []

    def take(_count: int, packet: SLPacket) -> bool:
        if isinstance(packet, SLPacket):
            found.append(packet)
        return False

    client = SLClient(timeout=20)
    client.slconn.set_sl_address(f"127.0.0.1:{port}")
    client.multiselect = multiselect
    client.begin_time = UTCDateTime(begin).format_seedlink()
    client.end_time = UTCDateTime(end).format_seedlink() if end else None
    client.initialize()
    client.run(take)
    return found


@BOTH
def test_earthscopes_client_gets_every_record(index, records, protocol):
    found = with_server(index, lambda port: collect(port, protocol))
    assert [payload for _, payload in found] == [record.payload for record in records]
    assert [sequence for sequence, _ in found] == list(range(1, len(records) + 1))


def test_obspys_client_gets_every_record(index, records):
    stations = "BW_UH1:???,BW_UH2:SHZ,BW_UH3:SH?,BW_UH4:???.D"
    found = with_server(index, lambda port: collect_with_obspy(port, stations, "2010-05-27T16:00:00"))
    assert [packet.msrecord for packet in found] == [record.payload for record in records]
    assert [packet.get_sequence_number() for packet in found] == list(range(1, len(records) + 1))
    assert found[0].get_trace().id == str(records[0].channel)


@BOTH
def test_packets_cut_small_arrive_too(index, protocol):
    replay = ReplaySettings(speed=0, end=True, packet_samples=50)
    found = with_server(index, lambda port: collect(port, protocol), replay)
    assert sum(read_record(payload).sample_count for _, payload in found) == index.sample_count


@BOTH
@pytest.mark.parametrize("stop", [1, 100, 250])
def test_resuming_loses_nothing_and_doubles_nothing(index, records, protocol, stop):
    def twice(port: int) -> list[tuple[int, bytes]]:
        first = collect(port, protocol, count=stop)
        return first + collect(port, protocol, seqnum=first[-1][0])

    found = with_server(index, twice)
    assert [payload for _, payload in found] == [record.payload for record in records]


@BOTH
def test_a_window_holds_the_records_that_overlap_it(index, records, protocol):
    start_ns, end_ns = map(parse_utc, WINDOW)
    expected = [record.payload for record in records if record.end_ns > start_ns and record.start_ns < end_ns]
    found = with_server(index, lambda port: collect(port, protocol, window=WINDOW))
    assert [payload for _, payload in found] == expected


def test_a_window_for_obspys_client(index, records):
    start_ns, end_ns = map(parse_utc, WINDOW)
    expected = [
        record.payload
        for record in records
        if record.end_ns > start_ns and record.start_ns < end_ns and record.channel.station == "UH3"
    ]
    replay = ReplaySettings(speed=0)
    found = with_server(index, lambda port: collect_with_obspy(port, "BW_UH3:SH?", *WINDOW), replay)
    assert [packet.msrecord for packet in found] == expected


@BOTH
def test_dial_up_ends_with_what_is_held(index, records, protocol):
    found = with_server(index, lambda port: collect(port, protocol, dialup=True), AT_ONCE)
    assert len(found) == len(records)

    async def run() -> list[tuple[int, bytes]]:
        async with serving(None, ReplaySettings()) as server:
            for record in records[:5]:
                server.publish(record)
            return await asyncio.to_thread(collect, server.port, protocol, dialup=True)

    assert [payload for _, payload in asyncio.run(run())] == [record.payload for record in records[:5]]


@pytest.mark.parametrize(
    ("protocol", "station", "selector", "codes"),
    [
        (Protocol.V3, "BW_UH3", "SHZ", {"BW.UH3..SHZ"}),
        (Protocol.V3, "BW_UH3", "SH? !SHZ", {"BW.UH3..SHN", "BW.UH3..SHE"}),
        (Protocol.V3, "B?_UH*", "??EHZ", {"BW.UH4..EHZ"}),
        (Protocol.V4, "BW_UH3", "_S_H_Z", {"BW.UH3..SHZ"}),
        (Protocol.V4, "BW_UH3", "*_S_H_* !*_Z", {"BW.UH3..SHN", "BW.UH3..SHE"}),
        (Protocol.V4, "*", "*_E_H_Z", {"BW.UH4..EHZ"}),
        (Protocol.V4, "BW_NONE", "*", set()),
    ],
)
def test_selectors_select(index, records, protocol, station, selector, codes):
    found = with_server(index, lambda port: collect(port, protocol, station, selector))
    assert [payload for _, payload in found] == [
        record.payload for record in records if str(record.channel) in codes
    ]


def info_of(port: int, protocol: Protocol) -> dict[str, Any]:
    """Replies to every INFO, asked after the whole recording has come."""
    collect(port, protocol)
    client = SeedLink("127.0.0.1", port, protocol=protocol, timeout=20)
    with client:
        return {item: client.info(item) for item in INFO_ITEMS}


def test_info_of_version_3_is_xml_over_chained_records(index):
    replies = with_server(index, lambda port: info_of(port, Protocol.V3))
    assert len(replies["STREAMS"]) > 456
    root = ElementTree.fromstring(replies["STREAMS"])
    stations = {station.get("name"): station for station in root.iter("station")}
    assert set(stations) == {"UH1", "UH2", "UH3", "UH4"}
    assert {stream.get("seedname") for stream in stations["UH3"]} == {"SHZ", "SHN", "SHE"}
    assert int(stations["UH4"].get("end_seq"), 16) <= index.record_count
    assert ElementTree.fromstring(replies["CONNECTIONS"]).find("connection").get("host") == "127.0.0.1"
    assert ElementTree.fromstring(replies["ID"]).get("started")


def test_info_of_version_4_is_json(index):
    replies = with_server(index, lambda port: info_of(port, Protocol.V4))
    stations = {station["id"]: station for station in json.loads(replies["STATIONS"])["station"]}
    assert set(stations) == {"BW_UH1", "BW_UH2", "BW_UH3", "BW_UH4"}
    assert max(station["end_seq"] for station in stations.values()) == index.record_count + 1
    streams = json.loads(replies["STREAMS"])["station"]
    assert {stream["id"] for station in streams for stream in station["stream"]} >= {"_E_H_Z", "_S_H_N"}
    assert json.loads(replies["ID"])["server_start"]
    assert len(json.loads(replies["CONNECTIONS"])["connection"]) == 1


def test_what_is_not_told_is_answered_by_an_error(index):
    def ask(port: int) -> str:
        with SeedLink("127.0.0.1", port, protocol=Protocol.V4, timeout=20) as client:
            return client.info("EVERYTHING")

    assert json.loads(with_server(index, ask))["error"]["code"] == "ARGUMENTS"


@BOTH
def test_keepalives_come_between_the_records(index, records, protocol):
    """A client that asks every tenth of a second, over some seconds of a replay."""
    replay = ReplaySettings(speed=60, end=True, wait_for_client=True)
    found = with_server(index, lambda port: collect(port, protocol, keepalive=0.1), replay)
    assert [payload for _, payload in found] == [record.payload for record in records]


def test_a_replay_never_runs_ahead_of_its_clock(index):
    """No record is sent before its last sample would have been taken."""
    speed = 100.0

    def clocked(port: int) -> list[tuple[float, int]]:
        started_s = time.monotonic()
        client = SeedLink("127.0.0.1", port, protocol=Protocol.V4, timeout=20)
        client.add_stream("*", seqnum=0)
        with client:
            packets = client.collect(reconnect=False)
            return [(time.monotonic() - started_s, packet.record().endtime) for packet in packets]

    replay = ReplaySettings(speed=speed, end=True, wait_for_client=True)
    times = with_server(index, clocked, replay)
    assert len(times) == index.record_count
    assert all(elapsed_s >= (end_ns - index.start_ns) / 1e9 / speed for elapsed_s, end_ns in times)


def test_a_recording_moved_to_now(index, records):
    before_ns = time.time_ns()
    found = with_server(index, lambda port: collect(port, Protocol.V3), ReplaySettings(0, True, True))
    moved = [read_record(payload) for _, payload in found]
    shifts = {new.start_ns - old.start_ns for new, old in zip(moved, records, strict=True)}
    assert len(shifts) == 1
    (shift_ns,) = shifts
    assert shift_ns % 1_000_000_000 == 0
    assert before_ns - 1_000_000_000 <= index.start_ns + shift_ns <= time.time_ns()


@BOTH
def test_a_slow_client_loses_nothing_where_there_is_no_clock_to_follow(index, records, protocol):
    """A ring of a few records, and a client that rests."""

    def slowly(port: int) -> list[bytes]:
        client = SeedLink("127.0.0.1", port, protocol=protocol, timeout=20)
        client.add_stream("BW_*", seqnum=0)
        found = []
        with client:
            for packet in client.collect(reconnect=False):
                found.append(packet.payload)
                time.sleep(0.001)
        return found

    replay = ReplaySettings(speed=0, end=True, ring_bytes=4096, wait_for_client=True)
    assert with_server(index, slowly, replay) == [record.payload for record in records]


def test_users_are_asked_for_their_passwords(index, records):
    facts = ServerFacts(users={"ann": "secret"}, tokens=frozenset({"aaa.bbb.ccc"}))
    for auth in (("ann", "secret"), "aaa.bbb.ccc"):
        found = with_server(index, lambda port, auth=auth: collect(port, Protocol.V4, auth=auth), facts=facts)
        assert len(found) == len(records)
    with pytest.raises(SeedLinkAuthError):
        with_server(index, lambda port: collect(port, Protocol.V4, auth=("ann", "wrong")), facts=facts)
    with pytest.raises(SeedLinkError, match=r"(?i)authentication required"):
        with_server(index, lambda port: collect(port, Protocol.V4), facts=facts)


@pytest.fixture(scope="module")
def tls(tmp_path_factory) -> ssl.SSLContext:
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make a certificate with")
    folder = tmp_path_factory.mktemp("tls")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*command, *files], check=True, capture_output=True)
    return server_tls(certificate, key)


@BOTH
def test_records_over_tls(index, records, tls, protocol):
    found = with_server(index, lambda port: collect(port, protocol, tls=True, tls_noverify=True), tls=tls)
    assert [payload for _, payload in found] == [record.payload for record in records]


def test_plain_text_on_the_tls_port_gets_nothing(index, tls):
    def plain(port: int) -> None:
        collect(port, Protocol.V4, tls=False)

    with pytest.raises(SeedLinkError):
        with_server(index, plain, tls=tls)


def test_certificates_and_ports_that_cannot_be_had_are_told(index, tmp_path, free_port):
    with pytest.raises(SourceError, match="cannot be used"):
        server_tls(tmp_path / "none.pem", Path("none.key"))

    async def twice() -> None:
        async with serving(index, port=free_port), serving(index, port=free_port):
            pass

    with pytest.raises(SourceError, match="choose another port"):
        asyncio.run(twice())
