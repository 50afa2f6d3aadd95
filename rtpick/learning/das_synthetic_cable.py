"""Where a made-up cable lies: straight, bent, folded like a meander, or in a loop.

Shape suffixes: K fiber channel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtpick.learning.das_synthetic_draw import log_uniform

SHORTEST_SPACING_M, LONGEST_SPACING_M = 1.0, 50.0
LONGEST_CABLE_M = 50_000.0

FloatK = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Cable:
    """Channels of a cable on the ground.

    Attributes
    ----------
    east_m_K, north_m_K
        Position of each channel.
    azimuth_rad_K
        Direction in which the fiber runs there, from north over east.
    channel_spacing_m, gauge_length_m
        Along the fiber.
    """

    east_m_K: FloatK
    north_m_K: FloatK
    azimuth_rad_K: FloatK
    channel_spacing_m: float
    gauge_length_m: float

    @property
    def distances_m(self) -> FloatK:
        """Distance along the fiber."""
        return self.channel_spacing_m * np.arange(len(self.east_m_K), dtype=np.float64)


def draw_cable(rng: np.random.Generator, channel_count: int) -> Cable:
    """Lay a cable of any shape, with 1 to 50 m between channels and at most 50 km long.

    Examples
    --------
    >>> cable = draw_cable(np.random.default_rng(0), 64)
    >>> len(cable.east_m_K), bool(cable.distances_m[-1] <= 50_000.0)
    (64, True)
    """
    longest = min(LONGEST_SPACING_M, LONGEST_CABLE_M / channel_count)
    spacing_m = log_uniform(rng, SHORTEST_SPACING_M, longest)
    gauge_m = max(spacing_m / 2, log_uniform(rng, 2.0, 40.0))
    shapes = (_straight, _bent, _folded, _looped)
    draw = shapes[rng.choice(len(shapes), p=[0.3, 0.35, 0.2, 0.15])]
    azimuth_rad_K = draw(rng, channel_count) + _wander(rng, channel_count)
    east_m_K = spacing_m * np.cumsum(np.sin(azimuth_rad_K))
    north_m_K = spacing_m * np.cumsum(np.cos(azimuth_rad_K))
    return Cable(east_m_K, north_m_K, azimuth_rad_K, spacing_m, gauge_m)


def smooth_curve(rng: np.random.Generator, channel_count: int, knot_channels: float) -> FloatK:
    """Draw a curve of unit spread that changes along the cable over about `knot_channels` channels.

    Examples
    --------
    >>> smooth_curve(np.random.default_rng(0), 100, 20.0).shape
    (100,)
    """
    knot_count = int(channel_count / knot_channels) + 3
    place_K = rng.uniform(0, 1) + np.arange(channel_count) / knot_channels
    whole_K = place_K.astype(np.int64)
    # A raised cosine between knots, so that there are no kinks.
    share_K = 0.5 - 0.5 * np.cos(np.pi * (place_K - whole_K))
    knots = rng.standard_normal(knot_count)
    curve_K: FloatK = (1 - share_K) * knots[whole_K] + share_K * knots[whole_K + 1]
    return curve_K


def _straight(rng: np.random.Generator, channel_count: int) -> FloatK:
    return np.full(channel_count, rng.uniform(0, 2 * np.pi))


def _bent(rng: np.random.Generator, channel_count: int) -> FloatK:
    azimuth_rad_K = _straight(rng, channel_count)
    for corner in rng.integers(1, channel_count, size=rng.integers(1, 6)):
        azimuth_rad_K[corner:] += rng.choice([-1, 1]) * np.deg2rad(rng.uniform(15, 150))
    return azimuth_rad_K


def _folded(rng: np.random.Generator, channel_count: int) -> FloatK:
    azimuth_rad_K = _straight(rng, channel_count)
    run = int(rng.integers(20, max(21, channel_count // 3)))
    turn_rad = np.deg2rad(rng.uniform(60, 180))
    for number, corner in enumerate(range(run, channel_count, run)):
        azimuth_rad_K[corner:] += turn_rad if number % 2 else -turn_rad
    return azimuth_rad_K


def _looped(rng: np.random.Generator, channel_count: int) -> FloatK:
    turns = rng.choice([-1, 1]) * rng.uniform(0.2, 1.2)
    return rng.uniform(0, 2 * np.pi) + np.linspace(0, 2 * np.pi * turns, channel_count)


def _wander(rng: np.random.Generator, channel_count: int) -> FloatK:
    return float(np.deg2rad(rng.uniform(0, 12))) * smooth_curve(rng, channel_count, rng.uniform(10, 100))
