"""The other end of the publisher: what a program that listens to rtpick needs."""

from __future__ import annotations

import json
from typing import Any

import zmq

HIGH_WATER_MARK = 10_000


class Subscriber:
    """A SUB socket connected to a daemon's publisher; one thread uses it.

    Parameters
    ----------
    address : str
        ``tcp://127.0.0.1:5556``; it need not be there yet.
    topics : str
        Prefixes such as ``"pick."`` or ``"event."``.
    """

    def __init__(self, address: str, *topics: str) -> None:
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.SUB)
        self._socket.setsockopt(zmq.RCVHWM, HIGH_WATER_MARK)
        for topic in topics or ("",):
            self._socket.setsockopt_string(zmq.SUBSCRIBE, topic)
        self._socket.connect(address)

    def messages(self, timeout_s: float) -> list[dict[str, Any]]:
        """Take what has arrived, waiting at most `timeout_s` for the first message."""
        arrived: list[dict[str, Any]] = []
        wait_ms = round(timeout_s * 1000)
        while len(arrived) < HIGH_WATER_MARK and self._socket.poll(0 if arrived else wait_ms):
            _topic, body = self._socket.recv_multipart()
            arrived.append(json.loads(body))
        return arrived

    def close(self) -> None:
        """Disconnect."""
        self._context.destroy(linger=0)
