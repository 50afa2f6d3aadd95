"""The picks of a cable that may still make an event, ordered by time, channel and phase.

Arrays: N pick.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rtpick.vocabulary.fiber import FiberEventHints, FiberPicks
from rtpick.vocabulary.time import NS_PER_S

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
FREE = -1


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """Picks and what was found out about each.

    Parameters
    ----------
    time_ns_N, channel_N : ndarray of int64
    is_s_N, is_hint_N : ndarray of bool
        P where false; a hint stands for a pick that event heads expect, and is never given to an event.
    is_judged_N, is_burst_N : ndarray of bool
        Whether common mode was asked for, and found.
    owner_N : ndarray of int64
        Number of the open event that had the pick at the last review, -1 for none.
    """

    time_ns_N: IntArray
    channel_N: IntArray
    is_s_N: BoolArray
    is_hint_N: BoolArray
    is_judged_N: BoolArray
    is_burst_N: BoolArray
    owner_N: IntArray

    def __len__(self) -> int:
        return len(self.time_ns_N)

    def columns(self) -> tuple[npt.NDArray[np.generic], ...]:
        """Return the columns in the order of the fields."""
        return (
            self.time_ns_N, self.channel_N, self.is_s_N, self.is_hint_N, self.is_judged_N, self.is_burst_N,
            self.owner_N,
        )  # fmt: skip

    def seconds(self, zero_ns: int) -> FloatArray:
        """Times since some moment nearby."""
        return (self.time_ns_N - zero_ns) / NS_PER_S

    def where(self, keep: BoolArray | IntArray | slice) -> Pool:
        """Return some of the picks."""
        return Pool(*(column[keep] for column in self.columns()))  # type: ignore[arg-type]

    def joined(self, other: Pool) -> Pool:
        """Return the picks of both in order; of the same pick the first stands."""
        if not len(other):
            return self
        both = Pool(*(np.concatenate(pair) for pair in zip(self.columns(), other.columns(), strict=True)))
        return both.where(_distinct(both))


def _distinct(pool: Pool) -> IntArray:
    """Order picks canonically and leave repetitions out."""
    keys = (pool.is_hint_N, pool.is_s_N, pool.channel_N, pool.time_ns_N)
    order = np.lexsort(keys)
    again = np.ones(len(order), bool)
    again[:1] = False
    for key in keys:
        again[1:] &= key[order][1:] == key[order][:-1]
    return order[~again].astype(np.int64)


def pool_of_picks(picks: FiberPicks) -> Pool:
    """Take picks in, in their order."""
    return _fresh(picks.time_ns_N, picks.channel_number_N, np.asarray(picks.phase_N) == "S", False)


def pool_of_hints(hints: FiberEventHints, vp_vs: float) -> Pool:
    """Turn what event heads say of a channel into the P and the S that they expect there."""
    whole_ns = (hints.center_ns_N - hints.origin_ns_N).astype(np.float64)
    half_ns = np.round(whole_ns * (vp_vs - 1.0) / (vp_vs + 1.0)).astype(np.int64)
    later = half_ns > 0
    middle_ns, half_ns, channel_N = hints.center_ns_N[later], half_ns[later], hints.channel_number_N[later]
    time_ns_N = np.concatenate((middle_ns - half_ns, middle_ns + half_ns))
    return _fresh(time_ns_N, np.tile(channel_N, 2), np.repeat([False, True], len(channel_N)), True)


def _fresh(time_ns_N: IntArray, channel_N: IntArray, is_s_N: BoolArray, hints: bool) -> Pool:
    count = len(time_ns_N)
    flags = np.zeros((2, count), bool)
    return Pool(
        np.asarray(time_ns_N, np.int64), np.asarray(channel_N, np.int64), np.asarray(is_s_N, bool),
        np.full(count, hints), flags[0], flags[1], np.full(count, FREE, np.int64),
    )  # fmt: skip


def _nothing() -> Pool:
    return _fresh(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, bool), False)


EMPTY = _nothing()
