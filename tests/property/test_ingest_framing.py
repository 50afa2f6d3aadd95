"""However TCP cuts the bytes, and whatever is damaged on the way, the same frames come out."""

from __future__ import annotations

import struct
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymseed import DataEncoding, MS3Record
from seedlink_client.protocol import Protocol

from rtpick.ingest.seedlink_frames import (
    DamagedFrame,
    EndFrame,
    ErrorFrame,
    Frame,
    FrameReader,
    InfoFrame,
    RecordFrame,
)
from rtpick.ingest.seedlink_framing import frame_reader


def make_record(number: int, version: int = 2, count: int = 60, bytes_: int = 512) -> bytes:
    record = MS3Record(reclen=bytes_, encoding=DataEncoding.STEIM2)
    record.formatversion = version
    record.sourceid = "FDSN:BW_UH1__S_H_Z"
    record.starttime = 1_795_000_000_000_000_000 + number * 10**9
    record.samprate = 100.0
    samples = [(number * 7919 + n * n) % 1009 for n in range(count)]
    (data,) = record.generate(data_samples=samples, sample_type="i")
    return bytes(data)


RECORDS = [make_record(n, version=2 + n % 2, count=10 + n, bytes_=256 << n % 3) for n in range(9)]
INFO3 = b"SLINFO *" + RECORDS[0] + b"SLINFO  " + RECORDS[0]
INFO4 = struct.pack("<2sccIQB", b"SE", b"J", b"I", 2, 0, 0) + b"{}"


def frame3(number: int, record: bytes) -> bytes:
    return b"SL%06X" % number + record


def frame4(number: int, record: bytes) -> bytes:
    kind = b"3" if record.startswith(b"MS\x03") else b"2"
    return struct.pack("<2sccIQB", b"SE", kind, b"D", len(record), number, 6) + b"BW_UH1" + record


FRAME = {Protocol.V3: frame3, Protocol.V4: frame4}
INFO = {Protocol.V3: INFO3, Protocol.V4: INFO4}
BOTH = pytest.mark.parametrize("protocol", [Protocol.V3, Protocol.V4])


def read(reader: FrameReader, data: bytes, cuts: list[int]) -> list[Frame]:
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    frames: list[Frame] = []
    for start, end in pairwise(places):
        frames += reader.feed(data[start:end])
    return frames + reader.finish()


@BOTH
@settings(max_examples=60, deadline=None)
@given(cuts=st.lists(st.integers(0, 10**6), max_size=60), info_at=st.integers(0, 9))
def test_any_cutting_gives_every_record_once(protocol, cuts, info_at):
    pieces = [FRAME[protocol](n, record) for n, record in enumerate(RECORDS)]
    pieces.insert(info_at, INFO[protocol])
    frames = read(frame_reader(protocol), b"".join([*pieces, b"END"]), cuts)
    records = [(frame.sequence, frame.record) for frame in frames if isinstance(frame, RecordFrame)]
    assert records == list(enumerate(RECORDS))
    assert frames[-1] == EndFrame()
    infos = [frame for frame in frames if isinstance(frame, InfoFrame)]
    assert infos[-1].is_last
    assert len(frames) == len(RECORDS) + len(infos) + 1


@BOTH
def test_byte_by_byte_is_as_good_as_at_once(protocol):
    data = b"".join(FRAME[protocol](n, record) for n, record in enumerate(RECORDS))
    reader, frames = frame_reader(protocol), []
    for byte in data:
        frames += reader.feed(bytes([byte]))
    assert frames == frame_reader(protocol).feed(data)
    assert len(frames) == len(RECORDS)


