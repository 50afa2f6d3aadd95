"""Where a channel's samples lie against the absolute grid of its rate."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from rtpick.vocabulary.time import NS_PER_S

NOMINAL_TOLERANCE = 1e-4
"""A header's rate this near to a round one (relative) means the round one: 99.9998 is 100."""

SAME_RATE_TOLERANCE = 1e-3
"""Rates this near (relative) belong to one channel; headers carry rates that flicker."""

DRIFT_LIMIT = 0.4
"""Samples that a packet may stray from its place before the phase follows it."""

WANDER_LIMIT_NS = NS_PER_S // 2
"""A phase that has drifted this far is taken anew, at the price of a gap or an overlap."""


def nominal_rate(sampling_rate_hz: float, network_rate: Fraction) -> Fraction:
    """Take the rate that a header means.

    Parameters
    ----------
    sampling_rate_hz : float
        As the header says.
    network_rate : Fraction
        The network's own rate in Hz; what is near to it is it.

    Returns
    -------
    Fraction
        Hz; within `NOMINAL_TOLERANCE` of the network's rate or of a whole number, that; else the
        nearest fraction with a denominator of at most 10,000.

    Examples
    --------
    >>> nominal_rate(99.9998, Fraction(100)), nominal_rate(75.18797, Fraction(100))
    (Fraction(100, 1), Fraction(10000, 133))
    """
    for round_rate in (network_rate, Fraction(round(sampling_rate_hz))):
        if abs(sampling_rate_hz - round_rate) <= NOMINAL_TOLERANCE * sampling_rate_hz:
            return round_rate
    return Fraction(sampling_rate_hz).limit_denominator(10_000)


def same_rate(sampling_rate_hz: float, rate_hz: float) -> bool:
    """Tell whether a header's rate belongs to a channel of the given rate.

    Examples
    --------
    >>> same_rate(99.98, 100.0), same_rate(50.0, 100.0)
    (True, False)
    """
    return abs(sampling_rate_hz - rate_hz) <= SAME_RATE_TOLERANCE * rate_hz


@dataclass(frozen=True, slots=True)
class PhaseLock:
    """A rate, and the constant by which a channel's samples lie behind the grid of that rate.

    Parameters
    ----------
    numerator, denominator : int
        The sampling rate in Hz as a fraction.
    phase_ns : int
        Sample `i` was taken at ``i * denominator / numerator`` seconds plus this.
    """

    numerator: int
    denominator: int
    phase_ns: int

    @property
    def rate(self) -> Fraction:
        """Samples a second."""
        return Fraction(self.numerator, self.denominator)

    def index(self, time_ns: int) -> int:
        """Index of the sample nearest to `time_ns` (halves go up)."""
        step_ns = self.denominator * NS_PER_S
        return (2 * (time_ns - self.phase_ns) * self.numerator + step_ns) // (2 * step_ns)

    def time_ns(self, index: int) -> int:
        """Time of sample `index`, to the nanosecond."""
        step_ns = self.denominator * NS_PER_S
        return self.phase_ns + (2 * index * step_ns + self.numerator) // (2 * self.numerator)


def fresh_lock(rate: Fraction, start_ns: int) -> PhaseLock:
    """Lock a channel's phase at its first packet, at most half a sample from the grid.

    Examples
    --------
    >>> fresh_lock(Fraction(100), 1_502_000_000).phase_ns
    2000000
    """
    grid = PhaseLock(rate.numerator, rate.denominator, 0)
    phase_ns = start_ns - grid.time_ns(grid.index(start_ns))
    return PhaseLock(rate.numerator, rate.denominator, phase_ns)


def is_near(lock: PhaseLock, index: int, start_ns: int) -> bool:
    """Tell whether a time lies within `DRIFT_LIMIT` of sample `index`."""
    stray_ns = start_ns - lock.time_ns(index)
    return abs(stray_ns) * lock.numerator <= DRIFT_LIMIT * lock.denominator * NS_PER_S


def follow(lock: PhaseLock, index: int, start_ns: int) -> PhaseLock:
    """Let the phase follow a packet that leads its channel on.

    Parameters
    ----------
    lock : PhaseLock
        As it stood.
    index : int
        Of the packet's first sample, under that lock.
    start_ns : int
        Time of that sample.

    Returns
    -------
    PhaseLock
        The same up to `DRIFT_LIMIT`. Beyond it, the one under which the packet lies at `index`
        exactly, so that a clock that runs slightly off the nominal rate never opens a hole of one
        sample; beyond `WANDER_LIMIT_NS` a fresh one, under which the packet has another index.

    Examples
    --------
    >>> lock = PhaseLock(100, 1, 0)
    >>> follow(lock, 150, 1_503_000_000) is lock, follow(lock, 150, 1_504_500_000).phase_ns
    (True, 4500000)
    """
    if is_near(lock, index, start_ns):
        return lock
    stray_ns = start_ns - lock.time_ns(index)
    followed = PhaseLock(lock.numerator, lock.denominator, lock.phase_ns + stray_ns)
    return followed if abs(followed.phase_ns) <= WANDER_LIMIT_NS else fresh_lock(lock.rate, start_ns)
