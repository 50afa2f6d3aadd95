"""SeedLink sources: a session that lives as long as the daemon, and a look at a server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

from rtpick.ingest.seedlink_handshake import ServerIdentity, shake_hands
from rtpick.ingest.seedlink_link import Link, open_link
from rtpick.ingest.seedlink_ring import read_channels
from rtpick.ingest.seedlink_session import Emit, Emitted, Session
from rtpick.ingest.seedlink_watchdog import Backoff
from rtpick.ingest.selectors import Selection
from rtpick.ingest.source_status import SourceState
from rtpick.settings.schema import SeedLinkSettings
from rtpick.vocabulary.codes import ChannelId, StationId
from rtpick.vocabulary.errors import AuthenticationError, SourceError
from rtpick.vocabulary.waveform import EndOfStream, Progress

__all__ = ["Emit", "Emitted", "ServerReport", "probe_server", "run_session"]


async def run_session(
    settings: SeedLinkSettings,
    resume: Mapping[StationId, Progress],
    emit: Emit,
    clock: Callable[[], int],
    random: Random,
) -> None:
    """Receive a server's records until cancelled, through every outage.

    Parameters
    ----------
    settings : SeedLinkSettings
        The server, the streams, and what to do when it ends them.
    resume : mapping of StationId to Progress
        What is on disk; each station is taken up behind it. What is received later moves
        positions in memory, for reconnections.
    emit : coroutine function
        Takes packets, rejections, changes of state, and the end. While it waits nothing is read: the
        server is pushed back.
    clock : callable
        Wall time in nanoseconds, for receipt times and alarms.
    random : Random
        Spreads the waiting times between attempts.

    Raises
    ------
    AuthenticationError
        If the server wants credentials or refuses those it was given; told as FAILED before.
    SettingsError
        If `streams` or `start` mean nothing.

    Notes
    -----
    Delivery is at least once, in the server's order. A damaged record is a rejection and the stream
    goes on behind it. A stream is taken up by number and time, so that a server that lost its ring
    is noticed; then what it still holds comes, and what was received already may come again.
    Returns only behind the server's END, where `on_end` says stop.
    """
    session = Session(settings, resume, emit, clock)
    backoff = Backoff(settings.reconnect_min_s, settings.reconnect_max_s, random)
    await session.tell_link(SourceState.CONNECTING, f"{settings.host}:{settings.port}")
    while True:
        if await _attempt(session) and settings.on_end == "stop":
            await emit(EndOfStream(settings.name))
            return
        if session.was_heard:
            backoff.reset()
        await asyncio.sleep(backoff.next_s())


async def _attempt(session: Session) -> bool:
    """One connection, from its first word to its last; true where the server ended the streams."""
    try:
        return await session.connect_once()
    except AuthenticationError as error:
        await session.tell_link(SourceState.FAILED, str(error))
        raise
    except SourceError as error:
        await session.tell_link(SourceState.DISCONNECTED, str(error))
        return False


@dataclass(frozen=True, slots=True)
class ServerReport:
    """What a look at a server found.

    Parameters
    ----------
    reachable : bool
        Somebody answered there in SeedLink.
    version : str
        ``"v4"`` or ``"v3"``; empty where not reached.
    software, organization : str
        As the server says.
    authenticated : bool or None
        Whether the credentials were taken; None where none are set.
    channels : tuple of ChannelId or None
        Channels held that the settings ask for; None where the server does not tell.
    problem : str
        One sentence, empty where all is well.
    """

    reachable: bool
    version: str = ""
    software: str = ""
    organization: str = ""
    authenticated: bool | None = None
    channels: tuple[ChannelId, ...] | None = None
    problem: str = ""

    @property
    def matching_streams(self) -> int | None:
        """How many channels are held that the settings ask for."""
        return None if self.channels is None else len(self.channels)


async def probe_server(settings: SeedLinkSettings) -> ServerReport:
    """Greet a server, authenticate, and count the channels held there that the settings ask for.

    What goes wrong is told in the report; only settings that mean nothing raise SettingsError.
    """
    try:
        async with open_link(settings) as link:
            identity = await shake_hands(link, settings)
            return await _report(link, identity, settings)
    except AuthenticationError as error:
        return ServerReport(reachable=True, authenticated=False, problem=str(error))
    except SourceError as error:
        return ServerReport(reachable=False, problem=str(error))


async def _report(link: Link, identity: ServerIdentity, settings: SeedLinkSettings) -> ServerReport:
    """Put together what the server says."""
    document = await link.info("STREAMS")
    selection = Selection(settings.streams)
    channels = None if document is None else tuple(filter(selection.wants, read_channels(document)))
    credentials = settings.username is not None or settings.token_file is not None
    return ServerReport(
        reachable=True,
        version=f"v{link.protocol.value}",
        software=identity.software,
        organization=identity.organization,
        authenticated=True if credentials else None,
        channels=channels,
        problem="holds none of the channels asked for: check streams" if channels == () else "",
    )
