"""The main thread's life: start the workers, watch their beats, stop in order, exit honestly."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rtpick.runtime.clock import monotonic_s
from rtpick.runtime.signals import SignalFlags
from rtpick.runtime.systemd import Notifier
from rtpick.runtime.worker import Worker
from rtpick.vocabulary.errors import WorkerError


@dataclass(frozen=True, slots=True)
class Hooks:
    """What the supervisor calls back, always from the main thread."""

    on_tick: Callable[[], str]
    on_reload: Callable[[], None]
    on_stall: Callable[[Worker], None]


class Supervisor:
    """Keep workers running until they are done, one of them fails, or a stop is asked for.

    Parameters
    ----------
    workers : sequence of Worker
        In the order in which data flow. A stop is told to all of them; each ends once the one before
        it has ended and what that left is drained.
    attendants : sequence of Worker
        Watched likewise, but they have no end of their own: they are stopped last.
    worker_timeout_s : float
        A worker whose last beat is older is taken to hang; the watchdog is not fed then.
    drain_timeout_s : float
        How long the workers together may take to finish after a stop.
    """

    def __init__(
        self,
        workers: Sequence[Worker],
        notifier: Notifier,
        hooks: Hooks,
        *,
        attendants: Sequence[Worker] = (),
        worker_timeout_s: float,
        drain_timeout_s: float = 60.0,
        tick_s: float = 1.0,
    ) -> None:
        self._workers = workers
        self._attendants = attendants
        self._everyone = (*workers, *attendants)
        self._notifier = notifier
        self._hooks = hooks
        self._worker_timeout_s = worker_timeout_s
        self._drain_timeout_s = drain_timeout_s
        self._tick_s = min(tick_s, (notifier.watchdog_s or tick_s * 2) / 2)
        self._stalled: set[str] = set()

    def run(self) -> None:
        """Run until the end.

        Raises
        ------
        WorkerError
            If a worker failed or did not finish in time.
        """
        with SignalFlags() as flags:
            for worker in self._everyone:
                worker.start()
            self._notifier.ready()
            self._watch(flags)
            self._notifier.stopping()
            self._shut_down()

    def _watch(self, flags: SignalFlags) -> None:
        while not flags.stop_requested and self._working():
            if flags.take_reload():
                self._reload()
            self._tick()
            flags.wake.wait(self._tick_s)
            flags.wake.clear()

    def _working(self) -> bool:
        failed = any(worker.failure for worker in self._everyone)
        return not failed and any(worker.alive for worker in self._workers)

    def _reload(self) -> None:
        self._notifier.reloading(int(monotonic_s() * 1e6))
        self._hooks.on_reload()
        self._notifier.ready()

    def _tick(self) -> None:
        self._feed_watchdog()
        self._notifier.status(self._hooks.on_tick())

    def _feed_watchdog(self) -> None:
        """Feed it only while every worker that runs beats."""
        stale = [w for w in self._everyone if w.alive and w.beat_age_s > self._worker_timeout_s]
        for worker in stale:
            if worker.name not in self._stalled:
                self._hooks.on_stall(worker)
        self._stalled = {worker.name for worker in stale}
        if not stale:
            self._notifier.alive()

    def _shut_down(self) -> None:
        deadline_s = monotonic_s() + self._drain_timeout_s
        for worker in self._workers:
            worker.stop()
        try:
            for worker in self._workers:
                self._await_end(worker, deadline_s)
        finally:
            for worker in self._attendants:
                worker.stop()
        self._report_failures()

    def _await_end(self, worker: Worker, deadline_s: float) -> None:
        while not worker.join(self._tick_s):
            self._feed_watchdog()
            if monotonic_s() > deadline_s:
                raise WorkerError(
                    f"worker {worker.name!r} did not finish within {self._drain_timeout_s:g} s; "
                    "what it had not committed is asked for again at the next start"
                )

    def _report_failures(self) -> None:
        failed = [worker for worker in self._everyone if worker.failure]
        if failed:
            names = ", ".join(worker.name for worker in failed)
            raise WorkerError(f"worker {names} failed: {failed[0].failure!r}") from failed[0].failure
