"""What the world is told: revisions of events under stable names.

The ledger remembers what was last published of each event. An event is recognised by the picks it
shares with what was published; what is no longer believed is merged into the event that now holds
most of its picks, or retracted.
"""

from __future__ import annotations

import hashlib
import math
import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from rtpick.association.locate import Spread
from rtpick.association.origin import describe_arrivals, describe_origin
from rtpick.association.signal import Hypothesis
from rtpick.association.sites import Sites
from rtpick.settings.schema import AssociationSettings
from rtpick.vocabulary.event import Event, EventStatus
from rtpick.vocabulary.time import to_s

_GROWTH = 1.25
_QUICK_PICKS = 10  # beyond these, revisions become rarer as an event grows
_SHARED_LEAST = 2
_SWARM_HASTE, _ALONE_HASTE = 0.85, 8.0
_FLAT = 2.0  # log-odds for a plane wave from which on an event without P and S of a station waits


_NAME_OF = operator.attrgetter("key.pick_id")


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """The last published revision of an event, and when (event time) that was.

    `hypothesis` is what was published, None where only the archive knows.
    """

    event: Event
    published_s: float
    hypothesis: Hypothesis | None = None
    pick_ids: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, eq=False)
class Ledger:
    """Published events that are not final, and the names that were ever given, by their latest time.

    `waiting` tells whether something changed too little or too recently to be told yet.
    """

    entries: Mapping[str, Entry] = field(default_factory=dict)
    names_s: Mapping[str, float] = field(default_factory=dict)
    waiting: bool = False


@dataclass(frozen=True, slots=True)
class Publisher:
    """What publishing needs to know of the network and of the user's wishes."""

    settings: AssociationSettings
    sites: Sites
    spread: Spread


def publish(publisher: Publisher, ledger: Ledger, believed: Sequence[Hypothesis], now_s: float,
            settled_s: float = -math.inf) -> tuple[Ledger, list[Event]]:  # fmt: skip
    """Tell the difference between what is believed and what was published.

    Nothing that ended before `settled_s` is new: what is settled knows better.
    """
    believed = [h for h in believed if not h.distant]
    names = recognise(ledger, believed)
    sure = publisher.settings.minimum_log_odds
    believed = [
        h for h in believed
        if id(h) in names or (h.certainty >= sure + _haste(h, now_s) and h.end_s > settled_s)
    ]  # fmt: skip
    entries, given, out, waiting = dict(ledger.entries), dict(ledger.names_s), [], False
    for hypothesis in believed:
        name = names.get(id(hypothesis)) or _new_name(hypothesis, given)
        names[id(hypothesis)] = name
        entry = entries.get(name)
        if entry is not None and entry.hypothesis is hypothesis:
            continue
        if entry is not None and not _worth_telling(publisher, entry, hypothesis, now_s):
            waiting = True
            continue
        event = _revision(publisher, name, entry, hypothesis)
        given[name], entries[name] = now_s, Entry(event, now_s, hypothesis, event.pick_ids)
        if entry is None or _differs(entry.event, event):
            out.append(event)
    out.extend(_withdraw(entries, {names[id(h)]: h for h in believed}))
    return Ledger(entries, given, waiting), out


def _haste(hypothesis: Hypothesis, now_s: float) -> float:
    """Return how much surer an event must be to be told before its end.

    Among many events, picks of several look like one more, and without P and S of any station many
    things look like an event; silence and rivals have not had their say yet. What may be a plane wave
    from far away waits for an S, too.
    """
    if now_s >= hypothesis.end_s:
        return 0.0
    if hypothesis.has_pair:
        return _SWARM_HASTE * hypothesis.due
    if hypothesis.log_odds - hypothesis.certainty > _FLAT:
        return math.inf
    return max(_SWARM_HASTE * hypothesis.due, _ALONE_HASTE)


def publish_final(publisher: Publisher, ledger: Ledger, closed: Iterable[Hypothesis],
                  now_s: float) -> tuple[Ledger, list[Event]]:  # fmt: skip
    """Publish settled events for the last time; they leave the ledger, their names stay taken."""
    closed = [h for h in closed if not h.distant]
    names = recognise(ledger, closed)
    entries, given, out = dict(ledger.entries), dict(ledger.names_s), []
    for hypothesis in closed:
        name = names.get(id(hypothesis)) or _new_name(hypothesis, given)
        entry = entries.pop(name, None)
        if entry is None:  # found once everything was there: it is new before it is final
            event = _revision(publisher, name, None, hypothesis)
            entry = Entry(event, now_s, None, event.pick_ids)
            out.append(entry.event)
        given[name] = now_s
        out.append(replace(_revision(publisher, name, entry, hypothesis), status=EventStatus.FINAL))
    return Ledger(entries, given, ledger.waiting), out


