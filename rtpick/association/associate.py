"""Picks in, events out: the associator as a stage.

Picks may come in any order, more than once, changed or withdrawn. What is final is a function of the
picks in canonical order (time, name); the order in which they came shows only in what was said of an
event on the way there.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from rtpick.association.findings import Finding, find
from rtpick.association.history import History, close_all, forget_pick, hear_pick, settle_until
from rtpick.association.recent import NONE_YET, Recent, Revision
from rtpick.association.revise import Entry, Ledger, Publisher, forget, publish, publish_final
from rtpick.association.signal import Signal, read_signal
from rtpick.association.traveltime import TravelTimes
from rtpick.association.world import World, build_world
from rtpick.settings.schema import AssociationSettings
from rtpick.vocabulary.event import Event, EventStatus
from rtpick.vocabulary.inventory import Inventory
from rtpick.vocabulary.pick import Pick, PickStatus
from rtpick.vocabulary.time import to_ns, to_s

_LONG_AGO_NS = -(2**62)
_MEMORY_S = 3600.0
_GRACE_NS = 60_000_000_000  # a revision may move a pick by less than this


@dataclass(frozen=True, slots=True)
class Counts:
    """Picks that were set aside, by cause."""

    late: int = 0
    unknown_station: int = 0
    duplicate: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class AssociatorState:
    """The associator between two steps; never changed in place.

    Parameters
    ----------
    world : World
    history : History
    ledger : Ledger
    revisions : Recent
        The latest revision of each pick that is not settled.
    settled_ns : int
        Nothing before this time changes any more.
    frontier_s : float
        Time of the newest pick.
    counts : Counts
    """

    world: World
    history: History = field(default_factory=History)
    ledger: Ledger = field(default_factory=Ledger)
    revisions: Recent = NONE_YET
    settled_ns: int = _LONG_AGO_NS
    frontier_s: float = float("-inf")
    counts: Counts = Counts()

    @property
    def publisher(self) -> Publisher:
        """What publishing needs."""
        return Publisher(self.world.settings, self.world.sites, self.world.physics.spread)


    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is found of stations: quarantines, clock errors and, where learnt, station terms."""
        return find(self.world, self.history.live)


def new_state(
    settings: AssociationSettings, inventory: Inventory, travel_times: TravelTimes
) -> AssociatorState:
    """Begin with no pick.

    Parameters
    ----------
    settings : AssociationSettings
    inventory : Inventory
    travel_times : TravelTimes
        As `rtpick.association.sites.prepare_travel_times` makes them.

    Raises
    ------
    InventoryError
        If no station has coordinates.
    """
    return AssociatorState(build_world(settings, inventory, travel_times))


def step(
    state: AssociatorState, picks: Sequence[Pick], watermark_ns: int
) -> tuple[AssociatorState, list[Event]]:
    """Take in picks and revisions of picks, one after the other; return what is to be published.

    Parameters
    ----------
    picks : sequence of Pick
    watermark_ns : int
        Picks before this time are not expected any more; they are still taken for `settle_s`.

    Notes
    -----
    A pick before the settled time is ignored and counted. Any partition of the same sequence of
    picks gives the same publications.
    """
    out: list[Event] = []
    for pick in picks:
        state, events = _take(state, pick)
        out.extend(events)
    state, events = _settle(state, watermark_ns - to_ns(state.world.settings.settle_s))
    return state, out + events


def finish(state: AssociatorState) -> tuple[AssociatorState, list[Event]]:
    """Settle everything at the end of the stream."""
    history, closed = close_all(state.world, state.history)
    ledger, events = publish_final(state.publisher, state.ledger, closed, state.frontier_s)
    ledger, rest = publish(state.publisher, ledger, history.events, state.frontier_s)
    return replace(state, history=history, ledger=ledger, revisions=NONE_YET), events + rest


