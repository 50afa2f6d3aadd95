"""A SeedLink server (versions 3.1 and 4.0 on one port) over a recording or over what is published.

References
----------
FDSN SeedLink 4.0, https://docs.fdsn.org/projects/seedlink
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from rtpick.ingest.archive_replay import ArchiveIndex
from rtpick.ingest.archive_scan import RawRecord, read_record
from rtpick.ingest.seedlink_server_connection import Connection, ConnectionLimits
from rtpick.ingest.seedlink_server_dialogue import SendInfo, ServerFacts
from rtpick.ingest.seedlink_server_info import InfoSource, answer_info
from rtpick.ingest.seedlink_server_replay import (
    ReplaySettings,
    due_s,
    replay_records,
    whole_second_shift_ns,
)
from rtpick.ingest.seedlink_server_ring import Ring
from rtpick.vocabulary.errors import SourceError

_YIELD_COUNT = 128  # records played between two turns of the event loop
_ROOM_WAIT_S = 0.01
_KEEPALIVE_S = 60
_DEFAULT_REPLAY, _DEFAULT_FACTS, _DEFAULT_LIMITS = ReplaySettings(), ServerFacts(), ConnectionLimits()


@dataclass(frozen=True, slots=True)
class ServerProgress:
    """How far a replay is; `fraction` of the recording's time."""

    data_time_ns: int | None
    fraction: float
    released_count: int
    sent_count: int
    client_count: int
    played: bool


