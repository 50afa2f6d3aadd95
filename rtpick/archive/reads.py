"""Tables to items, inside the caller's transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, RowMapping, Select, Table, and_, func, select

from rtpick.archive import fiber_store, rows, tables
from rtpick.archive.fiber_rows import FiberBatch
from rtpick.archive.writes import KIND_EVENT, KIND_PICK
from rtpick.vocabulary.event import Event, EventStatus
from rtpick.vocabulary.fiber_event import FiberEvent
from rtpick.vocabulary.pick import Pick, PickStatus
from rtpick.vocabulary.waveform import Gap, Progress

Key = tuple[str, int]
Told = Pick | Event | FiberBatch | FiberEvent


class Waiting(NamedTuple):
    """A revision in the outbox, and its position there; positions only grow."""

    position: int
    item: Told


def read_picks(
    connection: Connection, since_ns: int | None, until_ns: int | None, status: PickStatus | None
) -> list[Pick]:
    """The picks with an onset in ``[since_ns, until_ns)``, by onset."""
    query = _between(select(tables.pick), tables.pick, since_ns, until_ns)
    if status is not None:
        query = query.where(tables.pick.c.status == status.value)
    query = query.order_by(tables.pick.c.time_ns, tables.pick.c.pick_id)
    return [rows.read_pick(row) for row in connection.execute(query).mappings()]


def read_named_picks(connection: Connection, pick_ids: Sequence[str]) -> list[Pick]:
    """The picks of these names, by onset."""
    columns = tables.pick.c
    query = (
        select(tables.pick).where(columns.pick_id.in_(pick_ids)).order_by(columns.time_ns, columns.pick_id)
    )
    return [rows.read_pick(row) for row in connection.execute(query).mappings()]


def count_rows(connection: Connection) -> dict[str, int]:
    """How much the catalogue holds, by the name of what is counted; of fibers only where there are any."""
    counted = {
        "picks": tables.pick,
        "events": tables.event,
        "gaps": tables.gap,
        "resume points": tables.progress,
        "not yet published": tables.outbox,
    }
    counts = {name: _count(connection, select(func.count()).select_from(t)) for name, t in counted.items()}
    fibers = {
        "picks of fibers": _count(connection, select(func.sum(tables.fiber_picks.c.pick_count))),
        "events of fibers": _count(connection, select(func.count()).select_from(tables.fiber_event)),
    }
    return counts | {name: count for name, count in fibers.items() if count}


def _count(connection: Connection, query: Select[Any]) -> int:
    return int(connection.execute(query).scalar_one() or 0)


def read_latest_events(
    connection: Connection, since_ns: int | None, until_ns: int | None, status: EventStatus | None
) -> list[Event]:
    """The latest revision of the events with an origin in ``[since_ns, until_ns)``, by origin time."""
    table = tables.event
    keys = _between(select(table.c.event_id, table.c.revision), table, since_ns, until_ns)
    if status is not None:
        keys = keys.where(table.c.status == status.value)
    found = _read_events(connection, keys)
    return sorted(found.values(), key=lambda event: (event.origin.time_ns, event.event_id))


def read_revisions(connection: Connection, event_id: str) -> list[Event]:
    """Every revision of one event, oldest first."""
    columns = tables.event_revision.c
    keys = select(columns.event_id, columns.revision).where(columns.event_id == event_id)
    return [event for _, event in sorted(_read_events(connection, keys).items())]


def read_gaps(connection: Connection, since_ns: int | None) -> list[Gap]:
    """The gaps that begin at `since_ns` or later, by their beginning."""
    query = select(tables.gap).order_by(tables.gap.c.start_ns, *tables.gap.primary_key)
    if since_ns is not None:
        query = query.where(tables.gap.c.start_ns >= since_ns)
    return [rows.read_gap(row) for row in connection.execute(query).mappings()]


def read_progress(connection: Connection) -> list[Progress]:
    """Every resume point."""
    query = select(tables.progress).order_by(*tables.progress.primary_key)
    return [rows.read_progress(row) for row in connection.execute(query).mappings()]


def read_outbox(connection: Connection, after: int, limit: int) -> list[Waiting]:
    """What stands in the outbox behind a position, oldest first."""
    columns = tables.outbox.c
    first = select(tables.outbox).where(columns.position > after).order_by(columns.position).limit(limit)
    waiting = connection.execute(first).all()
    keys = first.subquery()
    picks = _outbox_picks(connection, keys)
    events = _read_events(
        connection,
        select(keys.c.item_id.label("event_id"), keys.c.revision).where(keys.c.kind == KIND_EVENT),
    )
    found: dict[str, dict[Key, Any]] = {
        KIND_PICK: picks,
        KIND_EVENT: events,
        fiber_store.KIND_PICKS: fiber_store.waiting_batches(connection, keys),
        fiber_store.KIND_EVENT: fiber_store.waiting_events(connection, keys),
    }
    return [Waiting(row.position, found[row.kind][row.item_id, row.revision]) for row in waiting]


def outbox_key(item: Told) -> tuple[str, str, int]:
    """How the outbox calls an item: kind, name and revision."""
    match item:
        case Pick():
            return KIND_PICK, item.pick_id, item.revision
        case Event():
            return KIND_EVENT, item.event_id, item.revision
        case FiberBatch():
            return fiber_store.KIND_PICKS, item.batch_id, 0
        case FiberEvent():
            return fiber_store.KIND_EVENT, item.event_id, item.revision


def count_outbox(connection: Connection, after: int) -> int:
    """How much stands in the outbox behind a position."""
    query = select(func.count()).select_from(tables.outbox).where(tables.outbox.c.position > after)
    return int(connection.execute(query).scalar_one())


def read_places(connection: Connection) -> dict[str, int]:
    """How far each sink has been told, as far as that was kept."""
    return {row.sink: row.position for row in connection.execute(select(tables.place))}


def _outbox_picks(connection: Connection, keys: Any) -> dict[Key, Pick]:
    same = and_(tables.pick.c.pick_id == keys.c.item_id, tables.pick.c.revision == keys.c.revision)
    query = select(tables.pick).join(keys, same).where(keys.c.kind == KIND_PICK)
    picks = [rows.read_pick(row) for row in connection.execute(query).mappings()]
    return {(pick.pick_id, pick.revision): pick for pick in picks}


def _read_events(connection: Connection, keys: Select[Any]) -> dict[Key, Event]:
    revisions = _rows_of(connection, tables.event_revision, keys)
    arrivals = _rows_of(connection, tables.arrival, keys)
    magnitudes = _rows_of(connection, tables.magnitude, keys)
    return {
        key: rows.read_event(row, arrivals.get(key, []), next(iter(magnitudes.get(key, [])), None))
        for key, (row,) in revisions.items()
    }


def _rows_of(connection: Connection, table: Table, keys: Select[Any]) -> dict[Key, list[RowMapping]]:
    wanted = keys.subquery()
    same = and_(table.c.event_id == wanted.c.event_id, table.c.revision == wanted.c.revision)
    query = select(table).join(wanted, same).order_by(*table.primary_key)
    grouped: dict[Key, list[RowMapping]] = defaultdict(list)
    for row in connection.execute(query).mappings():
        grouped[row["event_id"], row["revision"]].append(row)
    return grouped


def _between(query: Select[Any], table: Table, since_ns: int | None, until_ns: int | None) -> Select[Any]:
    if since_ns is not None:
        query = query.where(table.c.time_ns >= since_ns)
    if until_ns is not None:
        query = query.where(table.c.time_ns < until_ns)
    return query