def forget(ledger: Ledger, before_s: float) -> Ledger:
    """Forget names so old that no pick can bring them up again."""
    if not any(time_s < before_s for time_s in ledger.names_s.values()):
        return ledger
    kept = {n: t for n, t in ledger.names_s.items() if t >= before_s or n in ledger.entries}
    return Ledger(ledger.entries, kept, ledger.waiting)


def recognise(ledger: Ledger, believed: Sequence[Hypothesis]) -> dict[int, str]:
    """Find the published name of each believed event: the same belief, or the most picks in common."""
    by_identity = {id(e.hypothesis): n for n, e in ledger.entries.items() if e.hypothesis is not None}
    names = {id(h): by_identity[id(h)] for h in believed if id(h) in by_identity}
    by_key = {e.hypothesis.key: n for n, e in ledger.entries.items() if e.hypothesis is not None}
    for hypothesis in believed:
        name = by_key.get(hypothesis.key)
        if name is not None and id(hypothesis) not in names and _is_same(ledger.entries[name], hypothesis):
            names[id(hypothesis)] = name
    strangers = [h for h in believed if id(h) not in names]
    if not strangers:
        return names
    known = set(names.values())
    others = [(n, e) for n, e in ledger.entries.items() if n not in known]
    pairs = []
    for order, hypothesis in enumerate(strangers):
        for name, entry in others:
            shared = shared_count(entry.pick_ids, hypothesis)
            same = entry.hypothesis is not None and entry.hypothesis.key == hypothesis.key
            if shared >= _SHARED_LEAST:
                pairs.append((-shared, not same, name, order, hypothesis))
    taken: set[str] = set()
    for _, _, name, _, hypothesis in sorted(pairs, key=lambda p: p[:4]):
        if name not in taken and id(hypothesis) not in names:
            names[id(hypothesis)] = name
            taken.add(name)
    return names


def shared_count(picks: frozenset[str], hypothesis: Hypothesis) -> int:
    """Count the picks of an event that are among others."""
    return len(picks.intersection(map(_NAME_OF, hypothesis.pool.signals)))


def _is_same(entry: Entry, hypothesis: Hypothesis) -> bool:
    """Tell whether an event has most picks of what was published of it."""
    return 2 * shared_count(entry.pick_ids, hypothesis) > len(entry.pick_ids)


def _new_name(hypothesis: Hypothesis, given: Mapping[str, float]) -> str:
    """Name an event after its first pick; a name that was ever given is not given again."""
    first = hypothesis.pool.signals[0].pick_id
    for attempt in range(len(given) + 1):
        text = first if attempt == 0 else f"{first}#{attempt}"
        name = "rt" + hashlib.sha256(text.encode()).hexdigest()[:12]
        if name not in given:
            return name
    raise AssertionError("more names than were given")  # pragma: no cover


def _revision(publisher: Publisher, name: str, entry: Entry | None, hypothesis: Hypothesis) -> Event:
    arrivals = describe_arrivals(hypothesis, publisher.sites)
    return Event(
        event_id=name,
        revision=0 if entry is None else entry.event.revision + 1,
        status=EventStatus.NEW if entry is None else EventStatus.UPDATE,
        origin=describe_origin(hypothesis, arrivals, publisher.spread),
        arrivals=arrivals,
    )


def _worth_telling(publisher: Publisher, entry: Entry, hypothesis: Hypothesis, now_s: float) -> bool:
    """Tell whether an event changed enough, or changed long enough ago, for a revision."""
    before, many = entry.event, len(entry.event.arrivals)
    patience_s = publisher.settings.publish_interval_s * max(1.0, many / _QUICK_PICKS)
    if now_s - entry.published_s >= patience_s:
        return True
    ratio = len(hypothesis.pool) / many
    if not 1 / _GROWTH < ratio < _GROWTH:
        return True
    moved_s = abs(float(hypothesis.source[3]) - to_s(before.origin.time_ns))
    return moved_s > before.origin.time_uncertainty_s


def _differs(before: Event, after: Event) -> bool:
    """Tell whether two revisions of an event say different things."""
    return before.pick_ids != after.pick_ids or before.origin != after.origin


def _withdraw(entries: dict[str, Entry], held: Mapping[str, Hypothesis]) -> list[Event]:
    """Merge or retract what was published and is no longer believed; remove it from the entries."""
    out = []
    for name in [n for n in entries if n not in held]:
        before = entries.pop(name).event
        heir = _heir(before, held)
        status = EventStatus.RETRACT if heir is None else EventStatus.MERGE
        out.append(replace(before, revision=before.revision + 1, status=status, merged_into=heir))
    return out


def _heir(event: Event, held: Mapping[str, Hypothesis]) -> str | None:
    """Return the event that holds at least half of another's picks."""
    picks = event.pick_ids
    best, top = None, len(picks) / 2
    for name, hypothesis in sorted(held.items()):
        shared = shared_count(picks, hypothesis)
        if shared >= top:
            best, top = name, shared + 0.5
    return best
