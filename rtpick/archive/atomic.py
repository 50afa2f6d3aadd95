"""Files that are either as they were or complete, never half-written."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rtpick.vocabulary.errors import ArchiveError, StorageFullError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn what the file system refuses into an error that names the path and the remedy.

    Raises
    ------
    StorageFullError
        If there is no room; trying again once there is room is harmless.
    ArchiveError
        For anything else that the operating system refuses.
    """
    try:
        yield
    except OSError as error:
        if isinstance(error, ArchiveError):
            raise
        if error.errno in _FULL:
            raise StorageFullError(f"{path}: no room left on the device; free some space") from error
        raise ArchiveError(
            f"{path}: {error.strerror}; check that the folder exists and is writable"
        ) from error


def write_atomic(path: Path, content: bytes, *, flush: bool = True) -> None:
    """Write a file so that a reader, or a crash at any instant, sees the old one or the new one.

    The bytes go to a hidden neighbour, are flushed to the device, and take the name at once.

    Parameters
    ----------
    path : Path
        Its folder is made where it is missing.
    content : bytes
        The whole file.
    flush : bool
        Without it a killed process still leaves no half file, but a power cut may; for bulk whose
        reader notices damage.

    Raises
    ------
    StorageFullError
        If the device is full; the old file is untouched.
    ArchiveError
        If the folder cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> write_atomic(folder / "note.txt", b"kept")
    >>> [item.name for item in folder.iterdir()]
    ['note.txt']
    """
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, content, flush)
        if flush:
            sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Flush a folder's list of names to the device."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _replace(path: Path, content: bytes, flush: bool) -> None:
    # One writer a file, so a fixed name is enough, and what a crash leaves is overwritten later.
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("wb") as file:
            file.write(content)
            if flush:
                file.flush()
                os.fsync(file.fileno())
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise
