"""Everything that stays the same while picks are associated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rtpick.association.evidence import Detection, expect_detection
from rtpick.association.grid import Grid, build_grid
from rtpick.association.locate import S_FACTOR, Spread
from rtpick.association.sites import Extent, Sites, measure_extent, number_sites
from rtpick.association.traveltime import TravelTimes
from rtpick.association.velocity import FloatArray
from rtpick.association.vote import Rules
from rtpick.settings.schema import AssociationSettings
from rtpick.vocabulary.inventory import Inventory

_PATH_ERROR = 0.01  # of the travel time: what a one-dimensional earth leaves unexplained
_EVENTS_PER_S = 2.0 / 3600.0


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """Settings, stations, travel times, grid and what follows from them.

    `young_s` is how long an unclaimed pick may still found an event; `start_depths_km` are the
    depths that a new event is located from.
    """

    settings: AssociationSettings
    sites: Sites
    extent: Extent
    travel_times: TravelTimes
    grid: Grid
    rules: Rules
    detection: Detection
    spread: Spread
    young_s: float
    start_depths_km: FloatArray
    area_km2: float
    events_per_s: float = _EVENTS_PER_S

    @property
    def unresolved_km(self) -> float:
        """Standard deviation from which a depth counts as unresolved."""
        return min(30.0, self.extent.maximum_depth_km / 3.0)

    @property
    def usual_depth_km(self) -> float:
        """Depth that is assumed where none is resolved."""
        return min(10.0, self.extent.maximum_depth_km / 4.0)


def build_world(settings: AssociationSettings, inventory: Inventory, travel_times: TravelTimes) -> World:
    """Prepare what the associator needs of a network."""
    sites = number_sites(inventory)
    extent = measure_extent(settings, sites, travel_times.model)
    grid = build_grid(sites, extent, travel_times)
    slowness = 1.0 / np.array([travel_times.model.vp_km_s[0], travel_times.model.vs_km_s[0]])
    onset_R = extent.onset_s * np.array([1.0, S_FACTOR])
    rules = Rules(onset_R, slowness, _PATH_ERROR, extent.reach_km, 2.0 * sites.spacing_km, settings.minimum_picks)
    nearest_km = max(0.5 * sites.spacing_km, 0.02)
    detection = expect_detection(nearest_km, max(extent.maximum_distance_km, 4.0 * nearest_km))
    young_s = float(travel_times.look_up("S", extent.reach_km, 0.0)[0]) + 2.0 * settings.maximum_residual_s
    area_km2 = len(grid.latitude_C) * extent.cell_km**2
    spread = Spread(extent.onset_s, _PATH_ERROR)
    return World(settings, sites, extent, travel_times, grid, rules, detection, spread, young_s,
                 grid.depth_K, area_km2)  # fmt: skip
