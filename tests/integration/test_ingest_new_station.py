"""A station that joins a pattern while the daemon listens to a server that counts each station apart."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from random import Random

import pytest
from pymseed import DataEncoding, MS3Record

from rtpick.ingest.seedlink import Emitted, run_session
from rtpick.ingest.seedlink_server import SeedLinkServer
from rtpick.ingest.source_status import SourceState, SourceStatus
from rtpick.settings.schema import SeedLinkSettings
from rtpick.vocabulary.time import NS_PER_S
from rtpick.vocabulary.waveform import Packet


def record(second: int, station: str) -> bytes:
    made = MS3Record(reclen=512, encoding=DataEncoding.STEIM2)
    made.formatversion = 2
    made.sourceid = f"FDSN:BW_{station}__S_H_Z"
    made.starttime = (1_795_000_000 + second) * NS_PER_S
    made.samprate = 100.0
    (data,) = made.generate(data_samples=[(n * n) % 1009 for n in range(100)], sample_type="i")
    return bytes(data)


async def listen(version: str) -> tuple[list[str], list[SourceState]]:
    items: list[Emitted] = []
    ahead_ns = 0

    async def take(item: Emitted) -> None:
        items.append(item)

    def heard() -> list[str]:
        return [item.channel.station for item in items if isinstance(item, Packet)]

    async def until(station: str, count: int) -> None:
        async with asyncio.timeout(30):
            while heard().count(station) < count:
                await asyncio.sleep(0.02)

    server = SeedLinkServer(clock=time.time_ns)
    await server.start()
    server.publish(record(0, "UH1"))
    settings = SeedLinkSettings(
        type="seedlink", name="ring", port=server.port, streams=("BW.*.*.*",), protocol=version, start="all",
        sequence_scope="station", silent_alarm_s=1e6, channel_silent_alarm_s=1e6, keepalive_s=1e6,
        reconnect_min_s=0.02, reconnect_max_s=0.1,
    )  # fmt: skip
    clock = lambda: time.time_ns() + ahead_ns  # noqa: E731
    task = asyncio.create_task(run_session(settings, {}, take, clock, Random(1)))
    await until("UH1", 1)
    server.publish(record(1, "UH2"))
    server.publish(record(1, "UH1"))
    await until("UH1", 2)
    assert "UH2" not in heard()
    ahead_ns = 7 * 3600 * NS_PER_S
    await until("UH2", 1)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    await server.close()
    return heard(), [item.state for item in items if isinstance(item, SourceStatus)]


@pytest.mark.parametrize("version", ["v3", "v4"])
def test_it_is_heard_within_hours_without_a_word_and_nothing_comes_twice(version):
    stations, states = asyncio.run(listen(version))
    assert sorted(stations) == ["UH1", "UH1", "UH2"]
    assert states == [SourceState.CONNECTING, SourceState.CONNECTED]
