"""Founding an event from loose picks that agree with the newest of them.

Arrays: N pick of a ballot, M member.
"""

from __future__ import annotations

import numpy as np

from rtpick.association.appraise import Physics
from rtpick.association.evidence import Beliefs
from rtpick.association.front import FASTEST_S_KM, TOLERANCE_S, may_be_front, vote_front
from rtpick.association.grid import Grid
from rtpick.association.settle import Demands, enough, settle_members
from rtpick.association.signal import Hypothesis, Pool, Signal
from rtpick.association.sphere import compass_at, ray_from
from rtpick.association.suppose import explain, explain_front, settled
from rtpick.association.traveltime import look_up
from rtpick.association.velocity import FloatArray
from rtpick.association.view import View
from rtpick.association.vote import (
    Crowd,
    IntArray,
    Rules,
    best_cells,
    cells_within,
    count_votes,
    some_of,
    zoom,
)
from rtpick.association.world import World
from rtpick.numeric.compiled import compiled

_CANDIDATES = 3
_SURE_FRONT = 12.0
_FLAT_SHARE = 0.7
_ENOUGH_LIVE = 0.3  # of the stations; when fewer are heard, all within reach may vote


@compiled
def call_voters(crowd: Crowd, proposer: int, apart_km_SS: FloatArray, rules: Rules,
                within_km: float) -> IntArray:  # fmt: skip
    """Return the picks that one event within some distance of the proposer could have made, too."""
    voter_N, count = np.empty(len(crowd.time_N), np.int64), 0
    station, label, zero_s = crowd.station_N[proposer], crowd.label_N[proposer], crowd.time_N[proposer]
    slow = rules.slowness_s_km_R[1]
    other_s = within_km * (slow - rules.slowness_s_km_R[0])
    for n in range(len(voter_N)):
        apart_km = apart_km_SS[station, crowd.station_N[n]]
        longest_s = apart_km * slow + 4.0 * rules.onset_s_R[1]
        longest_s += other_s if crowd.label_N[n] != label else 0.0
        if apart_km <= 2.0 * within_km and abs(crowd.time_N[n] - zero_s) <= longest_s:
            voter_N[count] = n
            count += 1
    return voter_N[:count]


@compiled
def second(ballot: Crowd, late_N: FloatArray) -> IntArray:
    """Give the voters within tolerance their role, the closest of each station and phase."""
    role_N = np.full(len(late_N), -1, np.int64)
    for n in np.argsort(np.abs(late_N), kind="mergesort"):
        if not abs(late_N[n]) < 1.0:
            break
        free = True
        for m in range(len(role_N)):
            same = ballot.station_N[m] == ballot.station_N[n] and ballot.label_N[m] == ballot.label_N[n]
            free = free and not (role_N[m] >= 0 and same)
        if free:
            role_N[n] = ballot.label_N[n]
    return role_N


@compiled
def start_at(physics: Physics, place: FloatArray, ballot: Crowd, proposer: int) -> FloatArray:
    """Return the source at a place that makes the proposer's pick on time."""
    station, places = ballot.station_N[proposer], physics.places
    distance_km, _, _ = ray_from(compass_at(place[0], place[1]), places.unit_S3[station])
    travel_s, _, _ = look_up(
        physics.table, ballot.label_N[proposer], distance_km, place[2], places.elevation_km_S[station]
    )
    return np.array([place[0], place[1], place[2], ballot.time_N[proposer] - travel_s])


