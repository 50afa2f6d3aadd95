"""Which instruments have fallen silent while the rest of the network went on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from heapq import nlargest

from rtpick.buffer.instrument import Instrument

REVIEW_PACKETS = 64
"""Packets from one review to the next, at least; in a large network four an instrument."""


@dataclass(slots=True)
class Silence:
    """When the network was last looked over.

    Parameters
    ----------
    limit_ns : int
        An instrument is silent when the network has gone on for so long since its last packet.
    reference_ns : int
        The time that the network has reached.
    packets_left : int
        Until the next review.
    """

    limit_ns: int
    reference_ns: int = 0
    packets_left: int = 0


def network_time_ns(newest_ns: Iterable[int]) -> int:
    """Tell the time that a network has reached, in spite of a few clocks that run ahead.

    Parameters
    ----------
    newest_ns : iterable of int
        Newest time of each instrument; at least one.

    Returns
    -------
    int
        The newest of one or two; of more, what at least one other (two in a hundred) has passed.

    Examples
    --------
    >>> network_time_ns([10, 12, 999])
    12
    """
    times_ns = list(newest_ns)
    rank = 0 if len(times_ns) < 3 else max(1, len(times_ns) // 50)
    return nlargest(rank + 1, times_ns)[-1]


def fallen_silent(silence: Silence, instruments: Iterable[Instrument]) -> list[Instrument]:
    """List the instruments that have newly fallen silent.

    Parameters
    ----------
    silence : Silence
        With the reference time brought up to date.
    instruments : iterable of Instrument
        All of them; marked as no longer heard, or as dormant.
    """
    silent = []
    for instrument in instruments:
        if instrument.heard:
            instrument.heard, instrument.heard_ns = False, silence.reference_ns
        elif not instrument.dormant and silence.reference_ns - instrument.heard_ns > silence.limit_ns:
            instrument.dormant = True
            silent.append(instrument)
    return silent


def is_due(silence: Silence, instrument: Instrument, count: int) -> bool:
    """Note that an instrument was heard, and tell whether the network of `count` is to be reviewed."""
    instrument.heard, instrument.dormant = True, False
    silence.packets_left -= 1
    if silence.packets_left > 0:
        return False
    silence.packets_left = max(REVIEW_PACKETS, 4 * count)
    return True
