"""Picks as the associator sees them, and the events that are supposed behind them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from rtpick.association.evidence import Forecast
from rtpick.association.sites import Sites
from rtpick.association.velocity import FloatArray
from rtpick.association.vote import IntArray
from rtpick.vocabulary.pick import Pick
from rtpick.vocabulary.time import NS_PER_S

_SWAPPED = -4.0  # log of the share of picks that carry the other phase's name


@dataclass(frozen=True, slots=True, eq=False)
class Signal:
    """A pick, reduced to what association needs.

    `role` is 0 for P and 1 for S; `merit` is the log-odds that its own quality lends it.
    """

    pick_id: str
    time_ns: int
    time_s: float
    station: int
    role: int
    merit: float

    @property
    def key(self) -> tuple[int, str]:
        """Canonical order of picks."""
        return self.time_ns, self.pick_id


class Pool(NamedTuple):
    """Picks as arrays, shape (N,)."""

    signals: tuple[Signal, ...]
    station_N: IntArray
    role_N: IntArray
    time_N: FloatArray
    merit_N: FloatArray


def pool_of(signals: Iterable[Signal]) -> Pool:
    """Lay picks out as arrays."""
    signals = tuple(signals)
    return Pool(
        signals,
        np.array([s.station for s in signals], np.int64),
        np.array([s.role for s in signals], np.int64),
        np.array([s.time_s for s in signals]),
        np.array([s.merit for s in signals]),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Member:
    """A pick as part of an event, in a role that need not be the one it is labelled with.

    `slot` is role and station: an event holds one pick of each. `name` is all that it says.
    """

    signal: Signal
    role: int
    slot: tuple[int, int] = field(init=False)
    name: tuple[str, int, int, int, int, float] = field(init=False)

    def __post_init__(self) -> None:
        s = self.signal
        object.__setattr__(self, "slot", (self.role, s.station))
        name = (s.pick_id, s.time_ns, s.station, s.role, self.role, s.merit)
        object.__setattr__(self, "name", name)

    @property
    def merit(self) -> float:
        """Log-odds of the pick's own quality in this role."""
        return self.signal.merit + (0.0 if self.role == self.signal.role else _SWAPPED)


@dataclass(frozen=True, slots=True, eq=False)
class Hypothesis:
    """A supposed event: its picks, the source that explains them, and how sure that is.

    Parameters
    ----------
    key : str
        The pick at whose arrival the event was first supposed, and a number to tell twins apart.
    members : tuple of Member
        In canonical order.
    pool : Pool
        Their picks.
    source : ndarray, shape (4,)
        Geocentric latitude and longitude (rad), depth (km), origin time (s since 1970).
    covariance_44 : ndarray
        East, north, down (km), time (s).
    depth_fixed : bool
        The picks do not resolve the depth, which is an assumption.
    ratio_M, sigma_M, gain_M : ndarray
        Residuals in standard deviations, these (s), and what each member adds to the log-odds.
    outlook : Forecast
    gain_RS : ndarray
        What a pick would add before fit and merit.
    log_odds : float
    end_s : float
        After this time no further pick is expected.
    review_s : float
        When the event is weighed against its rivals next.
    located : int
        Number of picks that the location rests on.
    distant : bool
        A plane wave from far away; `source` then holds its slowness east and north (s/km), nothing,
        and its time at the network's middle.
    """

    key: str
    members: tuple[Member, ...]
    pool: Pool
    source: FloatArray
    covariance_44: FloatArray
    depth_fixed: bool
    ratio_M: FloatArray
    sigma_M: FloatArray
    gain_M: FloatArray
    outlook: Forecast
    gain_RS: FloatArray
    log_odds: float
    end_s: float
    review_s: float
    located: int
    distant: bool = False

    @property
    def begin_s(self) -> float:
        """Time before which no pick is expected."""
        return float(self.outlook.time_RS.min() if self.distant else self.source[3]) - 2.0 * self.distant

    @property
    def stations(self) -> int:
        """Number of distinct stations."""
        return len({member.signal.station for member in self.members})


def read_signal(pick: Pick, sites: Sites) -> Signal | None:
    """Reduce a pick; None where its station is unknown or its phase is neither P nor S."""
    station = sites.number.get(pick.station_id)
    role = {"P": 0, "S": 1}.get(pick.phase_hint[:1].upper())
    if station is None or role is None:
        return None
    merit = (
        float(np.clip(3.0 * (pick.probability - 0.5), -1.0, 1.5)) if np.isfinite(pick.probability) else 0.0
    )
    return Signal(pick.pick_id, pick.time_ns, pick.time_ns / NS_PER_S, station, role, merit)
