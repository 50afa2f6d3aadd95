"""UTC as int64 nanoseconds since 1970, and the absolute sample grid of a rate.

The one place where text and seconds become nanoseconds and back.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from functools import lru_cache

NS_PER_S = 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ISO = re.compile(
    r"^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?)?(Z|\+00:00)?$"
)


def parse_utc(text: str) -> int:
    """Read an ISO 8601 UTC time.

    Parameters
    ----------
    text : str
        ``2010-05-27T16:24:31.8Z``; date alone, blank instead of ``T``, up to nine decimals and a
        missing ``Z`` are accepted.

    Returns
    -------
    int
        Nanoseconds since 1970-01-01T00:00:00Z.

    Raises
    ------
    ValueError
        If the text is not such a time.

    Examples
    --------
    >>> parse_utc("1970-01-01T00:00:01.000000002Z")
    1000000002
    """
    match = _ISO.match(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not an ISO 8601 UTC time such as 2010-05-27T16:24:31.8Z")
    year, month, day, hour, minute, second, fraction, _ = match.groups()
    clock = int(hour or 0), int(minute or 0), int(second or 0)
    whole = datetime(int(year), int(month), int(day), *clock, tzinfo=UTC) - _EPOCH
    return (whole.days * 86_400 + whole.seconds) * NS_PER_S + int((fraction or "0").ljust(9, "0"))


def format_utc(time_ns: int) -> str:
    """Write a time as ISO 8601 with nine decimals and ``Z``.

    Examples
    --------
    >>> format_utc(1000000002)
    '1970-01-01T00:00:01.000000002Z'
    """
    seconds, fraction = divmod(int(time_ns), NS_PER_S)
    return f"{_EPOCH + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%S}.{fraction:09d}Z"


def to_ns(seconds: float) -> int:
    """Turn a duration or a small epoch in seconds into the nearest nanosecond."""
    return round(seconds * NS_PER_S)


def to_s(duration_ns: int) -> float:
    """Turn a duration in nanoseconds into seconds."""
    return duration_ns / NS_PER_S


@lru_cache(maxsize=256)
def _nearest_fraction(rate_hz: float) -> Fraction:
    """Kept, because every window asks for it."""
    return Fraction(rate_hz).limit_denominator(10_000)


@dataclass(frozen=True, slots=True)
class SampleGrid:
    """The grid of sample times ``index / sampling_rate_hz`` counted from 1970.

    Where samples lie on the grid never depends on when anything was started. A channel's
    samples may lie off the grid by a constant ``phase_ns`` of at most half a sample.

    Parameters
    ----------
    sampling_rate_hz : float
        Positive; taken as the nearest fraction with a denominator of at most 10,000.

    Raises
    ------
    ValueError
        If the rate is not positive and finite.

    Examples
    --------
    >>> grid = SampleGrid(100.0)
    >>> grid.time_ns(150)
    1500000000
    >>> grid.index(1_502_000_000), grid.phase_ns(1_502_000_000)
    (150, 2000000)
    """

    sampling_rate_hz: float

    def __post_init__(self) -> None:
        if not 0 < self.sampling_rate_hz < float("inf"):
            raise ValueError(f"a sampling rate of {self.sampling_rate_hz} Hz is not positive and finite")

    @property
    def ratio(self) -> Fraction:
        """Samples a second as an exact fraction."""
        return _nearest_fraction(self.sampling_rate_hz)

    @property
    def period_ns(self) -> float:
        """Nanoseconds between samples."""
        return NS_PER_S / float(self.ratio)

    def time_ns(self, index: int) -> int:
        """Time of grid point `index`, rounded to the nanosecond."""
        ratio = self.ratio
        periods, rest = divmod(int(index), ratio.numerator)
        step_ns = ratio.denominator * NS_PER_S
        return periods * step_ns + (2 * rest * step_ns + ratio.numerator) // (2 * ratio.numerator)

    def index(self, time_ns: int) -> int:
        """Index of the grid point nearest to `time_ns` (halves go up)."""
        ratio = self.ratio
        step_ns = ratio.denominator * NS_PER_S
        return (2 * int(time_ns) * ratio.numerator + step_ns) // (2 * step_ns)

    def phase_ns(self, time_ns: int) -> int:
        """How far `time_ns` lies behind its nearest grid point."""
        return int(time_ns) - self.time_ns(self.index(time_ns))
