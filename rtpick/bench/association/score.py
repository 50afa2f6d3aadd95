"""How good a catalogue is: found, false, split, merged, how exact, how soon, and how honest about it.

A true event that had too few picks to be required neither rewards nor punishes. *False*: none of
the true events owns half of its picks, and it is near none. *Split*: half of its picks belong to a true
event that another found event is. *Merge*: a second true event owns four and a quarter of its picks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rtpick.bench.association.catalogue import Found, FoundEvent
from rtpick.bench.association.matching import (
    EARTH_RADIUS_KM,
    FloatArray,
    Pairing,
    Share,
    count_shares,
    great_circle_km,
    match_by_picks,
    match_in_space,
)
from rtpick.bench.association.scenario import TrueEvent, Truth

# Squared distances, in standard deviations, that hold 68 and 90 % of a normal distribution in a plane.
WITHIN_68, WITHIN_90 = 2.2789, 4.6052
KM_PER_DEG = EARTH_RADIUS_KM * np.pi / 180.0


@dataclass(frozen=True, slots=True)
class Rate:
    """Precision, recall and their harmonic mean; NaN where nothing could be counted."""

    hits: int
    wrong: int
    missed: int

    @property
    def precision(self) -> float:
        """Share of what was claimed that is right."""
        return _ratio(self.hits, self.hits + self.wrong)

    @property
    def recall(self) -> float:
        """Share of what there was that was claimed."""
        return _ratio(self.hits, self.hits + self.missed)

    @property
    def f1(self) -> float:
        """Harmonic mean of both."""
        return _ratio(2 * self.hits, 2 * self.hits + self.wrong + self.missed)


@dataclass(frozen=True, slots=True)
class Score:
    """Figures of one catalogue against the truth.

    Parameters
    ----------
    events, events_in_space, picks : Rate
        Events by shared picks, events by time and place, and assignments of picks.
    found, false, splits, merges : int
    hours : float
    epicentre_km, depth_km, time_s : ndarray
        Errors of the required events that were found by picks.
    squared : ndarray
        Squared distances of the true epicentres in the stated standard deviations, if any are stated.
    delay_s : ndarray
        From an event's fourth pick at hand to its first publication.
    published, retracted : int
        Names that were told, and those of them that were taken back.
    """

    events: Rate
    events_in_space: Rate
    picks: Rate
    found: int
    false: int
    splits: int
    merges: int
    hours: float
    epicentre_km: FloatArray
    depth_km: FloatArray
    time_s: FloatArray
    squared: FloatArray
    delay_s: FloatArray
    published: int
    retracted: int

    @property
    def false_per_hour(self) -> float:
        """False events an hour."""
        return self.false / self.hours

    @property
    def within_68(self) -> float:
        """Share of the true epicentres inside the regions of 68 %; NaN where none are stated."""
        return float(np.mean(self.squared <= WITHIN_68)) if len(self.squared) else float("nan")

    @property
    def within_90(self) -> float:
        """Share of the true epicentres inside the regions of 90 %; NaN where none are stated."""
        return float(np.mean(self.squared <= WITHIN_90)) if len(self.squared) else float("nan")

    @property
    def retracted_share(self) -> float:
        """Share of the published names that were taken back."""
        return _ratio(self.retracted, self.published)


def pool(scores: Sequence[Score]) -> Score:
    """Put the scores of several pick lists together as if they were one."""
    return Score(
        events=_sum_rates([s.events for s in scores]),
        events_in_space=_sum_rates([s.events_in_space for s in scores]),
        picks=_sum_rates([s.picks for s in scores]),
        found=sum(s.found for s in scores),
        false=sum(s.false for s in scores),
        splits=sum(s.splits for s in scores),
        merges=sum(s.merges for s in scores),
        hours=sum(s.hours for s in scores),
        epicentre_km=np.concatenate([s.epicentre_km for s in scores]),
        depth_km=np.concatenate([s.depth_km for s in scores]),
        time_s=np.concatenate([s.time_s for s in scores]),
        squared=np.concatenate([s.squared for s in scores]),
        delay_s=np.concatenate([s.delay_s for s in scores]),
        published=sum(s.published for s in scores),
        retracted=sum(s.retracted for s in scores),
    )


def _sum_rates(rates: Sequence[Rate]) -> Rate:
    return Rate(sum(r.hits for r in rates), sum(r.wrong for r in rates), sum(r.missed for r in rates))


def score(found: Found, truth: Truth) -> Score:
    """Compare a catalogue with the truth."""
    events = found.events
    shares = count_shares(events, truth)
    by_picks, in_space = match_by_picks(shares), match_in_space(events, truth)
    owner = _owners(shares)
    matched = set(by_picks.values()) | {t for f, t in in_space.items() if f not in by_picks}
    strange = [i for i in range(len(events)) if i not in by_picks and i not in in_space]
    hits = _required_hits(by_picks, truth)
    return Score(
        events=_rate_events(by_picks, len(events), truth),
        events_in_space=_rate_events(in_space, len(events), truth),
        picks=_rate_picks(events, truth, by_picks, in_space),
        found=len(events),
        false=sum(i not in owner for i in strange),
        splits=sum(owner.get(i) in matched for i in strange),
        merges=_count_merges(shares),
        hours=truth.hours,
        epicentre_km=distances_to(events, hits),
        depth_km=np.array([abs(events[i].depth_km - true.depth_km) for i, true in hits.items()]),
        time_s=np.array([abs(events[i].epoch_s - true.epoch_s) for i, true in hits.items()]),
        squared=_squared_distances(events, hits),
        delay_s=_delays(found, hits),
        published=len({p.event_id for p in found.publications}),
        retracted=len({p.event_id for p in found.publications if p.status == "retract"}),
    )


def _rate_events(pairs: Pairing, found_count: int, truth: Truth) -> Rate:
    required = {event.number for event in truth.events if event.is_required}
    hits = sum(true in required for true in pairs.values())
    neutral = len(pairs) - hits
    return Rate(hits, found_count - hits - neutral, len(required) - hits)


def _rate_picks(events: Sequence[FoundEvent], truth: Truth, by_picks: Pairing, in_space: Pairing) -> Rate:
    """Count picks in the right event; what is found of events that are not required stays out."""
    pairs, used = dict(by_picks), set(by_picks.values())
    for found, true in in_space.items():
        if found not in pairs and true not in used:
            pairs[found] = true
            used.add(true)
    required = {event.number for event in truth.events if event.is_required}
    good = claimed = 0
    for place, event in enumerate(events):
        if place in pairs and pairs[place] not in required:
            continue
        claimed += len(event.pick_ids)
        owners = [truth.event_of_pick.get(pick_id) for pick_id in event.pick_ids]
        good += sum(place in pairs and owner == pairs[place] for owner in owners)
    needed = sum(event.pick_count for event in truth.events if event.is_required)
    return Rate(good, claimed - good, needed - good)


def _owners(shares: Sequence[Share]) -> dict[int, int]:
    """The true event that owns half of a found event's picks, by place."""
    owner: dict[int, Share] = {}
    for share in shares:
        if share.found not in owner or share.count > owner[share.found].count:
            owner[share.found] = share
    return {place: share.true for place, share in owner.items() if share.of_found >= 0.5}


