"""``serve-das`` and a session against one another: replays are heard whole, or counted to the last block."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from rtpick.ingest.das_files import index_das_files
from rtpick.ingest.das_files_write import write_das_file
from rtpick.ingest.zeromq_das import run_das_session
from rtpick.publish.das_publisher import DasPublisher
from rtpick.serve_das import DasReplay, Served, publish_files, serve_das
from rtpick.settings.sources_das import ZeroMqDasSettings
from rtpick.vocabulary.errors import RecordError, SettingsError, SourceError
from rtpick.vocabulary.fiber import DasBlock, FiberGap, FiberLayout
from rtpick.vocabulary.time import NS_PER_S
from rtpick.vocabulary.waveform import EndOfStream

T0 = 1_700_000_000 * NS_PER_S
FORMATS = pytest.mark.parametrize("form", ["asn", "xdas", "rtpick"])


def write_recording(
    path: Path, channels: int = 12, seconds: float = 4.0, rate_hz: float = 100.0
) -> np.ndarray:
    layout = FiberLayout("north", 5, channels, 8.0, rate_hz, first_distance_m=40.0)
    count = round(seconds * rate_hz)
    samples_KT = np.arange(channels * count, dtype=np.float32).reshape(channels, count)
    write_das_file(path, [DasBlock(layout, T0, samples_KT)])
    return samples_KT


async def play(paths: Sequence[Path], replay: DasReplay, **changes: Any) -> tuple[list[Any], Served]:
    """Everything that a session emits of a replay, until the replay is over."""
    files = index_das_files(paths)
    publisher = DasPublisher("tcp://127.0.0.1:*", replay.queue_messages, wait_for_room=replay.speed == 0)
    fields = {"type": "zeromq-das", "name": "cable", "format": replay.form, "address": publisher.address}
    quick = {"reorder_budget_s": 0.0, "silent_minimum_s": 20.0}
    settings = ZeroMqDasSettings.model_validate(
        {**fields, "fiber": "north", "on_end": "stop", **quick, **changes}
    )
    heard: list[Any] = []

    async def take(item: Any) -> None:
        heard.append(item)

    listening = asyncio.create_task(run_das_session(settings, take, time.time_ns, Random(1)))
    served = Served()
    await publish_files(publisher, files, replay, served)
    async with asyncio.timeout(20):
        while sum(block.samples_KT.shape[1] for block in blocks_of(heard)) < files[0].sample_count:
            await asyncio.sleep(0.02)
    listening.cancel()
    with suppress(asyncio.CancelledError):
        await listening
    publisher.close()
    return heard, served


def blocks_of(heard: list[Any]) -> list[DasBlock]:
    return [item for item in heard if isinstance(item, DasBlock)]


@FORMATS
@pytest.mark.parametrize("speed", [0.0, 20.0])
def test_a_replay_is_heard_whole(tmp_path: Path, form: Any, speed: float) -> None:
    whole_KT = write_recording(tmp_path / "a.h5")
    replay = DasReplay(form, speed, 0.3, wait_for_subscriber=True)
    heard, served = asyncio.run(play([tmp_path], replay))
    assert served.block_count == 14
    blocks = blocks_of(heard)
    np.testing.assert_array_equal(np.hstack([block.samples_KT for block in blocks]), whole_KT)
    assert blocks[0].start_ns == T0
    assert blocks[0].layout.channel_numbers.tolist() == list(range(5, 17))
    assert not [item for item in heard if isinstance(item, FiberGap)]
    assert bool([item for item in heard if isinstance(item, EndOfStream)]) is (form == "rtpick")


def test_a_replay_as_fast_as_it_goes_waits_for_a_slow_reader(tmp_path: Path) -> None:
    whole_KT = write_recording(tmp_path / "a.h5", channels=500, seconds=20)
    replay = DasReplay("asn", 0.0, 0.1, wait_for_subscriber=True, queue_messages=2)
    heard, served = asyncio.run(play([tmp_path], replay, queue_bytes=1 << 16))
    assert served.block_count == 200
    np.testing.assert_array_equal(np.hstack([block.samples_KT for block in blocks_of(heard)]), whole_KT)


def test_a_replay_moved_to_now(tmp_path: Path) -> None:
    write_recording(tmp_path / "a.h5", seconds=1.0)
    replay = DasReplay("xdas", 20.0, 0.5, shift_to_now=True, wait_for_subscriber=True)
    before_ns = time.time_ns()
    heard, _ = asyncio.run(play([tmp_path], replay))
    assert before_ns <= blocks_of(heard)[0].start_ns <= time.time_ns()


def test_mistakes_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="no such file"):
        serve_das([tmp_path / "none.h5"], DasReplay("asn"))
    for wrong in ({"speed": -1.0}, {"block_s": 0.0}, {"queue_messages": 0}, {"form": "csv"}):
        with pytest.raises(SettingsError):
            DasReplay(**{"form": "asn", **wrong})  # type: ignore[arg-type]
    write_recording(tmp_path / "a.h5")
    taken = DasPublisher("tcp://127.0.0.1:*")
    with pytest.raises(SourceError, match="free address"):
        serve_das([tmp_path], DasReplay("asn"), port=int(taken.address.rpartition(":")[2]))
    taken.close()
    layout = FiberLayout("south", 0, 2, 8.0, 100.0)
    write_das_file(tmp_path / "b.h5", [DasBlock(layout, T0, np.zeros((2, 5), np.float32))])
    with pytest.raises(SettingsError, match="north, south"):
        serve_das([tmp_path], DasReplay("asn"), port=0)
    write_das_file(tmp_path / "c.h5", [DasBlock(layout, T0, np.zeros((2, 5), np.int8))])
    with pytest.raises(SettingsError, match="int8"):
        serve_das([tmp_path / "c.h5"], DasReplay("asn"), port=0)


def test_the_command_plays_to_its_end(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write_recording(tmp_path / "a.h5", seconds=1.0)
    served = serve_das([tmp_path], DasReplay("rtpick", 50.0, 0.1), port=0)
    assert served.block_count == 10
    line = capfd.readouterr().err.splitlines()[0]
    assert "rtpick on tcp://127.0.0.1:" in line
    assert "12 channels, 100 Hz, strain_rate" in line


FEED = """
import asyncio, sys
import numpy as np
from rtpick.ingest.das_encode import begin_encoding, encode_block, encode_end
from rtpick.publish.das_publisher import DasPublisher
from rtpick.vocabulary.fiber import DasBlock, FiberLayout

