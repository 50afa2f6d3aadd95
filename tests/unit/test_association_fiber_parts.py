"""Groups, fronts, steps, votes and choices of a cable's associator, one by one."""

from __future__ import annotations

import numpy as np
import pytest

from rtpick.association.fiber_bursts import judge_bursts
from rtpick.association.fiber_choice import choose_claims
from rtpick.association.fiber_fronts import Front, find_fronts
from rtpick.association.fiber_groups import find_arrivals
from rtpick.association.fiber_options import FiberOptions
from rtpick.association.fiber_pool import pool_of_hints
from rtpick.association.fiber_votes import Claim, find_claims, gather_votes
from rtpick.vocabulary.fiber import FiberEventHints

OPTIONS = FiberOptions(fewest_groups=4)
CHANNEL_K = np.arange(1000)


def along(*curves: np.ndarray, seen: float = 0.8) -> tuple[np.ndarray, np.ndarray]:
    """Pick curves (s by channel); times sorted, with their channels."""
    rng = np.random.default_rng(1)
    parts = []
    for curve in curves:
        channel = np.flatnonzero(rng.random(len(curve)) < seen)
        parts.append((curve[channel] + rng.normal(0, 0.03, len(channel)), channel))
    time, channel = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.argsort(time, kind="stable")
    return time[order], channel[order]


def test_a_channel_counts_once_in_a_group() -> None:
    time = np.sort(np.random.default_rng(1).uniform(1.0, 1.2, 50))
    assert len(find_arrivals(time, np.full(50, 7), OPTIONS).time_A) == 0
    assert find_arrivals(time, np.arange(50), OPTIONS).count_A.tolist() == [50]


def test_noise_raises_what_an_arrival_needs() -> None:
    rng = np.random.default_rng(2)
    quiet = np.array([20.0, 20.01, 20.02, 20.03, 20.04])
    loud = np.concatenate((np.arange(10.0, 20.0, 0.04), quiet))
    channel = rng.permutation(300)[: len(loud)] % 50
    found = find_arrivals(np.sort(loud), channel, OPTIONS)
    assert len(find_arrivals(quiet, np.arange(5), OPTIONS).time_A) == 1
    assert not np.any(np.abs(found.time_A - 20.02) < 0.05)


def test_fronts_that_cross_stay_two() -> None:
    up, down = 10.0 + 0.002 * CHANNEL_K, 12.05 - 0.002 * CHANNEL_K
    fronts = find_fronts(find_arrivals(*along(up, down), OPTIONS), OPTIONS)
    ends = sorted((float(front.time_F[0]), float(front.time_F[-1])) for front in fronts)
    assert np.array(ends) == pytest.approx(np.array([[10.05, 11.95], [12.0, 10.1]]), abs=0.1)


def test_a_front_goes_on_beyond_silent_groups() -> None:
    curve = 10.0 + 1e-6 * (CHANNEL_K - 300.0) ** 2
    time, channel = along(curve)
    heard = (channel < 400) | (channel >= 650)
    (front,) = find_fronts(find_arrivals(time[heard], channel[heard], OPTIONS), OPTIONS)
    assert front.group_F[[0, -1]].tolist() == [0, 19]
    assert np.abs(front.time_at(CHANNEL_K, 50) - curve)[np.r_[30:390, 660:970]].max() < 0.05


def test_a_vehicle_is_no_front() -> None:
    assert find_fronts(find_arrivals(*along(10.0 + 0.4 * CHANNEL_K), OPTIONS), OPTIONS) == ()


@pytest.mark.parametrize(
    ("is_s", "spread_s", "mixed_before", "is_step"),
    [("mixed", 0.01, [], True), ("mixed", 0.2, [], False), ("s", 0.01, [], False), ("s", 0.01, [4.0], True)],
    ids=["step", "wave", "flat S alone", "flat S after a step"],
)
def test_what_a_step_is(is_s: str, spread_s: float, mixed_before: list[float], is_step: bool) -> None:
    rng = np.random.default_rng(3)
    time = np.sort(10.0 + rng.normal(0, spread_s, 600))
    of_s = rng.random(600) < 0.5 if is_s == "mixed" else np.ones(600, bool)
    found = judge_bursts(time, of_s, np.arange(600), 1000, np.array(mixed_before))
    assert found.is_burst_N.all() == found.is_burst_N.any() == is_step


def test_p_votes_date_a_front_and_another_events_p_is_another_claim() -> None:
    s = 20.0 + 0.001 * CHANNEL_K
    own, other = 17.0 + 0.0006 * CHANNEL_K, 11.0 + 0.0006 * CHANNEL_K
    front = Front(np.arange(20), s[25::50], np.full(20, 40))
    time, channel = along(own, other, seen=0.3)
    claims = list(find_claims(0, gather_votes(front, np.arange(len(time)), time, channel, OPTIONS), OPTIONS))
    assert sorted(round(claim.ps_s) for claim in claims) == [3, 9]
    clear = max(claims, key=lambda claim: len(claim.row_M))
    assert len(clear.row_M) > 250
    assert {round(c.origin_s) for c in claims} <= {-2, -1, 12, 13}


def claim(front: int, ps_s: float, rows: range) -> Claim:
    return Claim(front, 0.0, ps_s, np.array(rows))


def test_two_fronts_share_no_p() -> None:
    """The first S could take either P; so could the second: each takes its own."""
    one, two = range(100), range(100, 200)
    claims = [claim(0, 4.0, one), claim(0, 1.0, two), claim(1, 7.0, one), claim(1, 4.0, two)]
    chosen = choose_claims(claims, [0, 1])
    assert [(c.front, c.ps_s) for c in chosen] == [(0, 4.0), (1, 4.0)]


def test_a_front_stays_without_p_where_another_needs_it_more() -> None:
    claims = [claim(0, 9.0, range(90)), claim(1, 4.0, range(100))]
    assert [c.front for c in choose_claims(claims, [0, 1])] == [1]


def test_hints_become_the_p_and_s_that_they_expect() -> None:
    hints = FiberEventHints("ridge", np.array([5, 6]), np.array([20_000_000_000, 5]),
                            np.array([10_000_000_000, 5]), np.ones(2, np.float32))  # fmt: skip
    pool = pool_of_hints(hints, 1.73)
    assert pool.channel_N.tolist() == [5, 5]
    assert pool.is_hint_N.all()
    p_s, s_s = pool.time_ns_N / 1e9
    assert p_s - (s_s - p_s) / 0.73 == pytest.approx(10.0, abs=1e-6)
