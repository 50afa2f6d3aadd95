"""Messages that have been received and wait to be read, bounded in bytes."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import NamedTuple


class Received(NamedTuple):
    """A message and the wall time of its receipt."""

    frames: list[bytes]
    at_ns: int

    @property
    def byte_count(self) -> int:
        """What it takes."""
        return sum(map(len, self.frames))


class Inbox:
    """A queue between the socket and its reader, in one loop.

    Parameters
    ----------
    maximum_bytes : int
        More does not fit, except for a single message that is larger.

    Notes
    -----
    A socket's own mark counts messages, and must not be moved once it is connected: where it is lowered
    below what has been received unread, or raised under a sender that waits, the two sides may wait for one
    another for ever.
    """

    def __init__(self, maximum_bytes: int) -> None:
        self._maximum_bytes = maximum_bytes
        self._waiting: deque[Received] = deque()
        self._has_mail = asyncio.Event()
        self._has_room = asyncio.Event()
        self.byte_count = 0

    async def put(self, message: Received) -> None:
        """Add a message, as soon as there is room."""
        while self._waiting and self.byte_count + message.byte_count > self._maximum_bytes:
            self._has_room.clear()
            await self._has_room.wait()
        self._waiting.append(message)
        self.byte_count += message.byte_count
        self._has_mail.set()

    async def get(self, patience_s: float) -> Received | None:
        """Take the oldest message; None where none came in time."""
        if not self._waiting:
            self._has_mail.clear()
            try:
                async with asyncio.timeout(patience_s):
                    await self._has_mail.wait()
            except TimeoutError:
                return None
        message = self._waiting.popleft()
        self.byte_count -= message.byte_count
        self._has_room.set()
        return message
