"""Sessions over real ZeroMQ sockets: every format, outages, keys, and losses counted to the last block."""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import zmq
import zmq.asyncio
import zmq.auth
from pymseed import DataEncoding, MS3Record

from rtpick.ingest.das_encode import PublishedFormat, begin_encoding, encode_block, encode_end
from rtpick.ingest.source_status import SourceState, SourceStatus
from rtpick.ingest.zeromq_das import run_das_session
from rtpick.ingest.zeromq_stations import run_station_session
from rtpick.publish.das_publisher import DasPublisher
from rtpick.settings.sources_das import ZeroMqDasSettings, ZeroMqStationSettings
from rtpick.vocabulary.errors import AuthenticationError, SourceError
from rtpick.vocabulary.fiber import DasBlock, FiberGap, FiberLayout, FiberRejectCause, FiberRejection
from rtpick.vocabulary.time import NS_PER_S
from rtpick.vocabulary.waveform import EndOfStream, Packet, RejectCause, Rejection

T0 = 1_700_000_000 * NS_PER_S
LAYOUT = FiberLayout("north", 0, 20, 8.0, 100.0)
FORMATS = pytest.mark.parametrize("form", ["asn", "xdas", "rtpick"])


def make_block(number: int, samples: int = 50, layout: FiberLayout = LAYOUT) -> DasBlock:
    first = number * samples
    ramp_T = np.arange(first, first + samples, dtype=np.float32)
    samples_KT = np.repeat(ramp_T[None], layout.channel_count, axis=0)
    return DasBlock(layout, T0 + round(first * 1e9 / layout.sampling_rate_hz), samples_KT)


def das_settings(address: str, form: str, **changes: Any) -> ZeroMqDasSettings:
    fields = {"type": "zeromq-das", "name": "cable", "fiber": "north", "address": address, "format": form}
    quick = {
        "reconnect_min_s": 0.05,
        "reconnect_max_s": 0.1,
        "silent_alarm_s": 20.0,
        "silent_minimum_s": 20.0,
    }
    return ZeroMqDasSettings.model_validate({**fields, **quick, **changes})


class Sink:
    """Takes what a session emits, and wakes whoever waits for something in it."""

    def __init__(self) -> None:
        self.items: list[Any] = []
        self.changed = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()

    async def take(self, item: Any) -> None:
        await self.gate.wait()
        self.items.append(item)
        self.changed.set()

    async def until(self, condition: Callable[[], bool], timeout_s: float = 20.0) -> None:
        async with asyncio.timeout(timeout_s):
            while not condition():
                self.changed.clear()
                await self.changed.wait()

    def of(self, kind: type[Any]) -> list[Any]:
        return [item for item in self.items if isinstance(item, kind)]

    @property
    def states(self) -> list[SourceState]:
        return [item.state for item in self.of(SourceStatus)]

    def first_values(self) -> list[int]:
        return [int(block.samples_KT[0, 0]) for block in self.of(DasBlock)]


@asynccontextmanager
async def session(settings: ZeroMqDasSettings, **options: Any) -> AsyncIterator[Sink]:
    sink = Sink()
    coroutine = run_das_session(settings, sink.take, time.time_ns, Random(1), **options)
    task = asyncio.create_task(coroutine)
    try:
        yield sink
    finally:
        if task.done():
            task.result()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


class Sender:
    """A publisher and what it has said so far."""

    def __init__(self, form: PublishedFormat, address: str = "tcp://127.0.0.1:*", **options: Any) -> None:
        self.publisher = DasPublisher(address, **options)
        self.state = begin_encoding(form, "published", str(time.monotonic_ns()))
        self.publisher.greet_with(self.state.welcome)

    async def wait(self, count: int = 1) -> None:
        async with asyncio.timeout(20):
            while await self.publisher.look_for_subscribers(0.05) < count:
                pass

    async def send(self, *numbers: int, samples: int = 50, layout: FiberLayout = LAYOUT) -> None:
        for number in numbers:
            self.state, messages = encode_block(self.state, make_block(number, samples, layout))
            self.publisher.greet_with(self.state.welcome)
            for message in messages:
                await self.publisher.send(message)

    async def end(self) -> None:
        for message in encode_end(self.state):
            await self.publisher.send(message)


