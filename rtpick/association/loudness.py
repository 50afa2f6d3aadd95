"""Whether picks are as loud as one event makes them: amplitudes that fall with distance, or chance.

Loudness is the decimal logarithm of a peak velocity (m/s); NaN where unknown, which then says nothing.

Arrays: M pick, S station, R role.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from rtpick.association.locate import IntArray
from rtpick.association.velocity import FloatArray
from rtpick.numeric.compiled import compiled
from rtpick.vocabulary.pick import Pick

# Peak velocities of body waves: spreading, absorption, and P below S, in decades.
_GEOMETRIC, _PER_KM, P_BELOW_S = 1.5, 0.0018, 0.5
_SCATTER = 0.35  # of one pick around its event: site, radiation, the fall-off itself
_STRAY_DECADES = 3.0  # over which stray picks are spread
_MISLED = 0.1  # share of an event's picks whose amplitude is something else: clipped, coda, wrong gain
_EVENT_DECADES = 4.0
_FREEDOM = 4.0
_TOP = 0.375 / _SCATTER * _STRAY_DECADES
_STRAY_SCATTER, _ODD = 0.35, 0.2  # of a station's strays around their middle; share of others
_FEW, _ALIKE = 10, 3.0  # stations are taken to be alike until each has some strays
_STEP = 0.1  # revisions that change less change nothing


class Agreement(NamedTuple):
    """How loud an event is at 1 km, what each pick's loudness speaks for it, and what the fit costs."""

    level: float
    gain_M: FloatArray
    cost: float


def loudness_of(pick: Pick) -> float:
    """Return a pick's loudness in steps of a tenth; NaN without an amplitude in m/s.

    Examples
    --------
    >>> from rtpick.vocabulary.codes import ChannelId
    >>> channel = ChannelId.parse("BW.UH1..SHZ")
    >>> pick = Pick("a", channel, "P", 0, 0.9, 0.1, 2e-6, 9.0, 1.0, "m", amplitude_unit="m/s")
    >>> loudness_of(pick)
    -5.7
    """
    if pick.amplitude_unit != "m/s" or not 0.0 < pick.amplitude < math.inf:
        return math.nan
    return round(math.log10(pick.amplitude) / _STEP) * _STEP


@compiled
def fall_off(slant_km: float) -> float:
    """Return by how many decades S is weaker at a distance than at 1 km."""
    return float(_GEOMETRIC * np.log10(max(slant_km, 1e-3)) + _PER_KM * slant_km)


@compiled
def log_loudness(excess: float) -> float:
    """Return how much a pick's loudness above expectation speaks for the event, log; 0 where unknown."""
    if np.isnan(excess):
        return 0.0
    ratio = excess / _SCATTER
    fit = _TOP * (1.0 + ratio * ratio / _FREEDOM) ** -2.5
    return float(np.log((1.0 - _MISLED) * fit + _MISLED))


def log_stray(excess: float) -> float:
    """Return how much a pick's loudness above its station's usual speaks for a stray, log."""
    if math.isnan(excess):
        return 0.0
    ratio = excess / _STRAY_SCATTER
    fit = 0.375 / _STRAY_SCATTER * _STRAY_DECADES * (1.0 + ratio * ratio / _FREEDOM) ** -2.5
    return math.log((1.0 - _ODD) * fit + _ODD)


def usual_loudness(count_S: IntArray, sum_S: FloatArray) -> FloatArray:
    """Return how loud the strays of each station are, by their number and sum; NaN where few are known."""
    total = int(count_S.sum())
    if total < _FEW:
        return np.full(len(sum_S), np.nan)
    usual: FloatArray = (sum_S + _ALIKE * sum_S.sum() / total) / (count_S + _ALIKE)
    return usual


@compiled
def agree(loudness_M: FloatArray, fall_M: FloatArray) -> Agreement:
    """Find the level that explains the loudness of most picks, and weigh it against chance."""
    level_M = loudness_M + fall_M
    known = ~np.isnan(level_M)
    count = np.count_nonzero(known)
    if count == 0:
        return Agreement(np.nan, np.zeros(len(level_M)), 0.0)
    level = float(np.median(level_M[known]))
    for _ in range(3):
        total = weights = 0.0
        for one in level_M[known]:
            weight = 1.0 / (_FREEDOM + ((one - level) / _SCATTER) ** 2)
            total += weight * one
            weights += weight
        level = total / weights
    gain_M = np.empty(len(level_M))
    for m in range(len(level_M)):
        gain_M[m] = log_loudness(level_M[m] - level)
    cost = np.log(np.sqrt(2.0 * np.pi / count) * _SCATTER / _EVENT_DECADES)
    return Agreement(level, gain_M, float(cost))