form, seconds, rate_mb = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
layout = FiberLayout("north", 0, 5000, 2.0, 1000.0)
samples_KT = np.zeros((5000, 100), np.float32)
count = round(seconds * rate_mb * 1e6 / samples_KT.nbytes)

async def main():
    publisher = DasPublisher("tcp://127.0.0.1:*", 16)
    print(publisher.address, flush=True)
    state = begin_encoding(form, "north", "one")
    publisher.greet_with(state.welcome)
    while not await publisher.look_for_subscribers(0.1):
        pass
    loop = asyncio.get_running_loop()
    began = loop.time()
    for number in range(count):
        block = DasBlock(layout, 1_700_000_000 * 10**9 + number * 10**8, samples_KT)
        state, messages = encode_block(state, block)
        publisher.greet_with(state.welcome)
        for message in messages:
            await publisher.send(message)
        await asyncio.sleep(max(0, began + (number + 1) * samples_KT.nbytes / rate_mb / 1e6 - loop.time()))
    took = loop.time() - began
    for _ in range(20):
        for message in encode_end(state):
            await publisher.send(message)
        await asyncio.sleep(0.1)
    print(count, took, flush=True)
    publisher.close()

asyncio.run(main())
"""


@pytest.mark.slow
@FORMATS
def test_forty_megabytes_a_second_lose_nothing_or_count_it(form: str) -> None:
    """Another process sends 2-MB blocks at 40 MB/s for four seconds, whatever the machine does meanwhile."""

    async def scene() -> None:
        feed = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", FEED, form, "4", "40"), stdout=asyncio.subprocess.PIPE
        )
        assert feed.stdout is not None
        address = (await feed.stdout.readline()).decode().strip()
        fields = {"type": "zeromq-das", "name": "cable", "fiber": "north", "address": address, "format": form}
        settings = ZeroMqDasSettings.model_validate({**fields, "reorder_budget_s": 0.0, "on_end": "stop"})
        came, gaps, last_ns = 0, [], 0

        async def take(item: Any) -> None:
            nonlocal came, last_ns
            if isinstance(item, DasBlock):
                came, last_ns = came + 1, item.end_ns
            elif isinstance(item, FiberGap):
                gaps.append(item)

        listening = asyncio.create_task(run_das_session(settings, take, time.time_ns, Random(1)))
        count = int((await feed.stdout.readline()).split()[0])
        await feed.wait()
        await asyncio.sleep(0.5)
        listening.cancel()
        with suppress(asyncio.CancelledError):
            await listening
        lost = sum(gap.sample_count for gap in gaps) // 500_000
        if form == "rtpick":
            assert came + lost == count
            assert sum(gap.block_count or 0 for gap in gaps) == lost
        else:  # without numbers nothing tells what is lost behind the last block
            assert came + lost == (last_ns - T0) // 10**8
        assert came > 0

    asyncio.run(scene())
