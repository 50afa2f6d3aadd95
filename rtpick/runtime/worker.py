"""A named thread that beats from its own work and whose death is noticed."""

from __future__ import annotations

import threading
from collections.abc import Callable

from rtpick.runtime.clock import monotonic_s


class Worker:
    """Run one body in a thread.

    Parameters
    ----------
    name : str
        ``"pick"``; the label of its metrics.
    body : callable
        Called with the worker; returns when there is nothing more to do. It calls `beat` after
        every piece of work and looks at `stopping`.
    on_exit : callable
        Called in the thread when the body has returned or raised: close the edges here.
    """

    def __init__(
        self, name: str, body: Callable[[Worker], None], on_exit: Callable[[], None] = lambda: None
    ) -> None:
        self.name = name
        self.failure: BaseException | None = None
        self._body = body
        self._on_exit = on_exit
        self._stop = threading.Event()
        self._beat_s = monotonic_s()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._beat_s = monotonic_s()
        self._thread.start()

    def stop(self) -> None:
        """Ask the body to finish; it does so between two pieces of work."""
        self._stop.set()

    def join(self, timeout_s: float) -> bool:
        """Wait for the end; False if it did not come in time."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def beat(self) -> None:
        """Say that a piece of work was done, or that there was none to do."""
        self._beat_s = monotonic_s()

    def pause(self, seconds: float) -> None:
        """Wait, but not past a call of `stop`."""
        self._stop.wait(seconds)

    @property
    def stopping(self) -> bool:
        """Whether `stop` was called."""
        return self._stop.is_set()

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    @property
    def beat_age_s(self) -> float:
        """Seconds since the last beat."""
        return monotonic_s() - self._beat_s

    def _run(self) -> None:
        try:
            self._body(self)
        except BaseException as failure:  # the supervisor reports it and ends the process
            self.failure = failure
        finally:
            self._on_exit()
