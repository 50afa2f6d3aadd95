"""One client of the SeedLink server: reads command lines, sends replies and records.

Each connection has its own reading place and its own bounded buffer, so a slow client waits for
nobody and nobody waits for it.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from rtpick.ingest.seedlink_server_commands import respond
from rtpick.ingest.seedlink_server_cursor import Cursor
from rtpick.ingest.seedlink_server_dialogue import Close, Dialogue, Say, SendInfo, ServerFacts, Stream
from rtpick.ingest.seedlink_server_frames import END
from rtpick.ingest.seedlink_server_info import ClientFacts
from rtpick.ingest.seedlink_server_lines import LineSplitter
from rtpick.ingest.seedlink_server_ring import Ring

_READ_BYTES = 4096
_BATCH_BYTES = 65_536
_BUFFER_BYTES = 262_144


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """How long a client may do nothing, and how many there may be."""

    write_timeout_s: float = 10.0
    handshake_timeout_s: float = 600.0
    maximum_clients: int = 256


class House(Protocol):
    """What a connection sees of its server."""

    facts: ServerFacts
    ring: Ring
    limits: ConnectionLimits

    @property
    def news(self) -> asyncio.Event:
        """Set when the ring or the state of the replay changes; a new one each time."""

    @property
    def flowing(self) -> asyncio.Event:
        """Set while records are sent at all."""

    @property
    def nothing_follows(self) -> bool:
        """Whether there will be no further record."""

    def answer_info(self, request: SendInfo, connection: Connection) -> bytes:
        """The packets that answer an INFO."""


class Connection:
    """The life of one client, from HELLO to END."""

    def __init__(
        self, house: House, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connected_ns: int
    ) -> None:
        self._house = house
        self._reader = reader
        self._writer = writer
        self._connected_ns = connected_ns
        self._sender: asyncio.Task[None] | None = None
        self.dialogue = Dialogue()
        self.cursor: Cursor | None = None
        writer.transport.set_write_buffer_limits(high=_BUFFER_BYTES)

    @property
    def facts(self) -> ClientFacts:
        """The connection as INFO tells it."""
        host, port = (self._writer.get_extra_info("peername") or ("", 0))[:2]
        sent = self.cursor.sent if self.cursor else 0
        version, client = self.dialogue.version, self.dialogue.client
        return ClientFacts(str(host), int(port), version, client, self._connected_ns, sent)

    async def run(self) -> None:
        """Serve the client until it or the server ends the connection."""
        try:
            await self._converse()
        except (OSError, TimeoutError):
            self.abort()
        finally:
            await self._leave()

    def abort(self) -> None:
        """Cut the connection at once, whatever is still to be sent."""
        self._writer.transport.abort()

    def break_off(self, *, mid_record: bool) -> None:
        """End the connection; with `mid_record` behind the first half of the next record."""
        if self._sender is not None:
            self._sender.cancel()
        frames = self.cursor.take(1) if mid_record and self.cursor else []
        for frame in frames:
            self._writer.write(frame[: len(frame) // 2])
        self._writer.close()

    async def _converse(self) -> None:
        lines = LineSplitter()
        while data := await self._receive():
            try:
                commands = lines.feed(data)
            except ValueError as error:
                await self._send(f"ERROR LIMIT {error}\r\n".encode())
                return
            for command in commands:
                if not await self._obey(command):
                    return

    async def _receive(self) -> bytes:
        patience_s = None if self.dialogue.streaming else self._house.limits.handshake_timeout_s
        async with asyncio.timeout(patience_s):
            return await self._reader.read(_READ_BYTES)

    async def _obey(self, line: str) -> bool:
        self.dialogue, actions = respond(self.dialogue, line, self._house.facts)
        for action in actions:
            match action:
                case Say(data):
                    await self._send(data)
                case SendInfo():
                    await self._send(self._house.answer_info(action, self))
                case Stream():
                    self._begin_to_stream()
                case Close():
                    return False
        return True

    def _begin_to_stream(self) -> None:
        self.cursor = Cursor(self._house.ring, self.dialogue.requests, self.dialogue.version)
        self._sender = asyncio.create_task(self._stream(self.cursor))

    async def _stream(self, cursor: Cursor) -> None:
        try:
            await self._send_records(cursor)
            await self._send(END)
            self._writer.close()
        except (OSError, TimeoutError):
            self.abort()

    async def _send_records(self, cursor: Cursor) -> None:
        """Send until everything asked for has been sent; what there is goes out at once."""
        while True:
            news = self._house.news
            await self._house.flowing.wait()
            frames = cursor.take(_BATCH_BYTES)
            if frames:
                await self._send(b"".join(frames))
            if cursor.is_finished(nothing_follows=self._house.nothing_follows):
                return
            if cursor.is_level:
                await news.wait()
            else:
                await asyncio.sleep(0)

    async def _send(self, data: bytes) -> None:
        self._writer.write(data)
        async with asyncio.timeout(self._house.limits.write_timeout_s):
            await self._writer.drain()

    async def _leave(self) -> None:
        """Close the socket; an error of the sender that is no matter of the network goes on."""
        self._writer.close()
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(self._house.limits.write_timeout_s):
                await self._writer.wait_closed()
        self.abort()
        if self._sender is not None:
            self._sender.cancel()
            await asyncio.wait([self._sender])
            if not self._sender.cancelled():
                self._sender.result()
