"""The open events of a cable from one review to the next: which is which, what is said, what ends.

Arrays: N pick of the pool, M pick of an event.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from rtpick.association.fiber_moveout import Source
from rtpick.association.fiber_options import FiberOptions
from rtpick.association.fiber_pool import FREE, Pool
from rtpick.association.fiber_review import Opinion, members_of
from rtpick.vocabulary.event import EventStatus
from rtpick.vocabulary.fiber_event import FiberCurve, FiberEvent
from rtpick.vocabulary.time import format_utc, to_ns

_SAME_ORIGIN_S = 1.5
_SAME_SHARE = 0.5
_MOVED_S, _GROWN = 0.1, 0.1  # what is worth telling
_NAMES = 256  # that are remembered


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """An open event: its number among the pool's owners, and its latest revision."""

    number: int
    event: FiberEvent


@dataclass(frozen=True, slots=True, eq=False)
class Ledger:
    """The open events, the number that the next one gets, and the latest names that were given."""

    entries: tuple[Entry, ...] = ()
    next_number: int = 0
    names: tuple[str, ...] = ()


def settle_accounts(
    ledger: Ledger, pool: Pool, opinion: Opinion, now_ns: int, fiber: str, options: FiberOptions
) -> tuple[Ledger, Pool, list[FiberEvent]]:
    """Carry a review's opinion into the ledger; return what is to be published.

    Notes
    -----
    An event is the one of before with which it shares most picks, at least half of the fewer, and one at
    nearly the same origin time before all others. One that nothing goes on is merged into the event that
    has half of its picks, or else retracted. One whose last S is long past is final, and its picks leave
    the pool.
    """
    heirs = _match(ledger, pool, opinion, now_ns)
    said: list[FiberEvent] = []
    accounts: dict[int, Entry] = {}
    names, number = ledger.names, ledger.next_number
    for s in range(len(opinion.sources)):
        if not len(members_of(opinion, s)):
            continue
        before, told = heirs.get(s), _describe(pool, opinion, s, now_ns, fiber, options)
        if before is None:
            told = replace(told, event_id=_unused(told.event_id, names))
            names, number = (*names, told.event_id)[-_NAMES:], number + 1
        entry = Entry(before.number if before else number, told)
        accounts[s], news = _revised(before, entry, _is_over(opinion.sources[s], options))
        said.extend(news)
    said.extend(_farewells(ledger, heirs, pool, opinion, accounts))
    open_ = tuple(e for s, e in accounts.items() if not _is_over(opinion.sources[s], options))
    return Ledger(open_, number, names), _owned(pool, opinion, accounts, options), said


def _is_over(source: Source, options: FiberOptions) -> bool:
    return float(source.front.time_F.max()) < -options.quiet_s


def _unused(name: str, names: tuple[str, ...]) -> str:
    """Tell events apart that begin with the same pick."""
    tries = (name, *(f"{name}-{n}" for n in range(2, len(names) + 3)))
    return next(trial for trial in tries if trial not in names)


def _owned(pool: Pool, opinion: Opinion, accounts: dict[int, Entry], options: FiberOptions) -> Pool:
    """Note whose each pick is, and let go of those of events that are over."""
    owner_N, spent_N = np.full(len(pool), FREE, np.int64), np.zeros(len(pool), bool)
    for s, entry in accounts.items():
        rows = members_of(opinion, s)
        owner_N[rows] = entry.number
        spent_N[rows] = _is_over(opinion.sources[s], options)
    return replace(pool, owner_N=owner_N).where(~spent_N)


def _match(ledger: Ledger, pool: Pool, opinion: Opinion, now_ns: int) -> dict[int, Entry]:
    """Find for each source the event of before that it goes on."""
    offers = []
    for s, source in enumerate(opinion.sources):
        rows = members_of(opinion, s)
        for entry in ledger.entries:
            shared = int(np.count_nonzero(pool.owner_N[rows] == entry.number))
            moved_s = abs(now_ns + to_ns(source.origin_s) - entry.event.origin_ns) / 1e9
            if shared >= _SAME_SHARE * min(len(rows), len(entry.event)) > 0:
                offers.append((moved_s > _SAME_ORIGIN_S, -shared, entry.number, s, entry))
    heirs: dict[int, Entry] = {}
    taken: set[int] = set()
    for _, _, number, s, entry in sorted(offers, key=lambda offer: offer[:4]):
        if s not in heirs and number not in taken:
            heirs[s] = entry
            taken.add(number)
    return heirs


