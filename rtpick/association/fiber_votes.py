"""Which P a front of S belongs to: every P before it votes for an origin time.

A pair's origin time follows from Wadati's relation; the front lends its time to channels that saw P
alone. The kernel grows with S-P, as errors of Vp/Vs do, and chance is measured beside the crest.

Arrays: P pick of phase P, M member, V vote (ordered by origin time).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import median_filter

from rtpick.association.fiber_fronts import Front
from rtpick.association.fiber_options import FiberOptions
from rtpick.association.fiber_pool import BoolArray, FloatArray, IntArray

_KERNEL_S, _KERNEL_GROWTH = 0.05, 0.037
_BESIDE_S, _LEAST_ROOM_S = 6.0, 0.5
_SIGMAS, _LEAST_CHANCE = 6.0, 0.2
_CLAIMS = 8  # of one front
_DRIFT = 3.0  # kernels that a smooth moveout may lead away from its crest
_MEMBER_S = 0.2  # of a P to the smoothed moveout
_SHADOW_S = 0.3  # picks this near have had their say
_SHORTEST_PS_S = 0.3
SMOOTH_OVER = 41  # picks in the running median


@dataclass(frozen=True, slots=True, eq=False)
class Votes:
    """What the P before a front say."""

    row_V: IntArray
    channel_V: IntArray
    time_V: FloatArray
    ps_V: FloatArray
    origin_V: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Claim:
    """P that agree on one origin time (s) with a front of S; `row_M` are sorted rows of the pool."""

    front: int
    origin_s: float
    ps_s: float
    row_M: IntArray


def gather_votes(
    front: Front, row_P: IntArray, time_P: FloatArray, channel_P: IntArray, options: FiberOptions
) -> Votes:
    """Let each P before a front (times sorted) say when the event was."""
    width = options.channels_per_group
    first_s, last_s = front.time_F.min() - options.maximum_ps_s, front.time_F.max()
    begin, end = np.searchsorted(time_P, (first_s, last_s))
    channel = channel_P[begin:end]
    inside = (channel >= front.group_F[0] * width) & (channel < (front.group_F[-1] + 1) * width)
    rows = begin + np.flatnonzero(inside)
    ps = front.time_at(channel_P[rows], width) - time_P[rows]
    good = (ps > _SHORTEST_PS_S) & (ps < options.maximum_ps_s)
    rows, ps = rows[good], ps[good]
    origin = time_P[rows] - ps / (options.vp_vs - 1.0)
    order = np.argsort(origin, kind="stable")
    rows = rows[order]
    return Votes(row_P[rows], channel_P[rows], time_P[rows], ps[order], origin[order])


def find_claims(number: int, votes: Votes, options: FiberOptions) -> Iterator[Claim]:
    """Take one crest of the votes after the other, the clearest first.

    Notes
    -----
    A crest needs `fewest_votes`, and six standard deviations above chance. Its picks, and those that
    lie on the same smooth moveout, vote no more.
    """
    silent = np.zeros(len(votes.row_V), bool)
    for _ in range(_CLAIMS):
        crest = _clearest(votes, np.flatnonzero(~silent), options)
        if crest is None:
            return
        origin_s = float(np.median(votes.origin_V[crest]))
        away = np.abs(_residual(votes, crest, origin_s, options))
        wider = (away < _MEMBER_S) & (np.abs(votes.origin_V - origin_s) < _DRIFT * _kernel_s(votes.ps_V))
        away = np.abs(_residual(votes, np.flatnonzero(wider), origin_s, options))
        member = away < _MEMBER_S
        if np.count_nonzero(member & ~silent) >= options.fewest_votes:
            yield Claim(number, origin_s, float(np.median(votes.ps_V[member])), np.sort(votes.row_V[member]))
        silent |= away < _SHADOW_S
        silent[crest] = True


def _clearest(votes: Votes, left: IntArray, options: FiberOptions) -> IntArray | None:
    """Return the votes within the kernel at the clearest crest, None where all is chance."""
    if len(left) < options.fewest_votes:
        return None
    origin, ps = votes.origin_V[left], votes.ps_V[left]
    half = _kernel_s(ps)
    count = _about(origin, half)
    beside = _about(origin, np.full(len(left), _BESIDE_S)) - count
    chance = beside * 2.0 * half / np.maximum(_room(ps, options) - 2.0 * half, _LEAST_ROOM_S)
    excess = count - chance - _SIGMAS * np.sqrt(np.maximum(chance, _LEAST_CHANCE))
    excess[count < options.fewest_votes] = -1.0
    best = int(np.argmax(excess))
    return left[np.abs(origin - origin[best]) <= half[best]] if excess[best] >= 0.0 else None


def _kernel_s(ps_V: FloatArray) -> FloatArray:
    return np.asarray(_KERNEL_S + _KERNEL_GROWTH * ps_V)


def _room(ps_V: FloatArray, options: FiberOptions) -> FloatArray:
    """Return how much of the time beside a vote can have votes at all."""
    stretch = options.vp_vs / (options.vp_vs - 1.0)
    after = np.minimum(stretch * (ps_V - _SHORTEST_PS_S), _BESIDE_S)
    return np.asarray(after + np.minimum(stretch * (options.maximum_ps_s - ps_V), _BESIDE_S))


def _about(sorted_V: FloatArray, half_V: FloatArray) -> IntArray:
    ends = np.searchsorted(sorted_V, sorted_V + half_V), np.searchsorted(sorted_V, sorted_V - half_V)
    return (ends[0] - ends[1]).astype(np.int64)


def _residual(votes: Votes, crest: IntArray, origin_s: float, options: FiberOptions) -> FloatArray:
    """Return how late each P is against the moveout of a crest, smoothed along the cable."""
    late = votes.time_V - origin_s - (votes.time_V + votes.ps_V - origin_s) / options.vp_vs
    channel, smooth = smooth_along(votes.channel_V[crest], late[crest])
    return np.asarray(late - np.interp(votes.channel_V, channel, smooth))


def smooth_along(channel_M: IntArray, late_M: FloatArray) -> tuple[IntArray, FloatArray]:
    """Take a running median over the picks along the cable; an outlier does not bend it."""
    order = np.argsort(channel_M, kind="stable")
    return channel_M[order], median_filter(late_M[order], SMOOTH_OVER, mode="nearest")


def is_member(row_M: IntArray, count: int) -> BoolArray:
    """Mark rows among so many."""
    mask = np.zeros(count, bool)
    mask[row_M] = True
    return mask
