"""Who counts as silent."""

from __future__ import annotations

import pytest

from rtpick.buffer.instrument import Instrument
from rtpick.buffer.silence import REVIEW_PACKETS, Silence, fallen_silent, is_due, network_time_ns
from rtpick.vocabulary.codes import InstrumentId


@pytest.mark.parametrize(
    ("newest", "reached"),
    [([7], 7), ([5, 7], 7), ([5, 7, 99], 7), ([*range(200), 999, 999, 999, 999], 199)],
)
def test_a_few_clocks_that_run_ahead_do_not_move_the_network(newest, reached):
    assert network_time_ns(newest) == reached


def test_an_instrument_is_silent_once_and_hearing_it_wakes_it():
    silence = Silence(limit_ns=30)
    busy, quiet = (Instrument(InstrumentId("AA", name, "", "HH")) for name in ("B", "Q"))
    is_due(silence, quiet, 2)
    told = []
    for time in range(0, 100, 10):
        is_due(silence, busy, 2)
        silence.reference_ns = time
        told.append(fallen_silent(silence, [busy, quiet]))
    assert told == [[], [], [], [], [quiet], [], [], [], [], []]
    is_due(silence, quiet, 2)
    assert not quiet.dormant


def test_reviews_are_rarer_in_a_large_network():
    silence, instrument = Silence(limit_ns=30), Instrument(InstrumentId("AA", "B", "", "HH"))
    for count, packets in ((1, REVIEW_PACKETS), (2000, 8000)):
        silence.packets_left = 0
        due = [is_due(silence, instrument, count) for _ in range(packets + 1)]
        assert due == [True] + [False] * (packets - 1) + [True]
