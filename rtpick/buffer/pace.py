"""What the buffer waits for, in samples at the network's rate."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from rtpick.settings.schema import BufferSettings
from rtpick.vocabulary.time import NS_PER_S, to_ns

PACKET_LIMIT_S = 60
"""Packets longer than this are not waited for to their full length, nor filled in so far back."""

PIECE_S = 10
"""Longer packets are taken in pieces, so that the ring is read before it is overwritten."""

ACQUAINTANCE_S = 60
"""Event time in which an instrument may turn out to have more components."""


@dataclass(frozen=True, slots=True)
class Pace:
    """The network's rate in Hz, and what is waited for at it, in output samples.

    Parameters
    ----------
    rate : Fraction
    budget : int
        Reordering that is put up with.
    patience : int
        A component silent for longer than this (and its longest packet) is not waited for.
    longest_hole : int
        A component that returns after more than this joins the windows that end more than
        `budget` after its return; so does one that is seen for the first time.
    acquaintance : int
        For so long after its first sample an instrument may still turn out to have more components.
    longest_packet : int
        Longer packets are not waited for to their full length.
    """

    rate: Fraction
    budget: int
    patience: int
    longest_hole: int
    acquaintance: int
    longest_packet: int


def pace_of(settings: BufferSettings, rate: Fraction) -> Pace:
    """Express the settings in samples.

    Parameters
    ----------
    settings : BufferSettings
        In seconds.
    rate : Fraction
        The network's, in Hz.

    Examples
    --------
    >>> pace_of(BufferSettings(), Fraction(100)).budget
    500
    """

    def samples(duration_s: float) -> int:
        return math.ceil(to_ns(duration_s) * rate / NS_PER_S)

    budget, wait = samples(settings.reorder_budget_s), samples(settings.component_wait_s)
    return Pace(rate, budget, budget + wait, wait, samples(ACQUAINTANCE_S), samples(PACKET_LIMIT_S))


def least_memory(pace: Pace, window_samples: int, stride_samples: int) -> int:
    """Samples a row that completing windows needs, whatever length is asked for."""
    longest = math.ceil((2 * PACKET_LIMIT_S + PIECE_S) * pace.rate)
    return window_samples + stride_samples + pace.patience + 2 * pace.budget + longest
