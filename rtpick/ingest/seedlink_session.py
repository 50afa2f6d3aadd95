"""The life of one connection: frames become packets, silence is noticed, positions move on."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from seedlink_client.protocol import Protocol, SeedLinkResponse, parse_reply

from rtpick.ingest.miniseed import UnusableRecordError, decode_record
from rtpick.ingest.sanitise import sanitise_packet
from rtpick.ingest.seedlink_frames import DamagedFrame, EndFrame, ErrorFrame, Frame, InfoFrame, RecordFrame
from rtpick.ingest.seedlink_handshake import scope_of, shake_hands
from rtpick.ingest.seedlink_link import Link, open_link, refusal
from rtpick.ingest.seedlink_positions import Positions, SequenceScope, widen_sequence
from rtpick.ingest.seedlink_subscribe import subscribe
from rtpick.ingest.seedlink_watchdog import DataAge
from rtpick.ingest.selectors import Selection
from rtpick.ingest.source_status import LinkTeller, SourceState, SourceStatus
from rtpick.settings.schema import SeedLinkSettings
from rtpick.vocabulary.codes import ChannelId, StationId
from rtpick.vocabulary.errors import AuthenticationError, SourceError
from rtpick.vocabulary.time import NS_PER_S
from rtpick.vocabulary.waveform import EndOfStream, Packet, Progress, RejectCause, Rejection

Emitted = Packet | Rejection | SourceStatus | EndOfStream
Emit = Callable[[Emitted], Awaitable[None]]

_TICK_S = 1.0
_CHANNEL_CHECK_NS = 10 * NS_PER_S
# Where stations are asked for by name, those that join a pattern later are found by asking anew.
_RENEW_NS = 6 * 3600 * NS_PER_S


class Session:
    """What outlives a connection: positions, ages of the data, the state told last."""

    def __init__(
        self,
        settings: SeedLinkSettings,
        resume: Mapping[StationId, Progress],
        emit: Emit,
        clock: Callable[[], int],
    ) -> None:
        self.settings = settings
        self._emit = emit
        self._clock = clock
        self._selection = Selection(settings.streams)
        wanted = {station: done for station, done in resume.items() if self._selection.wants_station(station)}
        self._positions = Positions(wanted, settings.start, clock)
        self._teller = LinkTeller(settings.name)
        self._age = DataAge(settings.silent_alarm_s, settings.channel_silent_alarm_s)
        for channel in _locked_channels(wanted.values()):
            self._age.expect(channel)
        self._scope = SequenceScope.SERVER
        self._is_version3 = False
        self._told_reset = False
        self._next_keepalive_ns = 0
        self._next_check_ns = 0
        self._renew_ns: int | None = None
        self.was_heard = False

    async def tell_link(self, state: SourceState, detail: str) -> None:
        """Tell a change of the link's state; the same again is not told."""
        status = self._teller.change(state, detail, self._clock())
        if status is not None:
            await self._emit(status)

    async def connect_once(self) -> bool:
        """Connect and stream until the server ends it (true), or it is to be made anew (false).

        Raises
        ------
        SourceError
            If the connection cannot be made, or breaks.
        AuthenticationError
            If credentials are what is wrong.
        """
        self.was_heard = False
        async with open_link(self.settings) as link:
            await self._start(link)
            return await self._stream(link)

    async def _start(self, link: Link) -> None:
        """Greet, subscribe, and tell what was found."""
        identity = await shake_hands(link, self.settings)
        self._scope = scope_of(self.settings, identity)
        self._is_version3 = link.protocol is Protocol.V3
        incidents = await subscribe(link, self._selection, self._positions, self._scope)
        self._told_reset = any(incident.state is SourceState.RING_RESET for incident in incidents)
        for incident in incidents:
            await self._tell(incident.state, incident.detail)
        if self._teller.state is not SourceState.SILENT:  # there only a record ends the outage
            await self.tell_link(SourceState.CONNECTED, f"{identity.software} at {link.peer}")
        now_ns = self._clock()
        self._age.restart(now_ns)
        self._next_keepalive_ns = now_ns + round(self.settings.keepalive_s * NS_PER_S)
        by_name = self._scope is SequenceScope.STATION and self._selection.has_wildcard
        self._renew_ns = now_ns + _RENEW_NS if by_name else None

    async def _stream(self, link: Link) -> bool:
        """Take what comes; true for the server's END, false where the connection is to be made anew."""
        while not link.is_closed:
            frames = await link.receive(_TICK_S) or ()
            received_ns = self._clock()
            for frame in frames:
                if isinstance(frame, RecordFrame):
                    await self._take_record(frame, received_ns)
                elif await self._take_other(frame, link.peer):
                    return True
            self._excuse(self._clock() - received_ns)
            if await self._tick(link):
                return False
        raise SourceError(f"{link.peer} closed the connection")

    def _excuse(self, blocked_ns: int) -> None:
        """While nobody took the packets the server could not be heard: that is not its silence."""
        if blocked_ns > _TICK_S * NS_PER_S:
            self._age.excuse(blocked_ns)

    async def _take_record(self, frame: RecordFrame, received_ns: int) -> None:
        """Decode, judge and hand on one record; one that is no good is counted and passed over."""
        packet = self._judge_record(frame, received_ns)
        if isinstance(packet, Rejection):
            await self._emit(packet)
            return
        await self._note(packet, received_ns)
        if self._selection.wants(packet.channel):
            await self._emit(packet)
        else:
            await self._emit(Rejection(packet.channel, RejectCause.NOT_SELECTED, len(packet.samples)))

    def _judge_record(self, frame: RecordFrame, received_ns: int) -> Packet | Rejection:
        """Decode a record and see whether it can be believed."""
        source, number = self.settings.name, frame.sequence
        try:
            packet = decode_record(frame.record, source=source, sequence=number, received_ns=received_ns)
        except UnusableRecordError as error:
            return error.rejection
        judged = sanitise_packet(packet, received_ns)
        return self._widen(judged) if self._is_version3 and isinstance(judged, Packet) else judged

    def _widen(self, packet: Packet) -> Packet:
        """Complete the 24 bits of a sequence of SeedLink 3."""
        low = packet.sequence or 0
        last = self._positions.last(packet.channel.station_id, self._scope)
        whole = widen_sequence(low, last.sequence if last else None)
        return packet if whole == low else replace(packet, sequence=whole)

    async def _note(self, packet: Packet, received_ns: int) -> None:
        """Move positions and ages on, and tell what that reveals."""
        self.was_heard = True
        if self._positions.advance(packet, self._scope) and not self._told_reset:
            self._told_reset = True
            await self._tell(SourceState.RING_RESET, f"numbers began anew at {packet.sequence}")
        if self._age.heard(packet.channel, received_ns):
            await self._tell(SourceState.CHANNEL_HEARD, str(packet.channel))
        if self._teller.state is SourceState.SILENT:
            await self.tell_link(SourceState.CONNECTED, "records come again")

    async def _take_other(self, frame: Frame, peer: str) -> bool:
        """Deal with what is no record; true for END."""
        if isinstance(frame, DamagedFrame):
            number = "" if frame.sequence is None else f" behind the header of record {frame.sequence}"
            detail = f"{frame.byte_count} bytes{number} are no record"
            await self._emit(Rejection(None, RejectCause.CORRUPT, 0, detail))
        elif isinstance(frame, ErrorFrame):
            raise refusal(parse_reply(frame.line), peer, "streaming")
        elif isinstance(frame, InfoFrame) and frame.is_error:
            _require_no_auth_error(frame, peer)
        return isinstance(frame, EndFrame)

    async def _tick(self, link: Link) -> bool:
        """Keep the connection alive and look for silence; true where it is to be made anew."""
        now_ns = self._clock()
        if self._renew_ns is not None and now_ns >= self._renew_ns:
            return True
        if now_ns >= self._next_keepalive_ns:
            self._next_keepalive_ns = now_ns + round(self.settings.keepalive_s * NS_PER_S)
            await link.say("INFO ID")
        if self._age.is_silent(now_ns):
            detail = f"connected, but no record for {self.settings.silent_alarm_s:g} s: reconnecting"
            await self.tell_link(SourceState.SILENT, detail)
            return True
        if now_ns >= self._next_check_ns:
            self._next_check_ns = now_ns + min(_CHANNEL_CHECK_NS, self._channel_alarm_ns())
            for channel in self._age.newly_silent(now_ns):
                await self._tell(SourceState.CHANNEL_SILENT, str(channel))
        return False

    def _channel_alarm_ns(self) -> int:
        """The alarm of a single channel."""
        return round(self.settings.channel_silent_alarm_s * NS_PER_S)

    async def _tell(self, state: SourceState, detail: str) -> None:
        """Tell an incident."""
        await self._emit(SourceStatus(self.settings.name, state, detail, self._clock()))


def _locked_channels(points: Iterable[Progress]) -> Iterator[ChannelId]:
    """The channels that an earlier run listened to."""
    for point in points:
        yield from (lock.channel for lock in point.locks)


def _require_no_auth_error(frame: InfoFrame, peer: str) -> None:
    """Raise where an error packet of SeedLink 4 says that credentials are missing; others are harmless."""
    try:
        error = json.loads(frame.payload).get("error", {})
        response = SeedLinkResponse("ERROR", str(error["code"]), str(error.get("message", "")))
    except (ValueError, KeyError, AttributeError, TypeError):
        return  # an answer to a keepalive that says nothing of use
    wrong = refusal(response, peer, "streaming")
    if isinstance(wrong, AuthenticationError):
        raise wrong
