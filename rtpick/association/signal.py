"""Picks as the associator sees them, and the events that are supposed behind them."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import compress
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from rtpick.association.evidence import Forecast
from rtpick.association.loudness import loudness_of
from rtpick.association.sites import Sites
from rtpick.association.velocity import FloatArray
from rtpick.association.vote import Crowd, IntArray
from rtpick.vocabulary.pick import Pick
from rtpick.vocabulary.time import NS_PER_S

Number = TypeVar("Number", bound=np.generic)


class Key(NamedTuple):
    """Canonical order of picks."""

    time_ns: int
    pick_id: str


@dataclass(frozen=True, slots=True, eq=False)
class Signal:
    """A pick, reduced to what association needs.

    `role` is 0 for P and 1 for S; `merit` is the log-odds that its own quality lends it,
    `loudness` as in `rtpick.association.loudness`.
    """

    key: Key
    time_s: float
    station: int
    role: int
    merit: float
    loudness: float = math.nan

    @property
    def pick_id(self) -> str:
        """Name of the pick."""
        return self.key.pick_id

    @property
    def time_ns(self) -> int:
        """Onset."""
        return self.key.time_ns


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """Picks in canonical order, and the same as arrays, shape (N,)."""

    signals: tuple[Signal, ...]
    crowd: Crowd

    def __len__(self) -> int:
        return len(self.signals)

    def within(self, begin_s: float, end_s: float) -> Pool:
        """Return the picks of a span of time."""
        time_N = self.crowd.time_N
        span = slice(int(time_N.searchsorted(begin_s)), int(time_N.searchsorted(end_s)))
        return Pool(self.signals[span], _at(self.crowd, span))

    def where(self, keep_N: npt.NDArray[np.bool_]) -> Pool:
        """Return some of the picks."""
        return Pool(tuple(compress(self.signals, keep_N)), _at(self.crowd, keep_N))

    def place_of(self, signal: Signal) -> int:
        """Return where a pick belongs."""
        if not self.signals or self.signals[-1].key < signal.key:
            return len(self.signals)
        return bisect_left(self.signals, signal.key, key=_key_of)

    def joined(self, signal: Signal) -> Pool:
        """Return the picks with one more in its place."""
        signals, place = self.signals, self.place_of(signal)
        crowd = Crowd(
            inserted(self.crowd.station_N, place, signal.station),
            inserted(self.crowd.label_N, place, signal.role),
            inserted(self.crowd.time_N, place, signal.time_s),
            inserted(self.crowd.merit_N, place, signal.merit),
            inserted(self.crowd.loudness_N, place, signal.loudness),
        )
        return Pool((*signals[:place], signal, *signals[place:]), crowd)

    def merged(self, other: Pool) -> Pool:
        """Return the picks of two pools that have none in common."""
        if not other.signals:
            return self
        return pool_of(sorted((*self.signals, *other.signals), key=_key_of)) if self.signals else other


def _at(crowd: Crowd, which: slice | npt.NDArray[np.bool_]) -> Crowd:
    return Crowd(
        crowd.station_N[which], crowd.label_N[which], crowd.time_N[which], crowd.merit_N[which],
        crowd.loudness_N[which],
    )  # fmt: skip


def _key_of(signal: Signal) -> Key:
    return signal.key


def inserted(array: npt.NDArray[Number], place: int, value: float) -> npt.NDArray[Number]:
    """Return an array with one more number in a place."""
    longer = np.empty(len(array) + 1, array.dtype)
    longer[:place], longer[place], longer[place + 1 :] = array[:place], value, array[place:]
    return longer


def pool_of(signals: Iterable[Signal]) -> Pool:
    """Lay picks, in canonical order, out as arrays."""
    signals = tuple(signals)
    return Pool(
        signals,
        Crowd(
            np.array([s.station for s in signals], np.int64),
            np.array([s.role for s in signals], np.int64),
            np.array([s.time_s for s in signals], np.float64),
            np.array([s.merit for s in signals], np.float64),
            np.array([s.loudness for s in signals], np.float64),
        ),
    )


NOBODY = pool_of(())


@dataclass(frozen=True, slots=True, eq=False)
class Hypothesis:
    """A supposed event: its picks, the source that explains them, and how sure that is.

    Parameters
    ----------
    key : str
        The pick at whose arrival the event was first supposed, and a number to tell twins apart.
    pool : Pool
        Its picks.
    role_M : ndarray of int
        0 P, 1 S: what each pick is in this event, whatever its label.
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
        Of an event against chance.
    certainty : float
        The same, less what speaks for a plane wave from far away: what publication asks for.
    due : float
        Log of how much more than usual an event is due there: the share of the log-odds that past
        events lend it.
    begin_s, end_s : float
        No pick is expected before and after.
    review_s : float
        When the event is weighed against its rivals next.
    located : int
        Number of picks that the location rests on.
    distant : bool
        A plane wave from far away; `source` then holds its slowness east and north (s/km), nothing,
        and its time at the network's middle.
    """

    key: str
    pool: Pool
    role_M: IntArray
    source: FloatArray
    covariance_44: FloatArray
    depth_fixed: bool
    ratio_M: FloatArray
    sigma_M: FloatArray
    gain_M: FloatArray
    outlook: Forecast
    gain_RS: FloatArray
    log_odds: float
    certainty: float
    due: float
    begin_s: float
    end_s: float
    review_s: float
    located: int
    distant: bool = False

    @property
    def has_pair(self) -> bool:
        """Tell whether both P and S of some station belong to it."""
        return has_pair(self.pool.crowd.station_N)

    @property
    def pick_ids(self) -> set[str]:
        """Names of the picks."""
        return {s.key.pick_id for s in self.pool.signals}


def has_pair(station_N: IntArray) -> bool:
    """Tell whether a station comes twice."""
    return len(set(station_N.tolist())) < len(station_N)


def read_signal(pick: Pick, sites: Sites) -> Signal | None:
    """Reduce a pick; None where its station is unknown or its phase is neither P nor S."""
    station = sites.number.get(pick.station_id)
    role = {"P": 0, "S": 1}.get(pick.phase_hint[:1].upper())
    if station is None or role is None:
        return None
    known = pick.probability == pick.probability
    merit = min(max(3.0 * (pick.probability - 0.5), -1.0), 1.5) if known else 0.0
    key = Key(pick.time_ns, pick.pick_id)
    return Signal(key, pick.time_ns / NS_PER_S, station, role, merit, loudness_of(pick))