@FORMATS
def test_blocks_come_in_every_format(form: PublishedFormat) -> None:
    async def scene() -> None:
        sender = Sender(form)
        async with session(das_settings(sender.publisher.address, form, reorder_budget_s=0)) as sink:
            await sender.wait()
            await sender.send(*range(6))
            await sink.until(lambda: len(sink.of(DasBlock)) == 6)
            assert sink.first_values() == [0, 50, 100, 150, 200, 250]
            assert sink.of(FiberGap) == []
            assert {block.layout.fiber for block in sink.of(DasBlock)} == {"north"}
            assert sink.states == [SourceState.CONNECTING, SourceState.CONNECTED, SourceState.LAYOUT]
        sender.publisher.close()

    asyncio.run(scene())


@FORMATS
def test_a_late_subscriber_begins_with_the_greeting(form: PublishedFormat) -> None:
    async def scene() -> None:
        sender = Sender(form)
        await sender.send(0, 1)
        async with session(das_settings(sender.publisher.address, form)) as sink:
            await sender.wait()
            await sender.send(2, 3, 4, 5, 6, 7, 8)
            await sink.until(lambda: len(sink.of(DasBlock)) == 7)
            assert sink.first_values()[0] == 100
            assert sink.of(FiberRejection) == []
        sender.publisher.close()

    asyncio.run(scene())


@FORMATS
def test_a_dead_publisher_is_noticed_and_its_successor_heard(form: PublishedFormat, free_port: int) -> None:
    async def scene() -> None:
        address = f"tcp://127.0.0.1:{free_port}"
        settings = das_settings(address, form, silent_minimum_s=0.5, silent_blocks=1)
        first = Sender(form, address)
        async with session(settings) as sink:
            await first.wait()
            await first.send(*range(6))
            await sink.until(lambda: SourceState.SILENT in sink.states)  # connected, but dead
            assert len(sink.of(DasBlock)) == 6, "what waited for others is given out"
            first.publisher.close()
            second = Sender(form, address)
            await second.wait()
            await second.send(*range(8, 14))
            await sink.until(lambda: len(sink.of(DasBlock)) == 12)
            assert sink.states[-1] is SourceState.CONNECTED or sink.states[-1] is SourceState.LAYOUT
            (gap,) = sink.of(FiberGap)
            assert (gap.start_ns, gap.end_ns) == (make_block(6).start_ns, make_block(8).start_ns)
            assert gap.sample_count == 2 * 50 * 20
            second.publisher.close()

    asyncio.run(scene())


def test_a_publisher_that_is_gone_is_told_once() -> None:
    async def scene() -> None:
        settings = das_settings("tcp://127.0.0.1:9", "asn", silent_alarm_s=0.1)
        async with session(settings) as sink:
            await sink.until(lambda: len(sink.states) == 2)
            await asyncio.sleep(0.8)
            assert sink.states == [SourceState.CONNECTING, SourceState.DISCONNECTED]

    asyncio.run(scene())


@FORMATS
def test_mangled_messages_between_blocks_cost_themselves(form: PublishedFormat) -> None:
    async def scene() -> None:
        sender = Sender(form)
        async with session(das_settings(sender.publisher.address, form, reorder_budget_s=0)) as sink:
            await sender.wait()
            await sender.send(0, 1)
            for garbage in ([b""], [b"garbage"], [b"{", b"}", b"\xff"], [b"\x89HDF\r\n\x1a\n" + bytes(99)]):
                await sender.publisher.send(garbage)
            await sender.send(2, 3)
            await sink.until(lambda: len(sink.of(DasBlock)) == 4)
            assert len(sink.of(FiberRejection)) == 4
            assert sink.of(FiberGap) == []
        sender.publisher.close()

    asyncio.run(scene())


