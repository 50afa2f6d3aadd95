"""Our SeedLink client before our SeedLink server: whatever the server goes through, nothing is lost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from random import Random

import pytest

from rtpick.demo.recording import write_recording
from rtpick.ingest.archive_replay import index_archive, iterate_packets, iterate_raw_records
from rtpick.ingest.archive_scan import RawRecord
from rtpick.ingest.seedlink import probe_server, run_session
from rtpick.ingest.seedlink_server import SeedLinkServer
from rtpick.ingest.seedlink_server_replay import ReplaySettings
from rtpick.settings.schema import SeedLinkSettings
from rtpick.vocabulary.waveform import EndOfStream, Packet

PATIENCE_S = 40.0
BATCH = 23
BOTH = pytest.mark.parametrize("protocol", ["v3", "v4"])
Key = tuple[str, int, bytes]


def key(packet: Packet) -> Key:
    return str(packet.channel), packet.start_ns, packet.samples.tobytes()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("recording")
    write_recording(path)
    return path


@pytest.fixture(scope="module")
def records(folder) -> list[RawRecord]:
    return list(iterate_raw_records(index_archive([folder])))


@pytest.fixture(scope="module")
def expected(folder) -> list[Key]:
    return [key(packet) for packet in iterate_packets(index_archive([folder])) if isinstance(packet, Packet)]


def settings_for(port: int, protocol: str, **more: object) -> SeedLinkSettings:
    values = {
        "type": "seedlink",
        "name": "own",
        "port": port,
        "streams": ("BW.*.*.*",),
        "protocol": protocol,
        "start": "all",
        "on_end": "stop",
        "reconnect_min_s": 0.02,
        "reconnect_max_s": 0.05,
        "silent_alarm_s": 1.0,
    }
    return SeedLinkSettings.model_validate(values | more)


@BOTH
def test_a_recording_arrives_whole_and_ends(folder, expected, protocol):
    async def run() -> list[object]:
        replay = ReplaySettings(speed=0, end=True)
        server = SeedLinkServer(index_archive([folder]), replay, clock=time.time_ns)
        await server.start()
        heard: list[object] = []

        async def emit(item: object) -> None:
            heard.append(item)

        try:
            await run_session(settings_for(server.port, protocol), {}, emit, time.time_ns, Random(1))
        finally:
            await server.close()
        return heard

    heard = asyncio.run(asyncio.wait_for(run(), PATIENCE_S))
    assert [key(item) for item in heard if isinstance(item, Packet)] == expected
    assert isinstance(heard[-1], EndOfStream)


async def no_fault(server: SeedLinkServer) -> None:
    await asyncio.sleep(0)


async def drop(server: SeedLinkServer) -> None:
    server.drop_clients()


async def drop_mid_record(server: SeedLinkServer) -> None:
    server.drop_clients(mid_record=True)


async def restart(server: SeedLinkServer) -> None:
    await server.stop_listening()
    await asyncio.sleep(0.03)
    await server.listen()


async def lose_the_ring(server: SeedLinkServer) -> None:
    """Only once all has been received: what leaves the ring unread nobody can bring back."""
    server.wipe()


async def stall(server: SeedLinkServer) -> None:
    server.pause()
    await asyncio.sleep(0.05)
    server.resume()


@BOTH
@pytest.mark.parametrize("fault", [no_fault, drop, drop_mid_record, restart, lose_the_ring, stall])
def test_nothing_is_lost_whatever_the_server_goes_through(records, expected, protocol, fault):
    """Records are published a few at a time, with the fault in between."""

    async def run() -> set[Key]:
        server = SeedLinkServer(None, clock=time.time_ns)
        await server.start()
        heard: set[Key] = set()

        async def emit(item: object) -> None:
            if isinstance(item, Packet):
                heard.add(key(item))

        session = run_session(settings_for(server.port, protocol), {}, emit, time.time_ns, Random(1))
        task = asyncio.create_task(session)
        try:
            for start in range(0, len(records), BATCH):
                for record in records[start : start + BATCH]:
                    server.publish(record)
                if fault is lose_the_ring:
                    await until(lambda done=start + BATCH: len(heard) >= min(done, len(expected)))
                await asyncio.sleep(0.005)
                await fault(server)
            await until(lambda: len(heard) >= len(expected))
        finally:
            task.cancel()
            await asyncio.wait([task])
            await server.close()
        return heard

    assert asyncio.run(asyncio.wait_for(run(), PATIENCE_S)) == set(expected)


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.005)


@BOTH
def test_a_look_at_the_server_tells_what_it_has(records, protocol):
    async def run():
        server = SeedLinkServer(None, clock=time.time_ns)
        await server.start()
        for record in records:
            server.publish(record)
        try:
            return await probe_server(settings_for(server.port, protocol, streams=("BW.UH3.*.SH?",)))
        finally:
            await server.close()

    report = asyncio.run(asyncio.wait_for(run(), PATIENCE_S))
    assert (report.reachable, report.version, report.matching_streams) == (True, protocol, 3)
