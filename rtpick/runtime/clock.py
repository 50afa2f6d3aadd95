"""The only place that looks at the wall clock."""

from __future__ import annotations

import time


def wall_ns() -> int:
    """UTC now, nanoseconds since 1970; for measuring and for judging a future time, never for deciding."""
    return time.time_ns()


def monotonic_s() -> float:
    """Seconds that never go back; for timeouts, ages and durations."""
    return time.monotonic()
