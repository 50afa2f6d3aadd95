"""Where and when events are to be expected: learnt from those that were found.

The rate is what is usual anywhere plus what recent events announce near themselves, as after an
earthquake or in a swarm. It is a function of event time and of the events found before it alone.

Arrays: Y row, X column of an even map in latitude and longitude.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from rtpick.association.evidence import Chance
from rtpick.association.trace import EARTH_RADIUS_KM
from rtpick.association.velocity import FloatArray

_MEMORY_S = 3600.0
_FOLLOWERS = 0.9  # events that one announces
_FORGET_S = 12.0 * _MEMORY_S


@dataclass(frozen=True, slots=True, eq=False)
class Prior:
    """What is expected before any event was found.

    Parameters
    ----------
    usual : float
        Events a second and square kilometre.
    south, west, step_north, step_east : float
        The map (rad).
    shape : tuple of int
        Its rows and columns.
    reach_km : float
        How far an event announces others, beside its own uncertainty.
    """

    usual: float
    south: float
    west: float
    step_north: float
    step_east: float
    shape: tuple[int, int]
    reach_km: float

    @property
    def log_usual(self) -> float:
        """Log of the usual rate."""
        return math.log(self.usual)


@dataclass(frozen=True, slots=True, eq=False)
class Seismicity:
    """Events a second and square kilometre that recent events announce, as of `time_s`."""

    prior: Prior
    time_s: float
    rate_YX: FloatArray | None = None

    @property
    def chance(self) -> Chance:
        """The map as compiled code takes it."""
        prior = self.prior
        more_YX = np.zeros(prior.shape) if self.rate_YX is None else self.rate_YX
        return Chance(
            np.log(prior.usual + more_YX), prior.south, prior.west, prior.step_north, prior.step_east
        )


def lay_out(latitude: FloatArray, longitude: FloatArray, usual: float, reach_km: float) -> Prior:
    """Lay a map over cells (rad) that is fine enough for how far events announce others."""
    step_km = max(0.5 * reach_km, (float(np.ptp(latitude)) * EARTH_RADIUS_KM) / 150.0, 1e-3)
    cosine = float(np.cos(latitude.mean()))
    north, east = step_km / EARTH_RADIUS_KM, step_km / (EARTH_RADIUS_KM * cosine)
    shape = int(np.ptp(latitude) / north) + 1, int(np.ptp(longitude) / east) + 1
    return Prior(usual, float(latitude.min()), float(longitude.min()), north, east, shape, reach_km)


def age(seismicity: Seismicity, now_s: float) -> Seismicity:
    """Let announcements fade until a time."""
    if seismicity.rate_YX is None or now_s <= seismicity.time_s:
        return Seismicity(seismicity.prior, max(now_s, seismicity.time_s), seismicity.rate_YX)
    passed_s = now_s - seismicity.time_s
    if passed_s > _FORGET_S:
        return Seismicity(seismicity.prior, now_s)
    return Seismicity(seismicity.prior, now_s, seismicity.rate_YX * np.exp(-passed_s / _MEMORY_S))


def announce(seismicity: Seismicity, source: FloatArray, uncertainty_km: float) -> Seismicity:
    """Expect more events near one that was found."""
    prior = seismicity.prior
    rows, columns = prior.shape
    wide_km = float(np.hypot(prior.reach_km, uncertainty_km))
    north_km = (prior.south + (np.arange(rows) + 0.5) * prior.step_north - source[0]) * EARTH_RADIUS_KM
    east_km = (prior.west + (np.arange(columns) + 0.5) * prior.step_east - source[1]) * EARTH_RADIUS_KM
    east_km *= np.cos(source[0])
    near_YX = np.exp(-0.5 * (north_km[:, None] ** 2 + east_km[None, :] ** 2) / wide_km**2)
    more_YX = near_YX * (_FOLLOWERS / (_MEMORY_S * 2.0 * np.pi * wide_km**2))
    before_YX = seismicity.rate_YX
    return Seismicity(prior, seismicity.time_s, more_YX if before_YX is None else before_YX + more_YX)
