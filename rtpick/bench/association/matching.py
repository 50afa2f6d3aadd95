"""Which found event is which true one: by the picks they share, and by time and place.

Arrays: F found, T true.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rtpick.bench.association.catalogue import FoundEvent
from rtpick.bench.association.scenario import Truth

LEAST_OVERLAP = 0.6
EARTH_RADIUS_KM = 6371.0
_WEAK = 10  # a true event with fewer picks than this many is matched last

FloatArray = npt.NDArray[np.float64]
Pairing = dict[int, int]
Bid = tuple[float, int, int]


@dataclass(frozen=True, slots=True)
class Share:
    """How many picks of a found event (by place in the list) belong to a true one (by number)."""

    found: int
    true: int
    count: int
    of_found: float
    overlap: float


def pair_greedily(bids: Iterable[Bid]) -> Pairing:
    """Pair one to one, the cheapest (cost, found, true) first.

    Examples
    --------
    >>> pair_greedily([(0.2, 0, 7), (0.1, 1, 7), (0.3, 0, 8)])
    {1: 7, 0: 8}
    """
    pairs: Pairing = {}
    taken: set[int] = set()
    for _, found, true in sorted(bids, key=lambda bid: bid[0]):
        if found not in pairs and true not in taken:
            pairs[found] = true
            taken.add(true)
    return pairs


def count_shares(found: Sequence[FoundEvent], truth: Truth) -> list[Share]:
    """Count the picks that found and true events have in common, by name and number."""
    picks_of = {event.number: event.pick_count for event in truth.events}
    shares = []
    for place in sorted(range(len(found)), key=lambda i: found[i].event_id):
        ids = found[place].pick_ids
        owners = Counter(truth.event_of_pick.get(pick_id, -1) for pick_id in ids)
        for number, count in sorted(owners.items()):
            if number in picks_of:
                overlap = count / max(len(ids), picks_of[number])
                shares.append(Share(place, number, count, count / len(ids), overlap))
    return shares


def match_by_picks(shares: Iterable[Share]) -> Pairing:
    """Pair events that share at least 60 % of the picks of the larger."""
    return pair_greedily((-s.overlap, s.found, s.true) for s in shares if s.overlap >= LEAST_OVERLAP)


def match_in_space(found: Sequence[FoundEvent], truth: Truth) -> Pairing:
    """Pair events that are near each other in time and epicentre, the nearest first.

    A weak true event must not take a match from a strong one beside it.
    """
    order = np.argsort([event.epoch_s for event in truth.events], kind="quicksort")
    ordered = [truth.events[i] for i in order]
    epoch_T = np.array([event.epoch_s for event in ordered])
    place_T2 = np.array([(event.latitude_deg, event.longitude_deg) for event in ordered]).reshape(-1, 2)
    weak_T = np.array([0.0 if e.is_required else 5.0 if e.pick_count >= 4 else _WEAK for e in ordered])
    bids: list[Bid] = []
    for place, event in enumerate(found):
        low, high = np.searchsorted(epoch_T, (event.epoch_s - truth.match_s, event.epoch_s + truth.match_s))
        near = slice(int(low), int(high))
        late = np.abs(event.epoch_s - epoch_T[near]) / truth.match_s
        here = np.array([event.latitude_deg, event.longitude_deg])
        far = great_circle_km(here, place_T2[near]) / truth.match_km
        cost = late + far + weak_T[near]
        bids += [(float(cost[k]), place, ordered[near][k].number) for k in np.flatnonzero(far <= 1)]
    return pair_greedily(bids)


def great_circle_km(one_2: FloatArray, other_T2: FloatArray) -> FloatArray:
    """Distances on the sphere from a point to others, (latitude, longitude) in degrees.

    Examples
    --------
    >>> great_circle_km(np.array([0.0, 0.0]), np.array([[0.0, 90.0]])).round(1).tolist()
    [10007.5]
    """
    one, other = np.radians(one_2), np.radians(other_T2)
    half = np.sin((other - one) / 2) ** 2
    chord = half[..., 0] + np.cos(one[0]) * np.cos(other[..., 0]) * half[..., 1]
    distance: FloatArray = 2 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(np.clip(chord, 0, 1)))
    return distance
