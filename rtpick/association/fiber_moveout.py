"""What an event predicts along the cable, and which picks lie on that.

S follows the front's groups. P follows from it by Wadati's relation and a running median of what that
leaves over, so that Vp/Vs may change along the cable and a bend bends both curves.

Arrays: N pick, K channel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rtpick.association.fiber_fronts import Front
from rtpick.association.fiber_options import FiberOptions
from rtpick.association.fiber_pool import FREE, BoolArray, FloatArray, IntArray
from rtpick.association.fiber_votes import Claim, smooth_along

_BEYOND = 8  # groups beyond the front's ends at which picks may still lie on the curve
_SAME_S, _SAME_GROWTH = 0.15, 0.06  # how much origin times of parts of one event differ


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """An event as the cable sees it: origin time and median S-P (s), front of S, lateness of P."""

    origin_s: float
    ps_s: float
    front: Front
    late_channel_M: IntArray
    late_s_M: FloatArray

    def predict(self, channel_K: IntArray, options: FiberOptions) -> tuple[FloatArray, FloatArray]:
        """Return when P and S pass channels (s)."""
        s_K = self.front.time_at(channel_K, options.channels_per_group)
        p_K = self.origin_s + (s_K - self.origin_s) / options.vp_vs
        return p_K + np.interp(channel_K, self.late_channel_M, self.late_s_M), s_K


@dataclass(frozen=True, slots=True, eq=False)
class Attachment:
    """The source of each pick, -1 for none, and how late the pick is (s)."""

    source_N: IntArray
    residual_s_N: FloatArray


def assemble_sources(
    claims: Sequence[Claim], fronts: Sequence[Front], time_N: FloatArray, channel_N: IntArray,
    options: FiberOptions,
) -> list[Source]:  # fmt: skip
    """Make an event of each claim; parts of the cable that agree on the origin time are one event."""
    parts: list[list[Claim]] = []
    for claim in claims:
        for part in parts:
            if _is_one_event(part, claim, fronts):
                part.append(claim)
                break
        else:
            parts.append([claim])
    return [_source(part, fronts, time_N, channel_N, options) for part in parts]


def _is_one_event(part: Sequence[Claim], claim: Claim, fronts: Sequence[Front]) -> bool:
    if abs(part[0].origin_s - claim.origin_s) > _SAME_S + _SAME_GROWTH * claim.ps_s:
        return False
    group_F = fronts[claim.front].group_F
    return not any(np.isin(group_F, fronts[other.front].group_F).any() for other in part)


def _source(
    part: Sequence[Claim], fronts: Sequence[Front], time_N: FloatArray, channel_N: IntArray,
    options: FiberOptions,
) -> Source:  # fmt: skip
    mine = sorted((fronts[claim.front] for claim in part), key=lambda front: int(front.group_F[0]))
    columns = (
        np.concatenate([getattr(front, name) for front in mine]) for name in ("group_F", "time_F", "count_F")
    )
    group_F, time_F, count_F = columns
    order = np.argsort(group_F, kind="stable")
    front = Front(group_F[order], time_F[order], count_F[order])
    row_M = np.concatenate([claim.row_M for claim in part])
    origin_s, ps_s = part[0].origin_s, part[0].ps_s
    s_M = front.time_at(channel_N[row_M], options.channels_per_group)
    late_M = time_N[row_M] - origin_s - (s_M - origin_s) / options.vp_vs
    return Source(origin_s, ps_s, front, *smooth_along(channel_N[row_M], late_M))


def attach(
    sources: Sequence[Source], time_N: FloatArray, channel_N: IntArray, is_s_N: BoolArray,
    is_open_N: BoolArray, options: FiberOptions,
) -> Attachment:  # fmt: skip
    """Give each pick to the event whose curve it lies on, the nearest of several.

    Parameters
    ----------
    time_N : ndarray of float64
        Sorted.
    is_open_N : ndarray of bool
        Picks that may be given at all.
    """
    source_N = np.full(len(time_N), FREE, np.int64)
    residual_s_N = np.full(len(time_N), options.tolerance_s)
    for number, source in enumerate(sources):
        near = _near(source, time_N, channel_N, is_open_N, options)
        p_K, s_K = source.predict(channel_N[near], options)
        late_s = time_N[near] - np.where(is_s_N[near], s_K, p_K)
        better = np.abs(late_s) < np.abs(residual_s_N[near])
        source_N[near[better]], residual_s_N[near[better]] = number, late_s[better]
    return Attachment(source_N, residual_s_N)


def _near(
    source: Source, time_N: FloatArray, channel_N: IntArray, is_open_N: BoolArray, options: FiberOptions
) -> IntArray:
    front, width = source.front, options.channels_per_group
    ends_s = front.time_F.min() - options.maximum_ps_s - 2.0, front.time_F.max() + 2.0
    begin, end = np.searchsorted(time_N, ends_s)
    lowest, highest = (front.group_F[0] - _BEYOND) * width, (front.group_F[-1] + 1 + _BEYOND) * width
    channel = channel_N[begin:end]
    inside = is_open_N[begin:end] & (channel >= lowest) & (channel < highest)
    return np.asarray(begin + np.flatnonzero(inside), np.int64)
