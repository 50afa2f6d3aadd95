"""The coarse grid on which picks vote for sources.

Arrays: C cell, K depth layer, S station, R role (0 P, 1 S), D distance bin.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from rtpick.association.sites import Extent, Sites
from rtpick.association.sphere import arc_km, offset_rad, unit_vectors
from rtpick.association.traveltime import TravelTimes
from rtpick.association.velocity import FloatArray

_BINS = 2048
_NEAREST = 30  # stations that may speak for a cell: the first picks of an event come from these


class Grid(NamedTuple):
    """Cells, their distances to the stations as bins, and travel times by bin and layer.

    `near_C` is the bin of the farthest station that may speak for a cell while most are alive.
    """

    latitude_C: FloatArray
    longitude_C: FloatArray
    depth_K: FloatArray
    thickness_K: FloatArray
    bin_SC: npt.NDArray[np.uint16]
    near_C: npt.NDArray[np.uint16]
    time_RDK: npt.NDArray[np.float32]
    bin_km: float
    cell_km: float


def layer_edges(first_km: float, deepest_km: float) -> FloatArray:
    """Cut the depth range into layers that thicken downwards, as their resolution does.

    Examples
    --------
    >>> layer_edges(10.0, 45.0).tolist()
    [0.0, 10.0, 20.0, 30.0, 45.0]
    """
    edges = [0.0]
    while edges[-1] < deepest_km:
        edges.append(edges[-1] + max(first_km, 0.4 * edges[-1]))
    if len(edges) > 2 and deepest_km - edges[-2] < 0.5 * (edges[-1] - edges[-2]):
        edges.pop()
    return np.array([*edges[:-1], deepest_km])


def build_grid(sites: Sites, extent: Extent, travel_times: TravelTimes) -> Grid:
    """Lay cells over the network and its margin, in a plane about its middle."""
    latitude, longitude = _cells(sites, extent)
    bin_km = extent.maximum_distance_km / (_BINS - 1)
    edges = layer_edges(extent.cell_km, extent.maximum_depth_km)
    middle = (edges[:-1] + edges[1:]) / 2
    x_km = np.arange(_BINS) * bin_km
    times = [travel_times.look_up(phase, x_km[:, None], middle[None, :])[0] for phase in "PS"]
    bin_SC = _distance_bins(sites, latitude, longitude, bin_km)
    nearest = min(_NEAREST, len(sites.codes)) - 1
    near_C = np.partition(bin_SC, nearest, axis=0)[nearest] if len(sites.codes) > _NEAREST else bin_SC.max(0)
    return Grid(
        latitude, longitude, middle, np.diff(edges), bin_SC, near_C, np.stack(times).astype(np.float32),
        bin_km, extent.cell_km,
    )  # fmt: skip


def _cells(sites: Sites, extent: Extent) -> tuple[FloatArray, FloatArray]:
    """Return geocentric latitude and longitude of the cells that are not too far from every station."""
    radius_km = sites.aperture_km / 2 + extent.margin_km + extent.cell_km
    steps = int(np.ceil(radius_km * 1.3 / extent.cell_km))
    line_km = np.arange(-steps, steps + 1) * extent.cell_km
    east_km, north_km = (x.ravel() for x in np.meshgrid(line_km, line_km))
    latitude, longitude = offset_rad(*sites.centre_rad, east_km, north_km)
    cell_C3 = unit_vectors(latitude, longitude)
    near_km = np.full(len(cell_C3), np.inf)
    for station_3 in sites.places.unit_S3:
        near_km = np.minimum(near_km, arc_km(cell_C3, station_3))
    keep = near_km <= max(extent.margin_km, 2.0 * sites.spacing_km)
    return latitude[keep], longitude[keep]


def _distance_bins(sites: Sites, latitude: FloatArray, longitude: FloatArray,
                   bin_km: float) -> npt.NDArray[np.uint16]:  # fmt: skip
    cell_C3 = unit_vectors(latitude, longitude)
    bins = np.empty((len(sites.codes), len(cell_C3)), np.uint16)
    for row, station_3 in enumerate(sites.places.unit_S3):
        bins[row] = np.minimum(np.round(arc_km(cell_C3, station_3) / bin_km), _BINS - 1)
    return bins
