"""Judge whether a decoded packet can be believed; pure, one packet at a time."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

import numpy as np

from rtpick.vocabulary.time import format_utc, to_ns
from rtpick.vocabulary.waveform import Packet, RejectCause, Rejection

_STEP_RATIO = 50.0  # a broken step stands alone: this many times the fourth largest of the packet
_INTEGER_STEP = float(1 << 24)  # all that a 24-bit digitiser can do from one sample to the next
_FLOAT_RATIO = 1e6
_RANK = 4  # a step is one large difference, a spike two; earthquakes have more


@dataclass(frozen=True, slots=True)
class SanitiseLimits:
    """What is possible at all; tighter rules on late and future data belong to the buffer."""

    minimum_rate_hz: float = 0.5
    maximum_rate_hz: float = 10_000.0
    earliest_ns: int = 0
    future_tolerance_s: float = 86_400.0


def sanitise_packet(
    packet: Packet, now_ns: int, limits: SanitiseLimits = SanitiseLimits()
) -> Packet | Rejection:
    """Let a believable packet pass; say why another is not.

    Parameters
    ----------
    packet : Packet
        As decoded.
    now_ns : int
        Wall time; samples more than `future_tolerance_s` ahead of it have an impossible date.
    limits : SanitiseLimits
        What is possible.

    Returns
    -------
    Packet or Rejection
        The same packet, or a rejection with the cause RATE, DATE, CORRUPT (NaN, infinity, no samples)
        or SPIKE.

    Notes
    -----
    An earthquake raises many differences between neighbouring samples, damage in transit raises one or
    two. A packet is a SPIKE only if its largest difference is also beyond the whole range of a 24-bit
    digitiser (integers) or a million times the fourth largest (floats).
    """
    cause = _impossible_header(packet, now_ns, limits) or _impossible_samples(packet.samples)
    if cause is None:
        return packet
    detail = f"{packet.sampling_rate_hz:g} Hz from {format_utc(packet.start_ns)}"
    return Rejection(packet.channel, cause, len(packet.samples), detail)


def _impossible_header(packet: Packet, now_ns: int, limits: SanitiseLimits) -> RejectCause | None:
    """The cause for which rate or date cannot be, if any."""
    if not limits.minimum_rate_hz <= packet.sampling_rate_hz <= limits.maximum_rate_hz:
        return RejectCause.RATE
    latest_ns = now_ns + to_ns(limits.future_tolerance_s)
    if packet.start_ns < limits.earliest_ns or packet.end_ns > latest_ns:
        return RejectCause.DATE
    return None


def _impossible_samples(samples: np.ndarray) -> RejectCause | None:
    """The cause for which the samples cannot be, if any."""
    if len(samples) == 0:
        return RejectCause.CORRUPT
    floating = samples.dtype.kind == "f"
    range_of_values = float(samples.max()) - float(samples.min())  # NaN and infinity come through
    if floating and not isfinite(range_of_values):
        return RejectCause.CORRUPT
    possible = range_of_values <= (0.0 if floating else _INTEGER_STEP)
    return None if possible or not _has_lone_step(samples, floating) else RejectCause.SPIKE


def _has_lone_step(samples: np.ndarray, floating: bool) -> bool:
    """Whether one or two differences tower over all the others."""
    if len(samples) <= _RANK:
        return False
    steps = np.abs(np.diff(samples.astype(np.float64)))  # widened: int32 differences may overflow
    largest, ordinary = float(steps.max()), float(np.partition(steps, -_RANK)[-_RANK])
    if floating:
        return largest > _FLOAT_RATIO * ordinary
    return largest > _INTEGER_STEP and largest > _STEP_RATIO * ordinary
