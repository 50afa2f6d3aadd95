"""What is odd about a pick list and the events found in it, said to people in a line each.

Arrays: N pick, E event, P phase.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from rtpick.association.sites import Sites
from rtpick.association.sphere import arc_km, geocentric_rad, unit_vectors
from rtpick.association.traveltime import TravelTimes
from rtpick.association.velocity import FloatArray
from rtpick.vocabulary.codes import StationId
from rtpick.vocabulary.event import Event
from rtpick.vocabulary.pick import Pick
from rtpick.vocabulary.time import NS_PER_S, to_s

_NAMED = 5  # things named in one message
_TWIN_NS = NS_PER_S // 20
_SEEN_S = 20.0  # clock errors are sought this far
_BIN_S = 0.25
_SURE_S = 0.5  # and told from here on
_FEWEST_ARRIVALS = 6
_NEAR_S = 0.8  # of both phases together
_FEWEST_OF_PHASE = 3
_ALIKE_S = 0.2


def examine_picks(picks: Sequence[Pick], sites: Sites) -> list[str]:
    """Say which picks cannot be used, or are there twice."""
    unknown = Counter(str(p.station_id) for p in picks if p.station_id not in sites.number)
    said = []
    if unknown:
        said.append(f"{unknown.total()} picks of stations that the inventory does not hold are left out: "
                    f"{_name(unknown)}; add these stations")  # fmt: skip
    again = [name for name, count in Counter((p.pick_id, p.rank) for p in picks).items() if count > 1]
    if again:
        said.append(f"{len(again)} pick_ids stand on several lines, of which the first counts: "
                    f"{_name(name for name, _ in again)}")  # fmt: skip
    twins = _twins(picks)
    if twins:
        said.append(f"{len(twins)} picks repeat another of the same station and phase within "
                    f"{_TWIN_NS / NS_PER_S:g} s; the first counts: {_name(twins)}")  # fmt: skip
    return said


def _twins(picks: Iterable[Pick]) -> list[str]:
    last: dict[tuple[StationId, str], Pick] = {}
    found = []
    for pick in sorted(picks, key=lambda p: (p.time_ns, p.pick_id)):
        key = pick.station_id, pick.phase_hint
        before = last.get(key)
        if before is not None and pick.time_ns - before.time_ns < _TWIN_NS and before.pick_id != pick.pick_id:
            found.append(pick.pick_id)
        last[key] = pick
    return found


def examine_delays(arrivals: Sequence[tuple[int, Pick]], late: int, expected_s: float) -> list[str]:
    """Say how many picks came long after their time, and how many of them too late.

    Parameters
    ----------
    arrivals : sequence of (int, Pick)
        With arrival times (ns).
    late : int
        Those that came after everything about their time was settled.
    expected_s : float
        How long after its time a pick is still expected.
    """
    behind_s = np.array([to_s(at_ns - pick.time_ns) for at_ns, pick in arrivals])
    slow = behind_s > expected_s
    if not slow.any() and not late:
        return []
    lost = f"; {late} came after their time was settled and are left out" if late else ""
    return [f"{int(slow.sum())} picks came more than {expected_s:g} s after their time, the slowest "
            f"{behind_s.max():.0f} s{lost}"]  # fmt: skip


def examine_events(events: Iterable[Event], picks: Mapping[str, Pick]) -> list[str]:
    """Say where the labels of picks contradict the event that explains them, as S before P."""
    swapped, crossed = [], []
    for event in events:
        times: dict[tuple[str, str], int] = {}
        for arrival in event.arrivals:
            label = (
                picks[arrival.pick_id].phase_hint[:1].upper() if arrival.pick_id in picks else arrival.phase
            )
            times[arrival.station, label] = arrival.time_ns
            if label != arrival.phase:
                swapped.append(arrival.pick_id)
        crossed += [s for s, phase in times if phase == "S" and times.get((s, "P"), -1) >= times[s, "S"]]
    said = []
    if crossed:
        said.append(f"S is picked before P at {len(crossed)} stations of events: {_name(Counter(crossed))}; "
                    "look at these picks")  # fmt: skip
    if swapped:
        said.append(f"{len(swapped)} picks serve as the phase that they are not labelled: {_name(swapped)}")
    return said


def examine_clocks(
    events: Sequence[Event], picks: Iterable[Pick], sites: Sites, travel_times: TravelTimes
) -> list[str]:
    """Say which stations' picks stand off the predicted times by always the same: their clocks are wrong.

    Notes
    -----
    All picks of a station are looked at, those of events or not, up to 20 s off. P and S must be off by the
    same: what a slow path delays, it delays S more.
    """
    times_s: dict[tuple[int, str], list[float]] = defaultdict(list)
    for pick in picks:
        if pick.station_id in sites.number:
            times_s[sites.number[pick.station_id], pick.phase_hint[:1].upper()].append(to_s(pick.time_ns))
    said = []
    for station, code in enumerate(sites.codes):
        late_s_P = _offsets_s(events, station, times_s, sites, travel_times)
        error_s, count = clock_error(np.concatenate(late_s_P))
        if abs(error_s) >= _SURE_S and _is_one_for_both(error_s, late_s_P):
            said.append(
                f"{code}: {count} picks stand {error_s:+.2f} s off what the events say; "
                "check this station's clock"
            )
    return said


def _is_one_for_both(error_s: float, late_s_P: Sequence[FloatArray]) -> bool:
    """Whether P and S are off by the same, as by a clock; by a slow path S would be off by more."""
    near = [late_s[np.abs(late_s - error_s) <= _NEAR_S] for late_s in late_s_P]
    if min(len(late_s) for late_s in near) < _FEWEST_OF_PHASE:
        return False
    middles = [float(np.median(late_s)) for late_s in near]
    return abs(middles[0] - middles[1]) <= max(_ALIKE_S, 0.1 * abs(error_s))


def _offsets_s(
    events: Sequence[Event],
    station: int,
    times_s: Mapping[tuple[int, str], list[float]],
    sites: Sites,
    travel_times: TravelTimes,
) -> list[FloatArray]:
    """How late every P and every S of a station is for every event that it could belong to."""
    if not events:
        return [np.empty(0), np.empty(0)]
    origin_E = np.array([to_s(event.origin.time_ns) for event in events])
    place = np.array([(e.origin.latitude_deg, e.origin.longitude_deg, e.origin.depth_km) for e in events])
    unit_E3 = unit_vectors(geocentric_rad(place[:, 0]), np.radians(place[:, 1]))
    far_E = arc_km(unit_E3, sites.places.unit_S3[station])
    offsets = []
    for phase in "PS":
        time_N = np.sort(np.array(times_s.get((station, phase), ()), np.float64))
        height_km = sites.places.elevation_km_S[station]
        expected_E = origin_E + travel_times.look_up(phase, far_E, place[:, 2], height_km)[0]
        first_E = np.searchsorted(time_N, expected_E - _SEEN_S)
        last_E = np.searchsorted(time_N, expected_E + _SEEN_S)
        pieces = [time_N[a:b] - t for t, a, b in zip(expected_E, first_E, last_E, strict=True)]
        offsets.append(np.concatenate(pieces))
    return offsets


def clock_error(late_s: FloatArray) -> tuple[float, int]:
    """Find the offset at which far more picks stand than anywhere else; 0 where there is none.

    Returns
    -------
    tuple of float and int
        Seconds, and how many picks stand within half a second of it.

    Examples
    --------
    >>> right, wrong = np.linspace(-20, 20, 81), np.full(12, 3.0)
    >>> clock_error(np.concatenate([right, wrong]))
    (3.0, 15)
    >>> clock_error(right)
    (0.0, 0)
    """
    counts, edges = np.histogram(late_s, np.arange(-_SEEN_S, _SEEN_S + _BIN_S, _BIN_S))
    broad = counts[:-1] + counts[1:]
    best = int(np.argmax(broad))
    chance = 2.0 * len(late_s) * _BIN_S / (2 * _SEEN_S)
    others = np.delete(broad, slice(max(best - 3, 0), best + 4))
    if broad[best] < max(_FEWEST_ARRIVALS, 2 * others.max(initial=0), chance + 5.0 * np.sqrt(chance)):
        return 0.0, 0
    near = late_s[np.abs(late_s - edges[best + 1]) <= 2 * _BIN_S]
    return round(float(np.median(near)), 2), len(near)


def _name(things: Iterable[str]) -> str:
    """Name the first few of things."""
    if isinstance(things, Counter):
        named = [f"{name} ({count})" if count > 1 else name for name, count in things.most_common()]
    else:
        named = list(things)
    more = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
    return ", ".join(named[:_NAMED]) + more
