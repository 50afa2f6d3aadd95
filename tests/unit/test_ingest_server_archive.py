"""Files of miniSEED: found, indexed, merged in the order of arrival, whatever is wrong with them."""

from __future__ import annotations

from pathlib import Path
from random import Random

import numpy as np
import obspy
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymseed import DataEncoding, MS3Record

from rtpick.demo.recording import write_recording
from rtpick.ingest import archive_scan
from rtpick.ingest.archive_index import is_selected
from rtpick.ingest.archive_replay import index_archive, iterate_packets, iterate_raw_records
from rtpick.ingest.archive_scan import RawRecord, iterate_file, read_record
from rtpick.vocabulary.codes import ChannelId
from rtpick.vocabulary.errors import RecordError
from rtpick.vocabulary.time import NS_PER_S, parse_utc
from rtpick.vocabulary.waveform import Packet, RejectCause, Rejection

START_NS = parse_utc("2020-02-29T23:59:50Z")
SAME_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def make_records(station: str, second: int, seconds: int, *, version: int = 2) -> list[bytes]:
    """Records of one second at 100 Hz whose samples count from `second` on."""
    record = MS3Record(reclen=512, encoding=DataEncoding.STEIM2)
    record.sourceid, record.samprate, record.formatversion = f"FDSN:XX_{station}__H_H_Z", 100.0, version
    payloads = []
    for number in range(second, second + seconds):
        record.starttime = START_NS + number * NS_PER_S
        samples = np.arange(number * 100, number * 100 + 100, dtype=np.int32)
        payloads += list(record.generate(data_samples=samples, sample_type="i"))
    return payloads


