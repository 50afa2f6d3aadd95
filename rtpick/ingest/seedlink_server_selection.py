"""Which records a client of a SeedLink server asks for: stations, selectors, where to begin and end."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from fnmatch import fnmatchcase, translate

from rtpick.vocabulary.codes import ChannelId

_SELECTOR3 = re.compile(r"^!?([A-Z0-9?*-]{2})?[A-Z0-9?*]{3}(\.[DECOTL?])?$")
_SELECTOR4 = re.compile(r"^!?[A-Z0-9?*_-]+$")


class Begin(Enum):
    """Where a stream begins."""

    NEXT = "next"
    SEQUENCE = "sequence"
    OLDEST = "oldest"


@dataclass(frozen=True, slots=True)
class Selector:
    """A pattern on ``LOC_B_S_SS``; a negated one takes away."""

    pattern: re.Pattern[str]
    negated: bool

    def fits(self, channel: ChannelId) -> bool:
        """Whether the channel's location and codes fit the pattern."""
        letters = "_".join(channel.channel)
        return self.pattern.match(f"{channel.location}_{letters}") is not None


@dataclass(frozen=True, slots=True)
class StationRequest:
    """One STATION with its selectors and its DATA, FETCH or TIME.

    `sequence` is the first one wanted; with `start_ns` beside it that is the start of the record
    before. With `begin` OLDEST, `[start_ns, end_ns)` is a window.
    """

    network: str = "*"
    station: str = "*"
    selectors: tuple[Selector, ...] = ()
    begin: Begin = Begin.NEXT
    sequence: int = 0
    start_ns: int | None = None
    end_ns: int | None = None
    finite: bool = False

    def wants(self, channel: ChannelId) -> bool:
        """Whether station and selectors take the channel in."""
        named = fnmatchcase(channel.network, self.network) and fnmatchcase(channel.station, self.station)
        return named and _selects(self.selectors, channel)

    def covers(self, start_ns: int, end_ns: int) -> bool:
        """Whether a record with those ends lies in the window, where there is one."""
        late_enough = self.begin is not Begin.OLDEST or self.start_ns is None or end_ns > self.start_ns
        return late_enough and (self.end_ns is None or start_ns < self.end_ns)


def _selects(selectors: tuple[Selector, ...], channel: ChannelId) -> bool:
    if any(selector.negated and selector.fits(channel) for selector in selectors):
        return False
    positive = [selector for selector in selectors if not selector.negated]
    return not positive or any(selector.fits(channel) for selector in positive)


def parse_selector3(text: str) -> Selector:
    """Read a selector of version 3: ``CCC`` or ``LLCCC`` with ``?``, ``!`` and a type such as ``.D``.

    Raises
    ------
    ValueError
        If it is of another shape.

    Examples
    --------
    >>> parse_selector3("!00BH?").fits(ChannelId("BW", "UH1", "00", "BHZ"))
    True
    """
    if not _SELECTOR3.match(text.upper()):
        raise ValueError(f"{text!r} is not a selector such as BHZ, 00BH? or !LH?")
    body = text.upper().lstrip("!").split(".")[0]
    location, letters = body[:-3], body[-3:]
    place = "*" if not location else location.replace("-", "")
    if location and set(location) == {"?"}:
        place = "*"
    return _selector(f"{place}_{letters[0]}_{letters[1]}_{letters[2]}", text.startswith("!"))


def parse_selector4(text: str) -> Selector:
    """Read a selector of version 4: the tail ``LOC_B_S_SS`` of a source id with ``*`` and ``?``.

    Raises
    ------
    ValueError
        If it can match no channel.
    NotImplementedError
        If it asks for the records in another format than they are held in.

    Examples
    --------
    >>> parse_selector4("*_S_H_Z").fits(ChannelId("BW", "UH1", "", "SHZ"))
    True
    """
    body, _, conversion = text.upper().partition(":")
    if conversion not in ("", "NATIVE"):
        raise NotImplementedError(f"no conversion to {conversion!r} here; leave it out")
    if not _SELECTOR4.match(body) or not ("*" in body or body.count("_") == 3):
        raise ValueError(f"{text!r} is not a selector such as *_B_H_Z or 00_B_H_?")
    return _selector(body.lstrip("!"), body.startswith("!"))


def _selector(pattern: str, negated: bool) -> Selector:
    return Selector(re.compile(translate(pattern)), negated)
