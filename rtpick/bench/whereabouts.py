"""Where the time of each worker goes: its stack, looked at some hundred times a second.

Looking costs the workers nothing but a moment of the interpreter's lock; no part is wrapped or slowed.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from rtpick.runtime.worker import Worker

PERIOD_S = 0.05
WAITING = "waiting"
WORKERS = {
    "rtpick.bench.feed": "ingest",
    "rtpick.daemon.pick_worker": "pick",
    "rtpick.daemon.archive_worker": "archive",
}
PARTS = {
    "rtpick.ingest.miniseed": "decode",
    "rtpick.ingest.sanitise": "sanitise",
    "rtpick.buffer": "buffer",
    "rtpick.networks.preprocess": "normalise",
    "rtpick.networks": "network",
    "rtpick.picking.engine": "network",
    "rtpick.picking.engine_openvino": "network",
    "rtpick.picking.engine_torch": "network",
    "rtpick.picking.stitch": "stitch",
    "rtpick.picking.trigger": "trigger",
    "rtpick.picking.life": "trigger",
    "rtpick.picking.lane": "stitch",
    "rtpick.picking.features": "features",
    "rtpick.picking.report": "features",
    "rtpick.picking": "picker",
    "rtpick.archive": "archive",
    "rtpick.publish": "publish",
    "rtpick.runtime": "links",
    "rtpick.daemon": "links",
    "rtpick.telemetry": "metrics",
    "rtpick.bench": "links",
}


class Whereabouts:
    """How often each worker was seen in each part."""

    def __init__(self) -> None:
        self._seen: Counter[tuple[str, str]] = Counter()

    def look(self) -> None:
        """Note where every worker is now."""
        for frame in sys._current_frames().values():
            place = locate(frame)
            if place is not None:
                self._seen[place] += 1

    def watch(self, worker: Worker) -> None:
        """Look again and again until told to stop."""
        while not worker.stopping:
            worker.pause(PERIOD_S)
            self.look()

    def shares(self, name: str) -> dict[str, float]:
        """Fractions of a worker's time, largest first."""
        parts = Counter({part: count for (worker, part), count in self._seen.items() if worker == name})
        return {part: count / parts.total() for part, count in parts.most_common()}


@contextmanager
def watch_workers() -> Iterator[Whereabouts]:
    """Watch from a thread of its own meanwhile."""
    whereabouts = Whereabouts()
    worker = Worker("whereabouts", whereabouts.watch)
    worker.start()
    try:
        yield whereabouts
    finally:
        worker.stop()
        worker.join(1.0)


def locate(frame: FrameType) -> tuple[str, str] | None:
    """Name the worker whose stack this is and the part that it is in; None for any other thread."""
    modules = list(_modules(frame))
    worker = next((WORKERS[name] for name in reversed(modules) if name in WORKERS), None)
    if worker is None:
        return None
    if modules[0] == "threading":
        return worker, WAITING
    return worker, next((part for part in map(_part, modules) if part), "other")


def _modules(frame: FrameType | None) -> Iterator[str]:
    """Names of the modules on a stack, innermost first."""
    while frame is not None:
        yield frame.f_globals.get("__name__", "")
        frame = frame.f_back


def _part(module: str) -> str | None:
    """The part that a module, or the package it lies in, belongs to."""
    while module:
        if module in PARTS:
            return PARTS[module]
        module = module.rpartition(".")[0]
    return None
