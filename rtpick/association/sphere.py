"""Positions on the earth: geocentric latitude, unit vectors, distances and azimuths.

Angles are radians inside; geographic degrees stay at the door. Arrays: N points, 3 xyz.
"""

from __future__ import annotations

import numpy as np

from rtpick.association.trace import EARTH_RADIUS_KM
from rtpick.association.velocity import FloatArray
from rtpick.numeric.compiled import compiled

_AXES_SQUARED = (1.0 - 1.0 / 298.257223563) ** 2


def geocentric_rad(latitude_deg: FloatArray | float) -> FloatArray:
    """Turn geographic latitude on WGS84 into geocentric latitude (radians)."""
    return np.asarray(np.arctan(_AXES_SQUARED * np.tan(np.radians(latitude_deg))))


def geographic_deg(latitude_rad: float) -> float:
    """Turn geocentric latitude (radians) into geographic latitude (degrees).

    Examples
    --------
    >>> round(geographic_deg(float(geocentric_rad(48.0))), 9)
    48.0
    """
    return float(np.degrees(np.arctan(np.tan(latitude_rad) / _AXES_SQUARED)))


def unit_vectors(latitude_rad: FloatArray, longitude_rad: FloatArray) -> FloatArray:
    """Return the directions of points from the earth's centre, shape (..., 3)."""
    cosine = np.cos(latitude_rad)
    parts = (cosine * np.cos(longitude_rad), cosine * np.sin(longitude_rad), np.sin(latitude_rad))
    return np.stack(np.broadcast_arrays(*parts), axis=-1)


def arc_km(a_N3: FloatArray, b_N3: FloatArray) -> FloatArray:
    """Return distances along the surface between unit vectors; exact for small ones, too."""
    chord = np.linalg.norm(np.asarray(a_N3) - np.asarray(b_N3), axis=-1)
    return np.asarray(2.0 * EARTH_RADIUS_KM * np.arcsin(np.clip(chord / 2, 0.0, 1.0)))


Compass = tuple[float, float, float, float]


@compiled
def compass_at(latitude_rad: float, longitude_rad: float) -> Compass:
    """Return the sines and cosines of a place from which many rays are drawn."""
    return np.sin(latitude_rad), np.cos(latitude_rad), np.sin(longitude_rad), np.cos(longitude_rad)


@compiled
def ray_from(compass: Compass, to_3: FloatArray) -> tuple[float, float, float]:
    """Return the distance (km) to a point and the east and north parts of the direction there."""
    sl, cl, so, co = compass
    east = -so * to_3[0] + co * to_3[1]
    north = -sl * co * to_3[0] - sl * so * to_3[1] + cl * to_3[2]
    sine = np.sqrt(east * east + north * north)
    cosine = cl * co * to_3[0] + cl * so * to_3[1] + sl * to_3[2]
    distance = EARTH_RADIUS_KM * np.arctan2(sine, cosine)
    if sine < 1e-12:
        return distance, 0.0, 0.0
    return distance, east / sine, north / sine


def offset_rad(latitude_rad: float, longitude_rad: float, east_km: FloatArray,
               north_km: FloatArray) -> tuple[FloatArray, FloatArray]:  # fmt: skip
    """Walk from a point along great circles (azimuthal-equidistant plane) to latitude, longitude.

    Examples
    --------
    >>> lat, lon = offset_rad(0.0, 0.0, np.array([6371.0 * np.pi / 2]), np.array([0.0]))
    >>> np.degrees(lat).round(6).tolist(), np.degrees(lon).round(6).tolist()
    ([0.0], [90.0])
    """
    distance = np.hypot(east_km, north_km) / EARTH_RADIUS_KM
    azimuth = np.arctan2(east_km, north_km)
    sine = np.sin(latitude_rad) * np.cos(distance) + np.cos(latitude_rad) * np.sin(distance) * np.cos(azimuth)
    latitude = np.arcsin(np.clip(sine, -1.0, 1.0))
    across = np.sin(azimuth) * np.sin(distance) * np.cos(latitude_rad)
    longitude = longitude_rad + np.arctan2(across, np.cos(distance) - np.sin(latitude_rad) * sine)
    return latitude, longitude


def azimuthal_gap_deg(azimuth_deg: FloatArray) -> float:
    """Return the widest sector without a station.

    Examples
    --------
    >>> azimuthal_gap_deg(np.array([10.0, 100.0, 190.0]))
    180.0
    """
    if len(azimuth_deg) < 2:
        return 360.0
    around = np.sort(np.mod(azimuth_deg, 360.0))
    return float(np.max(np.diff(around, append=around[0] + 360.0)))
