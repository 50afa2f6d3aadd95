"""The ring of our SeedLink server, where streams begin in it and what a cursor sends."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtpick.ingest.archive_scan import RawRecord
from rtpick.ingest.seedlink_server_cursor import Cursor
from rtpick.ingest.seedlink_server_position import first_sequence
from rtpick.ingest.seedlink_server_ring import Ring
from rtpick.ingest.seedlink_server_selection import Begin, StationRequest, parse_selector4
from rtpick.vocabulary.codes import ChannelId, StationId
from rtpick.vocabulary.time import NS_PER_S

Z, N = ChannelId("BW", "UH1", "", "SHZ"), ChannelId("BW", "UH2", "", "SHN")
EVERYTHING = StationRequest(begin=Begin.OLDEST)


def record(second: int, channel: ChannelId = Z, size: int = 10) -> RawRecord:
    """A record of one second."""
    start_ns = second * NS_PER_S
    return RawRecord(channel, start_ns, start_ns + NS_PER_S, 100, 2, (b"%d" % second).ljust(size))


def ring_of(count: int, *, held: int = 1000, first: int = 1) -> Ring:
    """A ring to which seconds 10, 11, ... were given, Z and N in turns."""
    ring = Ring(10 * held, first)
    for index in range(count):
        ring.append(record(10 + index, N if index % 2 else Z))
    return ring


def sequences(cursor: Cursor, maximum_bytes: int = 1 << 20) -> list[int]:
    found = []
    while not cursor.is_level:
        found += [int(frame[2:8], 16) for frame in cursor.take(maximum_bytes)]
    return found


def test_the_oldest_leave_when_the_bound_is_reached():
    ring = ring_of(25, held=10)
    assert (len(ring), ring.oldest_sequence, ring.next_sequence) == (10, 16, 26)
    assert [held.sequence for held in ring.read(1, 3)] == [16, 17, 18]
    assert [held.sequence for held in ring.read(24, 5)] == [24, 25]
    assert ring.read(26, 5) == []
    assert ring.get(15) is None
    assert ring.get(16).sequence == 16


@given(st.integers(0, 40), st.integers(1, 30), st.integers(1, 45), st.integers(1, 50))
def test_reading_gives_the_records_from_a_sequence_on(count, held, sequence, wanted):
    ring = ring_of(count, held=held)
    expected = [n for n in range(max(1, count - held + 1), count + 1) if n >= sequence][:wanted]
    assert [item.sequence for item in ring.read(sequence, wanted)] == expected


def test_spans_follow_what_is_held():
    ring = ring_of(25, held=10)
    spans = ring.stations()
    (first,) = spans[StationId("BW", "UH1")]
    assert (first.start_sequence, first.end_sequence, first.start_ns) == (17, 26, 26 * NS_PER_S)
    for second in range(10):
        ring.append(record(100 + second))
    assert set(ring.stations()) == {StationId("BW", "UH1")}


def test_keeping_all_and_releasing_what_was_read():
    ring = Ring(50)
    for second in range(10):
        ring.append(record(second), keep_all=True)
    assert (len(ring), ring.is_full) == (10, True)
    ring.release(4)
    assert ring.oldest_sequence == 4
    ring.release(100)
    assert (len(ring), ring.is_full) == (4, False)


@pytest.mark.parametrize("version", [3, 4])
@pytest.mark.parametrize(
    ("sequence", "start_s", "expected"),
    [
        (20, None, 20),  # still held
        (26, None, 26),  # the next one
        (16, None, 16),  # the oldest held
        (3, None, 16),  # has left the ring: from the oldest
        (0, None, 16),
        (500, None, 16),  # from another life of the ring: from the oldest
        (20, 28, 20),  # 19 starts at 28: the same ring
        (16, 24, 16),  # 15 has gone and cannot be compared
        (20, 31, 22),  # 19 starts elsewhere: by time
        (500, 31, 22),
        (500, 3, 16),
        (500, 99, 26),
    ],
)
def test_where_a_stream_begins(version, sequence, start_s, expected):
    ring = ring_of(25, held=10)
    start_ns = None if start_s is None else start_s * NS_PER_S
    request = StationRequest(begin=Begin.SEQUENCE, sequence=sequence, start_ns=start_ns)
    assert first_sequence(ring, request, version) == expected


def test_new_records_and_all_records():
    ring = ring_of(25, held=10)
    assert first_sequence(ring, StationRequest(), 4) == 26
    assert first_sequence(ring, EVERYTHING, 4) == 16
    assert first_sequence(ring, replace(EVERYTHING, start_ns=30 * NS_PER_S), 4) == 21
    assert first_sequence(Ring(100), EVERYTHING, 4) == 1


@pytest.mark.parametrize("back", [0, 1, 5, 9])
def test_version_3_resumes_over_the_wrap_of_its_24_bits(back):
    ring = ring_of(10, first=(1 << 24) - 4)
    whole = ring.next_sequence - 1 - back
    request = StationRequest(begin=Begin.SEQUENCE, sequence=whole & 0xFFFFFF)
    assert first_sequence(ring, request, 3) == whole


@given(st.integers(1, 200), st.integers(0, 30), st.integers(1, 60))
def test_what_is_sent_does_not_depend_on_how_much_goes_at_once(maximum_bytes, more, begin):
    ring = ring_of(30)
    request = StationRequest(begin=Begin.SEQUENCE, sequence=begin)
    cursor = Cursor(ring, [request], 3)
    found = sequences(cursor, maximum_bytes)
    for second in range(more):
        ring.append(record(100 + second))
    found += sequences(cursor, maximum_bytes)
    assert found == list(range(begin if begin <= 31 else 1, 31 + more))


def test_a_record_that_two_requests_want_is_sent_once():
    requests = [EVERYTHING, StationRequest("BW", "UH1", begin=Begin.SEQUENCE, sequence=5)]
    assert sequences(Cursor(ring_of(10), requests, 3)) == list(range(1, 11))


def test_each_station_begins_at_its_own_sequence():
    requests = [
        StationRequest("BW", "UH1", begin=Begin.SEQUENCE, sequence=6),
        StationRequest("BW", "UH2", begin=Begin.SEQUENCE, sequence=3),
    ]
    assert sequences(Cursor(ring_of(10), requests, 3)) == [4, 6, 7, 8, 9, 10]


def test_selectors_and_windows_choose_records():
    request = StationRequest(
        selectors=(parse_selector4("*_S_H_Z"),),
        begin=Begin.OLDEST,
        start_ns=13 * NS_PER_S,
        end_ns=17 * NS_PER_S,
    )
    assert sequences(Cursor(ring_of(20), [request], 3)) == [5, 7]


def test_late_older_records_are_no_part_of_a_window_but_of_a_resumed_stream():
    ring = ring_of(4)
    ring.append(record(1))
    ring.append(record(20))
    window = StationRequest(begin=Begin.OLDEST, start_ns=12 * NS_PER_S)
    resumed = StationRequest(begin=Begin.SEQUENCE, sequence=4, start_ns=12 * NS_PER_S)
    assert sequences(Cursor(ring, [window], 3)) == [3, 4, 6]
    assert sequences(Cursor(ring, [resumed], 3)) == [4, 5, 6]


def test_a_finite_request_ends_with_what_was_held_when_it_was_made():
    ring = ring_of(10)
    cursor = Cursor(ring, [replace(EVERYTHING, finite=True)], 3)
    ring.append(record(99))
    assert not cursor.is_finished(nothing_follows=False)
    assert sequences(cursor) == list(range(1, 11))
    assert cursor.is_finished(nothing_follows=False)


def test_a_window_ends_when_every_channel_has_passed_its_end():
    ring = ring_of(4)
    cursor = Cursor(ring, [replace(EVERYTHING, end_ns=15 * NS_PER_S)], 3)
    assert sequences(cursor) == [1, 2, 3, 4]
    ring.append(record(14))
    assert sequences(cursor) == [5]
    assert not cursor.is_finished(nothing_follows=False)
    ring.append(record(15, N))
    assert sequences(cursor) == []
    assert cursor.is_finished(nothing_follows=False)


def test_a_stream_without_end_ends_only_when_nothing_follows():
    cursor = Cursor(ring_of(4), [EVERYTHING], 3)
    assert not cursor.is_finished(nothing_follows=True)
    sequences(cursor)
    assert not cursor.is_finished(nothing_follows=False)
    assert cursor.is_finished(nothing_follows=True)


def test_a_cursor_that_was_overtaken_goes_on_with_the_oldest_and_counts():
    ring = ring_of(5, held=10)
    cursor = Cursor(ring, [EVERYTHING], 3)
    assert len(cursor.take(1)) == 1
    for second in range(30):
        ring.append(record(50 + second))
    assert sequences(cursor) == list(range(26, 36))
    assert cursor.missed == 24
