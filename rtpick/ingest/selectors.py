"""What is wanted of a server: patterns of channels, and how SeedLink is asked for them.

A server may send more than it was asked for (an old one cannot select a blank location), so what
arrives is held against the patterns again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from rtpick.vocabulary.codes import ChannelId, StationId
from rtpick.vocabulary.errors import SettingsError

_CACHED_CHANNELS = 1 << 16


@dataclass(frozen=True, slots=True)
class StreamPattern:
    """One ``NET.STA.LOC.CHA`` pattern with ``*`` and ``?``; a location of ``--`` is the blank one."""

    network: str
    station: str
    location: str
    channel: str

    @classmethod
    def parse(cls, text: str) -> StreamPattern:
        """Read ``BW.UH1..SH?`` or ``*.*.*.HH?``.

        Raises
        ------
        SettingsError
            If there are not four parts, or one holds anything but letters, digits, ``*`` and ``?``.

        Examples
        --------
        >>> StreamPattern.parse("BW.UH1.--.SH?").location
        ''
        """
        parts = text.strip().upper().replace(".--.", "..").split(".")
        if len(parts) != 4 or not all(re.fullmatch(r"[A-Z0-9*?]*", part) for part in parts):
            raise SettingsError(f"{text!r} is not a pattern of channels such as BW.UH1..SH? or *.*.*.HH?")
        if not (parts[0] and parts[1] and parts[3]):
            raise SettingsError(f"{text!r} leaves network, station or channel empty: write * for any")
        return cls(*parts)

    @property
    def text(self) -> str:
        """The pattern as it was written."""
        return f"{self.network}.{self.station}.{self.location}.{self.channel}"

    @property
    def station_text(self) -> str:
        """The part of it that names stations."""
        return f"{self.network}.{self.station}"

    @property
    def station_pattern(self) -> str:
        """``NET_STA`` as SeedLink 4 writes it."""
        return f"{self.network}_{self.station}"

    @property
    def selector4(self) -> str | None:
        """The tail of an FDSN source identifier, ``_S_H_?`` for ``..SH?``; None for everything."""
        channel = self._three_letters()
        everything = channel == "???" and self.location == "*"
        return None if everything else f"{self.location}_{'_'.join(channel)}"

    @property
    def selector3(self) -> str | None:
        """``SH?`` or ``00SH?``; None where nothing narrower than everything can be said."""
        channel = self._three_letters()
        exact_location = re.fullmatch(r"[A-Z0-9?]{2}", self.location)
        location = self.location if exact_location else ""
        return None if channel == "???" and not location else location + channel

    def _three_letters(self) -> str:
        """The channel pattern with ``*`` written out, never narrower than it was."""
        head, star, tail = self.channel.partition("*")
        if not star:
            return self.channel
        fill = 3 - len(head) - len(tail)
        return head + "?" * fill + tail if fill >= 0 and "*" not in tail else "???"


@dataclass(frozen=True, slots=True)
class Subscription:
    """What is asked of one station or station pattern; no selectors at all mean everything."""

    station: str
    selectors4: tuple[str, ...]
    selectors3: tuple[str, ...]

    @property
    def has_wildcard(self) -> bool:
        """Whether more than one station may be meant."""
        return "*" in self.station or "?" in self.station

    @property
    def station_id(self) -> StationId | None:
        """The one station that is meant; None for a pattern."""
        network, _, station = self.station.partition("_")
        return None if self.has_wildcard else StationId(network, station)


class Selection:
    """The channels wanted of one server.

    Examples
    --------
    >>> selection = Selection(["BW.UH?.*.SH?"])
    >>> selection.wants(ChannelId.parse("BW.UH1..SHZ")), selection.wants(ChannelId.parse("BW.UH1..LOG"))
    (True, False)
    >>> [entry.station for entry in selection.subscriptions()]
    ['BW_UH?']
    """

    def __init__(self, streams: Iterable[str]) -> None:
        self.patterns = tuple(StreamPattern.parse(text) for text in streams)
        self._channels = re.compile("|".join(_expression(item.text) for item in self.patterns))
        self._stations = re.compile("|".join(_expression(item.station_text) for item in self.patterns))
        self.wants = lru_cache(maxsize=_CACHED_CHANNELS)(self._wants)

    def _wants(self, channel: ChannelId) -> bool:
        """Whether the channel is wanted."""
        return self._channels.fullmatch(str(channel)) is not None

    def wants_station(self, station: StationId) -> bool:
        """Whether any channel of the station may be wanted."""
        return self._stations.fullmatch(str(station)) is not None

    @property
    def has_wildcard(self) -> bool:
        """Whether stations may be meant that nobody has named."""
        return any(entry.has_wildcard for entry in self.subscriptions())

    def subscriptions(self) -> tuple[Subscription, ...]:
        """The patterns gathered by station pattern, in the order given."""
        stations = dict.fromkeys(pattern.station_pattern for pattern in self.patterns)
        return tuple(
            _subscribe(name, [item for item in self.patterns if item.station_pattern == name])
            for name in stations
        )

    def subscriptions_of(self, stations: Iterable[StationId]) -> tuple[Subscription, ...]:
        """One entry for each of the stations that is wanted, without wildcards."""
        return tuple(
            _subscribe(f"{station.network}_{station.station}", self._patterns_of(station))
            for station in sorted(set(stations))
            if self.wants_station(station)
        )

    def _patterns_of(self, station: StationId) -> list[StreamPattern]:
        """The patterns under which a station falls."""
        name = str(station)
        return [item for item in self.patterns if re.fullmatch(_expression(item.station_text), name)]


def _expression(pattern: str) -> str:
    """The regular expression of a pattern whose ``*`` and ``?`` stay within one code."""
    return re.escape(pattern).replace(r"\*", "[^.]*").replace(r"\?", "[^.]")


def _subscribe(station: str, patterns: Sequence[StreamPattern]) -> Subscription:
    """Gather the selectors of one station, each once."""
    selectors4 = _each_once(pattern.selector4 for pattern in patterns)
    selectors3 = _each_once(pattern.selector3 for pattern in patterns)
    return Subscription(station, selectors4, selectors3)


def _each_once(selectors: Iterable[str | None]) -> tuple[str, ...]:
    """The selectors in order; none at all as soon as one of them means everything."""
    found = dict.fromkeys(selectors)
    return () if None in found else tuple(text for text in found if text is not None)
