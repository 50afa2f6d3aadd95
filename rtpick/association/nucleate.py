"""Founding an event from loose picks that agree with the newest of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rtpick.association.signal import Hypothesis, Member, Signal
from rtpick.association.sphere import arc_km, ray_geometry
from rtpick.association.suppose import enough, explain, in_order, settle
from rtpick.association.velocity import FloatArray
from rtpick.association.view import View
from rtpick.association.vote import Ballot, best_cells, count_votes, zoom
from rtpick.association.world import World

_CANDIDATES = 3
_MOST_VOTERS = 200


def call_ballot(world: World, view: View, proposer: Signal) -> tuple[list[Signal], Ballot] | None:
    """Gather the loose picks that one event could have made together with the proposer."""
    voters = [s for s in view.loose if s.key < proposer.key and _compatible(world, s, proposer)]
    voters = [*voters[-_MOST_VOTERS:], proposer]
    if len(voters) < world.settings.minimum_picks:
        return None
    if len({s.station for s in voters}) < world.settings.minimum_stations:
        return None
    zero_s = proposer.time_s
    ballot = Ballot(
        np.array([s.station for s in voters], np.int64),
        np.array([s.role for s in voters], np.int64),
        np.array([s.time_s - zero_s for s in voters]),
        np.array([1.0 + 0.25 * s.merit for s in voters]),
    )
    return voters, ballot


def _compatible(world: World, voter: Signal, proposer: Signal) -> bool:
    """Tell whether the interval between two picks is possible: no wave is slower than S."""
    unit_S3 = world.sites.places.unit_S3
    apart_km = float(arc_km(unit_S3[voter.station], unit_S3[proposer.station]))
    slowest_s = apart_km * world.rules.slowness_s_km_R[1]
    if voter.role != proposer.role:
        slowest_s += world.rules.reach_km * (world.rules.slowness_s_km_R[1] - world.rules.slowness_s_km_R[0])
    return proposer.time_s - voter.time_s <= slowest_s + 4.0 * world.rules.onset_s_R[1]


def nucleate(world: World, view: View, proposer: Signal) -> Hypothesis | None:
    """Return the best event that the proposer and loose picks found, if any is good enough."""
    called = call_ballot(world, view, proposer)
    if called is None:
        return None
    voters, ballot = called
    total_CK = count_votes(world.grid, ballot, world.rules)
    best: Hypothesis | None = None
    for cell, layer in best_cells(world.grid, total_CK, _CANDIDATES):
        if cell < 0:
            break
        found = _examine(world, view, voters, ballot, int(cell), int(layer))
        if found is not None and (best is None or found.log_odds > best.log_odds):
            best = found
    return best


def _examine(world: World, view: View, voters: Sequence[Signal], ballot: Ballot, cell: int,
             layer: int) -> Hypothesis | None:  # fmt: skip
    """Zoom into a cell, locate those that agree there and weigh them."""
    table, places = world.travel_times.table, world.sites.places
    place, late_N = zoom(table, places, ballot, world.rules, world.grid, cell, layer)
    members = _seconders(voters, late_N)
    if not enough(world, members):
        return None
    proposer = voters[-1]
    start = _start(world, place, proposer)
    found = explain(world, view.background, proposer.pick_id, members, start, view.now_s, world.start_depths_km)
    settled = settle(world, view.background, found, view.loose, view.now_s)
    if settled is None or settled.log_odds < world.settings.minimum_log_odds:
        return None
    return settled


def _seconders(voters: Sequence[Signal], late_N: FloatArray) -> tuple[Member, ...]:
    """Keep the voters within tolerance, the closest of each station and phase."""
    chosen: dict[tuple[int, int], tuple[float, Member]] = {}
    for signal, late in zip(voters, np.abs(late_N).tolist(), strict=True):
        member = Member(signal, signal.role)
        if late < 1.0 and late < chosen.get(member.slot, (1.0, member))[0]:
            chosen[member.slot] = late, member
    return in_order(member for _, member in chosen.values())


def _start(world: World, place: FloatArray, proposer: Signal) -> FloatArray:
    """Return the source at a place that makes the proposer's pick on time."""
    distance_km, _, _ = ray_geometry(place[0], place[1], world.sites.places.unit_S3[proposer.station])
    elevation_km = world.sites.places.elevation_km_S[proposer.station]
    travel_s = world.travel_times.look_up("PS"[proposer.role], distance_km, place[2], elevation_km)[0]
    return np.array([place[0], place[1], place[2], proposer.time_s - float(travel_s)])
