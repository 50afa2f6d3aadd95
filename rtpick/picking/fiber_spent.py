"""Where the time of a picker goes: measured, never used."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

REMEMBERED_DELAYS = 10_000


class Spent:
    """Nanoseconds by stage, and how long the last tiles took from complete to told.

    Parameters
    ----------
    clock : callable
        Nanoseconds.

    Examples
    --------
    >>> times = iter([5, 8])
    >>> spent = Spent(lambda: next(times))
    >>> with spent.on("cut"):
    ...     pass
    >>> spent.by_stage_ns
    {'cut': 3}
    """

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self.by_stage_ns: dict[str, int] = {}
        self.tiles = 0
        self.delays_ns: deque[int] = deque(maxlen=REMEMBERED_DELAYS)

    @contextmanager
    def on(self, stage: str) -> Iterator[None]:
        """Count what happens inside towards a stage."""
        began_ns = self._clock()
        try:
            yield
        finally:
            took_ns = self._clock() - began_ns
            self.by_stage_ns[stage] = self.by_stage_ns.get(stage, 0) + took_ns

    def note_delays(self, since_ns: Iterable[int]) -> None:
        """Note tiles that are done; each was complete at its time."""
        now_ns = self._clock()
        for began_ns in since_ns:
            self.tiles += 1
            self.delays_ns.append(now_ns - began_ns)