@compiled
def found_event(physics: Physics, demands: Demands, grid: Grid, rules: Rules, apart_km_SS: FloatArray,
                beliefs: Beliefs, crowd: Crowd, proposer: int, depth_D: FloatArray, belief: float,
                now_s: float) -> tuple[IntArray, FloatArray]:  # fmt: skip
    """Return the roles of loose picks in the best event that the proposer founds, and its source.

    All roles are -1 where no event is good enough.
    """
    best_N = np.full(len(crowd.time_N), -1, np.int64)
    best: FloatArray = np.zeros(4)
    near_only = beliefs.live_S.sum() > _ENOUGH_LIVE * len(beliefs.live_S)
    cell_J, farthest = cells_within(grid, rules, crowd.station_N[proposer], near_only)
    voter_N = call_voters(crowd, proposer, apart_km_SS, rules, (farthest + 1.0) * grid.bin_km)
    if len(voter_N) < rules.minimum_picks:
        return best_N, best
    ballot, own = some_of(crowd, voter_N), int(np.searchsorted(voter_N, proposer))
    total_JK = count_votes(grid, ballot, own, cell_J, rules, near_only)
    for cell, layer in best_cells(grid, cell_J, total_JK, _CANDIDATES):
        if cell < 0:
            break
        place, late_N = zoom(physics.table, physics.places, ballot, own, rules, grid, int(cell), int(layer))
        role_N = np.full(len(best_N), -1, np.int64)
        role_N[voter_N] = second(ballot, late_N)
        if not enough(demands, crowd, role_N):
            continue
        start = start_at(physics, place, ballot, own)
        tried = settle_members(physics, demands, beliefs, crowd, role_N, start, depth_D, now_s, False)
        if tried.enough and tried.found.log_odds > belief:
            best_N, best, belief = tried.role_N, tried.found.source, tried.found.log_odds
    return best_N, best


def nucleate(world: World, view: View, proposer: Signal) -> Hypothesis | None:
    """Return the best event that the proposer and loose picks found, if any is good enough."""
    return nucleate_among(world, view, view.loose, proposer, world.belief)


def nucleate_among(world: World, view: View, pool: Pool, proposer: Signal,
                   belief: float) -> Hypothesis | None:  # fmt: skip
    """Return the best event that the proposer and others found, if its log-odds are beyond a belief."""
    zero_s, beliefs = proposer.time_s, view.background.beliefs
    if len(pool) < world.rules.minimum_picks:
        return None
    crowd = pool.crowd._replace(time_N=pool.crowd.time_N - zero_s)
    role_N, source = found_event(
        world.physics, world.demands, world.grid, world.rules, world.apart_km_SS, beliefs, crowd,
        pool.signals.index(proposer), world.depths_km, belief, view.now_s - zero_s,
    )  # fmt: skip
    if role_N.max() < 0:
        return None
    source[3] += zero_s
    return explain(world, beliefs, proposer.pick_id, pool, role_N, source, view.now_s, stays=True)


def flattened(world: World, view: View, event: Hypothesis) -> Hypothesis:
    """Return the plane wave that explains the picks of a local event better, or the event itself."""
    if event.distant or np.count_nonzero(event.role_M == 0) < _FLAT_SHARE * len(event.pool):
        return event
    if not enough(world.front_demands, event.pool.crowd, event.role_M):
        return event
    start = np.array([0.0, 0.0, 0.0, float(event.pool.crowd.time_N.mean())])
    beliefs = view.background.beliefs
    front = explain_front(
        world, beliefs, event.key, event.pool, event.role_M.copy(), start, view.now_s, stays=True
    )
    if front is None or front.outlook.time_RS.max() + 2.0 > view.now_s:
        return event  # stations that will not see it have not had their chance to say so
    front = settled(world, beliefs, front, view.loose, view.now_s)
    return front if front is not None and front.log_odds > event.log_odds else event


def raise_front(world: World, view: View, proposer: Signal) -> Hypothesis | None:
    """Return the plane wave that the proposer and loose picks make up, if it is good enough."""
    own, loose = view.loose.signals.index(proposer), view.loose
    if not may_be_front(world.near_SN, world.near_km_SN, loose.crowd, own):
        return None
    wait_s = world.sites.aperture_km * FASTEST_S_KM
    voters = loose.within(proposer.time_s - wait_s, proposer.time_s + wait_s)
    own, ballot, plane_km_S2 = voters.signals.index(proposer), voters.crowd, world.plane_km_S2
    count, east, north = vote_front(plane_km_S2, ballot, own)
    if count < world.front_demands.minimum_picks:
        return None
    late_N = ballot.time_N - proposer.time_s
    late_N -= (plane_km_S2[ballot.station_N] - plane_km_S2[proposer.station]) @ (east, north)
    role_N = second(ballot, late_N / TOLERANCE_S)
    if not enough(world.front_demands, ballot, role_N):
        return None
    start_s = proposer.time_s - float(plane_km_S2[proposer.station] @ (east, north))
    start, beliefs = np.array([east, north, 0.0, start_s]), view.background.beliefs
    key = f"front {proposer.pick_id}"
    front = explain_front(world, beliefs, key, voters, role_N, start, view.now_s)
    return front if front is not None and front.log_odds >= _SURE_FRONT else None
