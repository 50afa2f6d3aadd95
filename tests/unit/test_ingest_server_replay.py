"""A recording as it is served: moved to now, cut smaller, due in real time or faster."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymseed import DataEncoding, MS3Record

from rtpick.demo.recording import END_NS, START_NS, write_recording
from rtpick.ingest.archive_replay import index_archive, iterate_packets, iterate_raw_records
from rtpick.ingest.archive_scan import RawRecord, read_record
from rtpick.ingest.miniseed import decode_record
from rtpick.ingest.seedlink_server_replay import (
    ReplaySettings,
    cut_samples,
    due_s,
    replay_records,
    shift_record,
    whole_second_shift_ns,
)
from rtpick.vocabulary.time import NS_PER_S, parse_utc

SAME_FOLDER = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=15
)
FIRST_S, LAST_S = (parse_utc(text) // NS_PER_S for text in ("1980-01-01", "2090-01-01"))


@pytest.fixture(scope="module")
def recording(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("recording")
    write_recording(folder)
    return folder


def samples_of(raws: list[RawRecord]) -> dict[str, np.ndarray]:
    """Concatenated samples by channel; each record must continue the one before."""
    parts: dict[str, list[np.ndarray]] = {}
    ends: dict[str, int] = {}
    for raw in raws:
        packet = decode_record(raw.payload, source="", sequence=None, received_ns=0)
        name = str(packet.channel)
        assert abs(packet.start_ns - ends.get(name, packet.start_ns)) <= 1000
        parts.setdefault(name, []).append(packet.samples)
        ends[name] = packet.end_ns
    return {name: np.concatenate(parts[name]) for name in parts}


def make_record(version: int, start_ns: int) -> bytes:
    record = MS3Record(reclen=512, encoding=DataEncoding.STEIM2)
    record.sourceid, record.samprate, record.starttime = "FDSN:XX_AAA_00_H_H_Z", 100.0, start_ns
    record.formatversion = version
    (payload,) = record.generate(data_samples=np.arange(100, dtype=np.int32), sample_type="i")
    return payload


@pytest.mark.parametrize("version", [2, 3])
@given(
    start_us=st.integers(FIRST_S * 1_000_000, LAST_S * 1_000_000), to_s=st.integers(FIRST_S, LAST_S)
)
@settings(deadline=None, max_examples=60)
def test_a_moved_record_keeps_its_samples_and_its_place_in_the_second(version, start_us, to_s):
    start_ns = start_us * 1000
    raw = read_record(make_record(version, start_ns))
    shift_ns = whole_second_shift_ns(start_ns, to_s * NS_PER_S)
    moved = shift_record(raw, shift_ns)
    assert moved == read_record(moved.payload)
    assert moved.start_ns == raw.start_ns + shift_ns
    assert 0 <= to_s * NS_PER_S - moved.start_ns < NS_PER_S
    np.testing.assert_array_equal(samples_of([moved])["XX.AAA.00.HHZ"], np.arange(100))


def test_a_moved_record_of_miniseed_2_changes_its_date_alone(recording):
    for raw in list(iterate_raw_records(index_archive([recording])))[:50]:
        moved = shift_record(raw, 86_400 * NS_PER_S)
        assert moved.payload[:20] == raw.payload[:20]
        assert moved.payload[30:] == raw.payload[30:]
        assert moved.payload != raw.payload


def test_a_little_endian_header_is_moved_too():
    payload = bytearray(make_record(2, parse_utc("2020-12-31T23:59:59Z")))
    big = np.frombuffer(bytes(payload[20:24]), ">u2")
    for first, last in ((20, 24), (28, 36), (44, 52)):
        words = np.frombuffer(bytes(payload[first:last]), ">u2")
        payload[first:last] = words.astype("<u2").tobytes()
    assert tuple(big) == (2020, 366)
    moved = read_record(shift_record(read_record(bytes(payload)), NS_PER_S).payload)
    assert moved.start_ns == parse_utc("2021-01-01T00:00:00Z")


@given(packet_samples=st.integers(7, 500))
@SAME_FOLDER
def test_cutting_changes_no_sample_and_keeps_the_order_of_arrival(recording, packet_samples):
    index = index_archive([recording])
    pieces = list(replay_records(index, 0, packet_samples))
    ends = [piece.end_ns for piece in pieces]
    assert ends == sorted(ends)
    assert max(piece.sample_count for piece in pieces) <= packet_samples
    whole = samples_of(list(iterate_raw_records(index)))
    cut = samples_of(pieces)
    assert whole.keys() == cut.keys()
    for name in whole:
        np.testing.assert_array_equal(cut[name], whole[name])


def test_cutting_smaller_than_a_record_can_hold_and_larger():
    raw = read_record(make_record(2, START_NS))
    assert [piece.sample_count for piece in cut_samples(raw, 30)] == [30, 30, 30, 10]
    assert [piece.sample_count for piece in cut_samples(raw, 1000)] == [100]
    assert {len(piece.payload) for piece in cut_samples(raw, 30)} == {512}


def test_moved_and_cut_together(recording):
    index = index_archive([recording])
    now_ns = parse_utc("2030-01-01T00:00:00.5Z")
    shift_ns = whole_second_shift_ns(index.start_ns, now_ns)
    pieces = list(replay_records(index, shift_ns, 50))
    assert 0 <= now_ns - min(piece.start_ns for piece in pieces) < NS_PER_S
    plain = samples_of(list(iterate_raw_records(index)))
    for name, samples in samples_of(pieces).items():
        np.testing.assert_array_equal(samples, plain[name])


def test_records_are_due_when_their_last_sample_has_been_taken(recording):
    index = index_archive([recording])
    records = list(replay_records(index, 0, None))
    assert due_s(records[-1], index.start_ns, 1.0) == pytest.approx((END_NS - START_NS) / 1e9)
    assert due_s(records[-1], index.start_ns, 20.0) == pytest.approx((END_NS - START_NS) / 20e9)
    assert due_s(records[-1], index.start_ns, 0) == 0
    times = [due_s(record, index.start_ns, 1.0) for record in records]
    assert times == sorted(times)
    assert times[0] > 0


def test_settings_that_make_no_sense_are_refused():
    for wrong in ({"speed": -1.0}, {"speed": float("inf")}, {"packet_samples": 0}, {"ring_bytes": 0}):
        with pytest.raises(ValueError, match="give"):
            ReplaySettings(**wrong)


def test_the_demonstration_lies_where_its_facts_say(recording):
    packets = list(iterate_packets(index_archive([recording])))
    assert min(packet.start_ns for packet in packets) == START_NS
    assert max(packet.end_ns for packet in packets) == END_NS
    assert datetime.fromtimestamp(START_NS / 1e9, UTC).year == 2010
