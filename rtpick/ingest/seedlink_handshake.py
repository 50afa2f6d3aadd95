"""The first words with a SeedLink server: who it is, which version is spoken, who we are."""

from __future__ import annotations

from dataclasses import dataclass

from seedlink_client.protocol import Protocol, SeedLinkError, parse_hello, select_protocol

from rtpick import __version__
from rtpick.ingest.seedlink_credentials import auth_command
from rtpick.ingest.seedlink_link import Link, refusal
from rtpick.ingest.seedlink_positions import SequenceScope
from rtpick.settings.schema import SeedLinkSettings
from rtpick.vocabulary.errors import AuthenticationError, SourceError

_REQUESTED = {"auto": None, "v3": Protocol.V3, "v4": Protocol.V4}
_SHARED_SEQUENCE = ("ringserver", "(rtpick")  # software known to count all stations in one sequence


@dataclass(frozen=True, slots=True)
class ServerIdentity:
    """What the server said to HELLO."""

    software: str
    organization: str
    capabilities: frozenset[str]
    majors: frozenset[str]

    @property
    def scope(self) -> SequenceScope:
        """What its sequences count, as far as its name tells."""
        known = any(name in self.software.lower() for name in _SHARED_SEQUENCE)
        return SequenceScope.SERVER if known else SequenceScope.STATION


async def shake_hands(link: Link, settings: SeedLinkSettings) -> ServerIdentity:
    """Greet the server, settle the version (4 before 3) and authenticate.

    Raises
    ------
    AuthenticationError
        If the server refuses the credentials, or has no way to take them.
    SourceError
        If it does not answer, or does not speak the version that is set.
    """
    await link.say("HELLO")
    identity = _read_hello(await link.read_line(), await link.read_line())
    link.use(await _settle_version(link, identity, settings))
    if link.protocol is Protocol.V4:
        await link.ask(f"USERAGENT rtpick/{__version__}")
    elif "CAP" in identity.capabilities:
        await link.ask("CAPABILITIES EXTREPLY")
    await _authenticate(link, settings)
    return identity


def scope_of(settings: SeedLinkSettings, identity: ServerIdentity) -> SequenceScope:
    """What the server's sequences count: as set, else as its name tells."""
    return identity.scope if settings.sequence_scope == "auto" else SequenceScope(settings.sequence_scope)


def _read_hello(first: str, second: str) -> ServerIdentity:
    """Read the two lines of the answer."""
    software, organization, capabilities, majors = parse_hello(first, second)
    return ServerIdentity(software, organization, frozenset(capabilities), majors)


async def _settle_version(link: Link, identity: ServerIdentity, settings: SeedLinkSettings) -> Protocol:
    """Ask for version 4 where it is offered; fall back to 3 unless 4 is set."""
    try:
        chosen = select_protocol(identity.majors, _REQUESTED[settings.protocol])
    except SeedLinkError as error:
        raise SourceError(f"{link.peer}: {error}; set protocol: auto") from error
    if chosen is Protocol.V3:
        return chosen
    response = await link.ask("SLPROTO 4.0")
    if not response and settings.protocol == "v4":
        raise refusal(response, link.peer, "SLPROTO")
    return Protocol.V4 if response else Protocol.V3


async def _authenticate(link: Link, settings: SeedLinkSettings) -> None:
    """Send the credentials, if there are any."""
    command = auth_command(settings)
    if command is None:
        return
    if link.protocol is Protocol.V3:
        detail = f"{link.peer} speaks SeedLink 3, which has no AUTH"
        raise AuthenticationError(f"{detail}: remove the credentials of this source, or set protocol: auto")
    response = await link.ask(command)
    if not response:
        raise refusal(response, link.peer, "AUTH")
