"""Founding an event from loose picks that agree with the newest of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rtpick.association.front import FASTEST_S_KM, vote_front
from rtpick.association.signal import Hypothesis, Member, Signal, pool_of
from rtpick.association.sphere import compass_at, ray_from
from rtpick.association.suppose import FRONT_STATIONS, enough, explain, explain_front, in_order, settle
from rtpick.association.traveltime import look_up
from rtpick.association.velocity import FloatArray
from rtpick.association.view import View
from rtpick.association.vote import Ballot, best_cells, count_votes, zoom
from rtpick.association.world import World

_CANDIDATES = 3
_MOST_VOTERS = 200
_SURE_FRONT = 12.0
_FLAT_SHARE = 0.7


def call_ballot(world: World, view: View, proposer: Signal) -> tuple[list[Signal], Ballot] | None:
    """Gather the loose picks that one event could have made together with the proposer."""
    slowest_s_RS = world.slowest_s_RSS[:, proposer.station]
    voters = [
        s for s in view.loose
        if s.key < proposer.key
        and proposer.time_s - s.time_s <= slowest_s_RS[int(s.role != proposer.role), s.station]
    ]  # fmt: skip
    voters = [*voters[-_MOST_VOTERS:], proposer]
    if len(voters) < world.settings.minimum_picks:
        return None
    if len({s.station for s in voters}) < world.settings.minimum_stations:
        return None
    return voters, _ballot(voters)


def _ballot(voters: Sequence[Signal]) -> Ballot:
    zero_s = voters[-1].time_s
    return Ballot(
        np.array([s.station for s in voters], np.int64),
        np.array([s.role for s in voters], np.int64),
        np.array([s.time_s - zero_s for s in voters]),
        np.array([1.0 + 0.25 * s.merit for s in voters]),
    )


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
    found = explain(world, view.background, proposer.pick_id, members, start, view.now_s, world.grid.depth_K)
    settled = settle(world, view.background, found, pool_of(view.loose), view.now_s)
    if settled is None or settled.log_odds < world.belief:
        return None
    return settled


def _seconders(voters: Sequence[Signal], late_N: FloatArray) -> tuple[Member, ...]:
    """Keep the voters within tolerance, the closest of each station and phase."""
    chosen: dict[tuple[int, int], tuple[float, Member]] = {}
    for n in np.flatnonzero(np.abs(late_N) < 1.0).tolist():
        late, member = abs(float(late_N[n])), Member(voters[n], voters[n].role)
        if member.slot not in chosen or late < chosen[member.slot][0]:
            chosen[member.slot] = late, member
    return in_order(member for _, member in chosen.values())


def _start(world: World, place: FloatArray, proposer: Signal) -> FloatArray:
    """Return the source at a place that makes the proposer's pick on time."""
    distance_km, _, _ = ray_from(compass_at(place[0], place[1]), world.sites.places.unit_S3[proposer.station])
    elevation_km = world.sites.places.elevation_km_S[proposer.station]
    travel_s, _, _ = look_up(world.travel_times.table, proposer.role, distance_km, place[2], elevation_km)
    return np.array([place[0], place[1], place[2], proposer.time_s - travel_s])


def flattened(world: World, view: View, event: Hypothesis) -> Hypothesis:
    """Return the plane wave that explains the picks of a local event better, or the event itself."""
    if event.distant or sum(m.role == 0 for m in event.members) < _FLAT_SHARE * len(event.members):
        return event
    if not enough(world, event.members, distant=True):
        return event
    start = np.array([0.0, 0.0, 0.0, float(event.pool.time_N.mean())])
    front = explain_front(world, view.background, event.key, event.members, start, view.now_s)
    if front.outlook.time_RS.max() + 2.0 > view.now_s:
        return event  # stations that will not see it have not had their chance to say so
    settled = settle(world, view.background, front, pool_of(view.loose), view.now_s)
    return settled if settled is not None and settled.log_odds > event.log_odds else event


def raise_front(world: World, view: View, proposer: Signal) -> Hypothesis | None:
    """Return the plane wave that the proposer and loose picks make up, if it is good enough."""
    oldest_s = proposer.time_s - world.sites.aperture_km * FASTEST_S_KM
    voters = [s for s in view.loose if oldest_s <= s.time_s and s.key < proposer.key]
    voters = [*voters[-_MOST_VOTERS:], proposer]
    if len({s.station for s in voters}) < FRONT_STATIONS:
        return None
    ballot = _ballot(voters)
    count, east, north = vote_front(world.plane_km_S2, ballot)
    if count < FRONT_STATIONS:
        return None
    start_s = proposer.time_s - float(world.plane_km_S2[proposer.station] @ (east, north))
    late_N = np.array([s.time_s - start_s for s in voters]) - world.plane_km_S2[ballot.station_N] @ (
        east,
        north,
    )
    members = _seconders(voters, late_N / 2.5)
    if not enough(world, members, distant=True):
        return None
    start = np.array([east, north, 0.0, start_s])
    found = explain_front(world, view.background, f"front {proposer.pick_id}", members, start, view.now_s)
    settled = settle(world, view.background, found, pool_of(view.loose), view.now_s)
    if settled is None or settled.log_odds < _SURE_FRONT:
        return None
    return settled
