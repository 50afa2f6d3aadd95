"""The recorder: what sources deliver is on disk, whatever happens to it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from io import StringIO
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from rtpick.ingest.das_encode import begin_encoding, encode_block, encode_end
from rtpick.ingest.das_files import index_das_files, iterate_blocks
from rtpick.ingest.das_spool import Spool, read_spool
from rtpick.ingest.miniseed import read_records
from rtpick.ingest.miniseed_write import encode_packet
from rtpick.publish.das_publisher import DasPublisher
from rtpick.record import Recording, record
from rtpick.record_files import FiberFiles, FileRules, claim_folder, make_recording, recover_spools
from rtpick.settings.schema import SeedLinkSettings
from rtpick.settings.sources_das import ZeroMqDasSettings, ZeroMqStationSettings
from rtpick.vocabulary.codes import ChannelId
from rtpick.vocabulary.errors import RecordError, SettingsError, SourceError
from rtpick.vocabulary.fiber import DasBlock, FiberLayout, Quantity
from rtpick.vocabulary.time import NS_PER_S
from rtpick.vocabulary.waveform import Packet

T0 = 1_700_000_000 * NS_PER_S - 200 * NS_PER_S  # a multiple of ten minutes, and of no hour
LAYOUT = FiberLayout("north", 7, 4, 8.0, 100.0, Quantity.STRAIN, "1", 10.0, 1, 56.0)


def make_block(number: int, samples: int = 50, layout: FiberLayout = LAYOUT, dtype: str = "f4") -> DasBlock:
    ramp = np.arange(number * samples, (number + 1) * samples)
    samples_KT = np.stack([ramp + row for row in range(layout.channel_count)]).astype(dtype)
    return DasBlock(layout, T0 + round(number * samples * 1e9 / layout.sampling_rate_hz), samples_KT)


def write(folder: Path, blocks: list[DasBlock], **rules: Any) -> list[tuple[int, list[float]]]:
    """What files hold: their first time behind T0 in ms, and the first channel."""

    async def scene() -> None:
        files = FiberFiles(FileRules(folder, **rules))
        for block in blocks:
            await files.write(block)
        await files.close()

    asyncio.run(scene())
    return contents(folder)


def contents(folder: Path) -> list[tuple[int, list[float]]]:
    found = []
    for file in index_das_files([folder]):
        values = np.hstack([block.samples_KT[0] for block in iterate_blocks([file])])
        found.append(((file.start_ns - T0) // 1_000_000, values.tolist()))
    return found


def test_blocks_that_go_on_are_one_file(tmp_path: Path) -> None:
    ((start_ms, values),) = write(tmp_path, [make_block(k) for k in range(8)])
    assert (start_ms, values) == (0, list(range(400)))
    (file,) = index_das_files([tmp_path])
    assert file.layout == LAYOUT
    assert file.path.name == "north.20231114T221000.000000Z.h5"
    assert [path.name for path in tmp_path.iterdir()] == [file.path.name]


def test_a_gap_another_layout_type_or_hour_begins_another_file(tmp_path: Path) -> None:
    other = replace(LAYOUT, channel_spacing_m=9.0)
    gap = write(tmp_path / "gap", [make_block(0), make_block(2)])
    assert [start for start, _ in gap] == [0, 1000]
    layout = write(tmp_path / "layout", [make_block(0), make_block(1, layout=other)])
    assert [start for start, _ in layout] == [0, 500]
    dtype = write(tmp_path / "dtype", [make_block(0), make_block(1, dtype="i2")])
    assert [start for start, _ in dtype] == [0, 500]
    hour = write(tmp_path / "hour", [make_block(k) for k in range(6)], file_s=1.0)
    assert [start for start, _ in hour] == [0, 1000, 2000]
    size = write(tmp_path / "size", [make_block(k) for k in range(4)], file_bytes=1500)
    assert [start for start, _ in size] == [0, 1000]


def test_nothing_is_written_over(tmp_path: Path) -> None:
    for _ in range(2):
        write(tmp_path, [make_block(0)])
    assert len(list(tmp_path.glob("*.h5"))) == 2


def test_a_spool_cut_anywhere_gives_what_was_whole(tmp_path: Path) -> None:
    spool = Spool(tmp_path / ".whole.spool", "north")
    ends = []
    for number in range(3):
        spool.append(make_block(number))
        ends.append(spool.byte_count)
    spool.close()
    whole = (tmp_path / ".whole.spool").read_bytes()
    for length in range(0, len(whole) + 1, 37):
        (tmp_path / "cut").write_bytes(whole[:length])
        found = [int(block.samples_KT[0, 0]) for block in read_spool(tmp_path / "cut")]
        assert found == [50 * k for k, end in enumerate(ends) if end <= length]
    flipped = bytearray(whole)
    flipped[ends[0] + 300] ^= 1
    (tmp_path / "cut").write_bytes(flipped)
    assert len(list(read_spool(tmp_path / "cut"))) == 1


def test_spools_of_a_crash_are_made_into_recordings(tmp_path: Path) -> None:
    for name, count in (("one", 3), ("two", 0)):
        spool = Spool(tmp_path / f".{name}.spool", "north")
        for number in range(count):
            spool.append(make_block(number))
        spool.close()
    with (tmp_path / ".one.spool").open("ab") as torn:
        torn.write(b"\x10\x00\x00")
    assert [path.name for path in recover_spools(tmp_path)] == ["one.h5"]
    assert contents(tmp_path) == [(0, list(range(150)))]
    assert not list(tmp_path.glob(".*.spool"))


def test_two_recorders_keep_out_of_one_another(tmp_path: Path) -> None:
    with (
        claim_folder(tmp_path),
        pytest.raises(SettingsError, match="another recorder"),
        claim_folder(tmp_path),
    ):
        pass
    with claim_folder(tmp_path):
        pass


@pytest.mark.parametrize(
    "samples",
    [
        np.arange(100, dtype=np.int32),
        np.array([0, 2**31 - 1, -(2**31), 5], dtype=np.int32),
        np.linspace(-1, 1, 700, dtype=np.float32),
        np.linspace(-1, 1, 300),
    ],
)
def test_packets_come_back_from_their_records(samples: np.ndarray) -> None:
    packet = Packet(ChannelId("BW", "UH1", "", "SHZ"), T0 + 250_000_000, 100.0, samples)
    found = list(read_records(encode_packet(packet), source="file", received_ns=0))
    assert all(isinstance(item, Packet) for item in found)
    np.testing.assert_array_equal(np.concatenate([item.samples for item in found]), samples)
    assert (found[0].channel, found[0].start_ns) == (packet.channel, packet.start_ns)


def test_packets_that_are_no_miniseed() -> None:
    packet = Packet(ChannelId("BW", "UH1", "", "SHZ"), T0, 100.0, np.zeros(3, complex))
    with pytest.raises(RecordError, match="complex"):
        encode_packet(packet)
    long = Packet(ChannelId("BW", "LONGNAME", "", "SHZ"), T0, 100.0, np.arange(9, dtype=np.int32))
    assert encode_packet(long)[:2] == b"MS"


def das_settings(address: str, form: str = "rtpick") -> ZeroMqDasSettings:
    fields = {"type": "zeromq-das", "name": "cable", "fiber": "north", "address": address, "format": form}
    return ZeroMqDasSettings.model_validate({**fields, "on_end": "stop", "silent_alarm_s": 30})


def quiet() -> Console:
    return Console(file=StringIO())


def feed(publisher_box: list[DasPublisher], stop: list[bool]) -> None:
    """In a loop of its own: a cable with a lost block, and a station beside it."""

    async def scene() -> None:
        publisher = DasPublisher("tcp://127.0.0.1:*")
        stations = DasPublisher("tcp://127.0.0.1:*")
        publisher_box.extend([publisher, stations])
        state = begin_encoding("rtpick", "north", "one")
        while not (await publisher.look_for_subscribers(0.05) and await stations.look_for_subscribers(0.05)):
            pass
        for number in range(3):
            samples = np.arange(100 * number, 100 * number + 100, dtype=np.int32)
            packet = Packet(ChannelId("BW", "UH1", "", "SHZ"), T0 + number * NS_PER_S, 100.0, samples)
            await stations.send([b"BW.UH1..SHZ", encode_packet(packet)])
        for number in range(8):
            state, messages = encode_block(state, make_block(number))
            for message in messages if number != 5 else ():
                await publisher.send(message)
        while not stop:
            for message in encode_end(state):
                await publisher.send(message)
            await asyncio.sleep(0.05)
        publisher.close()
        stations.close()

    asyncio.run(scene())


def test_cables_and_stations_are_recorded_together(tmp_path: Path) -> None:
    box: list[DasPublisher] = []
    stop: list[bool] = []
    feeding = Thread(target=feed, args=(box, stop))
    feeding.start()
    while len(box) < 2:
        time.sleep(0.01)
    fields = {"type": "zeromq-stations", "name": "field", "address": box[1].address}
    sources = [das_settings(box[0].address), ZeroMqStationSettings.model_validate(fields)]
    recording = record(sources, tmp_path, duration_s=2.5, console=quiet())
    stop.append(True)
    feeding.join()
    assert [(start, values[0], len(values)) for start, values in contents(tmp_path)] == [
        (0, 0, 250),
        (3000, 300, 100),
    ]
    cable = recording.sources["cable"]
    assert (cable.item_count, cable.lost_samples, cable.lost_blocks) == (7, 200, 1)
    assert cable.state == "ended"
    (path,) = tmp_path.glob("BW.UH1/*.mseed")
    assert path.name == "BW.UH1..SHZ.20231114T220000Z.mseed"
    packets = list(read_records(path.read_bytes(), source="file", received_ns=0))
    np.testing.assert_array_equal(np.concatenate([packet.samples for packet in packets]), np.arange(300))


KILLED = """
import asyncio, sys
from pathlib import Path
from rtpick.record import record
from rtpick.settings.schema import SeedLinkSettings
from rtpick.settings.sources_das import ZeroMqDasSettings
fields = {"type": "zeromq-das", "name": "cable", "fiber": "north", "address": sys.argv[1], "format": "asn"}
record([ZeroMqDasSettings.model_validate(fields)], Path(sys.argv[2]))
"""


def test_a_killed_recorder_loses_nothing_that_it_had_written(tmp_path: Path) -> None:
    async def scene() -> int:
        publisher = DasPublisher("tcp://127.0.0.1:*")
        state = begin_encoding("asn", "north", "one")
        recorder = subprocess.Popen([sys.executable, "-c", KILLED, publisher.address, str(tmp_path)])
        while not await publisher.look_for_subscribers(0.1):
            assert recorder.poll() is None
        sent = 0
        while not any(path.stat().st_size > 20_000 for path in tmp_path.glob(".*.spool")):
            state, messages = encode_block(state, make_block(sent))
            publisher.greet_with(state.welcome)
            for message in messages:
                await publisher.send(message)
            sent += 1
            await asyncio.sleep(0.02)
        os.kill(recorder.pid, signal.SIGKILL)
        recorder.wait()
        publisher.close()
        return sent

    sent = asyncio.run(scene())
    assert not list(tmp_path.glob("*.h5"))
    with claim_folder(tmp_path):
        recover_spools(tmp_path)
    ((start_ms, values),) = contents(tmp_path)
    assert start_ms == 0
    assert values == list(range(len(values)))
    assert 20_000 / 16 / 2 < len(values) <= 50 * sent


def test_an_interrupted_recorder_closes_its_files(tmp_path: Path) -> None:
    async def scene() -> None:
        publisher = DasPublisher("tcp://127.0.0.1:*")
        state = begin_encoding("asn", "north", "one")
        recorder = subprocess.Popen([sys.executable, "-c", KILLED, publisher.address, str(tmp_path)])
        while not await publisher.look_for_subscribers(0.1):
            assert recorder.poll() is None
        for number in range(20):
            state, messages = encode_block(state, make_block(number))
            for message in messages:
                await publisher.send(message)
        while not list(tmp_path.glob(".*.spool")):
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.3)
        recorder.send_signal(signal.SIGINT)
        assert await asyncio.to_thread(recorder.wait, 20) == 0
        publisher.close()

    asyncio.run(scene())
    assert contents(tmp_path) == [(0, list(range(1000)))]
    assert not list(tmp_path.glob(".*.spool"))


def test_mistakes_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="nothing to record"):
        record([], tmp_path, console=quiet())
    refused = das_settings("tcp://127.0.0.1:9").model_copy(update={"curve_key_file": tmp_path / "none"})
    with pytest.raises(SourceError, match="curve_server_key_file"):
        record([refused], tmp_path, console=quiet())
    assert isinstance(
        record([das_settings("tcp://127.0.0.1:9")], tmp_path, duration_s=0.1, console=quiet()), Recording
    )


def test_a_recording_that_cannot_be_made_leaves_its_spool(tmp_path: Path, monkeypatch: Any) -> None:
    spool = Spool(tmp_path / ".one.spool", "north")
    spool.append(make_block(0))
    spool.close()

    def fail(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("rtpick.record_files.write_das_file", fail)
    with pytest.raises(OSError, match="no room left"):
        make_recording(tmp_path / ".one.spool")
    assert (tmp_path / ".one.spool").exists()


SERVED = """
import sys
from pathlib import Path
from rtpick.serve import serve_folder
serve_folder(Path(sys.argv[1]), port=int(sys.argv[2]), speed=0, end=True)
"""


def test_a_seedlink_server_is_recorded_to_its_end(tmp_path: Path, free_port: int) -> None:
    packet = Packet(ChannelId("BW", "UH1", "", "SHZ"), T0, 100.0, np.arange(1000, dtype=np.int32))
    (tmp_path / "played").mkdir()
    (tmp_path / "played" / "a.mseed").write_bytes(encode_packet(packet))
    server = subprocess.Popen([sys.executable, "-c", SERVED, str(tmp_path / "played"), str(free_port)])
    fields = {"type": "seedlink", "name": "ring", "port": free_port, "streams": ["*.*.*.*"]}
    more = {"start": "all", "on_end": "stop", "reconnect_min_s": 0.1, "reconnect_max_s": 0.2}
    settings = SeedLinkSettings.model_validate({**fields, **more})
    recording = record([settings], tmp_path / "kept", duration_s=30.0, console=quiet())
    server.kill()
    server.wait()
    assert recording.sources["ring"].state == "ended"
    (path,) = (tmp_path / "kept").glob("BW.UH1/*.mseed")
    packets = list(read_records(path.read_bytes(), source="file", received_ns=0))
    np.testing.assert_array_equal(np.concatenate([item.samples for item in packets]), np.arange(1000))
