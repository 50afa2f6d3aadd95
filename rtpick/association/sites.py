"""The stations of a network as the associator sees them: numbered, with the scales that follow.

Arrays: S station, 3 xyz.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from rtpick.association.sphere import arc_km, compass_at, geocentric_rad, ray_from, unit_vectors
from rtpick.association.traveltime import TravelTimes, build_travel_times
from rtpick.association.velocity import FloatArray, VelocityModel, read_velocity_model
from rtpick.settings.schema import AssociationSettings
from rtpick.vocabulary.codes import StationId
from rtpick.vocabulary.errors import InventoryError
from rtpick.vocabulary.inventory import Inventory

_NEIGHBOURS = 3


class Places(NamedTuple):
    """Where stations stand, in the form that compiled code takes."""

    unit_S3: FloatArray
    elevation_km_S: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Sites:
    """Numbered stations.

    Parameters
    ----------
    codes : tuple of StationId
        Sorted; the position is the station's number.
    number : dict
        From code to number.
    names : tuple of str
        The codes as text.
    places : Places
    centre_rad : tuple of float
        Geocentric latitude and longitude of the middle.
    spacing_km : float
        Median distance to the nearest few neighbours.
    aperture_km : float
        Greatest distance between two stations.
    """

    codes: tuple[StationId, ...]
    number: dict[StationId, int]
    names: tuple[str, ...]
    places: Places
    centre_rad: tuple[float, float]
    spacing_km: float
    aperture_km: float


def number_sites(inventory: Inventory) -> Sites:
    """Number the stations of an inventory and measure its scales.

    Raises
    ------
    InventoryError
        If there is no station.
    """
    stations = sorted(inventory, key=lambda item: item.station)
    if not stations:
        raise InventoryError("no station has coordinates; add a StationXML or CSV file to inventory.files")
    latitude = geocentric_rad(np.array([item.latitude_deg for item in stations]))
    longitude = np.radians([item.longitude_deg for item in stations])
    unit_S3 = unit_vectors(latitude, longitude)
    elevation = np.array([item.elevation_m / 1000.0 for item in stations])
    middle = unit_S3.mean(axis=0)
    centre = (
        float(np.arctan2(middle[2], np.hypot(middle[0], middle[1]))),
        float(np.arctan2(middle[1], middle[0])),
    )
    spacing_km, aperture_km = _scales_km(unit_S3)
    codes = tuple(item.station for item in stations)
    number = {code: index for index, code in enumerate(codes)}
    names, places = tuple(map(str, codes)), Places(unit_S3, elevation)
    return Sites(codes, number, names, places, centre, spacing_km, aperture_km)


def _scales_km(unit_S3: FloatArray) -> tuple[float, float]:
    if len(unit_S3) < 2:
        return 10.0, 10.0
    near = []
    aperture_km = 0.0
    for unit_3 in unit_S3:
        distance_km = np.sort(arc_km(unit_S3, unit_3))
        near.append(distance_km[1 : 1 + _NEIGHBOURS].mean())
        aperture_km = max(aperture_km, float(distance_km[-1]))
    return max(float(np.median(near)), 0.1), max(aperture_km, 0.2)


@dataclass(frozen=True, slots=True)
class Extent:
    """How far the associator looks around a network (km) and how well it expects times to fit (s)."""

    margin_km: float
    cell_km: float
    maximum_depth_km: float
    maximum_distance_km: float
    reach_km: float
    onset_s: float


def measure_extent(settings: AssociationSettings, sites: Sites, model: VelocityModel) -> Extent:
    """Derive from the network's scales what the settings leave open."""
    spacing_km, aperture_km = sites.spacing_km, sites.aperture_km
    margin_km = settings.margin_km if settings.margin_km is not None else min(aperture_km, 50.0)
    longest_km = aperture_km + 1.5 * margin_km
    maximum_km = min(settings.maximum_distance_km, longest_km)
    return Extent(
        margin_km=margin_km,
        cell_km=settings.cell_km or float(np.clip(spacing_km / 1.8, aperture_km / 100, 20.0)),
        maximum_depth_km=min(settings.maximum_depth_km or max(50.0, aperture_km / 3), model.deepest_km),
        maximum_distance_km=maximum_km,
        reach_km=min(max(5.0 * spacing_km, aperture_km / 2), 250.0, maximum_km),
        onset_s=settings.onset_uncertainty_s or float(np.clip(0.01 * spacing_km, 0.01, 0.12)),
    )


def prepare_travel_times(settings: AssociationSettings, inventory: Inventory) -> TravelTimes:
    """Trace the velocity model of the settings as far as the network needs it."""
    model = read_velocity_model(settings.velocity_model)
    extent = measure_extent(settings, number_sites(inventory), model)
    return build_travel_times(model, extent.maximum_depth_km, extent.maximum_distance_km)


def plane_km_of(sites: Sites) -> FloatArray:
    """Lay the stations out in an azimuthal-equidistant plane about the middle, shape (S, 2)."""
    rays = [ray_from(compass_at(*sites.centre_rad), unit_3) for unit_3 in sites.places.unit_S3]
    return np.array([(distance * east, distance * north) for distance, east, north in rays])