damages3 = st.sampled_from(
    [
        lambda record: record[: len(record) // 2],
        lambda record: record[:-3],
        lambda record: record[:60],
        lambda record: record[:9],
        lambda record: b"",
        lambda record: bytes(len(record)),
        lambda record: b"\xff" * len(record),
        lambda record: record[:24] + b"\xff" + record[25:],
        lambda record: record + b"garbage",
        lambda record: record[:54] + b"\x14" + record[55:],  # blockette 1000 claims a megabyte
        lambda record: record[:46] + b"\xff\xff" + record[48:],  # blockettes begin far away
    ]
)


@settings(max_examples=150, deadline=None)
@given(
    damages=st.dictionaries(st.integers(1, 7), damages3, min_size=1, max_size=4),
    cuts=st.lists(st.integers(0, 10**6), max_size=30),
)
def test_damaged_records_cost_no_other_record(damages, cuts):
    records = [make_record(n) for n in range(9)]
    sent = [damages[n](record) if n in damages else record for n, record in enumerate(records)]
    data = b"".join(frame3(n, record) for n, record in enumerate(sent))
    frames = read(frame_reader(Protocol.V3), data, cuts)
    assert frames == read(frame_reader(Protocol.V3), data, [])
    good = [(n, record) for n, record in enumerate(records) if n not in damages]
    arrived = [(frame.sequence, frame.record) for frame in frames if isinstance(frame, RecordFrame)]
    assert [item for item in arrived if item in good] == good
    assert {number for number, _ in arrived} <= set(range(9))
    assert any(isinstance(frame, DamagedFrame) for frame in frames)


@BOTH
@settings(max_examples=100, deadline=None)
@given(garbage=st.binary(max_size=3000), cuts=st.lists(st.integers(0, 10**6), max_size=20))
def test_garbage_between_frames_is_passed_over(protocol, garbage, cuts):
    after = b"".join(FRAME[protocol](n, record) for n, record in enumerate(RECORDS))
    data = FRAME[protocol](77, RECORDS[0]) + garbage + after
    frames = read(frame_reader(protocol), data, cuts)
    assert frames == read(frame_reader(protocol), data, [])
    if not garbage.startswith((b"E", b"S")):
        arrived = [(frame.sequence, frame.record) for frame in frames if isinstance(frame, RecordFrame)]
        assert arrived == [(77, RECORDS[0]), *enumerate(RECORDS)]


@BOTH
@settings(max_examples=100, deadline=None)
@given(noise=st.binary(max_size=5000))
def test_noise_alone_neither_raises_nor_is_kept(protocol, noise):
    reader = frame_reader(protocol)
    reader.feed(noise)
    reader.finish()
    assert reader.feed(FRAME[protocol](1, RECORDS[0]))[-1] == RecordFrame(1, RECORDS[0])


def test_a_flood_of_noise_takes_no_memory():
    reader = frame_reader(Protocol.V3)
    for _ in range(64):
        assert reader.feed(b"\0" * 65536) == []
    assert len(reader._buffer) < 1000
    damaged, record = reader.feed(frame3(5, RECORDS[0]))
    assert damaged == DamagedFrame(None, 64 * 65536)
    assert record == RecordFrame(5, RECORDS[0])


@BOTH
def test_an_error_line_comes_through_in_pieces(protocol):
    line = b"ERROR AUTH Authentication required for streaming\r\n"
    for cut in range(len(line)):
        assert read(frame_reader(protocol), line, [cut]) == [ErrorFrame(line[:-2].decode())]


def test_the_end_is_seen_behind_a_poisoned_record():
    frames = read(frame_reader(Protocol.V3), frame3(4, bytes(512)) + b"END", [])
    assert frames == [DamagedFrame(4, 520), EndFrame()]


@pytest.mark.parametrize(
    "damage",
    [
        lambda record: record[:300],
        lambda record: record[:-10],
        lambda record: record[:46] + b"\xff\xf0" + record[48:],
        lambda record: record[:54] + b"\x14" + record[55:],
    ],
    ids=["cut short", "cut a little", "blockettes far away", "a megabyte"],
)
@pytest.mark.parametrize("cuts", [[], [100], [-1], [-2, -5]])
def test_the_end_is_seen_behind_a_record_that_seems_to_go_on(damage, cuts):
    data = frame3(3, RECORDS[1]) + frame3(4, damage(RECORDS[2])) + b"END"
    frames = read(frame_reader(Protocol.V3), data, cuts)
    assert frames[0] == RecordFrame(3, RECORDS[1])
    assert frames[-1] == EndFrame()


def test_a_record_of_version_4_that_breaks_off_is_no_end():
    data = frame4(4, RECORDS[0][:200] + b"END" + RECORDS[0][203:])
    cut_off = data[: data.index(b"END") + 3]
    assert read(frame_reader(Protocol.V4), cut_off, []) == [DamagedFrame(None, len(cut_off))]


def test_what_is_left_when_the_connection_breaks_is_damage():
    assert read(frame_reader(Protocol.V3), frame3(4, RECORDS[0])[:200], []) == [DamagedFrame(None, 200)]
