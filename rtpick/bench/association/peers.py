"""The parameters that other associators are given, and how they follow from the network.

Each has one rule for all scenarios, as ours has. The rules were swept one parameter at a time over scenarios
of seed 100, with PyOcto's documented advice and GaMMA's examples as the start.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rtpick.association.world import World
from rtpick.bench.association.ours import Prepared
from rtpick.bench.association.peer_job import Peer


@dataclass(frozen=True, slots=True)
class Terms:
    """The fewest picks that a peer's event must have: in all, P, S, and stations with both."""

    picks: int
    p: int
    s: int
    both: int


REQUIRED = Terms(8, 4, 2, 2)  # what a scenario's truth calls an event that must be found
SMALL = Terms(6, 3, 2, 1)  # for catalogues that hold smaller ones
P_ALONE = Terms(7, 4, 0, 0)


def search_box(world: World) -> dict[str, Any]:
    """The volume that our associator searches: the network with its margin, to the same depth."""
    margin_km = world.extent.margin_km
    low, high = world.plane_km_S2.min(axis=0) - margin_km, world.plane_km_S2.max(axis=0) + margin_km
    deepest_km = world.extent.maximum_depth_km
    wide_km = float(np.hypot(*(high - low)))
    return {
        "x_km": [float(low[0]), float(high[0])],
        "y_km": [float(low[1]), float(high[1])],
        "z_km": [0.0, deepest_km],
        "surface_km_s": world.travel_times.table.surface_km_s_R.tolist(),
        "table_km": [wide_km, deepest_km],
    }


def describe_pyocto(prepared: Prepared, terms: Terms = REQUIRED) -> Peer:
    """PyOcto with its octree in proportion to the spacing of the stations."""
    world = prepared.state.world
    spacing_km, sigma_s = world.sites.spacing_km, world.extent.onset_s
    cell_km = float(np.clip(spacing_km / 3.0, 0.05, max(10.0, world.sites.aperture_km / 150.0)))
    cutoff_km = float(np.clip(6.0 * spacing_km, 2.0, 250.0))
    options: dict[str, Any] = {
        "n_picks": terms.picks,
        "n_p_picks": terms.p,
        "n_s_picks": terms.s,
        "n_p_and_s_picks": terms.both,
        "min_node_size": cell_km,
        "min_node_size_location": cell_km / 6.0,
        "pick_match_tolerance": float(np.clip(9.0 * sigma_s, 0.1, 1.5)),
        "min_interevent_time": float(np.clip(15.0 * sigma_s, 0.2, 3.0)),
        "min_pick_fraction": 0.25,
        "time_slicing": 1200.0,
    }
    box = search_box(world)
    slowest_km_s = world.travel_times.table.surface_km_s_R[1]
    job = box | {
        "options": options,
        "model_tolerance_s": float(np.clip(2.5 * sigma_s, 0.02, 1.0)),
        "cutoff_km": cutoff_km,
        "time_before_s": float(min(box["table_km"][0] / slowest_km_s, 300.0)),
    }
    told = f"{_spell(terms)}, nodes {cell_km:.3g} km, match within {options['pick_match_tolerance']:.3g} s, "
    told += f"stations to {cutoff_km:.3g} km"
    step_km = max(box["table_km"][0] / 3000.0, cell_km / 10.0)
    return Peer("PyOcto", "pyocto", "pyocto", "run_pyocto.py", told, job, step_km)


def describe_gamma(prepared: Prepared, terms: Terms = REQUIRED) -> Peer:
    """GaMMA as a Bayesian mixture behind DBSCAN, with travel times of the same velocity model."""
    world = prepared.state.world
    sigma_s, model = world.extent.onset_s, world.travel_times.model
    deepest_km = world.extent.maximum_depth_km
    options = {
        "use_dbscan": True,
        "use_amplitude": False,
        "oversample_factor": 5,
        "dbscan_min_samples": 3,
        "min_picks_per_eq": terms.picks,
        "min_p_picks_per_eq": terms.p,
        "min_s_picks_per_eq": terms.s,
        "min_stations": 4,
        "max_sigma11": float(np.clip(12.0 * sigma_s, 0.1, 1.5)),
        "max_sigma22": 1.0,
        "max_sigma12": 1.0,
        "vel": {"p": float(np.median(model.vp_km_s)), "s": float(np.median(model.vs_km_s))},
    }
    depths_km = model.depth_km + np.arange(len(model.depth_km)) * 1e-4  # it knows no steps
    nodes = {"z": depths_km.tolist(), "p": model.vp_km_s.tolist(), "s": model.vs_km_s.tolist()}
    box = search_box(world)
    step_km = max(deepest_km / 100.0, box["table_km"][0] / 600.0)
    job = box | {"options": options, "nodes": nodes, "step_km": step_km, "eps_factor": 1.0}
    told = f"BGMM, DBSCAN, {terms.picks} picks ({terms.p} P, {terms.s} S), "
    told += f"residuals to {options['max_sigma11']:.3g} s"
    return Peer("GaMMA", "GMMA", "gamma", "run_gamma.py", told, job)


def _spell(terms: Terms) -> str:
    return f"{terms.picks} picks ({terms.p} P, {terms.s} S, {terms.both} P and S)"
