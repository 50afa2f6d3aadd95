"""Compiling the arithmetic that runs for every pick."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compile a function of numbers and arrays to machine code at its first call."""
    try:
        kernel: Any = numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    except RuntimeError:  # no folder that numba may keep its cache in: compile at every start
        kernel = numba.njit(nogil=True, error_model="numpy")(function)
    return cast(Function, kernel)
