"""Messages to whoever subscribes, with a greeting for newcomers: the socket of a block publisher."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import zmq
import zmq.asyncio
import zmq.auth
import zmq.auth.asyncio

from rtpick.vocabulary.errors import AuthenticationError, SourceError

LINGER_MS = 2_000
HEARTBEAT_MS = 5_000
ROOM_PAUSE_S = 0.002


class DasPublisher:
    """A bound XPUB socket; used from one loop.

    Parameters
    ----------
    address : str
        ``tcp://127.0.0.1:5561``; port ``*`` takes any free one.
    queue_messages : int
        What a slow subscriber may have waiting; more is dropped for that subscriber alone.
    curve_key_file : Path, optional
        A secret certificate: only who knows the public one is let in.
    curve_clients_directory : Path, optional
        Public certificates of those who may subscribe; without it everybody who knows our key.
    wait_for_room : bool
        Wait for the slowest subscriber instead of dropping what it does not take.

    Raises
    ------
    SourceError
        If the address cannot be bound.
    AuthenticationError
        If a key cannot be used.
    """

    def __init__(
        self,
        address: str,
        queue_messages: int = 64,
        curve_key_file: Path | None = None,
        curve_clients_directory: Path | None = None,
        *,
        wait_for_room: bool = False,
    ) -> None:
        self._context = zmq.asyncio.Context()
        self._guard: zmq.auth.asyncio.AsyncioAuthenticator | None = None
        self._socket = self._context.socket(zmq.XPUB)
        self.subscriber_count = 0
        try:
            self._configure(queue_messages, wait_for_room)
            self._use_keys(curve_key_file, curve_clients_directory)
            self._socket.bind(address)
        except zmq.ZMQError as error:
            self.close()
            detail = (
                f"cannot bind {address} ({error.strerror}); name a free address such as tcp://127.0.0.1:5561"
            )
            raise SourceError(detail) from error
        except AuthenticationError:
            self.close()
            raise

    def _configure(self, queue_messages: int, wait_for_room: bool) -> None:
        settings = {
            zmq.SNDHWM: queue_messages,
            zmq.LINGER: LINGER_MS,
            zmq.XPUB_VERBOSER: 1,
            zmq.XPUB_NODROP: int(wait_for_room),
            zmq.HEARTBEAT_IVL: HEARTBEAT_MS,
            zmq.HEARTBEAT_TIMEOUT: 3 * HEARTBEAT_MS,
            zmq.TCP_KEEPALIVE: 1,
        }
        for option, value in settings.items():
            self._socket.setsockopt(option, value)

    def _use_keys(self, key_file: Path | None, clients: Path | None) -> None:
        if key_file is None:
            return
        try:
            public, secret = zmq.auth.load_certificate(key_file)
        except (OSError, ValueError) as error:
            raise AuthenticationError(f"{key_file} is no certificate of ZeroMQ") from error
        if secret is None:
            raise AuthenticationError(f"{key_file} holds no secret key: name the .key_secret file")
        self._socket.curve_publickey, self._socket.curve_secretkey = public, secret
        self._socket.curve_server = True
        if clients is not None:
            self._guard = zmq.auth.asyncio.AsyncioAuthenticator(self._context)
            self._guard.start()
            self._guard.configure_curve(domain="*", location=str(clients))

    @property
    def address(self) -> str:
        """Where subscribers connect to."""
        return str(self._socket.getsockopt_string(zmq.LAST_ENDPOINT))

    def greet_with(self, message: bytes | None) -> None:
        """Set what a new subscriber hears first."""
        if message is not None:
            self._socket.setsockopt(zmq.XPUB_WELCOME_MSG, message)

    async def send(self, frames: Sequence[bytes]) -> None:
        """Send one message to all who subscribe; what a slow one does not take is dropped for it.

        Where it is waited for, that is by trying again: the socket itself says that it always has room.
        """
        while True:
            try:
                await self._socket.send_multipart(frames, zmq.NOBLOCK, copy=False)
            except zmq.Again:
                await asyncio.sleep(ROOM_PAUSE_S)
            else:
                return

    async def look_for_subscribers(self, patience_s: float) -> int:
        """Take note of who has come and gone, waiting at most so long for the first; how many there are."""
        wait_ms = round(patience_s * 1000)
        while await self._socket.poll(wait_ms):
            (notice,) = await self._socket.recv_multipart()
            self.subscriber_count += 1 if notice[:1] == b"\x01" else -1
            wait_ms = 0
        return self.subscriber_count

    def close(self) -> None:
        """Give what is under way time to leave, and close."""
        if self._guard is not None:
            self._guard.stop()
        self._context.destroy(linger=LINGER_MS)
