"""The claim to be a database's only writer: one daemon a database, and a crash gives the claim back."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Protocol

from sqlalchemy import URL, Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from rtpick.archive.atomic import storage_errors
from rtpick.vocabulary.errors import ArchiveError

# Any fixed number but that of the migrations; advisory locks are each database's own.
_WRITER_LOCK = 7_267_426
_HOLDER = text(
    "SELECT concat('session ', a.pid, ' from ', coalesce(host(a.client_addr), 'this machine')) "
    "FROM pg_locks l JOIN pg_stat_activity a USING (pid) "
    "WHERE l.locktype = 'advisory' AND l.granted AND l.objid = :key "
    "AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


class Claim(Protocol):
    """A claim that is held until it is released or the process dies."""

    def renew(self) -> None:
        """See that the claim still holds; take it again where a server has forgotten it.

        Raises
        ------
        ArchiveError
            If another process has it.
        """

    def release(self) -> None:
        """Give the claim back."""


def take_claim(engine: Engine) -> Claim:
    """Claim the database of an engine.

    Raises
    ------
    ArchiveError
        If another process has it, or the claim cannot be written down.
    """
    return FileClaim(engine.url) if engine.dialect.name == "sqlite" else ServerClaim(engine)


class FileClaim:
    """A lock on a file beside the SQLite file; the kernel drops it with the process."""

    def __init__(self, url: URL) -> None:
        database = Path(url.database or "").resolve()
        self._where = f"database {url.render_as_string(hide_password=True)}"
        self._path = database.with_name(database.name + ".lock")
        self._descriptor = self._take()

    def renew(self) -> None:
        """Take a new file where somebody has removed ours."""
        if self._descriptor < 0 or not _is_same_file(self._descriptor, self._path):
            self.release()
            self._descriptor = self._take()

    def release(self) -> None:
        """Give the claim back; the file stays, since removing it would let two hold it."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _take(self) -> int:
        with storage_errors(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = os.read(descriptor, 64).decode("ascii", "replace").strip()
                os.close(descriptor)
                raise _refusal(self._where, holder) from None
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"process {os.getpid()}\n".encode(), 0)
            return descriptor


class ServerClaim:
    """An advisory lock of a PostgreSQL session of its own; the server drops it with the connection."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._where = f"database {engine.url.render_as_string(hide_password=True)}"
        self._session = self._take()

    def renew(self) -> None:
        """Take the lock again where the session was lost, as when the server was started anew."""
        if not self._is_alive():
            self.release()
            self._session = self._take()

    def release(self) -> None:
        """End the session and with it the lock."""
        if not self._session.closed:
            self._session.invalidate()
            self._session.close()

    def _is_alive(self) -> bool:
        try:
            return not self._session.closed and bool(self._session.execute(text("SELECT true")).scalar_one())
        except DBAPIError:
            return False

    def _take(self) -> Connection:
        session = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        key = {"key": _WRITER_LOCK}
        if session.execute(text("SELECT pg_try_advisory_lock(:key)"), key).scalar_one():
            return session
        holder = session.execute(_HOLDER, key).scalar() or ""
        session.close()
        raise _refusal(self._where, holder)


def _refusal(where: str, holder: str) -> ArchiveError:
    another = f"another rtpick ({holder})" if holder else "another rtpick"
    return ArchiveError(f"{where}: {another} writes to it; stop it, or name another archive.database")


def _is_same_file(descriptor: int, path: Path) -> bool:
    """Whether the path still names the open file."""
    held = os.fstat(descriptor)
    try:
        named = path.stat()
    except FileNotFoundError:
        return False
    return (held.st_dev, held.st_ino) == (named.st_dev, named.st_ino)
