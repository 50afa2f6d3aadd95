"""Records of both miniSEED versions decode to packets; what is no time series is set aside by cause."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pymseed import DataEncoding, MS3Record

from rtpick.ingest.miniseed import UnusableRecordError, decode_record, iterate_records, read_records
from rtpick.ingest.miniseed_header import find_record, record_length
from rtpick.vocabulary.codes import ChannelId
from rtpick.vocabulary.errors import RecordError
from rtpick.vocabulary.time import parse_utc
from rtpick.vocabulary.waveform import Packet, RejectCause, Rejection

START_NS = parse_utc("2026-11-21T12:00:00.5Z")
CHANNEL = ChannelId.parse("BW.UH1..SHZ")


def make_record(
    samples: object,
    sample_type: str = "i",
    *,
    version: int = 2,
    encoding: DataEncoding = DataEncoding.STEIM2,
    rate_hz: float = 100.0,
    source_id: str = CHANNEL.source_id,
    bytes_: int = 512,
) -> bytes:
    record = MS3Record(reclen=bytes_, encoding=encoding)
    record.formatversion = version
    record.sourceid = source_id
    record.starttime = START_NS
    record.samprate = rate_hz
    (data,) = record.generate(data_samples=samples, sample_type=sample_type)
    return bytes(data)


def decode(record: bytes) -> Packet:
    return decode_record(record, source="ring", sequence=7, received_ns=9)


def cause_of(record: bytes) -> RejectCause:
    with pytest.raises(UnusableRecordError) as caught:
        decode(record)
    assert isinstance(caught.value, RecordError)
    assert caught.value.rejection.cause is caught.value.cause
    return caught.value.cause


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize(
    ("encoding", "sample_type", "dtype"),
    [
        (DataEncoding.STEIM1, "i", np.int32),
        (DataEncoding.STEIM2, "i", np.int32),
        (DataEncoding.INT16, "i", np.int32),
        (DataEncoding.INT32, "i", np.int32),
        (DataEncoding.FLOAT32, "f", np.float32),
        (DataEncoding.FLOAT64, "d", np.float64),
    ],
)
def test_samples_and_header_come_through(version, encoding, sample_type, dtype):
    samples = np.array([0, 5, -3, 100, 7], dtype)
    packet = decode(make_record(samples, sample_type, version=version, encoding=encoding))
    assert packet.samples.dtype == dtype
    np.testing.assert_array_equal(packet.samples, samples)
    assert (packet.channel, packet.start_ns, packet.sampling_rate_hz) == (CHANNEL, START_NS, 100.0)
    assert (packet.source, packet.sequence, packet.received_ns) == ("ring", 7, 9)


def test_a_packet_owns_its_samples():
    record = bytearray(make_record([1, 2, 3], encoding=DataEncoding.INT32))
    packet = decode(bytes(record))
    packet.samples[0] = 99
    assert decode(bytes(record)).samples[0] == 1
    assert packet.samples.flags.owndata


def test_a_rate_given_as_a_period_is_in_hertz():
    assert decode(make_record([1, 2, 3], rate_hz=0.1)).sampling_rate_hz == pytest.approx(0.1)


def test_text_is_not_seismic():
    text = make_record(b"battery low", "t", encoding=DataEncoding.TEXT, source_id="FDSN:BW_UH1__L_O_G")
    assert cause_of(text) is RejectCause.NOT_SEISMIC


def test_a_header_without_samples_is_not_seismic():
    record = bytearray(make_record([1, 2, 3]))
    record[30:32] = b"\0\0"
    assert cause_of(bytes(record)) is RejectCause.NOT_SEISMIC


def test_a_rate_of_zero_is_refused():
    record = bytearray(make_record([1, 2, 3]))
    record[32:36] = b"\0\0\0\0"
    assert cause_of(bytes(record)) is RejectCause.RATE


@pytest.mark.parametrize(
    "damage",
    [
        lambda record: bytes(512),
        lambda record: record[:300],
        lambda record: record[:24] + b"\x63" + record[25:],  # 99 o'clock
        lambda record: record[:22] + b"\x03\xe7" + record[24:],  # day 999
        lambda record: record[:30] + b"\xff\xff" + record[32:],  # 65,535 samples
        lambda record: record[:44] + b"\xff\xf0" + record[46:],  # samples begin outside
        lambda record: record[:8] + b"\xff\xfe\xfd  " + record[13:],  # station code
        lambda record: b"",
    ],
)
def test_damage_is_corrupt(damage):
    assert cause_of(damage(make_record(list(range(100))))) is RejectCause.CORRUPT


@pytest.mark.parametrize("encoding", [DataEncoding.STEIM1, DataEncoding.STEIM2])
def test_steim_that_decodes_to_another_last_sample_is_corrupt(encoding):
    samples = np.cumsum(np.arange(200) % 7 - 3).astype(np.int32)
    record = bytearray(make_record(samples, encoding=encoding))
    record[64 + 80] ^= 1  # a difference in the second frame: libmseed decodes it without a word
    assert len(MS3Record.parse(bytes(record), unpack_data=True).np_datasamples) == 200
    assert cause_of(bytes(record)) is RejectCause.CORRUPT


def test_a_writer_that_announces_no_last_sample_is_believed():
    record = bytearray(make_record([3, 1, 4, 1, 5]))
    record[64 + 8 : 64 + 12] = b"\0\0\0\0"
    assert decode(bytes(record)).samples.tolist() == [3, 1, 4, 1, 5]


@pytest.mark.parametrize("version", [2, 3])
def test_length_is_told_by_the_record_alone(version):
    record = make_record(list(range(100)), version=version, bytes_=1024)
    for behind in (b"", b"SL000001", record):
        assert record_length(record + behind) == len(record)
    assert record_length(record[:30]) is None


def test_a_record_without_blockette_1000_has_512_bytes():
    record = bytearray(make_record([1, 2, 3]))
    record[46:48] = b"\0\0"
    assert record_length(record) == 512


@pytest.mark.parametrize("version", [2, 3])
def test_records_are_found_again_behind_garbage(version):
    records = [make_record(list(range(n, n + 50)), version=version) for n in range(3)]
    data = records[0] + b"garbage" * 31 + records[1] + records[2][:70] + records[2] + b"tail"
    items = list(iterate_records(data))
    assert [item for item in items if isinstance(item, bytes)] == records
    assert [item.cause for item in items if isinstance(item, Rejection)] == [RejectCause.CORRUPT] * 3


def test_records_of_mixed_lengths_and_versions_are_cut():
    records = [
        make_record(list(range(50)), bytes_=256),
        make_record(list(range(50)), version=3),
        make_record(list(range(50)), bytes_=4096),
    ]
    assert list(iterate_records(b"".join(records))) == records


def test_a_file_that_ends_within_a_record_gives_the_rest_as_a_rejection():
    record = make_record(list(range(50)))
    first, second = iterate_records(record + record[:100])
    assert first == record
    assert isinstance(second, Rejection)


def test_an_empty_file_has_no_records():
    assert list(iterate_records(b"")) == []


def test_reading_keeps_rejections_in_their_place():
    good = make_record([1, 2, 3])
    bad = good[:8] + b"\xff\xfe\xfd  " + good[13:]
    kinds = [type(item) for item in read_records(good + bad + good, source="file", received_ns=0)]
    assert kinds == [Packet, Rejection, Packet]


def test_text_that_looks_a_little_like_a_header_is_none():
    text = b"000001D 99 o'clock is no time of the day, nor is this a record header"
    assert find_record(text * 3, 1) is None


def test_every_record_of_the_reference_recordings_decodes(shared: Path):
    folder = shared / "data" / "continuous"
    files = sorted(folder.glob("**/*.mseed"))
    assert files
    for path in files:
        items = list(read_records(path.read_bytes()[: 512 * 400], source="file", received_ns=0))
        tail = items.pop() if isinstance(items[-1], Rejection) else None  # cut within a long record
        assert tail is None or path.stat().st_size > 512 * 400
        assert all(isinstance(item, Packet) for item in items), path.name
