"""Signals as flags: the first request to stop is polite, the second forces."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
FORCED_EXIT_STATUS = 130


class SignalFlags:
    """Catch SIGTERM, SIGINT and SIGHUP for as long as the context lasts."""

    def __init__(self) -> None:
        self.wake = threading.Event()
        self.stop_requested = False
        self._reload_requested = False
        self._previous: dict[int, object] = {}

    def __enter__(self) -> SignalFlags:
        for number in (*STOP_SIGNALS, signal.SIGHUP):
            self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def take_reload(self) -> bool:
        """Whether a reload was asked for since the last call."""
        requested, self._reload_requested = self._reload_requested, False
        return requested

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            self._reload_requested = True
        elif self.stop_requested:
            os._exit(FORCED_EXIT_STATUS)
        else:
            self.stop_requested = True
        self.wake.set()
