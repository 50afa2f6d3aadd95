"""From a supposed event to the origin and arrivals that are published."""

from __future__ import annotations

import numpy as np

from rtpick.association.locate import FREEDOM, Spread, path_sigma_s
from rtpick.association.signal import Hypothesis
from rtpick.association.sites import Places, Sites
from rtpick.association.sphere import azimuthal_gap_deg, compass_at, geographic_deg, ray_from
from rtpick.association.trace import EARTH_RADIUS_KM
from rtpick.association.velocity import FloatArray
from rtpick.association.vote import IntArray
from rtpick.numeric.compiled import compiled
from rtpick.vocabulary.event import Arrival, Origin
from rtpick.vocabulary.time import to_ns, to_s

_KM_PER_DEG = EARTH_RADIUS_KM * np.pi / 180.0
_SHARED = 0.45  # of what a path adds to an arrival time: common to the paths of an event


def describe_arrivals(hypothesis: Hypothesis, sites: Sites) -> tuple[Arrival, ...]:
    """List the picks of an event with residual, distance, azimuth and weight, in order of time."""
    ratio_M, station_M = hypothesis.ratio_M, hypothesis.pool.crowd.station_N
    distance_km_M, azimuth_deg_M = _rays(sites.places, station_M, hypothesis.source)
    columns = (
        hypothesis.role_M, station_M, ratio_M * hypothesis.sigma_M, distance_km_M / _KM_PER_DEG,
        azimuth_deg_M, (FREEDOM + 1.0) / (FREEDOM + ratio_M**2),
    )  # fmt: skip
    rows = zip(hypothesis.pool.signals, *(column.tolist() for column in columns), strict=True)
    return tuple(
        Arrival(s.pick_id, sites.names[station], "PS"[role], s.time_ns, residual, distance, azimuth, weight)
        for s, role, station, residual, distance, azimuth, weight in rows
    )


@compiled
def _rays(places: Places, station_M: IntArray, source: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the distances (km) and azimuths (degrees) of stations."""
    compass = compass_at(source[0], source[1])
    distance_M, azimuth_M = np.empty(len(station_M)), np.empty(len(station_M))
    for m in range(len(station_M)):
        distance_M[m], east, north = ray_from(compass, places.unit_S3[station_M[m]])
        azimuth_M[m] = np.degrees(np.arctan2(east, north)) % 360.0
    return distance_M, azimuth_M


def describe_origin(hypothesis: Hypothesis, arrivals: tuple[Arrival, ...], spread: Spread) -> Origin:
    """State where and when, how surely, and how well the network surrounds it.

    What all paths from the source have in common shifts the origin time and widens no residual.
    """
    covariance = hypothesis.covariance_44
    usual_s = float(np.median([to_s(a.time_ns) for a in arrivals])) - float(hypothesis.source[3])
    shared_s = _SHARED * path_sigma_s(spread, 0, usual_s)
    residual = np.array([a.residual_s for a in arrivals])
    weight = np.array([a.weight for a in arrivals])
    wide_km2 = float(np.linalg.eigvalsh(covariance[:2, :2])[-1])
    return Origin(
        time_ns=to_ns(float(hypothesis.source[3])),
        latitude_deg=geographic_deg(float(hypothesis.source[0])),
        longitude_deg=_wrapped_deg(float(hypothesis.source[1])),
        depth_km=float(hypothesis.source[2]),
        time_uncertainty_s=float(np.sqrt(covariance[3, 3] + shared_s * shared_s)),
        horizontal_uncertainty_km=float(np.sqrt(wide_km2)),
        depth_uncertainty_km=float("nan") if hypothesis.depth_fixed else float(np.sqrt(covariance[2, 2])),
        depth_fixed=hypothesis.depth_fixed,
        rms_s=float(np.sqrt(np.average(residual**2, weights=weight))),
        azimuthal_gap_deg=azimuthal_gap_deg(np.array([a.azimuth_deg for a in arrivals])),
        nearest_station_deg=min(a.distance_deg for a in arrivals),
        covariance_km2=_spatial(covariance),
    )


def _wrapped_deg(longitude_rad: float) -> float:
    return float((np.degrees(longitude_rad) + 180.0) % 360.0 - 180.0)


def _spatial(covariance_44: FloatArray) -> tuple[float, ...]:
    return tuple(covariance_44[:3, :3].ravel().tolist())
