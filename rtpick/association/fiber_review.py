"""What a cable's picks say at one moment: which events there are, and whose each pick is.

Arrays: N pick of the pool.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from rtpick.association.fiber_bursts import RIPE_S, judge_bursts
from rtpick.association.fiber_choice import choose_claims
from rtpick.association.fiber_fronts import Front, find_fronts
from rtpick.association.fiber_groups import find_arrivals
from rtpick.association.fiber_moveout import Attachment, Source, assemble_sources, attach
from rtpick.association.fiber_options import FiberOptions
from rtpick.association.fiber_pool import BoolArray, FloatArray, IntArray, Pool
from rtpick.association.fiber_votes import Claim, find_claims, gather_votes

_FLOOD_PICKS, _FLOOD_TIMES = 10, 5  # a channel floods with so many picks, and so many times the median


@dataclass(frozen=True, slots=True, eq=False)
class Opinion:
    """Events and the picks of each; times are relative to the moment of the review."""

    sources: tuple[Source, ...]
    attachment: Attachment


def judge(
    pool: Pool, now_ns: int, mixed_before_ns: IntArray, live_channels: int
) -> tuple[Pool, IntArray]:
    """Ask every pick that has company enough whether it belongs to a step of the interrogator.

    Returns
    -------
    Pool, ndarray of int64
        And the times of the steps with mixed labels.
    """
    time_s_N = pool.seconds(now_ns)
    real = np.flatnonzero(~pool.is_hint_N)
    asked = ~pool.is_judged_N & (time_s_N < -RIPE_S)
    asked_of_real = np.flatnonzero(asked[real])
    before_s = (mixed_before_ns - now_ns) / 1e9
    found = judge_bursts(time_s_N[real], pool.is_s_N[real], asked_of_real, live_channels, before_s)
    is_burst_N = pool.is_burst_N.copy()
    is_burst_N[real[asked_of_real]] = found.is_burst_N
    judged = replace(pool, is_judged_N=pool.is_judged_N | asked, is_burst_N=is_burst_N)
    return judged, now_ns + np.round(found.mixed_s * 1e9).astype(np.int64)


def review(pool: Pool, now_ns: int, live_channels: int, options: FiberOptions) -> Opinion:
    """Find the events behind the picks that are judged, and give each pick its event."""
    time_s_N = pool.seconds(now_ns)
    sound = pool.is_judged_N & ~pool.is_burst_N
    voting = sound & ~_floods(pool, live_channels)
    fronts = _fronts(pool, time_s_N, np.flatnonzero(voting & pool.is_s_N), options)
    claims = _claims(pool, time_s_N, np.flatnonzero(voting & ~pool.is_s_N), fronts, options)
    sources = assemble_sources(claims, fronts, time_s_N, pool.channel_N, options)
    is_open_N = sound & ~pool.is_hint_N
    return Opinion(
        tuple(sources), attach(sources, time_s_N, pool.channel_N, pool.is_s_N, is_open_N, options)
    )


def _fronts(pool: Pool, time_s_N: FloatArray, rows: IntArray, options: FiberOptions) -> tuple[Front, ...]:
    """Find the fronts whose P are all remembered; of an older one too little chance would be known."""
    fronts = find_fronts(find_arrivals(time_s_N[rows], pool.channel_N[rows], options), options)
    oldest_s = options.maximum_ps_s - options.memory_s
    return tuple(front for front in fronts if float(front.time_F.min()) > oldest_s)


def _claims(
    pool: Pool, time_s_N: FloatArray, rows: IntArray, fronts: tuple[Front, ...], options: FiberOptions
) -> list[Claim]:
    time_P, channel_P = time_s_N[rows], pool.channel_N[rows]
    claims: list[Claim] = []
    for number, front in enumerate(fronts):
        claims.extend(find_claims(number, gather_votes(front, rows, time_P, channel_P, options), options))
    order = sorted(range(len(fronts)), key=lambda number: float(np.median(fronts[number].time_F)))
    return choose_claims(claims, order)


def _floods(pool: Pool, live_channels: int) -> BoolArray:
    """Mark the picks of channels that have far more than the others."""
    if not len(pool):
        return np.zeros(0, bool)
    channel_N = pool.channel_N - pool.channel_N.min()
    count_K = np.bincount(channel_N[~pool.is_hint_N], minlength=int(channel_N.max()) + 1)
    heard_K = count_K[count_K > 0]
    silent = max(live_channels - len(heard_K), 0)
    usual = np.median(np.concatenate((heard_K, np.zeros(max(silent, 1)))))
    return np.asarray(count_K[channel_N] > _FLOOD_PICKS + _FLOOD_TIMES * usual)


def members_of(opinion: Opinion, number: int) -> IntArray:
    """Return the rows of one event's picks."""
    return np.flatnonzero(opinion.attachment.source_N == number)