def restore(settings: AssociationSettings, inventory: Inventory, travel_times: TravelTimes,
            picks: Sequence[Pick], events: Sequence[Event]) -> AssociatorState:  # fmt: skip
    """Continue after a restart from what the archive holds.

    Parameters
    ----------
    picks : sequence of Pick
        Latest revisions of all picks of the last hour or so, those of open events included.
    events : sequence of Event
        Latest revisions; the picks of final ones stay theirs.
    """
    state = new_state(settings, inventory, travel_times)
    spent = {a.pick_id for e in events if e.status is EventStatus.FINAL for a in e.arrivals}
    history, revisions = state.history, NONE_YET
    for pick in sorted(picks, key=lambda pick: (pick.time_ns, pick.pick_id)):
        signal = _signal(state, pick)
        revisions = revisions.noted(pick.pick_id, Revision(pick.rank, pick.time_ns, signal))
        if signal is not None and pick.pick_id not in spent:
            history = hear_pick(state.world, history, signal)
    frontier_s = max((to_s(pick.time_ns) for pick in picks), default=float("-inf"))
    ledger = _remembered(events, frontier_s)
    return replace(state, history=history, ledger=ledger, revisions=revisions, frontier_s=frontier_s)


def _remembered(events: Iterable[Event], now_s: float) -> Ledger:
    """Fill the ledger from archived revisions."""
    running = {EventStatus.NEW, EventStatus.UPDATE}
    latest = {e.event_id: e for e in sorted(events, key=lambda e: e.revision)}
    entries = {n: Entry(e, now_s, None, e.pick_ids) for n, e in latest.items() if e.status in running}
    return Ledger(entries, dict.fromkeys(latest, now_s))


def _take(state: AssociatorState, pick: Pick) -> tuple[AssociatorState, list[Event]]:
    """Take in one revision of one pick."""
    known = state.revisions.get(pick.pick_id)
    if known is not None and known.rank >= pick.rank:
        return _counted(state, duplicate=1), []
    if pick.time_ns < state.settled_ns or (known is not None and known.time_ns < state.settled_ns):
        return _counted(state, late=1), []
    if pick.station_id not in state.world.sites.number:
        return _counted(state, unknown_station=1), []
    signal, before = _signal(state, pick), known.signal if known is not None else None
    history = state.history
    if not _same(before, signal):
        history = forget_pick(state.world, history, pick.pick_id) if before is not None else history
        history = hear_pick(state.world, history, signal) if signal is not None else history
    revisions = state.revisions.noted(pick.pick_id, Revision(pick.rank, pick.time_ns, signal))
    frontier_s = max(state.frontier_s, to_s(pick.time_ns))
    ledger, events = _tell(state, history, frontier_s)
    return AssociatorState(
        state.world, history, ledger, revisions, state.settled_ns, frontier_s, state.counts
    ), events


def _tell(state: AssociatorState, history: History, now_s: float) -> tuple[Ledger, list[Event]]:
    """Publish what is new about events that are not final."""
    if history.events == state.history.events and not state.ledger.waiting:
        return state.ledger, []
    return publish(state.publisher, state.ledger, history.events, now_s, to_s(state.settled_ns))


def _signal(state: AssociatorState, pick: Pick) -> Signal | None:
    return None if pick.status is PickStatus.WITHDRAWN else read_signal(pick, state.world.sites)


def _same(before: Signal | None, after: Signal | None) -> bool:
    """Tell whether a revision changes nothing that association looks at."""
    if before is None or after is None:
        return before is after
    return _weight(before) == _weight(after)


def _weight(signal: Signal) -> tuple[float, ...]:
    loudness = -math.inf if math.isnan(signal.loudness) else signal.loudness
    return signal.time_ns, signal.station, signal.role, signal.merit, loudness


def _counted(
    state: AssociatorState, late: int = 0, unknown_station: int = 0, duplicate: int = 0
) -> AssociatorState:
    counts = state.counts
    more = Counts(counts.late + late, counts.unknown_station + unknown_station, counts.duplicate + duplicate)
    return replace(state, counts=more)


def _settle(state: AssociatorState, horizon_ns: int) -> tuple[AssociatorState, list[Event]]:
    """Let nothing before a time change any more, and publish as final what closed before it."""
    if horizon_ns <= state.settled_ns:
        return state, []
    history, closed = settle_until(state.world, state.history, horizon_ns)
    revisions = state.revisions.since(horizon_ns - _GRACE_NS)
    if not closed and history.events == state.history.events:
        return replace(state, history=history, revisions=revisions, settled_ns=horizon_ns), []
    ledger, events = publish_final(state.publisher, state.ledger, closed, state.frontier_s)
    ledger, more = publish(state.publisher, ledger, history.events, state.frontier_s, to_s(horizon_ns))
    ledger = forget(ledger, to_s(horizon_ns) - _MEMORY_S)
    return replace(
        state, history=history, ledger=ledger, revisions=revisions, settled_ns=horizon_ns
    ), events + more
