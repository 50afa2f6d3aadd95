"""The durable truth: picks, events with all their revisions, gaps and resume points.

One process writes; any number may read. SQLite by default, PostgreSQL by URL.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Self, TypeVar

from sqlalchemy import Connection, Engine

from rtpick.archive import fiber_store, prune, reads, writes
from rtpick.archive.claim import Claim, take_claim
from rtpick.archive.connect import WRITES, connect, parse_url
from rtpick.archive.failures import database_errors
from rtpick.archive.prune import Mark, Pruned
from rtpick.archive.reads import Told, Waiting
from rtpick.archive.schema import migrate
from rtpick.vocabulary.event import Event, EventStatus
from rtpick.vocabulary.fiber import FiberPicks, FiberProgress
from rtpick.vocabulary.fiber_event import FiberEvent
from rtpick.vocabulary.pick import Pick, PickStatus
from rtpick.vocabulary.waveform import Gap, Progress

Item = Pick | Event | Progress | Gap | FiberPicks | FiberEvent | FiberProgress
Kind = TypeVar("Kind")


class Catalog:
    """An open catalogue; make one with `Catalog.open`.

    Notes
    -----
    Every method may raise StorageFullError (no room) or ArchiveError (locked, damaged, connection
    lost). Nothing is half-written then: try again with the same items as often as it takes.

    What `commit` has written stands in an outbox until `mark_published`, so that a crash between the
    two tells the world the same things again, under the same identities, rather than never. Each sink
    has its own place in the outbox; what all of them have been told is struck.
    """

    def __init__(self, engine: Engine, claim: Claim | None = None) -> None:
        self._reader = engine
        self._claim = claim
        self._writer = engine.execution_options(**{WRITES: True})

    @classmethod
    def open(cls, url: str, *, claim: bool = False) -> Self:
        """Connect and bring the tables up to date.

        Parameters
        ----------
        url : str
            ``sqlite:///FILE`` or ``postgresql://USER@HOST/DATABASE``.
        claim : bool
            Be the only writer until `close` or the end of the process.

        Raises
        ------
        ArchiveError
            If the database cannot be opened, a newer rtpick has written it, or another process has
            claimed it.

        Examples
        --------
        >>> import tempfile
        >>> with Catalog.open(f"sqlite:///{tempfile.mkdtemp()}/rtpick.sqlite") as catalog:
        ...     catalog.picks()
        []
        """
        address = parse_url(url)
        with database_errors(address):
            engine = connect(address)
            catalog = cls(engine, take_claim(engine) if claim else None)
            catalog._migrate()
        return catalog

    def commit(self, items: Sequence[Item]) -> None:
        """Write items in one transaction: on return all are on the disk, after an error none is.

        Parameters
        ----------
        items : sequence of Pick, Event, Progress, Gap, FiberPicks, FiberEvent or FiberProgress
            In the order in which they came about. Of a pick the most decided revision stays, an
            event's revision never changes once written, a resume point moves to its last value. A
            fiber's pick is kept once, of its events the latest revision.
        """
        if self._claim is not None:
            with database_errors(self._reader.url):
                self._claim.renew()
        with self._transaction(self._writer) as connection:
            writes.save_picks(connection, _only(items, Pick))
            writes.save_events(connection, _only(items, Event))
            writes.save_gaps(connection, _only(items, Gap))
            writes.save_progress(connection, _only(items, Progress))
            fiber_store.save_picks(connection, _only(items, FiberPicks))
            fiber_store.save_events(connection, _only(items, FiberEvent))
            fiber_store.save_progress(connection, _only(items, FiberProgress))

    def picks(
        self,
        since_ns: int | None = None,
        until_ns: int | None = None,
        status: PickStatus | None = None,
    ) -> list[Pick]:
        """Read the picks with an onset in ``[since_ns, until_ns)``, by onset."""
        with self._transaction(self._reader) as connection:
            return reads.read_picks(connection, since_ns, until_ns, status)

    def picks_of(self, event: Event) -> list[Pick]:
        """Read the picks that an event's arrivals name, by onset."""
        with self._transaction(self._reader) as connection:
            return reads.read_named_picks(connection, sorted(event.pick_ids))

    def events(
        self,
        since_ns: int | None = None,
        until_ns: int | None = None,
        status: EventStatus | None = None,
    ) -> list[Event]:
        """Read the latest revision of the events with an origin in ``[since_ns, until_ns)``, by time."""
        with self._transaction(self._reader) as connection:
            return reads.read_latest_events(connection, since_ns, until_ns, status)

    def revisions(self, event_id: str) -> list[Event]:
        """Read every revision of one event, oldest first."""
        with self._transaction(self._reader) as connection:
            return reads.read_revisions(connection, event_id)

    def gaps(self, since_ns: int | None = None) -> list[Gap]:
        """Read the gaps that begin at `since_ns` or later."""
        with self._transaction(self._reader) as connection:
            return reads.read_gaps(connection, since_ns)

    def progress(self) -> list[Progress]:
        """Read every resume point."""
        with self._transaction(self._reader) as connection:
            return reads.read_progress(connection)

    def fiber_picks(
        self, fiber: str | None = None, since_ns: int | None = None, until_ns: int | None = None
    ) -> list[FiberPicks]:
        """Read the picks of a fiber, or of all, in ``[since_ns, until_ns)``: batches by time."""
        with self._transaction(self._reader) as connection:
            return fiber_store.read_picks(connection, fiber, since_ns, until_ns)

    def fiber_events(self, fiber: str | None = None, since_ns: int | None = None) -> list[FiberEvent]:
        """Read the latest revision of the events of a fiber, or of all, by origin time."""
        with self._transaction(self._reader) as connection:
            return fiber_store.read_events(connection, fiber, since_ns)

    def fiber_progress(self) -> list[FiberProgress]:
        """Read how far every fiber is."""
        with self._transaction(self._reader) as connection:
            return fiber_store.read_points(connection)

    def unpublished(self, limit: int = 10_000) -> list[Told]:
        """Read what has been committed but not marked as published, oldest first, at most `limit`."""
        return [item for _, item in self.outbox(limit=limit)]

    def outbox(self, after: int = 0, limit: int = 10_000) -> list[Waiting]:
        """Read what stands in the outbox behind a position, oldest first, at most `limit`."""
        with self._transaction(self._reader) as connection:
            return reads.read_outbox(connection, after, limit)

    def count_outbox(self, after: int = 0) -> int:
        """Count what stands in the outbox behind a position."""
        with self._transaction(self._reader) as connection:
            return reads.count_outbox(connection, after)

    def places(self) -> dict[str, int]:
        """Read up to which position each sink has been told, as far as that was kept."""
        with self._transaction(self._reader) as connection:
            return reads.read_places(connection)

    def keep_places(self, places: Mapping[str, int]) -> None:
        """Note up to which position sinks have been told."""
        with self._transaction(self._writer) as connection:
            writes.save_places(connection, places)

    def mark_published(self, items: Iterable[Told]) -> None:
        """Note that these revisions have been told; newer ones of the same pick still wait."""
        with self._transaction(self._writer) as connection:
            writes.forget_published(connection, map(reads.outbox_key, items))

    def newest_settled_ns(self) -> int | None:
        """Read the event time that the station furthest ahead has settled."""
        with self._transaction(self._reader) as connection:
            return prune.newest_settled_ns(connection)

    def prune(self, before_ns: int, mark: Mark) -> Pruned:
        """Remove a few of the rows that are older and that nobody needs; a sweep is many such steps."""
        with self._transaction(self._writer) as connection:
            return prune.prune_some(connection, before_ns, mark)

    def describe(self) -> str:
        """Name the database and what it holds, in one line without secrets."""
        with self._transaction(self._reader) as connection:
            counts = reads.count_rows(connection)
        held = ", ".join(f"{count} {name}" for name, count in counts.items())
        return f"{self._reader.url.render_as_string(hide_password=True)}: {held}"

    def close(self) -> None:
        """Let go of the claim and of every connection."""
        if self._claim is not None:
            self._claim.release()
        self._reader.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _migrate(self) -> None:
        try:
            with self._writer.begin() as connection:
                migrate(connection)
        except BaseException:
            self.close()
            raise

    @contextmanager
    def _transaction(self, engine: Engine) -> Iterator[Connection]:
        with database_errors(engine.url), engine.begin() as connection:
            yield connection


def _only(items: Iterable[object], kind: type[Kind]) -> list[Kind]:
    return [item for item in items if isinstance(item, kind)]
