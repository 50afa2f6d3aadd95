"""Compiling arithmetic on numbers and arrays to machine code.

Machine code is kept in NUMBA_CACHE_DIR or beside the sources, under a fingerprint of the room's
sources: a kernel inlines others from other files, and must not outlive a change in any of them.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compile a function at its first call; other threads go on while it runs."""
    return _compile(function, nogil=True)


def compiled_brief(function: Function) -> Function:
    """Compile a function that takes microseconds: letting other threads in would take longer than it does."""
    return _compile(function, nogil=False)


def _compile(function: Function, *, nogil: bool) -> Function:
    config: Any = numba.config
    usual, config.CACHE_DIR = config.CACHE_DIR, str(_folder(Path(function.__code__.co_filename).parent))
    try:
        kernel: Any = numba.njit(cache=True, nogil=nogil, error_model="numpy")(function)
    except RuntimeError:  # no folder that can be written: compile at every start
        kernel = numba.njit(nogil=nogil, error_model="numpy")(function)
    finally:
        config.CACHE_DIR = usual
    return cast(Function, kernel)


@cache
def _folder(room: Path) -> Path:
    """Return the folder of the present sources' machine code; what older ones left is removed."""
    config: Any = numba.config
    place = Path(config.CACHE_DIR or room / "__pycache__")
    digest = hashlib.sha256()
    for source in sorted(room.glob("*.py")):
        digest.update(source.read_bytes())
    folder = place / f"rtpick-{room.name}-{digest.hexdigest()[:16]}"
    for older in place.glob(f"rtpick-{room.name}-*"):
        if older != folder:
            shutil.rmtree(older, ignore_errors=True)
    return folder
