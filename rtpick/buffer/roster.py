"""The channels and instruments that have sent something, and how each stands."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

from rtpick.buffer.channel import Channel, open_channel
from rtpick.buffer.continuity import Span
from rtpick.buffer.instrument import Instrument
from rtpick.buffer.lock import PhaseLock, fresh_lock, nominal_rate, same_rate
from rtpick.buffer.pace import Pace
from rtpick.buffer.ring import Ring
from rtpick.vocabulary.codes import ChannelId, InstrumentId, StationId
from rtpick.vocabulary.waveform import ChannelLock, Gap, GapCause, Packet, Rejection


@dataclass
class Roster:
    """All that is known of the network.

    Parameters
    ----------
    pace : Pace
    ring : Ring
        One row a channel.
    restored : dict of ChannelId to ChannelLock
        The phases of an earlier run.
    acquainted : frozenset of InstrumentId
        Those whose components an earlier run knew.
    instruments : dict of InstrumentId to Instrument
    homes : dict of ChannelId to Instrument
        The instrument that each channel is a component of.
    stations : dict of StationId to dict of InstrumentId to Instrument
        The instruments at each station.
    """

    pace: Pace
    ring: Ring
    restored: dict[ChannelId, ChannelLock]
    acquainted: frozenset[InstrumentId]
    instruments: dict[InstrumentId, Instrument] = field(default_factory=dict)
    homes: dict[ChannelId, Instrument] = field(default_factory=dict)
    stations: dict[StationId, dict[InstrumentId, Instrument]] = field(default_factory=dict)

    def channels(self) -> list[Channel]:
        """List all channels."""
        return [channel for item in self.instruments.values() for channel in item.channels.values()]

    def locks(self) -> tuple[ChannelLock, ...]:
        """List every channel's phase, those of an earlier run that have not been seen yet included."""
        current = {channel.channel: _channel_lock(channel) for channel in self.channels()}
        return tuple((self.restored | current).values())

    def locks_at(self, station: StationId) -> tuple[ChannelLock, ...]:
        """List the phases at one station, those of an earlier run that have not been seen yet included."""
        at_station = self.stations.get(station, {}).values()
        current = {c.channel: _channel_lock(c) for item in at_station for c in item.channels.values()}
        return tuple((self._restored_at.get(station, {}) | current).values())

    @cached_property
    def _restored_at(self) -> dict[StationId, dict[ChannelId, ChannelLock]]:
        grouped: dict[StationId, dict[ChannelId, ChannelLock]] = {}
        for channel, lock in self.restored.items():
            grouped.setdefault(channel.station_id, {})[channel] = lock
        return grouped

    def status(self) -> tuple[ChannelStatus, ...]:
        """Tell how every channel stands."""
        return tuple(map(_status, self.channels()))


@dataclass(frozen=True, slots=True)
class ChannelStatus:
    """How a channel stands.

    Parameters
    ----------
    channel : ChannelId
    sampling_rate_hz : float
    settled_ns : int
        End (exclusive) of what can no longer change.
    newest_ns : int
        End (exclusive) of the newest sample.
    gap_count : int
        Gaps since the start.
    drift_count : int
        Times that the phase had to follow the channel's clock.
    held_count : int
        Packets that wait for others to bear them out.
    """

    channel: ChannelId
    sampling_rate_hz: float
    settled_ns: int
    newest_ns: int
    gap_count: int
    drift_count: int
    held_count: int


def enrol(roster: Roster, packet: Packet) -> Instrument:
    """Open a channel at its first packet, under the lock of an earlier run if there is one."""
    row = roster.ring.open_row()
    return _enter(roster, open_channel(packet.channel, _lock_for(roster, packet), row, roster.pace))


def enrol_anew(roster: Roster, channel: Channel, packet: Packet) -> None:
    """Start a channel anew at another rate, after the samples that it has.

    Parameters
    ----------
    roster : Roster
        The new channel takes the old one's place.
    channel : Channel
        As it was.
    packet : Packet
        The first one of the other rate.
    """
    anew = open_channel(packet.channel, _lock_for(roster, packet), channel.row, roster.pace)
    anew.floor = anew.lock.index(channel.newest_ns)
    anew.reach, anew.settled, anew.birth = channel.reach, channel.settled, channel.birth
    anew.gap_count, anew.drift_count = channel.gap_count, channel.drift_count
    _enter(roster, anew)


def gaps_of(channel: Channel, spans: Iterable[Span]) -> list[Gap | Rejection]:
    """Turn spans of samples that a channel misses into gaps in time."""
    time_ns = channel.lock.time_ns
    return [Gap(channel.channel, time_ns(a), time_ns(b), GapCause.MISSING) for a, b in spans]


def _enter(roster: Roster, channel: Channel) -> Instrument:
    """Make a channel known as a component of its instrument."""
    name = channel.channel.instrument_id
    if name not in roster.instruments:
        instrument = Instrument(name, acquainted=name in roster.acquainted)
        roster.instruments[name] = roster.stations.setdefault(name.station_id, {})[name] = instrument
    instrument = roster.homes[channel.channel] = roster.instruments[name]
    instrument.channels[channel.channel.component] = channel
    return instrument


def _lock_for(roster: Roster, packet: Packet) -> PhaseLock:
    """Take up the phase of an earlier run, or lock it at the packet."""
    rate = nominal_rate(packet.sampling_rate_hz, roster.pace.rate)
    known = roster.restored.get(packet.channel)
    if known is not None and same_rate(known.sampling_rate_hz, float(rate)):
        return PhaseLock(rate.numerator, rate.denominator, known.phase_ns)
    return fresh_lock(rate, int(packet.start_ns))


def _channel_lock(channel: Channel) -> ChannelLock:
    """Write a channel's phase down for a restart."""
    return ChannelLock(channel.channel, channel.rate_hz, channel.lock.phase_ns)


def _status(channel: Channel) -> ChannelStatus:
    """Read a channel's state off."""
    return ChannelStatus(
        channel.channel,
        channel.rate_hz,
        channel.lock.time_ns(channel.continuity.settled) if channel.continuity else 0,
        channel.newest_ns,
        channel.gap_count,
        channel.drift_count,
        len(channel.held.packets) if channel.held else 0,
    )
