"""Old rows that nobody needs any more, removed a few at a time.

What stays, however old: every event's last revision with the picks in it, all of an event that may still
change, whatever the outbox names, and every resume point.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, ScalarSelect, Select, Table, delete, exists, func, select, tuple_

from rtpick.archive import tables
from rtpick.archive.fiber_store import KIND_PICKS as KIND_FIBER_PICKS
from rtpick.archive.writes import KIND_EVENT, KIND_PICK
from rtpick.vocabulary.event import EventStatus

LOOK_ROWS = 500
_BEGINNING_NS = -(1 << 63)
_GIVEN_UP = (EventStatus.MERGE.value, EventStatus.RETRACT.value)
_OPEN = (EventStatus.NEW.value, EventStatus.UPDATE.value)


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a sweep has come: the table, and the last row looked at in it."""

    table: str = tables.event.name
    time_ns: int = _BEGINNING_NS
    key: str = ""


@dataclass(frozen=True, slots=True)
class Pruned:
    """What one step removed; `mark` is None where the sweep has come to its end."""

    table: str
    rows: int
    mark: Mark | None


def newest_settled_ns(connection: Connection) -> int | None:
    """The event time that the station or fiber furthest ahead has settled; None before anything is known."""
    columns = tables.progress.c.settled_ns, tables.fiber_progress.c.settled_ns
    newest = [connection.execute(select(func.max(column))).scalar() for column in columns]
    return max((time_ns for time_ns in newest if time_ns is not None), default=None)


def prune_some(connection: Connection, before_ns: int, mark: Mark) -> Pruned:
    """Look at the next `LOOK_ROWS` rows of a sweep and remove those that nobody needs.

    Parameters
    ----------
    connection : Connection
        Inside a transaction that writes.
    before_ns : int
        Only what is older may go.
    mark : Mark
        Where the sweep stands; `Mark()` begins one. Superseded revisions go first, then picks that
        are in no event any more, then gaps, then fibers' picks (their events hold those that they need).
    """
    if mark.table == tables.event.name:
        return _prune_revisions(connection, before_ns, mark)
    if mark.table == tables.pick.name:
        return _prune_picks(connection, before_ns, mark)
    if mark.table == tables.gap.name:
        return _prune_gaps(connection, before_ns, mark)
    return _prune_fiber_picks(connection, before_ns, mark)


def _prune_revisions(connection: Connection, before_ns: int, mark: Mark) -> Pruned:
    """Remove the superseded revisions of events that will not change any more."""
    event_ids, behind = _look(connection, tables.event, tables.event.c.event_id, before_ns, mark)
    rows = 0
    for table in (tables.arrival, tables.magnitude, tables.event_revision):
        columns = table.c
        superseded = columns.revision < _last_revision(columns.event_id)
        waits = exists(_outbox_of(KIND_EVENT, columns.event_id, columns.revision))
        query = delete(table).where(columns.event_id.in_(event_ids), superseded, ~waits)
        rows = connection.execute(query).rowcount
    return Pruned(mark.table, rows, behind or Mark(tables.pick.name))


def _prune_picks(connection: Connection, before_ns: int, mark: Mark) -> Pruned:
    """Remove the picks that are in no event."""
    pick_id = tables.pick.c.pick_id
    pick_ids, behind = _look(connection, tables.pick, pick_id, before_ns, mark)
    unneeded = ~exists(_uses_of(pick_id)) & ~exists(_outbox_of(KIND_PICK, pick_id))
    rows = connection.execute(delete(tables.pick).where(pick_id.in_(pick_ids), unneeded)).rowcount
    return Pruned(mark.table, rows, behind or Mark(tables.gap.name))


def _prune_gaps(connection: Connection, before_ns: int, mark: Mark) -> Pruned:
    """Remove gaps; those that began in one instant go together."""
    start_ns = tables.gap.c.start_ns
    old = select(start_ns).where(start_ns < before_ns).order_by(start_ns)
    last_ns = connection.execute(old.offset(LOOK_ROWS - 1).limit(1)).scalar()
    condition = start_ns < before_ns if last_ns is None else start_ns <= last_ns
    rows = connection.execute(delete(tables.gap).where(condition)).rowcount
    return Pruned(mark.table, rows, Mark(tables.fiber_picks.name) if last_ns is None else mark)


def _prune_fiber_picks(connection: Connection, before_ns: int, mark: Mark) -> Pruned:
    """Remove batches of fibers' picks that have been told."""
    columns = tables.fiber_picks.c
    told = ~exists(_outbox_of(KIND_FIBER_PICKS, columns.batch_id))
    some = select(columns.batch_id).where(columns.end_ns < before_ns, told).limit(LOOK_ROWS)
    rows = connection.execute(delete(tables.fiber_picks).where(columns.batch_id.in_(some))).rowcount
    return Pruned(mark.table, rows, mark if rows == LOOK_ROWS else None)


def _look(
    connection: Connection, table: Table, key: Any, before_ns: int, mark: Mark
) -> tuple[list[str], Mark | None]:
    """The keys of the next old rows, and the mark behind them: what stays is not looked at again."""
    time_ns = table.c.time_ns
    behind = tuple_(time_ns, key) > tuple_(mark.time_ns, mark.key)
    query = select(time_ns, key).where(time_ns >= mark.time_ns, time_ns < before_ns, behind)
    found = connection.execute(query.order_by(time_ns, key).limit(LOOK_ROWS)).all()
    more = Mark(mark.table, *found[-1]) if len(found) == LOOK_ROWS else None
    return [name for _, name in found], more


def _last_revision(event_id: Any) -> ScalarSelect[Any]:
    """The last revision of an event; NULL, than which nothing is older, while it is open."""
    event = tables.event.c
    last = select(event.revision).where(event.event_id == event_id, event.status.not_in(_OPEN))
    return last.scalar_subquery()


def _uses_of(pick_id: Any) -> Select[Any]:
    """Arrivals needing a pick: of open events, of last revisions not given up, of what waits to be told."""
    arrival, event = tables.arrival.c, tables.event.c
    is_last = (event.revision == arrival.revision) & event.status.not_in(_GIVEN_UP)
    joined = tables.arrival.join(tables.event, event.event_id == arrival.event_id)
    waits = exists(_outbox_of(KIND_EVENT, arrival.event_id, arrival.revision))
    needed = is_last | event.status.in_(_OPEN) | waits
    return select(arrival.pick_id).select_from(joined).where(arrival.pick_id == pick_id, needed)


def _outbox_of(kind: str, item_id: Any, revision: Any = None) -> Select[Any]:
    outbox = tables.outbox.c
    query = select(outbox.position).where(outbox.kind == kind, outbox.item_id == item_id)
    return query if revision is None else query.where(outbox.revision == revision)
