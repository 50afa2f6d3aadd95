from __future__ import annotations

import numpy as np

from rtpick.picking.compatible_traces import Piece, build_segments, join_packets, to_rate
from rtpick.vocabulary.codes import ChannelId
from rtpick.vocabulary.time import NS_PER_S
from rtpick.vocabulary.waveform import Packet

Z = ChannelId("XX", "S1", "", "HHZ")
START_NS = 1_700_000_000 * NS_PER_S


def packet(start: int, samples, channel=Z, rate_hz=100.0):
    start_ns = START_NS + round(start * NS_PER_S / rate_hz)
    return Packet(channel, start_ns, rate_hz, np.asarray(samples, np.int32))


def piece(start: int, count: int, channel=Z, value=1.0):
    return Piece(channel, START_NS + start * 10_000_000, 100.0, np.full(count, value))


def test_packets_in_any_order_become_one_piece_and_a_hole_makes_two():
    packets = [packet(10, range(10, 20)), packet(0, range(10)), packet(21, range(21, 25))]
    pieces = join_packets(packets)
    assert [item.samples_T.tolist() for item in pieces] == [list(range(20)), list(range(21, 25))]


def test_what_comes_twice_is_joined_and_what_disagrees_is_left_out():
    agreeing = join_packets([packet(0, range(10)), packet(5, range(5, 15))])
    assert [item.samples_T.tolist() for item in agreeing] == [list(range(15))]
    assert join_packets([packet(0, range(10)), packet(5, range(6, 16))]) == []


def test_a_segment_ends_where_no_component_has_data():
    north = ChannelId("XX", "S1", "", "HHN")
    pieces = [piece(0, 40), piece(30, 40, north), piece(80, 40)]
    segments = build_segments(pieces, "ENZ", 100.0, 30)
    assert [item.samples_CT.shape[1] for item in segments] == [70, 40]
    assert segments[0].samples_CT[:, [0, 35, 69]].tolist() == [[0, 0, 0], [0, 1, 1], [1, 1, 0]]
    assert segments[0].valid_CT.sum() == 80


def test_short_segments_and_strange_components_are_left_out():
    strange = ChannelId("XX", "S1", "", "HHU")
    assert build_segments([piece(0, 29), piece(100, 90, strange)], "ENZ", 100.0, 30) == []


def test_components_1_and_2_stand_for_north_and_east():
    first, second = (ChannelId("XX", "S1", "", f"HH{c}") for c in "12")
    segment = build_segments([piece(0, 40, first, 1.0), piece(0, 40, second, 2.0)], "ENZ", 100.0, 30)[0]
    assert segment.samples_CT[:, 5].tolist() == [2.0, 1.0, 0.0]


def test_a_change_of_rate_keeps_a_slow_sine():
    for rate_hz in (50.0, 200.0, 80.0):
        t_T = np.arange(int(rate_hz * 20)) / rate_hz
        out = to_rate(Piece(Z, START_NS, rate_hz, np.sin(2 * np.pi * t_T)), 100.0)
        expected_T = np.sin(2 * np.pi * np.arange(len(out.samples_T)) / 100.0)
        assert len(out.samples_T) == 2000
        assert np.corrcoef(out.samples_T[300:-300], expected_T[300:-300])[0, 1] > 0.999