def test_blocks_from_the_future_do_not_become_the_newest() -> None:
    async def scene() -> None:
        sender = Sender("rtpick")
        async with session(das_settings(sender.publisher.address, "rtpick", reorder_budget_s=0)) as sink:
            await sender.wait()
            await sender.send(0, 1, 10**9, 2)
            await sink.until(lambda: len(sink.of(DasBlock)) == 3)
            (rejection,) = sink.of(FiberRejection)
            assert rejection.cause is FiberRejectCause.FUTURE
        sender.publisher.close()

    asyncio.run(scene())


def test_the_end_of_a_stream_stops_where_asked() -> None:
    async def scene() -> None:
        sender = Sender("rtpick")
        settings = das_settings(sender.publisher.address, "rtpick", on_end="stop", topic="published")
        async with session(settings) as sink:
            await sender.wait()
            await sender.send(0, 1, 2)
            await sender.end()
            await sink.until(lambda: bool(sink.of(EndOfStream)))
            assert sink.first_values() == [0, 50, 100]
        sender.publisher.close()

    asyncio.run(scene())


def test_a_topic_leaves_other_fibers_out() -> None:
    async def scene() -> None:
        sender = Sender("rtpick")
        settings = das_settings(sender.publisher.address, "rtpick", topic="another", silent_alarm_s=0.3)
        async with session(settings) as sink:
            await sender.wait()
            await sender.send(*range(5))
            await sink.until(lambda: SourceState.SILENT in sink.states)
            assert sink.of(DasBlock) == []
        sender.publisher.close()

    asyncio.run(scene())


@pytest.mark.parametrize("sort", [True, False])
def test_drops_at_the_high_water_mark_are_counted_to_the_last_block(sort: bool) -> None:
    """A reader that stalls: the publisher's queue overflows, and numbers tell every block that is missing."""
    layout = FiberLayout("north", 0, 500, 8.0, 100.0)
    count = 300

    async def scene() -> None:
        sender = Sender("rtpick", queue_messages=4)
        options = {"on_end": "stop", "queue_bytes": 1 << 20, "reorder_budget_s": 0.0}
        settings = das_settings(sender.publisher.address, "rtpick", **options)
        async with session(settings, sort=sort) as sink:
            await sender.wait()
            for number in range(10):
                await sender.send(number, samples=100, layout=layout)
                await asyncio.sleep(0.01)
            await sink.until(lambda: len(sink.of(DasBlock)) == 10)
            sink.gate.clear()
            await sender.send(*range(10, count), samples=100, layout=layout)
            await asyncio.sleep(0.2)
            sink.gate.set()
            while not sink.of(EndOfStream):
                await sender.end()
                await asyncio.sleep(0.05)
            lost = sum(gap.block_count for gap in sink.of(FiberGap))
            assert lost > 0, "the test is to overflow a queue"
            assert len(sink.of(DasBlock)) + lost == count
            if sort:
                samples = sum(gap.sample_count for gap in sink.of(FiberGap))
                assert samples == lost * 100 * layout.channel_count
        sender.publisher.close()

    asyncio.run(scene())


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    for name in ("server", "client", "stranger"):
        zmq.auth.create_certificates(tmp_path, name)
    (tmp_path / "clients").mkdir()
    (tmp_path / "client.key").rename(tmp_path / "clients" / "client.key")
    return tmp_path


def test_keys_let_in_whom_the_publisher_knows(keys: Path) -> None:
    async def scene() -> None:
        guarded = {"curve_key_file": keys / "server.key_secret", "curve_clients_directory": keys / "clients"}
        sender = Sender("asn", **guarded)
        own = {"curve_server_key_file": keys / "server.key", "curve_key_file": keys / "client.key_secret"}
        async with session(das_settings(sender.publisher.address, "asn", **own)) as sink:
            await sender.wait()
            await sender.send(*range(7))
            await sink.until(lambda: len(sink.of(DasBlock)) == 7)
        sender.publisher.close()

    asyncio.run(scene())


