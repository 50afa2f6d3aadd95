"""What a database refuses, said in rtpick's words with the remedy."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from rtpick.vocabulary.errors import ArchiveError, StorageFullError

_FULL = "no room left to commit; free some space, writing goes on by itself"
_SQLITE_REMEDIES = {
    sqlite3.SQLITE_BUSY: "another process holds the database; stop it, or give this one its own file",
    sqlite3.SQLITE_LOCKED: "another connection holds the database; stop it, or give this one its own file",
    sqlite3.SQLITE_READONLY: "the file or its folder is read-only; make both writable",
    sqlite3.SQLITE_CANTOPEN: "the file cannot be opened; check that the folder exists and is writable",
    sqlite3.SQLITE_CORRUPT: "the file is damaged; restore it from a copy, or move it away to begin anew",
    sqlite3.SQLITE_NOTADB: "the file is not a SQLite database; name another file",
    sqlite3.SQLITE_IOERR: "the device failed to read or write; check the disk",
}
# A full disk can also show as a failed write of the shared-memory file beside the database.
_NEARLY_FULL_BYTES = 256 * 1024


@contextmanager
def database_errors(url: URL) -> Iterator[None]:
    """Turn SQLAlchemy's errors into the archive's own; passwords stay out of the message.

    Raises
    ------
    StorageFullError
        If there is no room; the caller tries the same items again.
    ArchiveError
        For everything else; after a lost connection the next call connects anew.
    """
    try:
        yield
    except (SQLAlchemyError, OSError) as error:
        if isinstance(error, ArchiveError):
            raise
        raise _translate(url, error) from error


def _translate(url: URL, error: SQLAlchemyError | OSError) -> ArchiveError:
    where = f"database {url.render_as_string(hide_password=True)}"
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, sqlite3.Error):
        return _translate_sqlite(where, url, cause)
    if getattr(cause, "sqlstate", None) == "53100":
        return StorageFullError(f"{where}: {_FULL}")
    if isinstance(error, PoolTimeoutError):
        return ArchiveError(f"{where}: every connection is in use; is a reader stuck?")
    return ArchiveError(f"{where}: {_first_line(cause)}; {_remedy(error)}")


def _remedy(error: Exception) -> str:
    lost = isinstance(error, DBAPIError) and (error.connection_invalidated or _is_operational(error))
    if lost:
        return "check that the server runs and can be reached; writing goes on by itself"
    return "check the address, the user's rights and the schema"


def _is_operational(error: DBAPIError) -> bool:
    return type(error).__name__ == "OperationalError"


def _translate_sqlite(where: str, url: URL, cause: sqlite3.Error) -> ArchiveError:
    code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and _nearly_full(url)):
        return StorageFullError(f"{where}: {_FULL}")
    remedy = _SQLITE_REMEDIES.get(code, "check the file")
    return ArchiveError(f"{where}: {cause}; {remedy}")


def _nearly_full(url: URL) -> bool:
    folder = Path(url.database or ".").resolve().parent
    return folder.is_dir() and shutil.disk_usage(folder).free < _NEARLY_FULL_BYTES


def _first_line(cause: BaseException | None) -> str:
    return (str(cause).strip().splitlines() or ["failed"])[0]
