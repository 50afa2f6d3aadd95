"""The life of a subscription: what arrives is handed on, a dead publisher is noticed, and tried anew.

A SUB socket never learns that its publisher is gone: that no message comes is all there is to see.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from random import Random
from typing import Protocol

import zmq

from rtpick.ingest.seedlink_watchdog import Backoff
from rtpick.ingest.source_status import LinkTeller, SourceState, SourceStatus
from rtpick.ingest.zeromq_inbox import Received
from rtpick.ingest.zeromq_link import ZeroMqLink
from rtpick.vocabulary.errors import AuthenticationError, SourceError
from rtpick.vocabulary.time import NS_PER_S, to_ns

TICK_S = 0.5
_HANDSHAKE_FAILED = {zmq.Event.HANDSHAKE_FAILED_NO_DETAIL, zmq.Event.HANDSHAKE_FAILED_PROTOCOL}


class Receiver(Protocol):
    """Who makes something of the messages."""

    async def take(self, message: list[bytes], received_ns: int) -> bool:
        """Deal with a message; true where the stream has ended and nothing more is wanted."""

    async def pause(self) -> None:
        """Nothing has come for too long, or the listening ends: give out what waits."""

    @property
    def silent_limit_s(self) -> float:
        """How long no message may come."""


class Listener:
    """What outlives a socket: the state told last, and when a message came.

    Parameters
    ----------
    name, address : str
        Of the source, for what is told.
    open_link : callable
        Opens the socket; is given the clock.
    receiver : Receiver
    tell : coroutine function
        Takes changes of state.
    clock : callable
        Wall time in nanoseconds.
    """

    def __init__(
        self,
        name: str,
        address: str,
        open_link: Callable[[Callable[[], int]], AbstractAsyncContextManager[ZeroMqLink]],
        receiver: Receiver,
        tell: Callable[[SourceStatus], Awaitable[None]],
        clock: Callable[[], int],
    ) -> None:
        self._address = address
        self._open_link = open_link
        self._receiver = receiver
        self._tell = tell
        self._clock = clock
        self._teller = LinkTeller(name)
        self._heard_ns = 0
        self.was_heard = False

    async def run(self, backoff: Backoff) -> None:
        """Listen until cancelled or the stream has ended, through every outage.

        Raises
        ------
        AuthenticationError
            If keys are what is wrong; told as FAILED before.
        """
        await self.tell_link(SourceState.CONNECTING, self._address)
        try:
            while not await self._attempt():
                if self.was_heard:
                    backoff.reset()
                await asyncio.sleep(backoff.next_s())
        finally:
            await self._receiver.pause()

    async def _attempt(self) -> bool:
        try:
            return await self._listen_once()
        except AuthenticationError as error:
            await self.tell_link(SourceState.FAILED, str(error))
            raise
        except SourceError as error:
            await self.tell_link(SourceState.DISCONNECTED, str(error))
            return False

    async def _listen_once(self) -> bool:
        """Open a socket and take what comes; true for the end, false where it is to be opened anew."""
        self.was_heard = False
        self._heard_ns = self._clock()
        async with self._open_link(self._clock) as link:
            while True:
                message = await link.receive(TICK_S)
                if message is not None:
                    if await self._hand_on(message):
                        return True
                    # What lies ready is given without waiting: let others have their turn.
                    await asyncio.sleep(0)
                elif await self._look_around(link):
                    return False

    async def _hand_on(self, message: Received) -> bool:
        self.was_heard = True
        if self._teller.state is not SourceState.CONNECTED:
            await self.tell_link(SourceState.CONNECTED, f"messages come from {self._address}")
        has_ended = await self._receiver.take(message.frames, message.at_ns)
        self._heard_ns = self._clock()  # while nobody took them nothing could be heard
        return has_ended

    async def _look_around(self, link: ZeroMqLink) -> bool:
        """Tell what the connection does; true where nothing has come for too long."""
        for event in await link.events():
            await self._tell_event(event)
        limit_s = self._receiver.silent_limit_s
        if self._clock() - self._heard_ns <= to_ns(limit_s):
            return False
        await self._receiver.pause()
        if self._teller.state is SourceState.CONNECTED:
            detail = f"no message for {limit_s:g} s: connecting anew"
            await self.tell_link(SourceState.SILENT, detail)
        elif self._teller.state is SourceState.CONNECTING:
            await self.tell_link(SourceState.DISCONNECTED, f"nobody answers at {self._address}; trying on")
        return True

    async def _tell_event(self, event: zmq.Event) -> None:
        if event is zmq.Event.HANDSHAKE_SUCCEEDED and self._teller.state is not SourceState.SILENT:
            await self.tell_link(SourceState.CONNECTED, self._address)
        elif event is zmq.Event.DISCONNECTED:
            await self.tell_link(SourceState.DISCONNECTED, f"{self._address} closed the connection")
        elif event in _HANDSHAKE_FAILED:
            detail = (
                f"{self._address} does not answer as ZeroMQ, or has another key: check curve_server_key_file"
            )
            await self.tell_link(SourceState.DISCONNECTED, detail)

    async def tell_link(self, state: SourceState, detail: str) -> None:
        """Tell a change of the link's state; the same again is not told."""
        status = self._teller.change(state, detail, self._clock())
        if status is not None:
            await self._tell(status)


def backoff_of(minimum_s: float, maximum_s: float, random: Random) -> Backoff:
    """Waiting times between two sockets."""
    return Backoff(minimum_s, max(minimum_s, maximum_s), random)


def silence_s(block_ns: int, blocks: float, minimum_s: float) -> float:
    """How long a stream of blocks may be silent.

    Examples
    --------
    >>> silence_s(1_000_000_000, 5.0, 2.0), silence_s(100_000_000, 5.0, 2.0)
    (5.0, 2.0)
    """
    return max(minimum_s, blocks * block_ns / NS_PER_S)
