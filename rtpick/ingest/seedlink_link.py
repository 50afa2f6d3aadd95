"""One connection to a SeedLink server: command lines out, answers and frames in."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

from seedlink_client.mseed import extract_info_text
from seedlink_client.protocol import (
    Protocol,
    SeedLinkError,
    SeedLinkResponse,
    parse_info_xml,
    parse_reply,
)

from rtpick.ingest.seedlink_frames import ErrorFrame, Frame, InfoFrame
from rtpick.ingest.seedlink_framing import frame_reader
from rtpick.settings.schema import SeedLinkSettings
from rtpick.vocabulary.errors import AuthenticationError, SourceError

_READ_BYTES = 1 << 17
_READER_LIMIT_BYTES = 1 << 17
_ANSWER_LIMIT_BYTES = 64 << 20  # of one INFO: ten thousand stations with their streams take 10 MB
_WANTS_CREDENTIALS = ("AUTH", "UNAUTHORIZED")

_Result = TypeVar("_Result")


class Link:
    """An open connection. Every wait has an end: `timeout_s` for an answer, the caller's for records."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: str, timeout_s: float
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._timeout_s = timeout_s
        self.peer = peer
        self.is_closed = False
        self.use(Protocol.V3)

    def use(self, protocol: Protocol) -> None:
        """Read what comes by the grammar of that version."""
        self.protocol = protocol
        self._frames = frame_reader(protocol)

    async def say(self, command: str) -> None:
        """Send a command line; no answer is waited for."""
        self._writer.write(command.encode("ascii") + b"\r\n")
        await self._within(self._writer.drain())

    async def ask(self, command: str) -> SeedLinkResponse:
        """Send a command line and read the one line that answers it."""
        await self.say(command)
        return parse_reply(await self.read_line())

    async def read_line(self) -> str:
        """Read one line of an answer."""
        try:
            line = await self._within(self._reader.readuntil(b"\r\n"))
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            raise SourceError(f"{self.peer} closed the connection or sent no SeedLink answer") from error
        return line.decode("ascii", "replace").removesuffix("\r\n")

    async def receive(self, patience_s: float) -> list[Frame] | None:
        """Wait for bytes and give the frames they complete; None where nothing came in time.

        Raises
        ------
        SourceError
            If the connection broke. A regular close sets `is_closed`.
        """
        try:
            async with asyncio.timeout(patience_s):
                data = await self._reader.read(_READ_BYTES)
        except TimeoutError:
            return None
        except OSError as error:
            raise SourceError(f"the connection to {self.peer} broke: {error}") from error
        if data:
            return self._frames.feed(data)
        self.is_closed = True
        return self._frames.finish()

    async def info(self, item: str) -> dict[str, Any] | None:
        """Ask ``INFO item`` before streaming; None where the server does not tell it."""
        await self.say(f"INFO {item}")
        parts: list[InfoFrame] = []
        while not (parts and parts[-1].is_last):
            frames = await self.receive(self._timeout_s)
            if frames is None or self.is_closed:
                raise SourceError(f"{self.peer} does not answer INFO {item}")
            if any(isinstance(frame, ErrorFrame) for frame in frames):
                return None
            parts += [frame for frame in frames if isinstance(frame, InfoFrame)]
            if sum(len(part.payload) for part in parts) > _ANSWER_LIMIT_BYTES:
                raise SourceError(f"{self.peer} answers INFO {item} without end: check the server")
        return None if parts[-1].is_error else _read_info(parts, f"{self.peer} answers INFO {item}")

    async def _within(self, work: Awaitable[_Result]) -> _Result:
        """Wait for an answer as long as is right."""
        try:
            async with asyncio.timeout(self._timeout_s):
                return await work
        except TimeoutError as error:
            raise SourceError(f"no answer from {self.peer} within {self._timeout_s:g} s") from error
        except OSError as error:
            raise SourceError(f"the connection to {self.peer} broke: {error}") from error


def refusal(response: SeedLinkResponse, peer: str, command: str) -> SourceError:
    """The error for a refused command; one of authentication where credentials are what is wrong."""
    text = " ".join(filter(None, (response.code, response.message))) or "no reason given"
    detail = f"{peer} refuses {command}: {text}"
    if command == "AUTH" or text.split()[0] in _WANTS_CREDENTIALS:
        return AuthenticationError(f"{detail}; check username, password_file or token_file of this source")
    return SourceError(detail)


@asynccontextmanager
async def open_link(settings: SeedLinkSettings) -> AsyncIterator[Link]:
    """Open the connection, by TLS if so set, and close it in the end.

    Raises
    ------
    SourceError
        If nobody answers there, or the certificate is not to be trusted.
    """
    peer = f"{settings.host}:{settings.port}"
    context = _tls_context(settings)
    try:
        async with asyncio.timeout(settings.connect_timeout_s):
            reader, writer = await asyncio.open_connection(
                settings.host, settings.port, ssl=context, limit=_READER_LIMIT_BYTES
            )
    except ssl.SSLCertVerificationError as error:
        detail = f"{peer} shows a certificate that is not trusted ({error.verify_message})"
        raise SourceError(f"{detail}; name its authority in ca_file") from error
    except TimeoutError as error:
        raise SourceError(f"{peer} does not answer within {settings.connect_timeout_s:g} s") from error
    except OSError as error:
        raise SourceError(f"{peer} cannot be reached: {error}") from error
    _watch_over(writer)
    try:
        yield Link(reader, writer, peer, settings.connect_timeout_s)
    finally:
        writer.close()
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(1.0):
                await writer.wait_closed()


def _tls_context(settings: SeedLinkSettings) -> ssl.SSLContext | None:
    """Trust the system's authorities, or the one of `ca_file`; None for a plain connection."""
    if not settings.tls:
        return None
    try:
        return ssl.create_default_context(cafile=settings.ca_file)
    except OSError as error:
        raise SourceError(f"ca_file {settings.ca_file} cannot be used: {error}") from error


def _watch_over(writer: asyncio.StreamWriter) -> None:
    """Let the kernel notice a peer that is gone without a word."""
    connection = writer.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)


def _read_info(parts: list[InfoFrame], what: str) -> dict[str, Any]:
    """Put the parts of an answer together: JSON, or XML cut into records of text."""
    try:
        if parts[0].is_json:
            document = json.loads(parts[0].payload)
        else:
            document = parse_info_xml("".join(extract_info_text(part.payload) for part in parts))
    except (SeedLinkError, ValueError) as error:
        raise SourceError(f"{what} in a way that cannot be read: {error}") from error
    if not isinstance(document, dict):
        raise SourceError(f"{what} in a way that cannot be read: no object")
    return document
