"""Connections to the catalogue's database, made to survive a kill and a power cut."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from rtpick.vocabulary.errors import ArchiveError

BUSY_TIMEOUT_S = 10
WRITES = "rtpick_writes"

# WAL: readers never wait for the writer, and a killed process leaves a log that the next one replays.
# synchronous=FULL: WAL with NORMAL survives a kill but may forget the last commits at a power cut, and
# what was told to the world must not be forgotten; it costs one flush a commit, and commits are batches.
_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    f"PRAGMA busy_timeout={BUSY_TIMEOUT_S * 1000}",
    "PRAGMA journal_size_limit=67108864",
)

# A peer that vanished without a word is noticed within half a minute.
_POSTGRESQL_ARGUMENTS = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
    "application_name": "rtpick",
}


def parse_url(text: str) -> URL:
    """Read a database URL.

    Raises
    ------
    ArchiveError
        If it is not a URL, or names a database that is neither SQLite nor PostgreSQL.

    Examples
    --------
    >>> parse_url("postgresql://rtpick@db/picks").drivername
    'postgresql+psycopg'
    """
    try:
        url = make_url(text)
    except ArgumentError:
        raise ArchiveError("the database is not a URL; write sqlite:///rtpick.sqlite") from None
    if url.drivername in ("postgresql", "postgres"):
        url = url.set(drivername="postgresql+psycopg")
    if url.drivername not in ("sqlite", "postgresql+psycopg"):
        raise ArchiveError(
            f"database {url.drivername!r} is not known; write sqlite:///FILE or postgresql://..."
        )
    if url.drivername == "sqlite" and url.database in (None, "", ":memory:"):
        raise ArchiveError("an SQLite database in memory keeps nothing; write sqlite:///rtpick.sqlite")
    return url


def connect(url: URL) -> Engine:
    """Make the pool of connections; nothing is opened yet but the folder of an SQLite file."""
    if url.drivername == "sqlite":
        return _sqlite_engine(url)
    try:
        return create_engine(url, pool_pre_ping=True, connect_args=dict(_POSTGRESQL_ARGUMENTS))
    except (ModuleNotFoundError, NoSuchModuleError) as error:
        raise ArchiveError("PostgreSQL needs its driver: pip install 'rtpick[postgresql]'") from error


def _sqlite_engine(url: URL) -> Engine:
    Path(url.database or "").parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_S})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # The driver would begin transactions by its own rules; `_begin_sqlite` says when.
    connection.isolation_level = None
    for pragma in _PRAGMAS:
        connection.execute(pragma)


def _begin_sqlite(connection: Connection) -> None:
    # A writer takes the lock at once: upgrading a reader's lock later could fail at any statement.
    writes = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