@pytest.mark.parametrize("own", ["stranger.key_secret", None])
def test_keys_keep_strangers_out_and_no_key_is_told(keys: Path, own: str | None) -> None:
    async def scene() -> None:
        guarded = {"curve_key_file": keys / "server.key_secret", "curve_clients_directory": keys / "clients"}
        sender = Sender("asn", **guarded)
        files = {"curve_server_key_file": keys / "server.key", "curve_key_file": own and keys / own}
        settings, sink = das_settings(sender.publisher.address, "asn", **files), Sink()
        with pytest.raises(AuthenticationError, match="refuses our key") as caught:
            await asyncio.wait_for(run_das_session(settings, sink.take, time.time_ns, Random(1)), 20)
        assert sink.states == [SourceState.CONNECTING, SourceState.FAILED]
        secrets = [zmq.auth.load_certificate(path)[1] or b"?" for path in keys.glob("*.key_secret")]
        told = str(caught.value) + "".join(item.detail for item in sink.of(SourceStatus))
        assert not [secret for secret in secrets if secret.decode() in told]
        sender.publisher.close()

    asyncio.run(scene())


def test_a_wrong_key_of_the_server_is_said(keys: Path) -> None:
    async def scene() -> None:
        sender = Sender("asn", curve_key_file=keys / "server.key_secret")
        settings = das_settings(sender.publisher.address, "asn", curve_server_key_file=keys / "stranger.key")
        async with session(settings) as sink:
            await sink.until(lambda: SourceState.DISCONNECTED in sink.states)
            assert "curve_server_key_file" in sink.of(SourceStatus)[-1].detail
        sender.publisher.close()

    asyncio.run(scene())


@pytest.mark.parametrize(
    "files",
    [
        {"curve_server_key_file": "missing.key"},
        {"curve_server_key_file": "server.key", "curve_key_file": "server.key"},
        {"curve_key_file": "stranger.key_secret"},
    ],
)
def test_key_files_that_cannot_be_used(keys: Path, files: dict[str, str]) -> None:
    paths = {key: keys / name for key, name in files.items()}
    settings = das_settings("tcp://127.0.0.1:9", "asn", **paths)
    with pytest.raises(AuthenticationError):
        asyncio.run(run_das_session(settings, Sink().take, time.time_ns, Random(1)))


def test_an_address_that_is_taken_or_none() -> None:
    first = DasPublisher("tcp://127.0.0.1:*")
    with pytest.raises(SourceError, match="free address"):
        DasPublisher(first.address)
    first.close()


