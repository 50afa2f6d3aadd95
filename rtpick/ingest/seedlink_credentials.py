"""The AUTH command of a source, from files that only the daemon may read."""

from __future__ import annotations

from pathlib import Path

from rtpick.settings.schema import SeedLinkSettings
from rtpick.vocabulary.errors import AuthenticationError


def auth_command(settings: SeedLinkSettings) -> str | None:
    """Write the AUTH line; None where the source has no credentials. Never to be logged.

    Raises
    ------
    AuthenticationError
        If a file cannot be read, or what it holds cannot be sent.
    """
    if settings.token_file is not None:
        return f"AUTH JWT {_read_secret(settings.token_file, 'token_file')}"
    if settings.username is None:
        return None
    if settings.password_file is None:
        raise AuthenticationError(f"source {settings.name}: username needs a password_file beside it")
    if len(settings.username.split()) != 1 or not settings.username.isascii():
        raise AuthenticationError(f"source {settings.name}: username must be one ASCII word without blanks")
    return f"AUTH USERPASS {settings.username} {_read_secret(settings.password_file, 'password_file')}"


def _read_secret(path: Path, key: str) -> str:
    """The file's one word; the message of an error never holds it."""
    try:
        secret = path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise AuthenticationError(f"{key} {path} cannot be read: {type(error).__name__}") from None
    if len(secret.split()) != 1:
        raise AuthenticationError(f"{key} {path} must hold one word without blanks: SeedLink sends no other")
    return secret
