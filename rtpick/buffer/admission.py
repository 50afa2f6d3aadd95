"""Which packets are believed: refused outright, held until others bear them out, or taken.

T time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from rtpick.buffer.lock import same_rate
from rtpick.vocabulary.time import NS_PER_S
from rtpick.vocabulary.waveform import Gap, Packet, RejectCause, Rejection

MINIMUM_RATE_HZ = 5.0
MAXIMUM_RATE_HZ = 5000.0

COMPONENTS = frozenset("ZNE123")
"""Components that have a place in a window."""

JUMP_LIMIT_NS = 60 * NS_PER_S
"""A packet further ahead of its channel than this is held: it may be a broken clock."""

MAXIMUM_HELD = 64
"""So many packets are proof enough, however short they are."""


@dataclass(frozen=True, slots=True)
class Held:
    """Packets of a channel that jumped ahead or changed its rate, until it is clear that it did.

    Parameters
    ----------
    packets : tuple of Packet
        Of one rate, near to each other.
    start_ns, end_ns : int
        What they span.
    start, end : int
        The same on the grid of the network's rate.
    """

    packets: tuple[Packet, ...]
    start_ns: int
    end_ns: int
    start: int
    end: int

    @property
    def sampling_rate_hz(self) -> float:
        """The packets' rate."""
        return self.packets[0].sampling_rate_hz


def refuse(packet: Packet, latest_ns: int) -> Rejection | None:
    """Set aside a packet that no channel could take.

    Parameters
    ----------
    packet : Packet
        As a source delivered it.
    latest_ns : int
        No sample can have been taken later.

    Returns
    -------
    Rejection or None

    Examples
    --------
    >>> from rtpick.vocabulary.codes import ChannelId
    >>> channel = ChannelId.parse("BW.UH1..SHZ")
    >>> refuse(Packet(channel, 0, float("nan"), np.zeros(5)), 10).cause.value
    'rate'
    """
    samples = packet.samples
    if samples.ndim != 1 or samples.dtype.kind not in "iuf" or not len(samples):
        return Rejection(packet.channel, RejectCause.CORRUPT, samples.size, "not a row of numbers")
    cause, detail = None, ""
    if not MINIMUM_RATE_HZ <= packet.sampling_rate_hz <= MAXIMUM_RATE_HZ:
        cause, detail = RejectCause.RATE, f"{packet.sampling_rate_hz} Hz"
    elif packet.start_ns < 0:
        cause, detail = RejectCause.DATE, "before 1970"
    elif packet.end_ns > latest_ns:
        cause = RejectCause.FUTURE
    elif packet.channel.channel[2:3] not in COMPONENTS:
        cause, detail = RejectCause.NOT_SEISMIC, f"component of {packet.channel.channel!r}"
    return None if cause is None else Rejection(packet.channel, cause, len(samples), detail)


def hold(held: Held | None, packet: Packet, start: int, end: int) -> tuple[Held, tuple[Packet, ...]]:
    """Hold a doubtful packet.

    Parameters
    ----------
    held : Held or None
        What is held of the channel already.
    packet : Packet
        Of another rate than the channel, or far ahead of it.
    start, end : int
        The packet on the grid of the network's rate.

    Returns
    -------
    held : Held
        With the packet.
    dropped : tuple of Packet
        What was held and does not go with it.

    Examples
    --------
    >>> from rtpick.vocabulary.codes import ChannelId
    >>> packet = Packet(ChannelId.parse("BW.UH1..SHZ"), 0, 100.0, np.zeros(500))
    >>> held, dropped = hold(None, packet, 0, 500)
    >>> held.end, dropped
    (500, ())
    """
    if held is None or not _akin(held, packet):
        dropped = () if held is None else held.packets
        return Held((packet,), packet.start_ns, packet.end_ns, start, end), dropped
    together = Held(
        (*held.packets, packet),
        min(held.start_ns, packet.start_ns),
        max(held.end_ns, packet.end_ns),
        min(held.start, start),
        max(held.end, end),
    )
    return together, ()


def is_borne_out(held: Held, budget: int) -> bool:
    """Tell whether several packets that span more than the reorder budget say the same."""
    first = held.packets[0]
    several = held.start_ns < first.start_ns or held.end_ns > first.end_ns
    return several and (held.end - held.start > budget or len(held.packets) >= MAXIMUM_HELD)


def contradicts(held: Held, packet: Packet, newest_ns: int) -> bool:
    """Tell whether a packet that goes on where the channel was shows the held ones to be wrong.

    Parameters
    ----------
    held : Held
        What is held of the channel.
    packet : Packet
        One that is beyond doubt.
    newest_ns : int
        End of the channel's newest sample.
    """
    slack_ns = round(0.5 * NS_PER_S / packet.sampling_rate_hz)
    if packet.end_ns <= newest_ns + slack_ns:
        return False
    if same_rate(held.sampling_rate_hz, packet.sampling_rate_hz):
        return held.start_ns > packet.end_ns + JUMP_LIMIT_NS
    return packet.end_ns > held.start_ns + slack_ns


def reject_held(packets: tuple[Packet, ...], rate_hz: float) -> list[Gap | Rejection]:
    """Count held packets that are given up: those of the channel's own rate had jumped."""
    return [
        Rejection(
            packet.channel,
            RejectCause.CLOCK_JUMP if same_rate(packet.sampling_rate_hz, rate_hz) else RejectCause.RATE,
            len(packet.samples),
        )
        for packet in packets
    ]


def finite(packet: Packet) -> Packet:
    """Take what is not finite in float samples as missing.

    Examples
    --------
    >>> from rtpick.vocabulary.codes import ChannelId
    >>> finite(Packet(ChannelId.parse("BW.UH1..SHZ"), 0, 100.0, np.array([1.0, np.inf]))).samples
    array([ 1., nan], dtype=float32)
    """
    if packet.samples.dtype.kind != "f":
        return packet
    with np.errstate(over="ignore", invalid="ignore"):
        samples_T = packet.samples.astype(np.float32)
    samples_T[np.isinf(samples_T)] = np.nan
    return replace(packet, samples=samples_T)


def _akin(held: Held, packet: Packet) -> bool:
    """Tell whether a packet goes with those that are held."""
    near = held.start_ns - JUMP_LIMIT_NS <= packet.end_ns and packet.start_ns <= held.end_ns + JUMP_LIMIT_NS
    return near and same_rate(packet.sampling_rate_hz, held.sampling_rate_hz)