def _describe(
    pool: Pool, opinion: Opinion, number: int, now_ns: int, fiber: str, options: FiberOptions
) -> FiberEvent:
    """Write an opinion down as the first revision of an event."""
    source, rows = opinion.sources[number], members_of(opinion, number)
    is_s_M, time_ns_M, channel_M = pool.is_s_N[rows], pool.time_ns_N[rows], pool.channel_N[rows]
    first = rows[is_s_M][0] if is_s_M.any() else rows[0]
    return FiberEvent(
        event_id=f"{fiber}_{_compact(int(pool.time_ns_N[first]))}_{int(pool.channel_N[first])}",
        fiber=fiber,
        revision=0,
        status=EventStatus.NEW,
        origin_ns=now_ns + to_ns(source.origin_s),
        ps_s=source.ps_s,
        channel_number_M=channel_M,
        phase_M=np.where(is_s_M, "S", "P"),
        time_ns_M=time_ns_M,
        residual_s_M=opinion.attachment.residual_s_N[rows].astype(np.float32),
        curve=_curve(source, now_ns, options),
    )


def _compact(time_ns: int) -> str:
    return format_utc(time_ns)[:23].replace("-", "").replace(":", "") + "Z"


def _curve(source: Source, now_ns: int, options: FiberOptions) -> FiberCurve:
    width = options.channels_per_group
    group_F = source.front.group_F
    channel_K = np.unique(np.concatenate((group_F * width + width // 2, source.late_channel_M[::20])))
    p_K, s_K = (now_ns + np.round(t * 1e9).astype(np.int64) for t in source.predict(channel_K, options))
    return FiberCurve(channel_K, p_K, s_K)


def _revised(before: Entry | None, entry: Entry, is_final: bool) -> tuple[Entry, list[FiberEvent]]:
    """Say what is new about an event; a small change is kept to itself until the end."""
    status = EventStatus.FINAL if is_final else EventStatus.UPDATE
    if before is None:
        news = replace(entry.event, status=EventStatus.FINAL) if is_final else entry.event
        return replace(entry, event=news), [news]
    old = before.event
    news = replace(entry.event, event_id=old.event_id, revision=old.revision + 1, status=status)
    grown = abs(len(news) - len(old)) > _GROWN * len(old)
    if is_final or grown or abs(news.origin_ns - old.origin_ns) > to_ns(_MOVED_S):
        return replace(entry, event=news), [news]
    return before, []


def _farewells(
    ledger: Ledger, heirs: dict[int, Entry], pool: Pool, opinion: Opinion, accounts: dict[int, Entry]
) -> list[FiberEvent]:
    """Merge the events that nothing goes on into those that have most of their picks, or retract them."""
    kept = {entry.number for entry in heirs.values()}
    said = []
    for entry in ledger.entries:
        if entry.number in kept:
            continue
        heir = _heir_of(entry, pool, opinion)
        old = replace(entry.event, revision=entry.event.revision + 1, status=EventStatus.RETRACT)
        if heir in accounts:
            other = accounts[heir].event.event_id
            old = replace(old, status=EventStatus.MERGE, merged_into=other)
        said.append(old)
    return said


def _heir_of(entry: Entry, pool: Pool, opinion: Opinion) -> int:
    """Return the source that has at least half of an event's picks, -1 for none."""
    source_M = opinion.attachment.source_N[pool.owner_N == entry.number]
    count = np.bincount(source_M[source_M != FREE], minlength=1)
    return int(count.argmax()) if count.max() >= _SAME_SHARE * len(entry.event) else FREE