def server_tls(certificate: Path, key: Path) -> ssl.SSLContext:
    """Read a server's certificate chain and key.

    Raises
    ------
    SourceError
        If they cannot be used.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(certificate, key)
    except OSError as error:
        raise SourceError(f"certificate {certificate} with key {key} cannot be used: {error}") from error
    return context


class SeedLinkServer:
    """Serves records to any number of SeedLink clients; lives in one event loop.

    Parameters
    ----------
    index : ArchiveIndex or None
        The recording to play; None serves only what `publish` is given.
    replay : ReplaySettings
        How it is played.
    clock : callable
        Wall time in nanoseconds, for what is told to clients and for a recording moved to now.
    host, port : str, int
        Where to listen; port 0 takes a free one.
    facts : ServerFacts
        Name, users and tokens.
    limits : ConnectionLimits
        Bounds for clients.
    tls : ssl.SSLContext or None
        From `server_tls`; plain text without.

    Notes
    -----
    A request for records that have left the ring begins at the oldest one still held, ``DATA ALL``
    sends all that is held, and a client that has been overtaken goes on with the oldest.
    """

    def __init__(
        self,
        index: ArchiveIndex | None = None,
        replay: ReplaySettings = _DEFAULT_REPLAY,
        *,
        clock: Callable[[], int],
        host: str = "127.0.0.1",
        port: int = 0,
        facts: ServerFacts = _DEFAULT_FACTS,
        limits: ConnectionLimits = _DEFAULT_LIMITS,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.host, self.port = host, port
        self.facts, self.limits = facts, limits
        self.ring = Ring(replay.ring_bytes)
        self.news, self.flowing = asyncio.Event(), asyncio.Event()
        self.flowing.set()
        self._index, self._replay, self._clock, self._tls = index, replay, clock, tls
        self._started_ns = clock()
        self._listener: asyncio.Server | None = None
        self._player: asyncio.Task[None] | None = None
        self._connections: dict[Connection, asyncio.Task[None]] = {}
        self._broken: asyncio.Future[None] | None = None
        self._data_time_ns: int | None = None
        self._shift_ns = self._released_count = self._sent_before = 0
        self._played = False

    async def start(self) -> None:
        """Listen, and begin to play.

        Raises
        ------
        SourceError
            If the port cannot be had.
        """
        self._broken = asyncio.get_running_loop().create_future()
        await self.listen()
        if self._index is not None:
            self._player = asyncio.create_task(self._play(self._index))

    async def serve_forever(self) -> None:
        """Serve until cancelled; an error in the replay or in a connection's code is raised."""
        assert self._broken is not None, "start() comes first"  # noqa: S101
        if self._player is not None:
            await asyncio.wait([self._player, self._broken], return_when=asyncio.FIRST_COMPLETED)
            if self._player.done():
                self._player.result()
        await asyncio.shield(self._broken)

    async def close(self) -> None:
        """Stop playing, end all connections, free the port; an error of the replay is raised."""
        if self._player is not None:
            self._player.cancel()
        await self.stop_listening()
        if self._player is not None:
            with suppress(asyncio.CancelledError):
                await self._player
        if self._broken is not None and self._broken.done():
            self._broken.result()

    async def listen(self) -> None:
        """Open the port; after `stop_listening` the same one again."""
        try:
            self._listener = await asyncio.start_server(self._accept, self.host, self.port, ssl=self._tls)
        except OSError as error:
            place = f"{self.host}:{self.port}"
            raise SourceError(f"cannot listen on {place}: {error.strerror}; choose another port") from error
        self.port = int(self._listener.sockets[0].getsockname()[1])

    async def stop_listening(self) -> None:
        """Close the port and cut every connection; the ring stays, as over a clean restart."""
        if self._listener is not None:
            self._listener.close()
        connections = dict(self._connections)
        for connection in connections:
            connection.abort()
        if connections:
            await asyncio.wait(connections.values())

    def publish(self, record: RawRecord | bytes) -> None:
        """Put a record into the ring, and so on its way to every client that wants it.

        Raises
        ------
        UnusableRecordError
            If bytes are given that are no miniSEED record with a time series.
        """
        self._release(read_record(record) if isinstance(record, bytes) else record, keep_all=False)
        self._announce()

    @property
    def nothing_follows(self) -> bool:
        """Whether clients that have everything are told END."""
        return self._played and self._replay.end

    def progress(self) -> ServerProgress:
        """How far the replay is, and who listens."""
        streaming = [item.cursor for item in self._connections if item.cursor is not None]
        return ServerProgress(
            data_time_ns=self._data_time_ns,
            fraction=1.0 if self._played else self._fraction(),
            released_count=self._released_count,
            sent_count=self._sent_before + sum(cursor.sent for cursor in streaming),
            client_count=len(streaming),
            played=self._played,
        )

    def _fraction(self) -> float:
        if self._index is None or self._data_time_ns is None:
            return 0.0
        span_ns = self._index.end_ns - self._index.start_ns
        return (self._data_time_ns - self._shift_ns - self._index.start_ns) / span_ns

    def pause(self) -> None:
        """Send no record until `resume`, as a server that has stalled; INFO is still answered."""
        self.flowing.clear()

    def resume(self) -> None:
        """Send records again."""
        self.flowing.set()

    def drop_clients(self, *, mid_record: bool = False) -> None:
        """End every connection, with `mid_record` behind the first half of a record."""
        for connection in list(self._connections):
            connection.break_off(mid_record=mid_record)

    def wipe(self, next_sequence: int = 1) -> None:
        """Lose the ring and count anew, as a restart without the ring's file does; drops clients."""
        self.drop_clients()
        self.ring.wipe(next_sequence)

    def answer_info(self, request: SendInfo, connection: Connection) -> bytes:
        """The packets that answer an INFO; connections are told to this machine only."""
        asking = connection.facts
        trusted = _is_loopback(asking.host)
        clients = tuple(item.facts for item in self._connections) if trusted else None
        source = InfoSource(self.facts, self.ring, self._started_ns, self._clock(), clients)
        return answer_info(request, asking.version, source)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._connections) >= self.limits.maximum_clients:
            writer.write(b"ERROR LIMIT too many clients\r\n")
            writer.close()
            return
        _keep_alive(writer.get_extra_info("socket"))
        connection = Connection(self, reader, writer, self._clock())
        task = asyncio.current_task()
        assert task is not None  # noqa: S101
        self._connections[connection] = task
        try:
            await connection.run()
        except Exception as error:
            self._break(error)
        finally:
            del self._connections[connection]
            self._sent_before += connection.cursor.sent if connection.cursor else 0

    def _break(self, error: Exception) -> None:
        if self._broken is not None and not self._broken.done():
            self._broken.set_exception(error)

    async def _play(self, index: ArchiveIndex) -> None:
        await self._until_somebody_listens()
        if self._replay.shift_to_now:
            self._shift_ns = whole_second_shift_ns(index.start_ns, self._clock())
        loop = asyncio.get_running_loop()
        started_s, first_ns = loop.time(), index.start_ns + self._shift_ns
        records = replay_records(index, self._shift_ns, self._replay.packet_samples)
        for number, record in enumerate(records):
            wait_s = started_s + due_s(record, first_ns, self._replay.speed) - loop.time()
            if wait_s > 0 or number % _YIELD_COUNT == 0:
                self._announce()
                await asyncio.sleep(max(0.0, wait_s))
            await self._until_room()
            self._release(record, keep_all=self._replay.speed == 0)
        self._played = True
        self._announce()

    async def _until_somebody_listens(self) -> None:
        while self._replay.wait_for_client and not any(item.cursor for item in self._connections):
            await asyncio.sleep(_ROOM_WAIT_S)

    async def _until_room(self) -> None:
        """Without a clock to follow, wait for the slowest client before the oldest records go."""
        while self._replay.speed == 0 and self.ring.is_full:
            places = [item.cursor.position for item in self._connections if item.cursor is not None]
            self.ring.release(min(places, default=0))
            if self.ring.is_full:
                self._announce()
                await asyncio.sleep(_ROOM_WAIT_S)

    def _release(self, record: RawRecord, *, keep_all: bool) -> None:
        self.ring.append(record, keep_all=keep_all)
        self._released_count += 1
        self._data_time_ns = max(self._data_time_ns or record.end_ns, record.end_ns)

    def _announce(self) -> None:
        news, self.news = self.news, asyncio.Event()
        news.set()


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _keep_alive(connection: socket.socket) -> None:
    """Let the system notice a client that has gone without a word."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_KEEPIDLE"):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _KEEPALIVE_S)
