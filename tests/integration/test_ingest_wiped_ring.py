"""A ring that was wiped, and a daemon that was killed before every station had been stored anew."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from contextlib import suppress
from random import Random

import pytest
from pymseed import DataEncoding, MS3Record

from rtpick.ingest.seedlink import Emitted, run_session
from rtpick.ingest.seedlink_server import SeedLinkServer
from rtpick.ingest.source_status import SourceState, SourceStatus
from rtpick.settings.schema import SeedLinkSettings
from rtpick.vocabulary.codes import StationId
from rtpick.vocabulary.time import NS_PER_S
from rtpick.vocabulary.waveform import Packet, Progress

T0_NS = 1_795_000_000 * NS_PER_S
STATIONS = ("UH1", "UH2", "UH3")


def record(second: int, station: str) -> bytes:
    """One second of one station."""
    made = MS3Record(reclen=512, encoding=DataEncoding.STEIM2)
    made.formatversion = 2
    made.sourceid = f"FDSN:BW_{station}__S_H_Z"
    made.starttime = T0_NS + second * NS_PER_S
    made.samprate = 100.0
    (data,) = made.generate(data_samples=[(n * n) % 1009 for n in range(100)], sample_type="i")
    return bytes(data)


async def received_after(
    stored: dict[StationId, Progress], seconds: Iterable[int], version: str
) -> list[Emitted]:
    """What a session that resumes behind `stored` gets of a new ring that holds these seconds."""
    items: list[Emitted] = []
    last = max(seconds)

    async def take(item: Emitted) -> None:
        items.append(item)

    def complete() -> bool:
        return seconds_of(items, STATIONS[-1])[-1:] == [last]

    server = SeedLinkServer(clock=time.time_ns)
    await server.start()
    for second in seconds:
        for station in STATIONS:
            server.publish(record(second, station))
    settings = SeedLinkSettings(
        type="seedlink", name="ring", port=server.port, streams=("BW.*.*.*",), protocol=version
    )
    task = asyncio.create_task(run_session(settings, stored, take, time.time_ns, Random(1)))
    async with asyncio.timeout(20):
        while not complete():
            await asyncio.sleep(0.02)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    await server.close()
    return items


def seconds_of(items: Iterable[Emitted], station: str) -> list[int]:
    packets = [item for item in items if isinstance(item, Packet) and item.channel.station == station]
    return [(packet.start_ns - T0_NS) // NS_PER_S for packet in packets]


def stored_at(station: str, sequence: int, second: int) -> dict[StationId, Progress]:
    name = StationId("BW", station)
    return {name: Progress("ring", name, sequence, T0_NS + second * NS_PER_S, 0)}


@pytest.mark.parametrize("version", ["v3", "v4"])
@pytest.mark.parametrize("old_sequence", [9000, 70])
def test_a_station_stored_before_the_wipe_gets_all_that_the_new_ring_holds(version, old_sequence):
    """UH1 was stored 15 s after the wipe, the others were not: their numbers are those of the old ring."""
    stored = {
        **stored_at("UH1", 3 * 15 + 1, 115),
        **stored_at("UH2", old_sequence, 99),
        **stored_at("UH3", old_sequence + 1, 99),
    }
    items = asyncio.run(received_after(stored, range(100, 130), version))
    assert set(range(116, 130)) <= set(seconds_of(items, "UH1"))
    assert seconds_of(items, "UH2") == seconds_of(items, "UH3") == list(range(100, 130))
    told = [item.state for item in items if isinstance(item, SourceStatus)]
    assert told.count(SourceState.RING_RESET) == (1 if old_sequence == 9000 else 0)
