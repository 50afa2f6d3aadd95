"""An origin and its uncertainties in QuakeML's units: degrees and metres."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median
from typing import Any

import numpy as np
import obspy.core.event as quakeml
from obspy import UTCDateTime

from rtpick.vocabulary.event import Arrival, Origin

KM_PER_DEG = 111.195
# How much of a two-dimensional normal distribution lies within one standard deviation.
_ONE_SIGMA_PERCENT = 39.347


def build_origin(origin: Origin, arrivals: Sequence[Arrival]) -> Any:
    """Lay an origin out as an ObsPy origin, less its ids and arrivals.

    Uncertainties are one standard deviation. Where the covariance is known, the horizontal
    uncertainty is its ellipse, else a circle.
    """
    east_km, north_km = _horizontal_sigmas(origin)
    km_per_deg_of_longitude = KM_PER_DEG * max(math.cos(math.radians(origin.latitude_deg)), 1e-6)
    return quakeml.Origin(
        time=UTCDateTime(ns=round(origin.time_ns, -3)),
        time_errors=_error(origin.time_uncertainty_s),
        latitude=origin.latitude_deg,
        latitude_errors=_error(north_km / KM_PER_DEG),
        longitude=origin.longitude_deg,
        longitude_errors=_error(east_km / km_per_deg_of_longitude),
        depth=_known(origin.depth_km * 1000.0),
        depth_errors=_error(origin.depth_uncertainty_km * 1000.0) if math.isfinite(origin.depth_km) else None,
        depth_type="operator assigned" if origin.depth_fixed else "from location",
        origin_uncertainty=_build_uncertainty(origin),
        quality=build_quality(origin, arrivals),
        evaluation_mode="automatic",
    )


def build_quality(origin: Origin, arrivals: Sequence[Arrival]) -> Any:
    """Count and measure what the origin rests on; an arrival of weight 0 is associated, not used."""
    used = [arrival for arrival in arrivals if arrival.weight > 0]
    distances_deg = sorted(a.distance_deg for a in used if math.isfinite(a.distance_deg))
    return quakeml.OriginQuality(
        associated_phase_count=len(arrivals),
        used_phase_count=len(used),
        associated_station_count=len({arrival.station for arrival in arrivals}),
        used_station_count=len({arrival.station for arrival in used}),
        standard_error=_known(origin.rms_s),
        azimuthal_gap=_known(origin.azimuthal_gap_deg),
        minimum_distance=_known(origin.nearest_station_deg),
        maximum_distance=distances_deg[-1] if distances_deg else None,
        median_distance=median(distances_deg) if distances_deg else None,
    )


def horizontal_ellipse(covariance_km2: Sequence[float]) -> tuple[float, float, float]:
    """Find the axes of the horizontal uncertainty.

    Parameters
    ----------
    covariance_km2 : sequence of 9 floats
        Row-major over (east, north, down).

    Returns
    -------
    tuple of float
        Semi-major and semi-minor axis in km, azimuth of the major axis in degrees from north, 0..180.

    Examples
    --------
    >>> horizontal_ellipse((4.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 9.0))
    (2.0, 1.0, 90.0)
    """
    matrix = np.asarray(covariance_km2, dtype=np.float64).reshape(3, 3)[:2, :2]
    variances, axes = np.linalg.eigh(matrix)
    minor_km, major_km = np.sqrt(np.maximum(variances, 0.0))
    azimuth_deg = math.degrees(math.atan2(axes[0, 1], axes[1, 1])) % 180.0
    return float(major_km), float(minor_km), azimuth_deg


def _has_covariance(origin: Origin) -> bool:
    return len(origin.covariance_km2) == 9 and bool(np.isfinite(origin.covariance_km2).all())


def _horizontal_sigmas(origin: Origin) -> tuple[float, float]:
    if not _has_covariance(origin):
        return origin.horizontal_uncertainty_km, origin.horizontal_uncertainty_km
    east_km2, north_km2 = origin.covariance_km2[0], origin.covariance_km2[4]
    return math.sqrt(max(east_km2, 0.0)), math.sqrt(max(north_km2, 0.0))


def _build_uncertainty(origin: Origin) -> Any | None:
    horizontal_m = _known(origin.horizontal_uncertainty_km * 1000.0)
    if _has_covariance(origin):
        return _build_ellipse(origin, horizontal_m)
    if horizontal_m is None:
        return None
    return quakeml.OriginUncertainty(
        horizontal_uncertainty=horizontal_m,
        preferred_description="horizontal uncertainty",
        # ObsPy reads back an empty one.
        confidence_ellipsoid=quakeml.ConfidenceEllipsoid(),
    )


def _build_ellipse(origin: Origin, horizontal_m: float | None) -> Any:
    major_km, minor_km, azimuth_deg = horizontal_ellipse(origin.covariance_km2)
    return quakeml.OriginUncertainty(
        horizontal_uncertainty=horizontal_m,
        max_horizontal_uncertainty=major_km * 1000.0,
        min_horizontal_uncertainty=minor_km * 1000.0,
        azimuth_max_horizontal_uncertainty=azimuth_deg,
        preferred_description="uncertainty ellipse",
        confidence_level=_ONE_SIGMA_PERCENT,
        confidence_ellipsoid=quakeml.ConfidenceEllipsoid(),
    )


def _error(value: float) -> Any:
    return quakeml.QuantityError(uncertainty=_known(value))


def _known(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
