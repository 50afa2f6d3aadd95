"""How old the newest data are, for the whole server and for each channel; and when to try again."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from rtpick.vocabulary.codes import ChannelId
from rtpick.vocabulary.time import NS_PER_S

_MAXIMUM_CHANNELS = 1 << 17


@dataclass
class DataAge:
    """Receipt times against the two alarms; mutable, one a session.

    A connection may be alive and bring nothing: what counts is records. The ages of the channels stand
    still from the server's last record until its next connection: an outage of the server is no silence
    of its channels, and many short ones do not hide a channel that is dead.
    """

    silent_alarm_s: float
    channel_silent_alarm_s: float
    _heard_ns: int = 0
    _channels: dict[ChannelId, int] = field(default_factory=dict)
    _silent: set[ChannelId] = field(default_factory=set)

    def expect(self, channel: ChannelId) -> None:
        """Count a channel's silence before its first record too, as of one that an earlier run had."""
        self._channels.setdefault(channel, self._heard_ns)

    def restart(self, now_ns: int) -> None:
        """Count from a new connection on; what was silent before it still is."""
        self.excuse(now_ns - self._heard_ns)

    def heard(self, channel: ChannelId, now_ns: int) -> bool:
        """Note a record; whether its channel had been told silent is given back."""
        self._heard_ns = now_ns
        if channel in self._channels or len(self._channels) < _MAXIMUM_CHANNELS:
            self._channels[channel] = now_ns
        if channel not in self._silent:
            return False
        self._silent.discard(channel)
        return True

    def excuse(self, blocked_ns: int) -> None:
        """Leave out a time in which nothing was read because nobody took what had been read."""
        self._heard_ns += blocked_ns
        for channel in self._channels:
            self._channels[channel] += blocked_ns

    def is_silent(self, now_ns: int) -> bool:
        """Whether the server has brought nothing for too long."""
        return now_ns - self._heard_ns > self.silent_alarm_s * NS_PER_S

    def newly_silent(self, now_ns: int) -> list[ChannelId]:
        """Channels that have brought nothing for too long and were not told yet."""
        oldest_ns = now_ns - self.channel_silent_alarm_s * NS_PER_S
        found = [
            channel
            for channel, heard_ns in self._channels.items()
            if heard_ns < oldest_ns and channel not in self._silent
        ]
        self._silent.update(found)
        return found


@dataclass
class Backoff:
    """Waiting times between attempts: doubling to a bound, spread at random over the whole range.

    Many clients that lost the same server thus do not come back in the same instant.
    """

    minimum_s: float
    maximum_s: float
    random: Random
    _attempts: int = 0

    def reset(self) -> None:
        """The last attempt brought records."""
        self._attempts = 0

    def next_s(self) -> float:
        """How long to wait now."""
        self._attempts = min(self._attempts + 1, 32)
        ceiling_s = max(self.minimum_s, min(self.maximum_s, self.minimum_s * 2**self._attempts))
        return self.random.uniform(self.minimum_s, ceiling_s)
