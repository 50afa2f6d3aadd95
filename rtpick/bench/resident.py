"""Watch how much memory the process holds while something runs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rtpick.runtime.clock import monotonic_s
from rtpick.runtime.worker import Worker

PERIOD_S = 0.1
_STATM = Path("/proc/self/statm")


class Resident:
    """Resident memory over time, bytes; `times_s` counts from the beginning."""

    def __init__(self) -> None:
        self._began_s = monotonic_s()
        self.times_s: list[float] = []
        self.bytes: list[int] = []
        self.note()

    def note(self) -> None:
        """Look once."""
        self.times_s.append(monotonic_s() - self._began_s)
        self.bytes.append(resident_bytes())

    def watch(self, worker: Worker) -> None:
        """Look again and again until told to stop."""
        while not worker.stopping:
            worker.pause(PERIOD_S)
            self.note()

    @property
    def peak_bytes(self) -> int:
        """The most that was held."""
        return max(self.bytes)

    def at(self, fraction: float) -> int:
        """What was held when `fraction` of the watch was over."""
        return self.bytes[round(fraction * (len(self.bytes) - 1))]


@contextmanager
def watch_resident() -> Iterator[Resident]:
    """Watch from a thread of its own meanwhile."""
    resident = Resident()
    worker = Worker("resident", resident.watch)
    worker.start()
    try:
        yield resident
    finally:
        worker.stop()
        worker.join(10 * PERIOD_S)
        resident.note()


def resident_bytes() -> int:
    """Memory that the process holds now; 0 where the system does not tell (no ``/proc``)."""
    if not _STATM.exists():
        return 0
    return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
