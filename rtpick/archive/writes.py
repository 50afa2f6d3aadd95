"""Items to tables, inside the caller's transaction; writing the same items twice changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

from sqlalchemy import Connection, Table, bindparam, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from rtpick.archive import rows, tables
from rtpick.vocabulary.event import Event
from rtpick.vocabulary.pick import Pick, PickStatus, Rank, rank_of
from rtpick.vocabulary.waveform import Gap, Progress

KIND_PICK = "pick"
KIND_EVENT = "event"
# Below the limit of bound variables of every SQLite and PostgreSQL in use.
_IDS_A_QUERY = 500


def save_picks(connection: Connection, picks: Iterable[Pick]) -> None:
    """Keep the most decided revision of each pick, and note in the outbox what is news."""
    best = _most_decided(picks)
    known = _known_ranks(connection, list(best))
    news = [pick for pick_id, pick in best.items() if pick.rank > known.get(pick_id, (False, -1))]
    if not news:
        return
    upsert(connection, tables.pick, [rows.pick_row(pick) for pick in news])
    forget(connection, KIND_PICK, [pick.pick_id for pick in news if pick.pick_id in known])
    note(connection, KIND_PICK, [(pick.pick_id, pick.revision) for pick in news])


def _most_decided(picks: Iterable[Pick]) -> dict[str, Pick]:
    best: dict[str, Pick] = {}
    for pick in picks:
        other = best.get(pick.pick_id)
        if other is None or pick.rank > other.rank:
            best[pick.pick_id] = pick
    return best


def _known_ranks(connection: Connection, pick_ids: Sequence[str]) -> dict[str, Rank]:
    columns = tables.pick.c
    known: dict[str, Rank] = {}
    for some in _portions(pick_ids):
        query = select(columns.pick_id, columns.status, columns.revision).where(columns.pick_id.in_(some))
        found = connection.execute(query)
        known.update((pick_id, rank_of(PickStatus(status), revision)) for pick_id, status, revision in found)
    return known


def save_events(connection: Connection, events: Iterable[Event]) -> None:
    """Add the revisions that are not there yet; a revision never changes once it is written."""
    by_key = {(event.event_id, event.revision): event for event in reversed(list(events))}
    known = _known_revisions(connection, sorted({event_id for event_id, _ in by_key}))
    news = [by_key[key] for key in reversed(by_key) if key not in known]
    if not news:
        return
    _insert(connection, tables.event_revision, [rows.event_revision_row(event) for event in news])
    _insert(connection, tables.arrival, [row for event in news for row in rows.arrival_rows(event)])
    _insert(connection, tables.magnitude, [row for event in news for row in rows.magnitude_rows(event)])
    _point_to_latest(connection, news, known)
    note(connection, KIND_EVENT, [(event.event_id, event.revision) for event in news])


def _known_revisions(connection: Connection, event_ids: Sequence[str]) -> set[tuple[str, int]]:
    columns = tables.event_revision.c
    known: set[tuple[str, int]] = set()
    for some in _portions(event_ids):
        query = select(columns.event_id, columns.revision).where(columns.event_id.in_(some))
        known.update((event_id, revision) for event_id, revision in connection.execute(query))
    return known


def _point_to_latest(connection: Connection, news: Sequence[Event], known: set[tuple[str, int]]) -> None:
    highest = dict(sorted(known))
    latest = {event.event_id: event for event in sorted(news, key=lambda event: event.revision)}
    moved = [event for event in latest.values() if event.revision > highest.get(event.event_id, -1)]
    upsert(connection, tables.event, [rows.event_row(event) for event in moved])


def save_gaps(connection: Connection, gaps: Iterable[Gap]) -> None:
    """Keep each gap; one that is told again with another end replaces the former."""
    by_key = {(gap.channel, gap.start_ns): rows.gap_row(gap) for gap in gaps}
    upsert(connection, tables.gap, list(by_key.values()))


def save_progress(connection: Connection, points: Iterable[Progress]) -> None:
    """Move the resume points; the last of a station counts."""
    by_key = {(point.source, point.station): rows.progress_row(point) for point in points}
    upsert(connection, tables.progress, list(by_key.values()))


def forget_published(connection: Connection, keys: Iterable[tuple[str, str, int]]) -> None:
    """Strike kinds, names and revisions that have been told; a newer revision waiting there stays."""
    columns = tables.outbox.c
    match = (
        (columns.kind == bindparam("told_kind"))
        & (columns.item_id == bindparam("told_id"))
        & (columns.revision == bindparam("told_revision"))
    )
    names = ("told_kind", "told_id", "told_revision")
    told = [dict(zip(names, key, strict=True)) for key in keys]
    if told:
        connection.execute(delete(tables.outbox).where(match), told)


def save_places(connection: Connection, places: Mapping[str, int]) -> None:
    """Keep how far each sink has been told."""
    upsert(connection, tables.place, [{"sink": name, "position": at} for name, at in places.items()])


def note(connection: Connection, kind: str, keys: Iterable[tuple[str, int]]) -> None:
    """Put news into the outbox."""
    _insert(
        connection,
        tables.outbox,
        [{"kind": kind, "item_id": item_id, "revision": int(revision)} for item_id, revision in keys],
    )


def forget(connection: Connection, kind: str, item_ids: Sequence[str]) -> None:
    """Take what newer revisions replace out of the outbox."""
    columns = tables.outbox.c
    for some in _portions(item_ids):
        connection.execute(delete(tables.outbox).where(columns.kind == kind, columns.item_id.in_(some)))


def _insert(connection: Connection, table: Table, new: Sequence[rows.Row]) -> None:
    if new:
        connection.execute(table.insert(), list(new))


def upsert(connection: Connection, table: Table, new: Sequence[rows.Row]) -> None:
    """Write rows, over those of the same key."""
    if not new:
        return
    keys = [column.name for column in table.primary_key]
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    insert = dialect.insert(table)
    changes = {name: insert.excluded[name] for name in new[0] if name not in keys}
    connection.execute(insert.on_conflict_do_update(index_elements=keys, set_=changes), list(new))


def _portions(items: Sequence[str]) -> Iterator[list[str]]:
    remaining = iter(items)
    while some := list(islice(remaining, _IDS_A_QUERY)):
        yield some
