"""Our SeedLink server when things go wrong: hostile bytes, clients that block, restarts, lost rings."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import pytest

from rtpick.demo.recording import write_recording
from rtpick.ingest.archive_replay import index_archive, iterate_raw_records
from rtpick.ingest.archive_scan import RawRecord
from rtpick.ingest.miniseed import UnusableRecordError
from rtpick.ingest.seedlink_server import SeedLinkServer
from rtpick.ingest.seedlink_server_connection import ConnectionLimits
from rtpick.ingest.seedlink_server_lines import MAXIMUM_LINE_BYTES
from rtpick.ingest.seedlink_server_replay import ReplaySettings
from rtpick.vocabulary.errors import RecordError

PATIENCE_S = 20.0
HEADER_BYTES = 8
RECORD_BYTES = 512
EVERYTHING = b"STATION * *\r\nDATA 0\r\nEND\r\n"


@pytest.fixture(scope="module")
def records(tmp_path_factory) -> list[RawRecord]:
    folder = tmp_path_factory.mktemp("recording")
    write_recording(folder)
    return list(iterate_raw_records(index_archive([folder])))


class RawClient:
    """A client that sends what it is told to and counts 512-byte records of version 3."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def say(self, data: bytes, replies: int = 0) -> list[bytes]:
        self.writer.write(data)
        await self.writer.drain()
        return [await asyncio.wait_for(self.reader.readline(), PATIENCE_S) for _ in range(replies)]

    async def stream(self, request: bytes = EVERYTHING) -> None:
        assert await self.say(request, request.count(b"\n") - 1) == [b"OK\r\n"] * (request.count(b"\n") - 1)

    async def take(self, count: int) -> list[tuple[int, bytes]]:
        found = []
        for _ in range(count):
            packet = await asyncio.wait_for(self.reader.readexactly(HEADER_BYTES + RECORD_BYTES), PATIENCE_S)
            found.append((int(packet[2:8], 16), packet[8:]))
        return found

    async def rest(self) -> bytes:
        """Everything until the server closes."""
        return await asyncio.wait_for(self.reader.read(), PATIENCE_S)


@asynccontextmanager
async def serving(replay: ReplaySettings | None = None, **more: Any) -> AsyncIterator[SeedLinkServer]:
    server = SeedLinkServer(None, replay or ReplaySettings(), clock=time.time_ns, **more)
    await server.start()
    try:
        yield server
    finally:
        await server.close()


@asynccontextmanager
async def client_of(server: SeedLinkServer) -> AsyncIterator[RawClient]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        yield RawClient(reader, writer)
    finally:
        writer.transport.abort()


def payloads(found: list[tuple[int, bytes]]) -> list[bytes]:
    return [payload for _, payload in found]


def publish(server: SeedLinkServer, records: list[RawRecord]) -> None:
    for record in records:
        server.publish(record)


def test_new_records_reach_a_client_that_waits(records):
    async def run() -> None:
        async with serving() as server, client_of(server) as client:
            await client.stream()
            for record in records[:20]:
                server.publish(record)
                assert payloads(await client.take(1)) == [record.payload]

    asyncio.run(run())


def test_a_client_that_does_not_read_delays_nobody_and_is_dropped(records):
    """More records than sockets and buffers take, one client that reads nothing and one that reads all."""
    many = records * 60

    async def run() -> None:
        limits = ConnectionLimits(write_timeout_s=0.5)
        async with serving(limits=limits) as server, client_of(server) as idle, client_of(server) as reading:
            await idle.stream()
            await reading.stream()
            for start in range(0, len(many), 500):
                publish(server, many[start : start + 500])
                await asyncio.sleep(0)
            found = await reading.take(len(many))
            assert payloads(found) == [record.payload for record in many]
            while server.progress().client_count > 1:
                await asyncio.sleep(0.02)
            assert len(await idle.rest()) < len(many) * RECORD_BYTES
            server.publish(records[0])
            assert payloads(await reading.take(1)) == [records[0].payload]

    asyncio.run(asyncio.wait_for(run(), 60))


def hostile_bytes() -> list[bytes]:
    noise = Random(5)
    return [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + noise.randbytes(500) + b"\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x00" * 5000 + b"\r",
        b"STATION " + b"A" * 4000 + b"\r\nDATA\r\nEND\r\n",
        b"SELECT " + b"*_?_" * 1000 + b"\r\n",
        b"SLPROTO 4.0\rSTATION *\rSELECT " + b"*" * 60 + b"_X\rDATA ALL\rEND\r",
        b"INFO\r\nINFO " + b"Z" * 3000 + b"\r\nAUTH\r\nTIME\r\nDATA " + b"F" * 100 + b"\r\n",
        noise.randbytes(8000).replace(b"\n", b"").replace(b"\r", b"") + b"\r\n",
    ]


@pytest.mark.parametrize("data", hostile_bytes(), ids=range(len(hostile_bytes())))
def test_hostile_bytes_harm_nobody(records, data):
    async def run() -> None:
        async with serving() as server, client_of(server) as bad, client_of(server) as good:
            await good.stream()
            await bad.say(data)
            publish(server, records[:5])
            assert payloads(await good.take(5)) == [record.payload for record in records[:5]]
            await bad.say(b"BYE\r\n")

    asyncio.run(run())


def test_a_line_without_end_is_cut_off(records):
    async def run() -> bytes:
        async with serving() as server, client_of(server) as client:
            await client.say(b"x" * (MAXIMUM_LINE_BYTES + 5000))
            return await client.rest()

    assert asyncio.run(run()).startswith(b"ERROR LIMIT")


