"""Everything that stays the same while picks are associated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rtpick.association.appraise import Physics
from rtpick.association.evidence import expect_detection
from rtpick.association.front import NEIGHBOURS
from rtpick.association.grid import Grid, build_grid
from rtpick.association.locate import Spread, arrival_sigma_s
from rtpick.association.seismicity import Prior, lay_out
from rtpick.association.settle import Demands
from rtpick.association.sites import Extent, Sites, measure_extent, number_sites, plane_km_of
from rtpick.association.sphere import arc_km
from rtpick.association.traveltime import TravelTimes
from rtpick.association.velocity import FloatArray
from rtpick.association.vote import IntArray, Rules
from rtpick.settings.schema import AssociationSettings
from rtpick.vocabulary.inventory import Inventory

_S_FACTOR = 1.8  # how much worse S onsets are picked than P
# What the model leaves unexplained of travel times (P, S): a share of them, up to so many seconds.
_REGIONAL = np.array([0.01, 0.01]), np.array([2.0, 2.0])
_GLOBAL = np.array([0.1, 0.2]), np.array([0.6, 1.0])
_EVENTS_PER_S = 2.0 / 3600.0
_ANNOUNCED = 0.5  # of the spacing of stations: how far an event announces others


_DEPTH_STARTS = 4
_FRONT_PICKS = 8


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """Settings, stations, travel times, grid and what follows from them.

    `young_s` is how long an unclaimed pick may still found an event; `apart_km_SS` the distances of
    stations; `near_SN` each one's nearest others and `near_km_SN` how far these are; `plane_km_S2`
    where stations lie east and north of the network's middle; `depths_km` from where new events are
    located.
    """

    settings: AssociationSettings
    sites: Sites
    extent: Extent
    travel_times: TravelTimes
    grid: Grid
    rules: Rules
    physics: Physics
    prior: Prior
    demands: Demands
    front_demands: Demands
    young_s: float
    apart_km_SS: FloatArray
    near_SN: IntArray
    near_km_SN: FloatArray
    plane_km_S2: FloatArray
    depths_km: FloatArray

    @property
    def belief(self) -> float:
        """Log-odds from which an event is supposed; it is published at twice as much."""
        return self.settings.minimum_log_odds / 2.0


def build_world(settings: AssociationSettings, inventory: Inventory, travel_times: TravelTimes) -> World:
    """Prepare what the associator needs of a network."""
    sites = number_sites(inventory)
    extent = measure_extent(settings, sites, travel_times.model)
    grid = build_grid(sites, extent, travel_times)
    slowness_R = 1.0 / np.array([travel_times.model.vp_km_s[0], travel_times.model.vs_km_s[0]])
    spread = expect_spread(extent, travel_times)
    usual = _EVENTS_PER_S / (len(grid.latitude_C) * extent.cell_km**2)
    apart_km_SS = np.stack([arc_km(sites.places.unit_S3, unit_3) for unit_3 in sites.places.unit_S3])
    near_SN = np.argsort(apart_km_SS, axis=1, kind="stable")[:, 1 : 1 + NEIGHBOURS]
    largest_s = settings.maximum_residual_s
    return World(
        settings=settings, sites=sites, extent=extent, travel_times=travel_times, grid=grid,
        rules=_rules(settings, sites, extent, spread, slowness_R),
        physics=_physics(sites, extent, travel_times, spread),
        prior=lay_out(grid.latitude_C, grid.longitude_C, usual, _ANNOUNCED * sites.spacing_km),
        demands=Demands(settings.minimum_picks, _saved(settings), settings.minimum_stations, largest_s),
        front_demands=Demands(_FRONT_PICKS, 0, _FRONT_PICKS, largest_s),
        young_s=float(travel_times.look_up("S", extent.reach_km, 0.0)[0]) + 2.0 * largest_s,
        apart_km_SS=apart_km_SS, near_SN=near_SN, near_km_SN=np.take_along_axis(apart_km_SS, near_SN, 1),
        plane_km_S2=plane_km_of(sites), depths_km=grid.depth_K[:: max(len(grid.depth_K) // _DEPTH_STARTS, 1)],
    )  # fmt: skip


def _saved(settings: AssociationSettings) -> int:
    """Return how many picks P and S of one station may save; no event has fewer than four."""
    return int(settings.minimum_picks > 4)


def expect_spread(extent: Extent, travel_times: TravelTimes) -> Spread:
    """Say how well arrival times are expected to fit: a model of the region, or of the whole earth."""
    onset_R = extent.onset_s * np.array([1.0, _S_FACTOR])
    return Spread(onset_R, *(_GLOBAL if travel_times.model.name == "iasp91" else _REGIONAL))


def _rules(settings: AssociationSettings, sites: Sites, extent: Extent, spread: Spread,
           slowness_R: FloatArray) -> Rules:  # fmt: skip
    travel_s_R = 2.0 * sites.spacing_km * slowness_R
    tolerance_R = np.array([arrival_sigma_s(spread, role, travel_s_R[role]) for role in range(2)])
    fewest, fade_km = settings.minimum_picks - _saved(settings), 2.0 * sites.spacing_km
    return Rules(tolerance_R, slowness_R, extent.reach_km, fade_km, fewest)


def _physics(sites: Sites, extent: Extent, travel_times: TravelTimes, spread: Spread) -> Physics:
    nearest_km, deepest_km = max(0.5 * sites.spacing_km, 0.02), extent.maximum_depth_km
    wide_km = extent.maximum_distance_km
    return Physics(
        table=travel_times.table,
        places=sites.places,
        spread=spread,
        detection=expect_detection(nearest_km, max(wide_km, 4.0 * nearest_km)),
        information_44=np.diag([wide_km**-2, wide_km**-2, deepest_km**-2, 1e-6]),
        limit_km=3.0 * extent.cell_km,
        unresolved_km=min(30.0, deepest_km / 3.0),
        usual_depth_km=min(10.0, deepest_km / 4.0),
        maximum_depth_km=deepest_km,
        farthest_km=wide_km,
        reach_km=4.0 * sites.spacing_km,
    )
