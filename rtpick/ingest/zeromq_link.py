"""One ZeroMQ socket that receives: bounded in bytes, watched for peers that are gone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import zmq
import zmq.asyncio
from zmq.utils.monitor import parse_monitor_message

from rtpick.ingest.zeromq_inbox import Inbox, Received
from rtpick.ingest.zeromq_keys import use_client_keys
from rtpick.vocabulary.errors import AuthenticationError, SourceError

_SOCKET_MESSAGES = 8  # in the socket itself, beside what the inbox holds
_SPARE_BYTES = 1 << 20  # of headers and containers around a block
_HEARTBEATS_MISSED = 3
_KEEPALIVE_IDLE_S = 30
_KEEPALIVE_INTERVAL_S = 10
_KEEPALIVE_COUNT = 3
_RECONNECT_MS = 200
_RECONNECT_MAXIMUM_MS = 5_000
_WATCHED = (
    zmq.Event.CONNECTED
    | zmq.Event.DISCONNECTED
    | zmq.Event.HANDSHAKE_SUCCEEDED
    | zmq.Event.HANDSHAKE_FAILED_NO_DETAIL
    | zmq.Event.HANDSHAKE_FAILED_PROTOCOL
    | zmq.Event.HANDSHAKE_FAILED_AUTH
)


@dataclass(frozen=True, slots=True)
class LinkOptions:
    """How a socket is opened.

    Parameters
    ----------
    address : str
    topics : tuple of str
        Prefixes of the first frame.
    queue_bytes : int
        What may lie received and unread.
    maximum_message_bytes : int
        A peer that sends more is cut off.
    heartbeat_s : float
        0 for none.
    curve_server_key_file, curve_key_file : Path or None
    """

    address: str
    topics: tuple[str, ...] = ("",)
    queue_bytes: int = 1 << 28
    maximum_message_bytes: int = 1 << 28
    heartbeat_s: float = 5.0
    curve_server_key_file: Path | None = None
    curve_key_file: Path | None = None


class ZeroMqLink:
    """An open socket, its inbox and its monitor; used from one loop."""

    def __init__(
        self,
        socket: zmq.asyncio.Socket,
        monitor: zmq.asyncio.Socket,
        options: LinkOptions,
        clock: Callable[[], int],
    ) -> None:
        self._socket = socket
        self._monitor = monitor
        self._options = options
        self._clock = clock
        self._inbox = Inbox(options.queue_bytes)

    def start_pump(self) -> asyncio.Task[None]:
        """Begin to receive."""
        self._pumping = asyncio.create_task(self._pump())
        return self._pumping

    async def _pump(self) -> None:
        """Move messages from the socket to the inbox, whatever their reader does meanwhile."""
        while True:
            await self._socket.poll()
            try:
                frames: list[bytes] = await self._socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                continue
            await self._inbox.put(Received(frames, self._clock()))
            # What lies ready is given without waiting: let others have their turn.
            await asyncio.sleep(0)

    async def receive(self, patience_s: float) -> Received | None:
        """Wait for one message; None where none came in time."""
        message = await self._inbox.get(patience_s)
        if message is None and self._pumping.done():
            self._pumping.result()
        return message

    async def send(self, frame: bytes) -> None:
        """Send one frame."""
        await self._socket.send(frame)

    async def events(self) -> list[zmq.Event]:
        """What has happened to the connection since the last call.

        Raises
        ------
        AuthenticationError
            If the peer refuses our key.
        """
        found = []
        while await self._monitor.poll(0):
            event = parse_monitor_message(await self._monitor.recv_multipart())
            found.append(zmq.Event(event["event"]))
        if zmq.Event.HANDSHAKE_FAILED_AUTH in found:
            detail = f"{self._options.address} refuses our key; check curve_key_file of this source"
            raise AuthenticationError(detail)
        return found


@asynccontextmanager
async def open_link(
    options: LinkOptions,
    clock: Callable[[], int],
    kind: int = zmq.SUB,
    link_type: type[ZeroMqLink] = ZeroMqLink,
) -> AsyncIterator[ZeroMqLink]:
    """Open a socket towards an address; whoever is there answers when it can.

    Raises
    ------
    SourceError
        If the address makes no sense.
    AuthenticationError
        If a key file cannot be used.
    """
    context = zmq.asyncio.Context()
    try:
        socket = context.socket(kind)
        _configure(socket, options)
        monitor = socket.get_monitor_socket(_WATCHED)
        try:
            socket.connect(options.address)
        except zmq.ZMQError as error:
            detail = f"{options.address} is no address ({error.strerror}); write tcp://HOST:PORT"
            raise SourceError(detail) from error
        link = link_type(socket, monitor, options, clock)
        pumping = link.start_pump()
        try:
            yield link
        finally:
            pumping.cancel()
            # A cancellation of ours that comes meanwhile must not be taken for the pump's.
            await asyncio.gather(pumping, return_exceptions=True)
            socket.disable_monitor()
    finally:
        context.destroy(linger=0)


def _configure(socket: zmq.asyncio.Socket, options: LinkOptions) -> None:
    settings = {
        zmq.LINGER: 0,
        zmq.RCVHWM: _SOCKET_MESSAGES,
        zmq.MAXMSGSIZE: options.maximum_message_bytes + _SPARE_BYTES,
        zmq.TCP_KEEPALIVE: 1,
        zmq.TCP_KEEPALIVE_IDLE: _KEEPALIVE_IDLE_S,
        zmq.TCP_KEEPALIVE_INTVL: _KEEPALIVE_INTERVAL_S,
        zmq.TCP_KEEPALIVE_CNT: _KEEPALIVE_COUNT,
        zmq.RECONNECT_IVL: _RECONNECT_MS,
        zmq.RECONNECT_IVL_MAX: _RECONNECT_MAXIMUM_MS,
    }
    heartbeat_ms = round(options.heartbeat_s * 1000)
    if heartbeat_ms:
        settings |= {
            zmq.HEARTBEAT_IVL: heartbeat_ms,
            zmq.HEARTBEAT_TIMEOUT: _HEARTBEATS_MISSED * heartbeat_ms,
        }
    for option, value in settings.items():
        socket.setsockopt(option, value)
    if socket.type == zmq.SUB:
        for topic in options.topics:
            socket.setsockopt_string(zmq.SUBSCRIBE, topic)
    use_client_keys(socket, options.curve_server_key_file, options.curve_key_file)
