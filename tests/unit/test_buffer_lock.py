"""Phases and indices of channels."""

from __future__ import annotations

from fractions import Fraction

import pytest

from rtpick.buffer.lock import WANDER_LIMIT_NS, PhaseLock, follow, fresh_lock, nominal_rate
from rtpick.vocabulary.time import SampleGrid

START_NS = 1_274_977_443_679_998_000


@pytest.mark.parametrize(
    ("header_hz", "meant"),
    [(100.0, 100), (99.9998, 100), (100.004, 100), (49.9999, 50), (125, 125), (99.5, Fraction(199, 2))],
)
def test_headers_flicker_around_what_they_mean(header_hz, meant):
    assert nominal_rate(header_hz, Fraction(100)) == meant


@pytest.mark.parametrize("rate", [Fraction(100), Fraction(50), Fraction(10000, 133), Fraction(30)])
def test_a_lock_agrees_with_the_sample_grid(rate):
    grid = SampleGrid(float(rate))
    for offset_ns in (0, 1, 3_000_001, 4_999_999, 9_999_999):
        lock = fresh_lock(rate, START_NS + offset_ns)
        assert lock.phase_ns == grid.phase_ns(START_NS + offset_ns)
        assert lock.index(START_NS + offset_ns) == grid.index(START_NS + offset_ns)
        assert lock.time_ns(lock.index(START_NS + offset_ns)) == START_NS + offset_ns


@pytest.mark.parametrize("jitter_ns", [-90_000, -1000, 0, 1000, 90_000])
def test_jitter_near_half_a_sample_does_not_move_the_index(jitter_ns):
    lock = fresh_lock(Fraction(100), 10**18 + 4_999_999)
    start_ns = 10**18 + 4_999_999 + jitter_ns
    assert lock.index(start_ns) == 10**11
    assert follow(lock, 10**11, start_ns) is lock


def test_a_slow_clock_never_opens_a_hole():
    lock = fresh_lock(Fraction(100), START_NS)
    index, time_ns, drifts = lock.index(START_NS), START_NS, 0
    for _ in range(20_000):
        index, time_ns = index + 400, time_ns + 4_000_040_000
        assert lock.index(time_ns) == index
        followed = follow(lock, index, time_ns)
        if abs(followed.phase_ns) < abs(lock.phase_ns):
            break
        lock, drifts = followed, drifts + (followed is not lock)
        assert abs(lock.time_ns(index) - time_ns) <= 4_000_000
    assert drifts > 100


def test_a_phase_that_has_wandered_off_is_locked_afresh():
    lock = PhaseLock(100, 1, WANDER_LIMIT_NS)
    start_ns = 10**18 + WANDER_LIMIT_NS + 4_500_000
    assert abs(follow(lock, lock.index(start_ns), start_ns).phase_ns) <= 5_000_000