@pytest.fixture(scope="module")
def recording(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("recording")
    write_recording(folder)
    return folder


def packets_of(path: Path, **window: int) -> list[Packet | Rejection]:
    return list(iterate_packets(index_archive([path]), **window))


def contents(packets: list[Packet]) -> list[tuple[ChannelId, int, bytes]]:
    return sorted((packet.channel, packet.start_ns, packet.samples.tobytes()) for packet in packets)


def test_an_index_knows_what_is_there(recording):
    index = index_archive([recording])
    streams = [obspy.read(str(path)) for path in sorted(recording.glob("*.mseed"))]
    assert [str(channel) for channel in index.channels] == [stream[0].id for stream in streams]
    assert index.sample_count == sum(len(stream[0]) for stream in streams)
    assert index.start_ns == min(stream[0].stats.starttime.ns for stream in streams)
    assert index.record_count == sum(path.stat().st_size for path in recording.glob("*")) // 512
    assert all(file.ordered for file in index.files)


def test_packets_come_by_their_ends_with_every_sample(recording):
    index = index_archive([recording])
    packets = list(iterate_packets(index))
    ends = [packet.end_ns for packet in packets]
    assert ends == sorted(ends)
    for path in recording.glob("*.mseed"):
        (trace,) = obspy.read(str(path))
        parts = [packet.samples for packet in packets if str(packet.channel) == trace.id]
        np.testing.assert_array_equal(np.concatenate(parts), trace.data)


def test_one_multiplexed_file_plays_as_many_files_do(recording, tmp_path):
    paths = sorted(recording.glob("*.mseed"))
    (tmp_path / "trace by trace").write_bytes(b"".join(path.read_bytes() for path in paths))
    together = index_archive([tmp_path])
    assert not together.files[0].ordered
    packets = list(iterate_packets(together))
    assert contents(packets) == contents(packets_of(recording))
    ends = [packet.end_ns for packet in packets]
    assert ends == sorted(ends)


def test_files_in_time_and_shuffled_records_play_alike(tmp_path):
    records = make_records("AAA", 0, 40)
    (tmp_path / "whole").mkdir()
    (tmp_path / "days").mkdir()
    Random(1).shuffle(shuffled := list(records))
    (tmp_path / "whole" / "shuffled.mseed").write_bytes(b"".join(shuffled))
    for part in range(4):
        (tmp_path / "days" / f"{3 - part}").write_bytes(b"".join(records[part * 10 : part * 10 + 10]))
    whole, days = packets_of(tmp_path / "whole"), packets_of(tmp_path / "days")
    assert [packet.start_ns for packet in whole] == [packet.start_ns for packet in days]
    samples = np.concatenate([packet.samples for packet in days])
    np.testing.assert_array_equal(samples, np.arange(4000))


def test_a_window_takes_the_records_that_overlap_it(recording):
    start_ns, end_ns = parse_utc("2010-05-27T16:25:00Z"), parse_utc("2010-05-27T16:25:30Z")
    expected = [
        packet for packet in packets_of(recording) if packet.end_ns > start_ns and packet.start_ns < end_ns
    ]
    assert contents(packets_of(recording, start_ns=start_ns, end_ns=end_ns)) == contents(expected)


def test_patterns_select_channels(recording):
    index = index_archive([recording], ["BW.UH3..SH[NE]", "*.UH4.*.*"])
    assert {str(channel) for channel in index.channels} == {"BW.UH3..SHN", "BW.UH3..SHE", "BW.UH4..EHZ"}
    found = {item.channel for item in iterate_raw_records(index)}
    assert found == set(index.channels)
    with pytest.raises(ValueError, match="four codes"):
        is_selected(ChannelId("BW", "UH1", "", "SHZ"), ("BW.UH1",))


def test_an_sds_archive_and_other_files_in_it(recording, tmp_path):
    for path in recording.glob("*.mseed"):
        network, station, _, channel, _ = path.name.split(".")
        folder = tmp_path / "2010" / network / station / f"{channel}.D"
        folder.mkdir(parents=True)
        (folder / f"{network}.{station}..{channel}.D.2010.147").write_bytes(path.read_bytes())
    (tmp_path / "stations.csv").write_text("network,station,latitude,longitude\nBW,UH1,48,11\n")
    (tmp_path / "empty").touch()
    (tmp_path / ".hidden").write_bytes(make_records("ZZZ", 0, 1)[0])
    assert contents(packets_of(tmp_path)) == contents(packets_of(recording))


@pytest.mark.parametrize("version", [2, 3])
@given(block=st.integers(48, 3000))
@SAME_FOLDER
def test_the_size_of_the_blocks_that_are_read_does_not_matter(tmp_path, version, block):
    records = make_records("AAA", 0, 6, version=version)
    path = tmp_path / f"{version}.mseed"
    path.write_bytes(records[0] + records[1] + b"\x07" * 100 + b"".join(records[2:]))
    usual = archive_scan.BLOCK_BYTES
    archive_scan.BLOCK_BYTES = block
    try:
        found = [item for _, item in iterate_file(path, read_record)]
    finally:
        archive_scan.BLOCK_BYTES = usual
    assert [item.payload for item in found if isinstance(item, RawRecord)] == records
    assert {item.cause for item in found if isinstance(item, Rejection)} == {RejectCause.CORRUPT}


def damage(kind: str, records: list[bytes]) -> bytes:
    """Ten records with something wrong about the fourth."""
    flipped = bytes(byte ^ 0xFF for byte in records[3][100:140])
    bad = {
        "zeros": bytes(512),
        "noise": Random(3).randbytes(512),
        "cut short": records[3][:300],
        "broken header": b"\xff" * 48 + records[3][48:],
        "impossible length": records[3][:54] + b"\x1e" + records[3][55:],
        "flipped payload": records[3][:100] + flipped + records[3][140:],
        "text between": b"# not a record\n" + records[3],
    }[kind]
    return b"".join(records[:3]) + bad + b"".join(records[4:])


@pytest.mark.parametrize(
    "kind", ["zeros", "noise", "cut short", "broken header", "impossible length", "flipped payload"]
)
def test_damage_costs_one_record_and_is_told(tmp_path, kind):
    records = make_records("AAA", 0, 10)
    path = tmp_path / "damaged.mseed"
    path.write_bytes(damage(kind, records))
    found = packets_of(path)
    packets = [item for item in found if isinstance(item, Packet)]
    assert [(packet.start_ns - START_NS) // NS_PER_S for packet in packets] == [0, 1, 2, 4, 5, 6, 7, 8, 9]
    rejections = [item for item in found if isinstance(item, Rejection)]
    assert [item.cause for item in rejections] == [RejectCause.CORRUPT]


def test_text_between_records_costs_nothing(tmp_path):
    (tmp_path / "a").write_bytes(damage("text between", make_records("AAA", 0, 10)))
    found = packets_of(tmp_path)
    assert sum(isinstance(item, Packet) for item in found) == 10
    assert sum(isinstance(item, Rejection) for item in found) == 1


def test_a_file_that_ends_in_the_middle_of_a_record(tmp_path):
    (tmp_path / "a").write_bytes(b"".join(make_records("AAA", 0, 3))[:-1])
    found = packets_of(tmp_path)
    assert [type(item) for item in found] == [Packet, Packet, Rejection]


def test_impossible_dates_and_records_of_text_are_set_aside(tmp_path):
    records = make_records("AAA", 0, 3)
    long_ago = bytearray(records[1])
    long_ago[20:22] = (1900).to_bytes(2, "big")
    text = MS3Record(reclen=512, encoding=DataEncoding.TEXT)
    text.formatversion, text.sourceid, text.starttime = 2, "FDSN:XX_AAA__L_O_G", START_NS
    (log,) = text.generate(data_samples=b"clock locked", sample_type="t")
    (tmp_path / "a").write_bytes(records[0] + bytes(long_ago) + log + records[2])
    found = packets_of(tmp_path)
    causes = [item.cause for item in found if isinstance(item, Rejection)]
    assert causes == [RejectCause.DATE, RejectCause.NOT_SEISMIC]
    assert index_archive([tmp_path]).start_ns == START_NS


def test_what_cannot_be_indexed_is_told(recording, tmp_path):
    with pytest.raises(RecordError, match="no such file"):
        index_archive([tmp_path / "nowhere"])
    with pytest.raises(RecordError, match=r"no miniSEED of \*"):
        index_archive([tmp_path])
    with pytest.raises(RecordError, match=r"no miniSEED of GR\.\*"):
        index_archive([recording], ["GR.*.*.*"])
    (tmp_path / "notes.txt").write_text("nothing here")
    with pytest.raises(RecordError, match="holds no miniSEED"):
        index_archive([tmp_path / "notes.txt"])


def test_a_record_is_read_as_libmseed_reads_it():
    raw = read_record(make_records("AAA", 7, 1)[0])
    assert (raw.channel, raw.start_ns, raw.end_ns, raw.sample_count, raw.format_version) == (
        ChannelId("XX", "AAA", "", "HHZ"),
        START_NS + 7 * NS_PER_S,
        START_NS + 8 * NS_PER_S,
        100,
        2,
    )


def test_the_demonstration_has_the_samples_of_the_reference_copy(recording, shared):
    reference = shared / "data" / "continuous" / "unterhaching_bw_20100527" / "waveforms"
    for path in recording.glob("BW.UH[123]*.mseed"):
        (trace,) = obspy.read(str(path))
        (other,) = obspy.read(str(next(reference.glob(f"{trace.id}.*"))))
        np.testing.assert_array_equal(trace.data, other.data)
        assert trace.stats.starttime == other.stats.starttime