async def emulate_febus(socket: zmq.asyncio.Socket, whole_TK: np.ndarray, pace_s: float) -> None:
    """A device: blocks of 100 samples of 10 ms, overlapping by half; the newest on every request."""
    began = time.monotonic()
    while True:
        assert await socket.recv() == bytes(8)
        number = min(int((time.monotonic() - began) / pace_s), len(whole_TK) // 50 - 2)
        samples_TK = whole_TK[50 * number : 50 * number + 100].astype("<f4")
        measures = struct.pack("<6d", 8.0, 10.0, 0.0, 0.0, 0.0, 0.0)
        extents = struct.pack("<4i", 0, whole_TK.shape[1] - 1, 0, 99)
        head = struct.pack("<id", 1, T0 / 1e9 + number * 0.5)
        await socket.send_multipart([head, measures + extents + bytes(12), samples_TK.tobytes()])


def test_febus_is_polled_and_every_sample_comes_once() -> None:
    async def scene() -> None:
        context = zmq.asyncio.Context()
        device = context.socket(zmq.REP)
        port = device.bind_to_random_port("tcp://127.0.0.1")
        whole_TK = np.arange(500.0)[:, None] + np.zeros((1, 4))
        task = asyncio.create_task(emulate_febus(device, whole_TK, 0.1))
        settings = das_settings(f"tcp://127.0.0.1:{port}", "febus", poll_interval_s=0.01, reorder_budget_s=0)
        async with session(settings) as sink:
            await sink.until(lambda: len(sink.of(DasBlock)) == 9)
            values = np.hstack([block.samples_KT[0] for block in sink.of(DasBlock)])
            np.testing.assert_array_equal(values, np.arange(25, 475))
            assert sink.of(FiberRejection) == sink.of(FiberGap) == []
        task.cancel()
        context.destroy(linger=0)

    asyncio.run(scene())


def make_record(number: int, station: str = "UH1") -> bytes:
    record = MS3Record(reclen=512, encoding=DataEncoding.STEIM2)
    record.formatversion = 2
    record.sourceid = f"FDSN:BW_{station}__S_H_Z"
    record.starttime = T0 + number * NS_PER_S
    record.samprate = 100.0
    (data,) = record.generate(data_samples=[(n * n) % 1009 for n in range(100)], sample_type="i")
    return bytes(data)


@pytest.mark.parametrize("topics", [True, False])
def test_stations_come_with_a_topic_or_bare(topics: bool) -> None:
    messages = [
        [b"BW.UH1..SHZ", make_record(0)],
        [b"BW.UH1..SHZ", make_record(1), b'{"seq": 7, "t_sent": 1.5}'],
        [b"BW.UH2..SHZ", make_record(2, "UH2")],
        [b"BW.UH1..SHZ", b"garbage"],
        [b"BW.UH1..SHZ", make_record(3), b"no json"],
        [make_record(4)],
    ]

    async def scene() -> None:
        publisher = DasPublisher("tcp://127.0.0.1:*")
        fields = {"type": "zeromq-stations", "name": "field", "streams": ["BW.UH1..SH?"], "topics": topics}
        settings = ZeroMqStationSettings.model_validate({**fields, "address": publisher.address})
        sink = Sink()
        task = asyncio.create_task(run_station_session(settings, sink.take, time.time_ns, Random(1)))
        while not await publisher.look_for_subscribers(0.05):
            pass
        for message in messages:
            await publisher.send(message)
        expected = 3 if topics else 4
        await sink.until(lambda: len(sink.of(Packet)) == expected)
        seconds = [(packet.start_ns - T0) // NS_PER_S for packet in sink.of(Packet)]
        assert seconds == ([0, 1, 3] if topics else [0, 1, 3, 4])
        assert [packet.sequence for packet in sink.of(Packet)][:3] == [None, 7, None]
        causes = {item.cause for item in sink.of(Rejection)}
        assert causes == (
            {RejectCause.CORRUPT} if topics else {RejectCause.CORRUPT, RejectCause.NOT_SELECTED}
        )
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        publisher.close()

    asyncio.run(scene())


def test_a_stream_whose_blocks_grow_goes_on() -> None:
    """Many small blocks, then ones that are larger than what may wait: neither side waits for ever."""
    large = FiberLayout("north", 0, 2000, 8.0, 100.0)

    async def scene() -> None:
        sender = Sender("rtpick", queue_messages=3, wait_for_room=True)
        settings = das_settings(sender.publisher.address, "rtpick", queue_bytes=1 << 16, reorder_budget_s=0)
        async with session(settings) as sink:
            await sender.wait()
            await sender.send(*range(100))
            await sender.send(*range(100, 130), layout=large)
            await sender.send(*range(130, 200))
            await sink.until(lambda: len(sink.of(DasBlock)) == 200)
            assert sink.first_values() == [50 * number for number in range(200)]
        sender.publisher.close()

    asyncio.run(scene())


def test_a_session_ends_whenever_it_is_cancelled() -> None:
    async def scene() -> None:
        sender = Sender("rtpick")
        quick = {"silent_alarm_s": 0.01, "silent_minimum_s": 0.01, "reconnect_min_s": 0.01}
        settings = das_settings(sender.publisher.address, "rtpick", **quick)
        for delay_ms in range(0, 60, 20):
            task = asyncio.create_task(run_das_session(settings, Sink().take, time.time_ns, Random(1)))
            await asyncio.sleep(0.45 + delay_ms / 500)
            task.cancel()
            async with asyncio.timeout(10):
                with suppress(asyncio.CancelledError):
                    await task
            assert task.cancelled()
        sender.publisher.close()

    asyncio.run(scene())
