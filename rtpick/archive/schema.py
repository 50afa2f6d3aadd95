"""Brings the database's tables to the shape that this version of rtpick knows."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text

from rtpick.vocabulary.errors import ArchiveError

_SCRIPTS = Path(__file__).with_name("migrations")
# Any fixed number: two processes that open an empty PostgreSQL database take turns by it.
_MIGRATION_LOCK = 7_267_425


def migrate(connection: Connection) -> None:
    """Create the tables, or alter those of an older version, in the caller's transaction.

    Raises
    ------
    ArchiveError
        If a newer rtpick has written the database.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
    config = _config()
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise ArchiveError(
            f"the database was written by a newer rtpick ({error}); upgrade rtpick, or name another database"
        ) from error


def newest_revision() -> str | None:
    """The schema revision that this version of rtpick writes."""
    return ScriptDirectory.from_config(_config()).get_current_head()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
