"""The state of a negotiation with a SeedLink client, and what a server does about a line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rtpick.ingest.seedlink_server_selection import StationRequest


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What the server says of itself, and whom it lets in; no users and no tokens: everybody."""

    software: str = "rtpick"
    organization: str = "rtpick"
    users: Mapping[str, str] = field(default_factory=dict, repr=False)
    tokens: frozenset[str] = field(default=frozenset(), repr=False)

    @property
    def wants_credentials(self) -> bool:
        """Whether streaming needs AUTH."""
        return bool(self.users or self.tokens)

    @property
    def capabilities(self) -> str:
        """The words behind ``::`` in the reply to HELLO."""
        user = " AUTH:USERPASS" if self.users else ""
        token = " AUTH:JWT" if self.tokens else ""
        return f"SLPROTO:4.0 SLPROTO:3.1 CAP EXTREPLY NSWILDCARD BATCH{user}{token}"


@dataclass(frozen=True, slots=True)
class Dialogue:
    """How far a negotiation has come."""

    version: int = 3
    extended_replies: bool = False
    batch: bool = False
    authenticated: bool = False
    client: str = ""
    open_request: StationRequest | None = None
    requests: tuple[StationRequest, ...] = ()
    multi_station: bool = False
    streaming: bool = False


@dataclass(frozen=True, slots=True)
class Say:
    """Send these bytes."""

    data: bytes


@dataclass(frozen=True, slots=True)
class SendInfo:
    """Send the reply to ``INFO item``."""

    item: str
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Stream:
    """Begin to send records."""


@dataclass(frozen=True, slots=True)
class Close:
    """End the connection once all is sent."""


Action = Say | SendInfo | Stream | Close
Turn = tuple[Dialogue, tuple[Action, ...]]


class RefusalError(Exception):
    """A command that gets an ERROR; the code is one of version 4's."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code} {text}")


def reply(dialogue: Dialogue, error: str | None = None) -> tuple[Action, ...]:
    """OK, or ERROR as the connection's version writes it; nothing in a batch."""
    if dialogue.batch:
        return ()
    if error is None:
        return (Say(b"OK\r\n"),)
    text = error.encode("ascii", "replace")
    if dialogue.version == 4:
        return (Say(b"ERROR " + text + b"\r\n"),)
    return (Say(b"ERROR\r" + text + b"\r\n" if dialogue.extended_replies else b"ERROR\r\n"),)
