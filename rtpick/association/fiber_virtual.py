"""Virtual stations: some places along a cable that pick fronts, so that a network can take them in.

Picks of neighbouring channels err alike. So a cable counts as a few stations, kilometres apart, and each
of these picks a phase when a front passes it: when many channels beside it agree. What single channels
pick falsely never reaches the network.

Arrays: V virtual station.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from rtpick.association.fiber_fronts import Front, find_fronts
from rtpick.association.fiber_geometry import FiberGeometry
from rtpick.association.fiber_groups import find_arrivals
from rtpick.association.fiber_locate import station_of, virtual_pick
from rtpick.association.fiber_options import FiberOptions
from rtpick.association.fiber_pool import EMPTY, IntArray, Pool, pool_of_picks
from rtpick.association.fiber_review import judge
from rtpick.association.sites import number_sites
from rtpick.vocabulary.fiber import FiberPicks
from rtpick.vocabulary.inventory import Inventory, Station
from rtpick.vocabulary.pick import Pick
from rtpick.vocabulary.time import to_ns

GROUP_WEIGHT = 8
_NEAREST_KM = 2.0
_DELAY_S = 4.0  # until then a front is followed as far as a virtual station needs it
_MEMORY_S = 40.0
_REACH = 2  # groups from a virtual station to the next member of a front
_LONG_AGO_NS = -(2**62)


@dataclass(frozen=True, slots=True, eq=False)
class VirtualStations:
    """The places of a cable that stand for it.

    Parameters
    ----------
    fiber : str
    channel_number_V : ndarray of int64
    inventory : Inventory
        Where they are.
    """

    fiber: str
    channel_number_V: IntArray
    inventory: Inventory


def place_virtual_stations(
    fiber: str, geometry: FiberGeometry, network: Inventory | None = None, group_weight: int = GROUP_WEIGHT
) -> VirtualStations:
    """Choose the places of a cable that stand for it in a network.

    Parameters
    ----------
    fiber : str
    geometry : FiberGeometry
    network : Inventory or None
        The stations that the cable joins: its own come at a fifth of their distance, at least 2 km.
    group_weight : int
        As how many stations a cable counts at most.
    """
    length_km = float(geometry.distance_km()[-1])
    apart_km = number_sites(network).spacing_km / 5.0 if network is not None and len(network) > 1 else 0.0
    count = int(np.clip(length_km // max(apart_km, _NEAREST_KM), 1, group_weight))
    along_km = (np.arange(count) + 0.5) * length_km / count
    exact_V = np.interp(along_km, geometry.distance_km(), geometry.channel_number_K)
    channel_V = np.round(exact_V).astype(np.int64)
    stations = (Station(station_of(fiber, int(c)), *geometry.place(int(c))) for c in channel_V)
    return VirtualStations(fiber, channel_V, Inventory({station.station: station for station in stations}))


def _no_times() -> IntArray:
    return np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class VirtualState:
    """The virtual stations of one cable between two steps; never changed in place.

    Parameters
    ----------
    stations : VirtualStations
    options : FiberOptions
        As `FiberOptions.for_cable` fits them; `live_channels` is needed.
    pool, incoming : Pool
        Picks before and after the last review.
    reviewed_ns : int
    mixed_ns : ndarray of int64
        Recent steps of the interrogator.
    """

    stations: VirtualStations
    options: FiberOptions
    pool: Pool = EMPTY
    incoming: Pool = EMPTY
    reviewed_ns: int = _LONG_AGO_NS
    mixed_ns: IntArray = field(default_factory=_no_times)


def step_virtual(
    state: VirtualState, picks: FiberPicks | None, watermark_ns: int
) -> tuple[VirtualState, list[Pick]]:
    """Take a cable's picks in and return those of its virtual stations, each once.

    Notes
    -----
    A pick is made some 4 s after its front passed. Any partition of the same picks gives the same.
    """
    if picks is not None and len(picks):
        state = replace(state, incoming=state.incoming.joined(pool_of_picks(picks)))
    made: list[Pick] = []
    while (now_ns := _next_review_ns(state)) is not None and now_ns <= watermark_ns:
        state, more = _review(state, now_ns)
        made.extend(more)
    return state, made


def pick_at_virtual_stations(
    picks: FiberPicks, stations: VirtualStations, options: FiberOptions
) -> list[Pick]:
    """Turn a table of a cable's picks into those of its virtual stations."""
    if not len(picks):
        return []
    horizon_ns = int(picks.time_ns_N.max()) + to_ns(_MEMORY_S + 2.0 * options.tick_s)
    return step_virtual(VirtualState(stations, options), picks, horizon_ns)[1]


def _next_review_ns(state: VirtualState) -> int | None:
    tick_ns = to_ns(state.options.tick_s)
    if len(state.pool):
        return state.reviewed_ns + tick_ns
    if len(state.incoming):
        return (max(int(state.incoming.time_ns_N[0]), state.reviewed_ns) // tick_ns + 1) * tick_ns
    return None


def _review(state: VirtualState, now_ns: int) -> tuple[VirtualState, list[Pick]]:
    """Follow the fronts of both phases, and pick where they passed a virtual station just now."""
    cut = int(np.searchsorted(state.incoming.time_ns_N, now_ns))
    pool = state.pool.joined(state.incoming.where(slice(None, cut)))
    pool, mixed_ns = judge(pool, now_ns, state.mixed_ns, max(state.options.live_channels, 1))
    made = [pick for phase in ("P", "S") for pick in _pick(state, pool, now_ns, phase)]
    return replace(
        state,
        pool=pool.where(pool.time_ns_N >= now_ns - to_ns(_MEMORY_S)),
        incoming=state.incoming.where(slice(cut, None)),
        reviewed_ns=now_ns,
        mixed_ns=mixed_ns[mixed_ns > now_ns - to_ns(_MEMORY_S)],
    ), sorted(made, key=lambda pick: (pick.time_ns, pick.pick_id))


def _pick(state: VirtualState, pool: Pool, now_ns: int, phase: str) -> Iterator[Pick]:
    options = replace(
        state.options,
        fewest_groups=max(state.options.fewest_groups // 2, 2),
        fewest_front_picks=max(state.options.fewest_front_picks // 3, 6),
    )
    rows = np.flatnonzero(pool.is_judged_N & ~pool.is_burst_N & (pool.is_s_N == (phase == "S")))
    time_s_N = pool.seconds(now_ns)[rows]
    for front in find_fronts(find_arrivals(time_s_N, pool.channel_N[rows], options), options):
        for channel, time_s, count in _passages(front, state.stations.channel_number_V, options):
            if -_DELAY_S - options.tick_s <= time_s < -_DELAY_S:
                probability = min(0.5 + 0.01 * count, 0.95)
                onset_ns = now_ns + to_ns(time_s)
                yield virtual_pick(state.stations.fiber, channel, phase, onset_ns, probability)


def _passages(front: Front, channel_V: IntArray, options: FiberOptions) -> Iterator[tuple[int, float, int]]:
    """Return at which virtual stations a front was seen, when, and on how many channels."""
    width = options.channels_per_group
    time_V = front.time_at(channel_V, width)
    for channel, time_s in zip(channel_V.tolist(), time_V.tolist(), strict=True):
        away_F = np.abs(front.group_F - channel // width)
        if away_F.min() <= _REACH:
            yield channel, time_s, int(front.count_F[away_F <= _REACH].sum())
