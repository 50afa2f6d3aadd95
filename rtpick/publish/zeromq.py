"""Picks and events to whoever subscribes, over a ZeroMQ PUB socket."""

from __future__ import annotations

import zmq

from rtpick.publish.fiber_messages import encode_fiber_message
from rtpick.publish.messages import encode_message
from rtpick.vocabulary.errors import SourceError
from rtpick.vocabulary.event import Event
from rtpick.vocabulary.fiber import FiberPicks
from rtpick.vocabulary.fiber_event import FiberEvent
from rtpick.vocabulary.pick import Pick

Message = Pick | Event | FiberPicks | FiberEvent
# What a slow subscriber may have waiting before messages to it are dropped, about 10 MB.
HIGH_WATER_MARK = 10_000
LINGER_MS = 1_000


class Publisher:
    """A bound PUB socket; one thread uses it.

    Messages have two parts: the topic (``pick.NET.STA``, ``event.STATUS``, ``fiber_picks.FIBER`` or
    ``fiber_event.FIBER.STATUS``) and the JSON of `rtpick.publish.messages` and `fiber_messages`.
    Subscribing to ``pick.`` brings every pick, to ``pick.BW.UH1`` those of
    one station.

    Parameters
    ----------
    address : str
        ``tcp://127.0.0.1:5556`` or ``ipc:///run/rtpick/publish``; port ``*`` takes any free one.

    Raises
    ------
    SourceError
        If the address cannot be bound.

    Notes
    -----
    Publishing never waits: what a subscriber does not take in time is dropped for that subscriber
    alone, and before anyone subscribes everything is. A reader that must not miss anything reads the
    catalogue; ids and revisions tell what it has seen before.
    """

    def __init__(self, address: str) -> None:
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.PUB)
        self._socket.setsockopt(zmq.SNDHWM, HIGH_WATER_MARK)
        self._socket.setsockopt(zmq.LINGER, LINGER_MS)
        try:
            self._socket.bind(address)
        except zmq.ZMQError as error:
            self.close()
            raise SourceError(
                f"publish.zeromq_bind: cannot bind {address} ({error.strerror}); "
                "name a free address such as tcp://127.0.0.1:5556"
            ) from error

    @property
    def address(self) -> str:
        """Where subscribers connect to."""
        return str(self._socket.getsockopt_string(zmq.LAST_ENDPOINT))

    def publish(self, item: Message) -> bool:
        """Send one pick or event, or picks of a fiber; False where the socket would not take it."""
        encoded = encode_message(item) if isinstance(item, Pick | Event) else encode_fiber_message(item)
        parts = [topic_of(item).encode(), encoded]
        try:
            self._socket.send_multipart(parts, zmq.NOBLOCK)
        except zmq.Again:
            return False
        return True

    def close(self) -> None:
        """Give what is under way a second to leave, and close."""
        self._context.destroy(linger=LINGER_MS)


def topic_of(item: Message) -> str:
    """Name the topic of a message.

    Examples
    --------
    >>> from rtpick.vocabulary.codes import ChannelId
    >>> channel = ChannelId("BW", "UH1", "", "SHZ")
    >>> topic_of(Pick("p", channel, "P", 0, 0.9, 0.1, 1.0, 5.0, 1.0, "default-12345678"))
    'pick.BW.UH1'
    """
    match item:
        case Pick():
            return f"pick.{item.station_id}"
        case Event():
            return f"event.{item.status.value}"
        case FiberPicks():
            return f"fiber_picks.{item.fiber}"
        case FiberEvent():
            return f"fiber_event.{item.fiber}.{item.status.value}"
