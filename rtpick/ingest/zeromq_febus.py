"""A device that is asked for its newest block, again and again (REQ/REP); experimental."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import zmq

from rtpick.ingest.das_febus import REQUEST
from rtpick.ingest.zeromq_inbox import Received
from rtpick.ingest.zeromq_link import LinkOptions, ZeroMqLink, open_link


class PollingLink(ZeroMqLink):
    """A REQ socket that looks like a subscription: each wait for a message asks for one."""

    _is_asked = False
    _last: bytes | None = None
    interval_s = 0.1

    async def receive(self, patience_s: float) -> Received | None:
        """Ask, unless an answer is still due, and wait; None for no answer or the block before again."""
        if not self._is_asked:
            await self.send(REQUEST)
            self._is_asked = True
        reply = await super().receive(patience_s)
        if reply is None:
            return None
        self._is_asked = False
        if reply.frames[0] == self._last:
            await asyncio.sleep(self.interval_s)
            return None
        self._last = reply.frames[0]
        return reply


@asynccontextmanager
async def open_poll(
    options: LinkOptions, clock: Callable[[], int], interval_s: float
) -> AsyncIterator[ZeroMqLink]:
    """Open a REQ socket towards a device."""
    async with open_link(options, clock, zmq.REQ, PollingLink) as link:
        if isinstance(link, PollingLink):
            link.interval_s = interval_s
        yield link
