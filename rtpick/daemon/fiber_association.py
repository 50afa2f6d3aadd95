"""The associators of the cables, and what of them a restart takes from the archive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from rtpick.association.fiber_associate import FiberAssociatorState, finish, step
from rtpick.association.fiber_options import FiberOptions
from rtpick.association.fiber_virtual import VirtualState, VirtualStations, step_virtual
from rtpick.vocabulary.event import EventStatus
from rtpick.vocabulary.fiber import FiberEventHints, FiberLayout, FiberPicks, FiberProgress
from rtpick.vocabulary.fiber_event import FiberEvent
from rtpick.vocabulary.pick import Pick
from rtpick.vocabulary.time import to_ns

# What the associator of a cable can still look back to.
MEMORY_S = 180.0
# A virtual station picks a front some seconds after it has passed.
VIRTUAL_DELAY_S = 12.0
_LONG_AGO_NS = -(2**62)
_OPEN = (EventStatus.NEW, EventStatus.UPDATE)

FiberOutput = FiberPicks | FiberEventHints | FiberProgress


@dataclass(frozen=True, slots=True)
class FiberPast:
    """What the archive holds of a fiber's last minutes.

    Parameters
    ----------
    settled_ns : int or None
        None where the fiber was never seen.
    picks : sequence of FiberPicks
    events : sequence of FiberEvent
        Latest revisions.
    """

    settled_ns: int | None = None
    picks: Sequence[FiberPicks] = ()
    events: Sequence[FiberEvent] = ()


@dataclass(slots=True)
class Numbering:
    """Revisions of events that an earlier run has told: they go on from there, and what is decided stays."""

    told: dict[str, tuple[int, EventStatus]] = field(default_factory=dict)

    def again(self, event: FiberEvent) -> FiberEvent | None:
        """What a review of old picks says: news only if it says more than was told."""
        revision, status = self.told.get(event.event_id, (-1, EventStatus.NEW))
        if event.status in _OPEN and event.revision <= revision:
            return None
        return self.next(event) if status in _OPEN else None

    def next(self, event: FiberEvent) -> FiberEvent | None:
        """What is to be told of an event, under a number that was not used before."""
        if event.event_id not in self.told:
            return event
        revision, status = self.told[event.event_id]
        if status not in _OPEN:
            return None
        numbered = replace(event, revision=max(event.revision, revision + 1))
        self.told[event.event_id] = numbered.revision, numbered.status
        return numbered


class FiberAssociation:
    """Own the associator of one fiber, and its virtual stations where it is known where it lies.

    Parameters
    ----------
    layout : FiberLayout
        Of its blocks.
    decimation : int
        The picker keeps one channel of so many.
    stations : VirtualStations or None
    past : FiberPast
    """

    def __init__(
        self, layout: FiberLayout, decimation: int, stations: VirtualStations | None, past: FiberPast
    ) -> None:
        options = fit_options(layout, decimation)
        self._state = FiberAssociatorState(layout.fiber, options)
        self._virtual = None if stations is None else VirtualState(stations, options)
        self._settled_ns = past.settled_ns or 0
        self._numbering = Numbering({e.event_id: (e.revision, e.status) for e in past.events})
        self.first_events, self.first_picks = self._replay(past)

    def take(self, output: FiberOutput) -> tuple[list[FiberEvent], list[Pick]]:
        """Take picks, hints or progress in; return news of events and picks of virtual stations."""
        picks = output if isinstance(output, FiberPicks) else None
        hints = output if isinstance(output, FiberEventHints) else None
        if isinstance(output, FiberProgress):
            self._settled_ns = max(self._settled_ns, output.settled_ns)
        self._state, said = step(self._state, picks, self._settled_ns, hints)
        return self._number(said), self._pick(picks)

    def finish(self) -> tuple[list[FiberEvent], list[Pick]]:
        """Let every event run to its end."""
        self._state, said = finish(self._state)
        self._settled_ns += to_ns(MEMORY_S)
        return self._number(said), self._pick(None)

    def _number(self, said: Sequence[FiberEvent]) -> list[FiberEvent]:
        return [event for event in map(self._numbering.next, said) if event is not None]

    def _pick(self, picks: FiberPicks | None) -> list[Pick]:
        if self._virtual is None:
            return []
        self._virtual, made = step_virtual(self._virtual, picks, self._settled_ns)
        return made

    def _replay(self, past: FiberPast) -> tuple[list[FiberEvent], list[Pick]]:
        """Look at the last picks again; what was told is not told again."""
        spent = spent_picks(past.events)
        for batch in past.picks:
            self._state, _ = step(self._state, without(batch, spent), _LONG_AGO_NS)
            if self._virtual is not None:
                self._virtual, _ = step_virtual(self._virtual, batch, _LONG_AGO_NS)
        self._state, said = step(self._state, None, self._settled_ns)
        made = self._pick(None)
        since_ns = self._settled_ns - to_ns(VIRTUAL_DELAY_S)
        events = [event for event in map(self._numbering.again, said) if event is not None]
        return events, [pick for pick in made if pick.time_ns >= since_ns]


def fit_options(layout: FiberLayout, decimation: int) -> FiberOptions:
    """Fit the associator to the channels that are picked."""
    count = max(layout.channel_count // decimation, 1)
    spacing_m, step_channels = layout.channel_spacing_m * decimation, layout.channel_step * decimation
    return FiberOptions().for_cable(count, spacing_m, step_channels)


def spent_picks(events: Sequence[FiberEvent]) -> set[tuple[int, str, int]]:
    """Picks that belong to events which do not change any more."""
    decided = [event for event in events if event.status not in _OPEN]
    return {key for e in decided for key in _keys(e.channel_number_M, e.phase_M, e.time_ns_M)}


def without(picks: FiberPicks, spent: set[tuple[int, str, int]]) -> FiberPicks:
    """Picks that are still free."""
    keys = _keys(picks.channel_number_N, picks.phase_N, picks.time_ns_N)
    free_N = np.array([key not in spent for key in keys], np.bool_)
    return replace(
        picks,
        channel_number_N=picks.channel_number_N[free_N],
        phase_N=picks.phase_N[free_N],
        time_ns_N=picks.time_ns_N[free_N],
        probability_N=picks.probability_N[free_N],
        amplitude_N=picks.amplitude_N[free_N],
    )


def _keys(*columns: np.ndarray) -> list[tuple[int, str, int]]:
    return list(zip(*(column.tolist() for column in columns), strict=True))


