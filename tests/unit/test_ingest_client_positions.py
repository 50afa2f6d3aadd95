"""Where streams are taken up, what is asked of the server, and what its ring's numbers mean."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from seedlink_client.protocol import Protocol

from rtpick.ingest.seedlink_negotiation import plan_streams
from rtpick.ingest.seedlink_positions import (
    EVERYTHING,
    Position,
    Positions,
    SequenceScope,
    StartAfter,
    StartAt,
    StartNow,
    parse_start,
    widen_sequence,
)
from rtpick.ingest.seedlink_ring import RingSpan, RingVerdict, read_channels, read_stations, span_of_all
from rtpick.ingest.seedlink_watchdog import Backoff, DataAge
from rtpick.ingest.selectors import Subscription
from rtpick.ingest.source_status import LinkTeller, SourceState
from rtpick.vocabulary.codes import ChannelId, StationId
from rtpick.vocabulary.errors import SettingsError, SourceError
from rtpick.vocabulary.time import NS_PER_S, parse_utc
from rtpick.vocabulary.waveform import Packet, Progress

T0 = parse_utc("2026-11-21T14:50:00.7Z")
A, B = StationId("BW", "UH1"), StationId("BW", "UH2")
SERVER, STATION = SequenceScope.SERVER, SequenceScope.STATION
SUBSCRIPTION = Subscription("BW_UH1", ("_S_H_Z", "*_H_H_?"), ("SHZ", "HH?"))


def progress(station: StationId, sequence: int | None, start_ns: int) -> Progress:
    return Progress("ring", station, sequence, start_ns, start_ns)


def packet(station: StationId, sequence: int | None, start_ns: int) -> Packet:
    channel = ChannelId(station.network, station.station, "", "SHZ")
    return Packet(channel, start_ns, 100.0, np.zeros(100, np.int32), "ring", sequence, start_ns)


class TestPositions:
    def test_without_progress_a_stream_begins_as_set(self):
        for setting, start in [("resume", StartNow()), ("now", StartNow()), ("all", EVERYTHING)]:
            assert Positions({}, setting).start(A, SERVER) == start
        assert Positions({}, "2026-11-21T14:50:00.7Z").start(A, STATION) == StartAt(T0)

    def test_a_start_of_another_kind_is_refused(self):
        with pytest.raises(SettingsError, match="yesterday"):
            parse_start("yesterday")

    @pytest.mark.parametrize("setting", ["resume", "all", "2020-01-01"])
    def test_what_is_done_goes_before_the_setting(self, setting):
        positions = Positions({A: progress(A, 40, T0)}, setting)
        assert positions.start(A, STATION) == StartAfter(Position(40, T0))

    def test_now_leaves_what_is_done_aside(self):
        assert Positions({A: progress(A, 40, T0)}, "now").start(A, SERVER) == StartNow()

    def test_one_sequence_for_all_begins_at_the_smallest(self):
        positions = Positions({A: progress(A, 40, T0 + 5), B: progress(B, 30, T0)}, "resume")
        assert positions.start(A, SERVER) == positions.start(None, SERVER) == StartAfter(Position(30, T0))

    def test_stations_stored_on_both_sides_of_a_wiped_ring_begin_at_the_earliest_time(self):
        positions = Positions({A: progress(A, 3, T0 + 20 * NS_PER_S), B: progress(B, 9000, T0)}, "resume")
        assert positions.start(A, SERVER) == positions.start(B, SERVER) == StartAt(T0)
        assert positions.start(B, STATION) == StartAfter(Position(9000, T0))

    def test_the_first_record_behind_mixed_numbers_tells_nothing_and_makes_them_clear(self):
        positions = Positions({A: progress(A, 30, T0 + 20 * NS_PER_S), B: progress(B, 40, T0)}, "resume")
        assert not positions.advance(packet(B, 25, T0 + 1), SERVER)
        assert positions.start(A, SERVER) == StartAfter(Position(25, T0 + 1))
        assert positions.advance(packet(B, 24, T0 + 2), SERVER)

    def test_a_station_whose_clock_runs_ahead_does_not_make_the_others_stale(self):
        ahead = progress(B, 4001, T0 + 86_000 * NS_PER_S)
        positions = Positions({A: progress(A, 4000, T0), B: ahead}, "resume", lambda: T0 + NS_PER_S)
        assert positions.start(A, SERVER) == StartAfter(Position(4000, T0))

    def test_a_sequence_each_begins_each_at_its_own(self):
        positions = Positions({A: progress(A, 40, T0), B: progress(B, 3000, T0 + 5)}, "resume")
        assert positions.start(A, STATION) == StartAfter(Position(40, T0))
        assert positions.start(B, STATION) == StartAfter(Position(3000, T0 + 5))

    def test_a_long_dead_station_does_not_hold_the_others_back(self):
        dead = progress(B, 2, T0 - 86_400 * NS_PER_S)
        positions = Positions({A: progress(A, 4000, T0), B: dead}, "resume")
        assert positions.start(A, SERVER) == StartAfter(Position(4000, T0))
        assert positions.recent_start_ns() == T0

    def test_progress_without_a_number_is_no_position(self):
        assert Positions({A: progress(A, None, T0)}, "resume").is_empty

    def test_a_pattern_in_a_sequence_each_begins_at_a_time(self):
        positions = Positions({A: progress(A, 40, T0), B: progress(B, 3000, T0 + 5)}, "resume")
        assert positions.start(None, STATION) == StartAt(T0)

    @pytest.mark.parametrize("scope", [SERVER, STATION])
    def test_records_taken_move_the_position_on(self, scope):
        positions = Positions({}, "now")
        assert not positions.advance(packet(A, 5, T0), scope)
        assert not positions.advance(packet(A, 6, T0 + 9), scope)
        assert positions.start(A, scope) == StartAfter(Position(6, T0 + 9))

    def test_numbers_that_go_back_tell_of_a_new_count(self):
        positions = Positions({A: progress(A, 40, T0), B: progress(B, 7, T0)}, "resume")
        assert not positions.advance(packet(B, 8, T0), STATION)
        assert positions.advance(packet(A, 8, T0), STATION)
        assert positions.start(A, STATION) == StartAfter(Position(8, T0))

    def test_records_without_a_number_move_nothing(self):
        positions = Positions({}, "now")
        assert not positions.advance(packet(A, None, T0), SERVER)
        assert positions.is_empty


@pytest.mark.parametrize(
    ("low", "last", "whole"),
    [
        (5, None, 5),
        (6, 5, 6),
        (0x000001, 0xFFFFFF, 0x1000001),
        (0xFFFFFE, 0x1000001, 0xFFFFFE),
        (0x000000, 0x2FFFFFF, 0x3000000),
        (0xFFFFF0, 5, 0xFFFFF0),
    ],
)
def test_24_bits_are_completed_to_the_nearest_number(low, last, whole):
    assert widen_sequence(low, last) == whole


class TestCommands:
    @pytest.mark.parametrize(
        ("start", "data4", "data3"),
        [
            (StartNow(), "DATA", "DATA"),
            (EVERYTHING, "DATA ALL 1970-01-01T00:00:00Z", "TIME 1970,1,1,0,0,0"),
            (StartAt(T0), "DATA ALL 2026-11-21T14:50:00Z", "TIME 2026,11,21,14,50,0"),
            (
                StartAfter(Position(4063, T0)),
                "DATA 4064 2026-11-21T14:50:00Z",
                "DATA 000FE0 2026,11,21,14,50,0",
            ),
            (
                StartAfter(Position(0x1FFFFFE, T0)),
                "DATA 33554431 2026-11-21T14:50:00Z",
                "DATA FFFFFF 2026,11,21,14,50,0",
            ),
            (
                StartAfter(Position(0xFFFFFF, T0)),
                "DATA 16777216 2026-11-21T14:50:00Z",
                "TIME 2026,11,21,14,50,0",
            ),
            (StartAfter(Position(0, T0)), "DATA ALL 2026-11-21T14:50:00Z", "TIME 2026,11,21,14,50,0"),
        ],
    )
    def test_number_and_time_go_together_in_both_versions(self, start, data4, data3):
        (four,) = plan_streams(Protocol.V4, [(SUBSCRIPTION, start)])
        (three,) = plan_streams(Protocol.V3, [(SUBSCRIPTION, start)])
        assert (four.station, *four.following) == ("STATION BW_UH1", "SELECT _S_H_Z", "SELECT *_H_H_?", data4)
        assert (three.station, *three.following) == ("STATION UH1 BW", "SELECT SHZ", "SELECT HH?", data3)


class TestRing:
    @pytest.mark.parametrize(
        ("span", "sequence", "verdict"),
        [
            (RingSpan(100, 200), 150, RingVerdict.HELD),
            (RingSpan(100, 200), 100, RingVerdict.HELD),
            (RingSpan(100, 200), 99, RingVerdict.OUTLIVED),
            (RingSpan(100, 200), 98, RingVerdict.OVERTAKEN),
            (RingSpan(100, 200), 201, RingVerdict.RESET),
            (RingSpan(0xFFFF00, 0x10, 1 << 24), 0xFFFFF0, RingVerdict.HELD),
            (RingSpan(1, 0x10, 1 << 24), 0x1000008, RingVerdict.HELD),
            (RingSpan(1, 0x10, 1 << 24), 0x1000020, RingVerdict.RESET),
        ],
    )
    def test_verdicts(self, span, sequence, verdict):
        assert span.judge(Position(sequence, 0)) is verdict

    def test_an_empty_ring_has_been_reset(self):
        assert span_of_all([]).judge(Position(5, 0)) is RingVerdict.RESET

    def test_stations_of_one_sequence_are_taken_together(self):
        assert span_of_all([RingSpan(5, 90), RingSpan(2, 80)]) == RingSpan(2, 90)

    def test_a_count_that_wrapped_cannot_be_compared(self):
        span = span_of_all([RingSpan(5, 90, 1 << 24), RingSpan(0xFFFF00, 80, 1 << 24)])
        assert span.judge(Position(200, 0)) is RingVerdict.HELD

    def test_stations_are_read_from_both_versions(self):
        four = {"station": [{"id": "BW_UH1", "start_seq": 1, "end_seq": 456, "description": ""}]}
        entry = {"name": "UH1", "network": "BW", "begin_seq": "0A", "end_seq": "1F"}
        three = {"seedlink": {"station": [entry]}}
        assert read_stations(four) == {A: RingSpan(1, 456)}
        assert read_stations(three) == {A: RingSpan(10, 31, 1 << 24)}
        assert read_stations({"seedlink": {}}) == {}

    def test_channels_are_read_from_both_versions(self):
        ids = ["_S_H_Z", "00_S_H_Z", "_S_H_ZZ"]
        four = {"station": [{"id": "BW_UH1", "stream": [{"id": name} for name in ids]}]}
        stream = [{"location": "", "seedname": "SHZ"}, {"location": "00", "seedname": "SHZ"}]
        three = {"seedlink": {"station": [{"name": "UH1", "network": "BW", "stream": stream}]}}
        expected = (ChannelId.parse("BW.UH1..SHZ"), ChannelId.parse("BW.UH1.00.SHZ"))
        assert read_channels(four) == read_channels(three) == expected

    @pytest.mark.parametrize("document", [{"station": 5}, {"station": [{"id": "A_B"}]}, {"station": [{}]}])
    def test_an_answer_in_another_shape_is_an_error_of_the_source(self, document):
        with pytest.raises(SourceError, match="INFO STATIONS"):
            read_stations(document)


class TestDataAge:
    CHANNEL = ChannelId.parse("BW.UH1..SHZ")

    def age(self) -> DataAge:
        age = DataAge(silent_alarm_s=10, channel_silent_alarm_s=30)
        age.restart(0)
        return age

    def test_a_server_is_silent_only_after_its_time(self):
        age = self.age()
        age.heard(self.CHANNEL, 5 * NS_PER_S)
        assert not age.is_silent(15 * NS_PER_S)
        assert age.is_silent(16 * NS_PER_S)

    def test_a_channel_is_told_silent_once_and_heard_once(self):
        age = self.age()
        assert not age.heard(self.CHANNEL, 0)
        assert age.newly_silent(30 * NS_PER_S) == []
        assert age.newly_silent(31 * NS_PER_S) == [self.CHANNEL]
        assert age.newly_silent(90 * NS_PER_S) == []
        assert age.heard(self.CHANNEL, 91 * NS_PER_S)
        assert not age.heard(self.CHANNEL, 92 * NS_PER_S)

    def test_an_outage_of_the_server_is_no_silence_of_its_channels(self):
        age = self.age()
        age.heard(self.CHANNEL, 0)
        age.restart(3600 * NS_PER_S)
        assert age.newly_silent(3610 * NS_PER_S) == []

    def test_short_connections_do_not_hide_a_dead_channel(self):
        age = self.age()
        age.heard(self.CHANNEL, 0)
        other = ChannelId.parse("BW.UH2..SHZ")
        for second in range(0, 60, 5):  # a server that drops each connection after three seconds
            age.restart(second * NS_PER_S)
            age.heard(other, (second + 3) * NS_PER_S)
        assert age.newly_silent(59 * NS_PER_S) == [self.CHANNEL]

    def test_a_channel_of_an_earlier_run_that_never_comes_is_told(self):
        age = DataAge(silent_alarm_s=10, channel_silent_alarm_s=30)
        age.expect(self.CHANNEL)
        age.restart(1000 * NS_PER_S)
        assert age.newly_silent(1030 * NS_PER_S) == []
        assert age.newly_silent(1031 * NS_PER_S) == [self.CHANNEL]
        assert age.heard(self.CHANNEL, 1040 * NS_PER_S)

    def test_time_in_which_nobody_took_the_packets_does_not_count(self):
        age = self.age()
        age.heard(self.CHANNEL, 0)
        age.excuse(100 * NS_PER_S)
        assert not age.is_silent(105 * NS_PER_S)
        assert age.newly_silent(105 * NS_PER_S) == []


class TestBackoff:
    def test_waits_grow_to_the_bound_and_never_beyond(self):
        backoff = Backoff(1.0, 60.0, Random(1))
        waits = [backoff.next_s() for _ in range(200)]
        assert all(1.0 <= wait <= 60.0 for wait in waits)
        assert waits[0] <= 2.0
        assert max(waits) > 50.0

    def test_success_begins_anew(self):
        backoff = Backoff(1.0, 60.0, Random(1))
        for _ in range(20):
            backoff.next_s()
        backoff.reset()
        assert backoff.next_s() <= 2.0

    def test_two_clients_do_not_wait_alike(self):
        first, second = (Backoff(1.0, 60.0, Random(seed)) for seed in (1, 2))
        assert [first.next_s() for _ in range(5)] != [second.next_s() for _ in range(5)]


def test_an_outage_is_told_once_and_so_is_its_end():
    teller = LinkTeller("ring")
    states = [
        SourceState.CONNECTING,
        SourceState.DISCONNECTED,
        SourceState.DISCONNECTED,
        SourceState.CONNECTED,
        SourceState.CONNECTED,
        SourceState.DISCONNECTED,
    ]
    told = [status.state for state in states if (status := teller.change(state, "", 1)) is not None]
    assert told == [states[0], states[1], states[3], states[5]]