def _count_merges(shares: Sequence[Share]) -> int:
    by_found: dict[int, list[Share]] = {}
    for share in shares:
        by_found.setdefault(share.found, []).append(share)
    seconds = [sorted(group, key=lambda s: -s.count)[1] for group in by_found.values() if len(group) > 1]
    return sum(second.count >= 4 and second.of_found >= 0.25 for second in seconds)


def _required_hits(pairs: Pairing, truth: Truth) -> dict[int, TrueEvent]:
    known = {event.number: event for event in truth.events}
    return {place: known[true] for place, true in pairs.items() if known[true].is_required}


def distances_to(events: Sequence[FoundEvent], hits: dict[int, TrueEvent]) -> FloatArray:
    """Distances between found (by place) and true epicentres, km."""
    apart = [
        great_circle_km(np.array([events[place].latitude_deg, events[place].longitude_deg]),
                        np.array([[true.latitude_deg, true.longitude_deg]]))[0]
        for place, true in hits.items()
    ]  # fmt: skip
    return np.array(apart, np.float64)


def _squared_distances(events: Sequence[FoundEvent], hits: dict[int, TrueEvent]) -> FloatArray:
    """Distances of the true epicentres, squared and in the stated standard deviations."""
    squared = []
    for place, true in hits.items():
        event = events[place]
        if len(event.covariance_km2) != 9:
            continue
        north_km = (true.latitude_deg - event.latitude_deg) * KM_PER_DEG
        parallel = KM_PER_DEG * np.cos(np.radians(event.latitude_deg))
        offset = np.array([(true.longitude_deg - event.longitude_deg) * parallel, north_km])
        matrix = np.array(event.covariance_km2).reshape(3, 3)[:2, :2]
        squared.append(float(offset @ np.linalg.solve(matrix, offset)))
    return np.array(squared, np.float64)


def _delays(found: Found, hits: dict[int, TrueEvent]) -> FloatArray:
    """Seconds from the fourth pick at hand to the first publication, where both are known."""
    first: dict[str, float] = {}
    for told in found.publications:
        if told.status != "retract":
            first[told.event_id] = min(told.at_s, first.get(told.event_id, np.inf))
    delays = [first[found.events[i].event_id] - true.fourth_available_s
              for i, true in hits.items() if found.events[i].event_id in first]  # fmt: skip
    array = np.array(delays, np.float64)
    return array[np.isfinite(array)]


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
