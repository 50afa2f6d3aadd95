"""What a network for fibers should answer: bumps at phases and at middles of events, and where it is asked.

Shape suffixes: P phase (noise, P, S), K fiber channel, T time, N pair of P and S on one channel; K and T are
sixteen times coarser in the arrays of events once they are thinned.

References
----------
Zhu, W. et al. (2023), Seismic arrival-time picking on distributed acoustic sensing data using semi-supervised
learning, Nature Communications 14, 8192, doi:10.1038/s41467-023-43355-3.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

FloatKT = NDArray[np.float32]
Onset = tuple[int, float]

PHASE_SIGMA = 10.0
EVENT_SIGMA = 25.0
# Bumps are computed this many samples to each side, and what is smaller than the floor is left out.
PHASE_REACH, EVENT_REACH = 31, 76
FLOOR = 0.05
EVENT_TIME_REACH = 225
WINDOW_MARGIN = 300
VP_KM_S, VS_KM_S = 6.0, 6.0 / 1.73
EVENT_STRIDE = 16
WHOLE = 0.01


@dataclass(frozen=True)
class LabelledEvent:
    """The onsets of one event: (channel, sample) each, fractions allowed.

    A pair is the middle between P and S of a channel, and the samples that lie between them. If a channel has
    several, the last counts.
    """

    p_onsets: Sequence[Onset] = ()
    s_onsets: Sequence[Onset] = ()
    centers: Sequence[Onset] = ()
    intervals: Sequence[Onset] = ()

    @property
    def pairs(self) -> list[tuple[int, float, float]]:
        """Channel, middle and interval of each channel that has both phases."""
        intervals = dict(self.intervals)
        centers = dict(self.centers)
        return [(channel, center, intervals[channel]) for channel, center in centers.items()]


@dataclass(frozen=True)
class FiberTargets:
    """Targets of one tile, and masks that are 1 where they hold.

    Attributes
    ----------
    phase_PKT
        Noise, P and S; where onsets overlap P or S may exceed one.
    phase_mask_KT
        Where the phases are known.
    center_KT, center_mask_KT
        Bumps at the middles of events, and where these are known.
    event_time_KT, event_time_mask_KT
        Samples since the origin, and where they are known.
    """

    phase_PKT: FloatKT
    phase_mask_KT: FloatKT
    center_KT: FloatKT
    event_time_KT: FloatKT
    center_mask_KT: FloatKT
    event_time_mask_KT: FloatKT


def pair_onsets(p_onsets: Sequence[Onset], s_onsets: Sequence[Onset]) -> LabelledEvent:
    """Pair P and S of an event channel by channel.

    >>> pair_onsets([(0, 10.0), (1, 11.0)], [(0, 30.0)]).pairs
    [(0, 20.0, 20.0)]
    """
    s_of = dict(s_onsets)
    both = [(channel, p, s_of[channel]) for channel, p in dict(p_onsets).items() if channel in s_of]
    return LabelledEvent(
        p_onsets, s_onsets, [(k, (p + s) / 2) for k, p, s in both], [(k, s - p) for k, p, s in both]
    )


def make_targets(events: Sequence[LabelledEvent], channel_count: int, sample_count: int) -> FiberTargets:
    """Lay out the targets of a tile at full resolution.

    Parameters
    ----------
    events
        Onsets inside the tile.
    channel_count, sample_count
        Of the tile.

    Notes
    -----
    Bumps of one phase add up. An event's time is written 225 samples to each side of its middle, a later
    event's over an earlier one's. With one event, everything is known on channels that have both phases, and
    nothing elsewhere; with several on a channel, only what lies around each pair is. Where noise is certain,
    `hold_where_known` asks for it too.
    """
    shape = (channel_count, sample_count)
    phase_PKT = np.zeros((3, *shape), np.float32)
    for row, onsets in ((1, [e.p_onsets for e in events]), (2, [e.s_onsets for e in events])):
        for channel, sample in (onset for some in onsets for onset in some):
            _add_bump(phase_PKT[row, channel], sample, PHASE_SIGMA, PHASE_REACH)
    phase_PKT[0] = np.maximum(0.0, 1.0 - phase_PKT[1] - phase_PKT[2])
    return _with_events(phase_PKT, events)


def thin_events(
    targets: FiberTargets, stride: tuple[int, int] = (EVENT_STRIDE, EVENT_STRIDE)
) -> FiberTargets:
    """Bring the arrays of events to the grid of the event heads: the largest of each group of channels.

    >>> thin_events(make_targets([], 32, 64)).center_KT.shape
    (2, 4)
    """
    return FiberTargets(
        targets.phase_PKT,
        targets.phase_mask_KT,
        _thin(targets.center_KT, stride),
        _thin(targets.event_time_KT, stride),
        _thin(targets.center_mask_KT, stride),
        _thin(targets.event_time_mask_KT, stride),
    )


def group_events(
    channel_N: NDArray[np.int64],
    phase_N: NDArray[np.str_],
    sample_N: NDArray[np.float64],
    event_N: NDArray[np.int64],
) -> list[LabelledEvent]:
    """Sort a table of picks into events; picks without event (-1) make one of their own, without pairs."""
    events = []
    for event in np.unique(event_N):
        onsets: dict[str, list[Onset]] = {"P": [], "S": []}
        for row in np.flatnonzero(event_N == event):
            onsets[str(phase_N[row])].append((int(channel_N[row]), float(sample_N[row])))
        known = event >= 0
        events.append(
            pair_onsets(onsets["P"], onsets["S"]) if known else LabelledEvent(onsets["P"], onsets["S"])
        )
    return events


def hold_where_known(
    targets: FiberTargets, events: Sequence[LabelledEvent], known_KT: NDArray[np.bool_] | None
) -> FiberTargets:
    """Ask for everything but what is not known, for samples whose noise is certain.

    Parameters
    ----------
    targets
        At full resolution.
    events
        The same as for `make_targets`.
    known_KT
        False around onsets that are there but unlabelled; None where there are none.

    Notes
    -----
    The middle of an event is unknown on a channel that has but one of its phases.
    """
    phase_mask_KT = np.ones_like(targets.phase_mask_KT)
    if known_KT is not None:
        phase_mask_KT[~known_KT] = 0.0
    center_mask_KT = phase_mask_KT.copy()
    for event in events:
        paired = {channel for channel, _, _ in event.pairs}
        half = {channel for channel, _ in (*event.p_onsets, *event.s_onsets)} - paired
        center_mask_KT[sorted(half)] = 0.0
    for channel, _, begin, end in _windows(events, targets.center_KT.shape[1]):
        center_mask_KT[channel, begin:end] = 1.0
    return replace(targets, phase_mask_KT=phase_mask_KT, center_mask_KT=center_mask_KT)


def _with_events(phase_PKT: FloatKT, events: Sequence[LabelledEvent]) -> FiberTargets:
    center_KT, time_KT, window_KT, time_mask_KT = (np.zeros_like(phase_PKT[0]) for _ in range(4))
    sample_count = phase_PKT.shape[2]
    for channel, center, begin, end in _windows(events, sample_count):
        _add_bump(center_KT[channel], center, EVENT_SIGMA, EVENT_REACH)
        window_KT[channel, begin:end] = 1.0
    for channel, center, interval in (pair for event in events for pair in event.pairs):
        near = slice(max(int(center) - EVENT_TIME_REACH, 0), max(int(center) + EVENT_TIME_REACH, 0))
        since_origin = travel_samples(interval) - center
        time_KT[channel, near] = (np.arange(sample_count) + since_origin)[near]
        time_mask_KT[channel, near] = 1.0
    mask_KT = window_KT
    if _is_single(events):
        mask_KT = np.zeros_like(window_KT)
        mask_KT[sorted({channel for event in events for channel, _, _ in event.pairs})] = 1.0
    return FiberTargets(phase_PKT, mask_KT, center_KT, time_KT, mask_KT.copy(), time_mask_KT)


def travel_samples(interval: float) -> float:
    """Return the time from the origin to the middle of P and S, from the time between them.

    >>> round(travel_samples(100.0), 2)
    186.99
    """
    return interval * (VP_KM_S + VS_KM_S) / (2.0 * (VP_KM_S - VS_KM_S))


def _windows(events: Iterable[LabelledEvent], sample_count: int) -> list[tuple[int, float, int, int]]:
    """List channel, middle, begin and end of what surely belongs to each pair."""
    windows = []
    for channel, center, interval in (pair for event in events for pair in event.pairs):
        margin = int(interval / 2) + WINDOW_MARGIN
        begin = int(center - interval / 2) - margin
        end = int(center + interval / 2) + margin
        windows.append((channel, center, max(begin, 0), min(max(end, 0), sample_count)))
    return windows


def _is_single(events: Sequence[LabelledEvent]) -> bool:
    """Tell whether no channel has more than one event."""
    counts = Counter(channel for event in events for channel in {k for k, _, _ in event.pairs})
    return max(counts.values(), default=0) <= 1


def _add_bump(row_T: FloatKT, sample: float, sigma: float, reach: int) -> None:
    whole = int(sample)
    place = whole if abs(sample - whole) < WHOLE else sample
    time_T = np.arange(max(whole - reach, 0), min(whole + reach + 1, len(row_T)))
    bump_T = np.exp(-0.5 * ((time_T - place) / sigma) ** 2)
    row_T[time_T] += np.where(bump_T < FLOOR, 0.0, bump_T).astype(np.float32)


def _thin(fine_KT: FloatKT, stride: tuple[int, int]) -> FloatKT:
    across, along = stride
    channel_count = len(fine_KT)
    groups = fine_KT[: channel_count // across * across, ::along].reshape(channel_count // across, across, -1)
    thin_KT: FloatKT = groups.max(axis=1)
    return thin_KT
