"""How late each station's picks are against what events forecast: clock errors and station terms.

Learnt from events when they are reviewed and when they close, and from nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from rtpick.association.evidence import NEVER_S
from rtpick.association.signal import Hypothesis, Pool
from rtpick.vocabulary.time import NS_PER_S

_REMEMBERED = 20
_LEAST = 6
_SEARCHED_S = 20.0  # a clock that is further off is not found out
_SURE = 4.0  # an error is this many times the scatter
_TRUST = 5.0  # observations that a station term of nothing counts for

Slot = tuple[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Delays:
    """The latest delays (s) of picks by role and station; never changed in place."""

    late_s: Mapping[Slot, tuple[float, ...]] = field(default_factory=dict)


def note_members(delays: Delays, event: Hypothesis) -> Delays:
    """Take note of how late the picks of an event are."""
    found: dict[Slot, float] = {}
    for signal, role in zip(event.pool.signals, event.role_M.tolist(), strict=True):
        late_s = signal.key.time_ns / NS_PER_S - event.outlook.time_RS.item(role, signal.station)
        found[role, signal.station] = late_s
    return _with(delays, found)


def note_absent(delays: Delays, event: Hypothesis, loose: Pool) -> Delays:
    """Take note of how late the picks are that an event may have made at a wrong clock."""
    found: dict[Slot, float] = {}
    held = set(event.pool.crowd.station_N.tolist())
    for signal in loose.within(event.begin_s - _SEARCHED_S, event.end_s + _SEARCHED_S).signals:
        forecast_s = event.outlook.time_RS.item(signal.role, signal.station)
        if signal.station in held or forecast_s >= NEVER_S / 2.0:
            continue
        slot, late_s = (signal.role, signal.station), signal.key.time_ns / NS_PER_S - forecast_s
        if abs(late_s) < min(_SEARCHED_S, abs(found.get(slot, np.inf))):
            found[slot] = late_s
    return _with(delays, found)


def _with(delays: Delays, found: Mapping[Slot, float]) -> Delays:
    fresh = {slot: (*delays.late_s.get(slot, ()), late_s)[-_REMEMBERED:] for slot, late_s in found.items()}
    return Delays({**delays.late_s, **fresh})


def clock_error_s(delays: Delays, station: int, least_s: float) -> float | None:
    """Return by how much a station's clock is off, if its picks agree on that; None otherwise.

    P and S are late by the same then; a slow path delays S more.

    Examples
    --------
    >>> wrong = Delays({(0, 3): (2.0, 2.1, 1.9, 2.0, 2.1, 1.9), (1, 3): (2.1, 2.0, 2.2, 1.9, 2.0, 2.1)})
    >>> clock_error_s(wrong, 3, 0.6), clock_error_s(wrong, 4, 0.6)
    (2.0, None)
    """
    p, s = (np.array(delays.late_s.get((role, station), ())) for role in (0, 1))
    if len(p) < _LEAST:
        return None
    error_s = float(np.median(p))
    scatter_s = 1.48 * float(np.median(np.abs(p - error_s)))
    if abs(error_s) < max(least_s, _SURE * scatter_s):
        return None
    if len(s) >= _LEAST and abs(float(np.median(s)) - error_s) > 0.5 * abs(error_s):
        return None
    return error_s


def station_term_s(delays: Delays, station: int, role: int, largest_s: float) -> float:
    """Return how late a phase usually is at a station, drawn to nothing where little is known.

    Examples
    --------
    >>> round(station_term_s(Delays({(0, 3): (0.2,) * 15}), 3, 0, 1.5), 3)
    0.15
    """
    late_s = np.array([t for t in delays.late_s.get((role, station), ()) if abs(t) < largest_s])
    return 0.0 if not len(late_s) else float(np.median(late_s)) * len(late_s) / (len(late_s) + _TRUST)
