"""When the waves of a made-up earthquake reach the channels of a cable, and from where.

A crust whose speed grows linearly with depth has rays that are circles and travel times in closed form;
on top lie
sediments of uneven thickness, below it a mantle along which head waves run ahead of distant earthquakes.

Shape suffixes: K fiber channel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtpick.learning.das_synthetic_cable import Cable, smooth_curve
from rtpick.learning.das_synthetic_draw import log_uniform

SHORTEST_S_MINUS_P_S, LONGEST_S_MINUS_P_S = 0.3, 40.0
DEEPEST_KM = 30.0
CRUST_KM_S, MANTLE_KM_S = 6.2, 8.0

FloatK = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Medium:
    """The ground under a cable.

    Attributes
    ----------
    p_km_s, gradient_per_s
        Speed of P at the top of the crust, and how fast it grows with depth (km/s a km).
    ratio
        Speed of P over speed of S in the crust.
    moho_km
        Thickness of the crust.
    sediment_km_K
        Thickness of the sediments under each channel.
    sediment_p_km_s, sediment_s_km_s
        Their speeds.
    """

    p_km_s: float
    gradient_per_s: float
    ratio: float
    moho_km: float
    sediment_km_K: FloatK
    sediment_p_km_s: float
    sediment_s_km_s: float

    def speed_km_s(self, phase: str) -> float:
        """Return the speed of a phase at the top of the crust."""
        return self.p_km_s if phase == "P" else self.p_km_s / self.ratio

    def sediment_speed_km_s(self, phase: str) -> float:
        """Return the speed of a phase in the sediments."""
        return self.sediment_p_km_s if phase == "P" else self.sediment_s_km_s


@dataclass(frozen=True, slots=True)
class Hypocentre:
    """Where an earthquake happened, relative to the first channel."""

    east_km: float
    north_km: float
    depth_km: float


@dataclass(frozen=True, slots=True, eq=False)
class Arrival:
    """One phase along the cable.

    Attributes
    ----------
    first_s_K, direct_s_K
        Travel time of the first wave, and of the direct one where a head wave overtakes it.
    slowness_s_km_K
        Horizontal slowness of the first wave.
    azimuth_rad_K
        Direction in which the wave travels.
    """

    first_s_K: FloatK
    direct_s_K: FloatK
    slowness_s_km_K: FloatK
    azimuth_rad_K: FloatK


def draw_medium(rng: np.random.Generator, channel_count: int) -> Medium:
    """Draw a crust and sediments of uneven thickness, none to some hundred metres."""
    sediment_s_km_s = log_uniform(rng, 0.15, 1.5)
    thickness_km = rng.uniform(0.0, 0.25) * sediment_s_km_s
    knot_channels = log_uniform(rng, 15.0, 300.0)
    relief_K = 1.0 + rng.uniform(0.0, 0.6) * smooth_curve(rng, channel_count, knot_channels)
    return Medium(
        p_km_s=rng.uniform(3.0, 6.0),
        gradient_per_s=rng.uniform(0.005, 0.05),
        ratio=rng.uniform(1.62, 1.90),
        moho_km=rng.uniform(22.0, 45.0),
        sediment_km_K=thickness_km * np.clip(relief_K, 0.0, 3.0),
        sediment_p_km_s=sediment_s_km_s * rng.uniform(1.9, 4.0),
        sediment_s_km_s=sediment_s_km_s,
    )


def draw_hypocentre(
    rng: np.random.Generator, medium: Medium, cable: Cable, s_minus_p_s: float | None = None
) -> Hypocentre:
    """Place an earthquake so that S follows P by this much at a channel of the cable, in the crust.

    Where no lag is given it is drawn from 0.3 to 40 s, evenly in the logarithm or, one time in three, evenly.
    """
    lag_s = _draw_lag_s(rng) if s_minus_p_s is None else s_minus_p_s
    travel_s = lag_s / (medium.ratio - 1.0)
    depth_km = min(DEEPEST_KM, medium.p_km_s * travel_s * rng.uniform(0.1, 0.95))
    deep_km_s = medium.p_km_s + medium.gradient_per_s * depth_km
    reach = 2.0 * medium.p_km_s * deep_km_s * (np.cosh(medium.gradient_per_s * travel_s) - 1.0)
    offset_km = np.sqrt(max(reach / medium.gradient_per_s**2 - depth_km**2, 0.01))
    near = rng.integers(len(cable.east_m_K))
    azimuth_rad = rng.uniform(0, 2 * np.pi)
    return Hypocentre(
        east_km=cable.east_m_K[near] / 1000 + offset_km * np.sin(azimuth_rad),
        north_km=cable.north_m_K[near] / 1000 + offset_km * np.cos(azimuth_rad),
        depth_km=depth_km,
    )


def _draw_lag_s(rng: np.random.Generator) -> float:
    if rng.random() < 1 / 3:
        return float(rng.uniform(SHORTEST_S_MINUS_P_S, LONGEST_S_MINUS_P_S))
    return log_uniform(rng, SHORTEST_S_MINUS_P_S, LONGEST_S_MINUS_P_S)


def arrive(medium: Medium, hypocentre: Hypocentre, cable: Cable, phase: str) -> Arrival:
    """Compute when and from where a phase arrives at each channel.

    Examples
    --------
    >>> from rtpick.learning.das_synthetic_cable import draw_cable
    >>> rng = np.random.default_rng(0)
    >>> cable, medium = draw_cable(rng, 64), draw_medium(rng, 64)
    >>> hypocentre = draw_hypocentre(rng, medium, cable)
    >>> p, s = (arrive(medium, hypocentre, cable, phase) for phase in "PS")
    >>> bool((s.first_s_K > p.first_s_K).all())
    True
    """
    east_km_K = cable.east_m_K / 1000 - hypocentre.east_km
    north_km_K = cable.north_m_K / 1000 - hypocentre.north_km
    offset_km_K = np.maximum(np.hypot(east_km_K, north_km_K), 1e-3)
    direct_s_K, direct_slowness_K = _direct(medium, offset_km_K, hypocentre.depth_km, phase)
    head_s_K, head_slowness = _head(medium, offset_km_K, hypocentre.depth_km, phase)
    slowness_K = np.where(head_s_K < direct_s_K, head_slowness, direct_slowness_K)
    first_s_K = np.minimum(head_s_K, direct_s_K)
    delay_s_K = _sediment_delay(medium, slowness_K, phase)
    azimuth_rad_K = np.arctan2(east_km_K, north_km_K)
    return Arrival(first_s_K + delay_s_K, direct_s_K + delay_s_K, slowness_K, azimuth_rad_K)


def _direct(medium: Medium, offset_km_K: FloatK, depth_km: float, phase: str) -> tuple[FloatK, FloatK]:
    """Follow a circular ray: travel time, and its derivative by distance."""
    scale = 1.0 if phase == "P" else 1.0 / medium.ratio
    gradient = scale * medium.gradient_per_s
    top_km_s = scale * medium.p_km_s
    product = top_km_s * (top_km_s + gradient * depth_km)
    hyperbolic_K = 1.0 + gradient**2 * (offset_km_K**2 + depth_km**2) / (2.0 * product)
    time_s_K = np.arccosh(hyperbolic_K) / gradient
    slowness_K = gradient * offset_km_K / (product * np.sqrt(hyperbolic_K**2 - 1.0))
    return time_s_K, slowness_K


def _head(medium: Medium, offset_km_K: FloatK, depth_km: float, phase: str) -> tuple[FloatK, float]:
    """Follow a ray along the top of the mantle; infinite where it would not get there."""
    scale = 1.0 if phase == "P" else 1.0 / medium.ratio
    crust, mantle = scale * CRUST_KM_S, scale * MANTLE_KM_S
    vertical = np.sqrt(crust**-2 - mantle**-2)
    legs_km = 2.0 * medium.moho_km - depth_km
    critical_km = legs_km / (mantle * vertical)
    time_s_K = offset_km_K / mantle + legs_km * vertical
    return np.where(offset_km_K > critical_km, time_s_K, np.inf), 1.0 / mantle


def _sediment_delay(medium: Medium, slowness_s_km_K: FloatK, phase: str) -> FloatK:
    speed_km_s = medium.sediment_speed_km_s(phase)
    vertical_K = np.sqrt(np.maximum(speed_km_s**-2 - slowness_s_km_K**2, 0.01))
    return medium.sediment_km_K * vertical_K
