"""What is kept of fibers, written and read inside the caller's transaction; repeating changes nothing.

A restart may tell picks again that were committed before, cut otherwise: what is there already is left out.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from sqlalchemy import Connection, select

from rtpick.archive import tables, writes
from rtpick.archive.fiber_rows import (
    FiberBatch,
    batch_row,
    event_row,
    name_batch,
    only_rows,
    progress_row,
    read_batch,
    read_event,
    read_progress,
)
from rtpick.vocabulary.event import EventStatus
from rtpick.vocabulary.fiber import FiberPicks, FiberProgress
from rtpick.vocabulary.fiber_event import FiberEvent

KIND_PICKS = "fiber_picks"
KIND_EVENT = "fiber_event"
_OPEN = (EventStatus.NEW, EventStatus.UPDATE)


def save_picks(connection: Connection, picks: Iterable[FiberPicks]) -> None:
    """Add the picks that are not there yet, a row a batch, and note them in the outbox."""
    for batch in picks:
        news = _without_known(connection, batch)
        if len(news):
            named = name_batch(news)
            connection.execute(tables.fiber_picks.insert(), [batch_row(named)])
            writes.note(connection, KIND_PICKS, [(named.batch_id, 0)])


def _without_known(connection: Connection, picks: FiberPicks) -> FiberPicks:
    if not len(picks):
        return picks
    begin_ns, end_ns = int(picks.time_ns_N.min()), int(picks.time_ns_N.max())
    there = read_picks(connection, picks.fiber, begin_ns, end_ns + 1)
    known = {key for batch in there for key in _keys(batch)}
    fresh: list[bool] = []
    for key in _keys(picks):
        fresh.append(key not in known)
        known.add(key)
    return only_rows(picks, np.array(fresh, np.bool_))


def _keys(picks: FiberPicks) -> list[tuple[int, str, int]]:
    columns = picks.channel_number_N, picks.phase_N, picks.time_ns_N
    return list(zip(*(column.tolist() for column in columns), strict=True))


def save_events(connection: Connection, events: Iterable[FiberEvent]) -> None:
    """Keep the latest revision of each event; one that is decided stays so."""
    latest = {event.event_id: event for event in sorted(events, key=_rank)}
    for event in latest.values():
        known = _known_event(connection, event.event_id)
        if known is not None and _rank(event) <= known:
            continue
        writes.upsert(connection, tables.fiber_event, [event_row(event)])
        writes.forget(connection, KIND_EVENT, [event.event_id])
        writes.note(connection, KIND_EVENT, [(event.event_id, event.revision)])


def _known_event(connection: Connection, event_id: str) -> tuple[bool, int] | None:
    columns = tables.fiber_event.c
    query = select(columns.status, columns.revision).where(columns.event_id == event_id)
    found = connection.execute(query).first()
    return None if found is None else (EventStatus(found.status) not in _OPEN, found.revision)


def _rank(event: FiberEvent) -> tuple[bool, int]:
    return event.status not in _OPEN, event.revision


def save_progress(connection: Connection, points: Iterable[FiberProgress]) -> None:
    """Move the resume points."""
    by_key = {(point.source, point.fiber): progress_row(point) for point in points}
    writes.upsert(connection, tables.fiber_progress, list(by_key.values()))


def read_picks(
    connection: Connection, fiber: str | None, since_ns: int | None, until_ns: int | None
) -> list[FiberPicks]:
    """The batches with a pick in ``[since_ns, until_ns)``, cut to it, in the order of time."""
    columns = tables.fiber_picks.c
    query = select(tables.fiber_picks).order_by(columns.begin_ns, columns.batch_id)
    if fiber is not None:
        query = query.where(columns.fiber == fiber)
    if since_ns is not None:
        query = query.where(columns.end_ns >= since_ns)
    if until_ns is not None:
        query = query.where(columns.begin_ns < until_ns)
    batches = [read_batch(row).picks for row in connection.execute(query).mappings()]
    lowest, highest = np.iinfo(np.int64).min, np.iinfo(np.int64).max
    since_ns, until_ns = since_ns if since_ns is not None else lowest, until_ns or highest
    cut = [only_rows(b, (b.time_ns_N >= since_ns) & (b.time_ns_N < until_ns)) for b in batches]
    return [batch for batch in cut if len(batch)]


def read_events(connection: Connection, fiber: str | None, since_ns: int | None) -> list[FiberEvent]:
    """The latest revision of the events since then, by origin time."""
    columns = tables.fiber_event.c
    query = select(tables.fiber_event).order_by(columns.origin_ns, columns.event_id)
    if fiber is not None:
        query = query.where(columns.fiber == fiber)
    if since_ns is not None:
        query = query.where(columns.origin_ns >= since_ns)
    return [read_event(row) for row in connection.execute(query).mappings()]


def read_points(connection: Connection) -> list[FiberProgress]:
    """Every resume point."""
    query = select(tables.fiber_progress).order_by(*tables.fiber_progress.primary_key)
    return [read_progress(row) for row in connection.execute(query).mappings()]


def waiting_batches(connection: Connection, keys: Any) -> dict[tuple[str, int], FiberBatch]:
    """The batches that a part of the outbox names."""
    table = tables.fiber_picks
    query = select(table).join(keys, table.c.batch_id == keys.c.item_id).where(keys.c.kind == KIND_PICKS)
    found = [read_batch(row) for row in connection.execute(query).mappings()]
    return {(batch.batch_id, 0): batch for batch in found}


def waiting_events(connection: Connection, keys: Any) -> dict[tuple[str, int], FiberEvent]:
    """The events that a part of the outbox names."""
    table = tables.fiber_event
    query = select(table).join(keys, table.c.event_id == keys.c.item_id).where(keys.c.kind == KIND_EVENT)
    found = [read_event(row) for row in connection.execute(query).mappings()]
    return {(event.event_id, event.revision): event for event in found}