def test_the_number_of_clients_is_bounded():
    async def run() -> bytes:
        async with (
            serving(limits=ConnectionLimits(maximum_clients=1)) as server,
            client_of(server) as first,
            client_of(server) as second,
        ):
            assert len(await first.say(b"HELLO\r\n", 2)) == 2
            return await second.rest()

    assert asyncio.run(run()).startswith(b"ERROR LIMIT")


def test_a_client_that_says_nothing_is_dropped():
    async def run() -> bytes:
        limits = ConnectionLimits(handshake_timeout_s=0.1)
        async with serving(limits=limits) as server, client_of(server) as client:
            return await client.rest()

    assert asyncio.run(run()) == b""


def test_bye_ends_the_connection_and_end_comes_at_the_end(records):
    async def run() -> tuple[bytes, bytes]:
        async with serving() as server, client_of(server) as polite, client_of(server) as finite:
            publish(server, records[:3])
            await polite.say(b"BYE\r\n")
            await finite.say(b"BATCH\r\n", 1)
            await finite.say(b"STATION * *\r\nFETCH 2\r\nEND\r\n")
            return await polite.rest(), await finite.rest()

    nothing, packets = asyncio.run(run())
    assert nothing == b""
    expected = b"SL000002" + records[1].payload + b"SL000003" + records[2].payload + b"END"
    assert packets == expected


def test_a_drop_in_the_middle_of_a_record_loses_nothing_to_a_client_that_resumes(records):
    async def run() -> list[tuple[int, bytes]]:
        async with serving() as server:
            async with client_of(server) as client:
                await client.stream()
                publish(server, records[:10])
                found = await client.take(10)
                server.pause()
                publish(server, records[10:20])
                server.drop_clients(mid_record=True)
                assert len(await client.rest()) == (HEADER_BYTES + RECORD_BYTES) // 2
            server.resume()
            async with client_of(server) as client:
                await client.stream(b"STATION * *\r\nDATA %X\r\nEND\r\n" % (found[-1][0] + 1))
                return found + await client.take(10)

    assert payloads(asyncio.run(run())) == [record.payload for record in records[:20]]


def test_a_restart_keeps_the_ring_and_a_client_resumes(records):
    async def run() -> list[tuple[int, bytes]]:
        async with serving() as server:
            port = server.port
            async with client_of(server) as client:
                await client.stream()
                publish(server, records[:10])
                found = await client.take(7)
                await server.stop_listening()
            with pytest.raises(ConnectionError):
                await asyncio.open_connection("127.0.0.1", port)
            publish(server, records[10:20])
            await server.listen()
            assert server.port == port
            async with client_of(server) as client:
                await client.stream(b"STATION * *\r\nDATA 8\r\nEND\r\n")
                return found + await client.take(13)

    assert payloads(asyncio.run(run())) == [record.payload for record in records[:20]]


@pytest.mark.parametrize("grown", [5, 40])
def test_a_lost_ring_is_noticed_by_sequence_and_time(records, grown):
    """Numbers begin anew; the client asks for its old one with the start of the record before it."""

    async def run() -> tuple[list[bytes], list[bytes]]:
        async with serving() as server:
            async with client_of(server) as client:
                await client.stream()
                publish(server, records[:30])
                found = await client.take(20)
            server.wipe()
            publish(server, records[30 : 30 + grown])
            last = records[19]
            stamp = time.strftime("%Y,%m,%d,%H,%M,%S", time.gmtime(last.start_ns // 1_000_000_000))
            async with client_of(server) as client:
                await client.stream(b"STATION * *\r\nDATA %X %s\r\nEND\r\n" % (21, stamp.encode()))
                return payloads(found), payloads(await client.take(grown))

    before, after = asyncio.run(run())
    assert before == [record.payload for record in records[:20]]
    assert after == [record.payload for record in records[30 : 30 + grown]]


def test_a_stalled_server_still_answers_info(records):
    async def run() -> None:
        async with serving() as server, client_of(server) as client:
            await client.stream()
            server.pause()
            publish(server, records[:3])
            await client.say(b"INFO ID\r\n")
            reply = await asyncio.wait_for(client.reader.readexactly(HEADER_BYTES + RECORD_BYTES), PATIENCE_S)
            assert reply.startswith(b"SLINFO  ")
            server.resume()
            assert payloads(await client.take(3)) == [record.payload for record in records[:3]]

    asyncio.run(run())


def test_a_client_that_leaves_is_forgotten(records):
    async def run() -> int:
        async with serving() as server:
            async with client_of(server) as client:
                await client.stream()
                publish(server, records[:3])
                await client.take(3)
            while server.progress().client_count:
                await asyncio.sleep(0.01)
            return server.progress().sent_count

    assert asyncio.run(asyncio.wait_for(run(), PATIENCE_S)) == 3


def test_what_is_no_record_cannot_be_published():
    async def run() -> None:
        async with serving() as server:
            server.publish(bytes(512))

    with pytest.raises(UnusableRecordError):
        asyncio.run(run())


def test_a_replay_that_fails_is_told(records, tmp_path):
    """The files vanish while they are being served."""
    write_recording(tmp_path)
    index = index_archive([tmp_path])
    for path in tmp_path.iterdir():
        path.unlink()

    async def run() -> None:
        server = SeedLinkServer(index, ReplaySettings(speed=0), clock=time.time_ns)
        await server.start()
        await server.serve_forever()

    with pytest.raises(RecordError, match="cannot be read"):
        asyncio.run(asyncio.wait_for(run(), PATIENCE_S))
