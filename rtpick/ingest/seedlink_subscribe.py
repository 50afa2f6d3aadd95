"""Ask a server for the wanted streams, each from where it was left; notice a ring that is not the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rtpick.ingest.seedlink_link import Link, refusal
from rtpick.ingest.seedlink_negotiation import StationCommands, plan_streams
from rtpick.ingest.seedlink_positions import EVERYTHING, Position, Positions, SequenceScope, Start, StartAt
from rtpick.ingest.seedlink_ring import RingSpan, RingVerdict, read_stations, span_of_all
from rtpick.ingest.selectors import Selection, Subscription
from rtpick.ingest.source_status import SourceState
from rtpick.vocabulary.codes import StationId
from rtpick.vocabulary.errors import AuthenticationError, SourceError

Held = Mapping[StationId, RingSpan]

_WORST_FIRST = (RingVerdict.RESET, RingVerdict.OVERTAKEN, RingVerdict.OUTLIVED, RingVerdict.HELD)

_INCIDENTS = {
    RingVerdict.RESET: (SourceState.RING_RESET, "the server has lost its ring or begun to count anew"),
    RingVerdict.OVERTAKEN: (SourceState.RING_OVERTAKEN, "records still wanted have left the server's ring"),
}


@dataclass(frozen=True, slots=True)
class Incident:
    """Something found out about the server's ring."""

    state: SourceState
    detail: str


async def subscribe(
    link: Link, selection: Selection, positions: Positions, scope: SequenceScope
) -> tuple[Incident, ...]:
    """Negotiate the streams and start them.

    Returns
    -------
    tuple of Incident
        What the ring's numbers tell about records lost.

    Raises
    ------
    SourceError
        If no station is accepted.
    """
    held = await _read_held(link, selection, positions, scope)
    wanted = selection.subscriptions()
    if scope is SequenceScope.STATION and held:
        wanted = selection.subscriptions_of(held) or wanted
    planned = [_begin(subscription, positions, scope, held) for subscription in wanted]
    await _negotiate(link, plan_streams(link.protocol, [(entry, start) for entry, start, _ in planned]))
    found = dict.fromkeys(incident for _, _, incident in planned if incident is not None)
    return tuple(found)


async def _read_held(
    link: Link, selection: Selection, positions: Positions, scope: SequenceScope
) -> Held | None:
    """Ask what the ring holds where that matters; None where it does not, or nobody tells."""
    if positions.is_empty and not (scope is SequenceScope.STATION and selection.has_wildcard):
        return None
    document = await link.info("STATIONS")
    return None if document is None else read_stations(document)


def _begin(
    subscription: Subscription, positions: Positions, scope: SequenceScope, held: Held | None
) -> tuple[Subscription, Start, Incident | None]:
    """Where a subscription is to begin, given what the ring holds."""
    station = subscription.station_id
    start = positions.start(station, scope)
    marks = positions.marks(station, scope)
    span = _span(station, scope, held)
    if not marks or span is None:
        return subscription, start, None
    verdict, position = _worst(span, marks)
    if verdict is RingVerdict.RESET:
        start = StartAt(positions.recent_start_ns())
    elif verdict in (RingVerdict.OUTLIVED, RingVerdict.OVERTAKEN):
        start = EVERYTHING  # all that is held is newer than the position
    return subscription, start, _incident(verdict, position.sequence, span)


def _worst(span: RingSpan, marks: tuple[Position, ...]) -> tuple[RingVerdict, Position]:
    """What the ring makes of the positions: one that it has never had says most."""
    verdicts = {span.judge(position): position for position in reversed(marks)}
    worst = next(verdict for verdict in _WORST_FIRST if verdict in verdicts)
    return worst, verdicts[worst]


def _span(station: StationId | None, scope: SequenceScope, held: Held | None) -> RingSpan | None:
    """The numbers to compare a position with."""
    if held is None:
        return None
    if scope is SequenceScope.SERVER:
        return span_of_all(held.values())
    return held.get(station) if station else None


def _incident(verdict: RingVerdict, sequence: int, span: RingSpan) -> Incident | None:
    """What to tell about it, if anything."""
    if verdict not in _INCIDENTS:
        return None
    state, text = _INCIDENTS[verdict]
    return Incident(state, f"{text}: {sequence} was the last record, it holds {span.oldest}-{span.newest}")


async def _negotiate(link: Link, plan: tuple[StationCommands, ...]) -> None:
    """Send the plan, one answer at a time: what follows a refused STATION would hit the one before."""
    refused: SourceError | None = None
    accepted = 0
    for commands in plan:
        response = await link.ask(commands.station)
        if response:
            accepted += 1
            await _select(link, commands)
        else:
            refused = refusal(response, link.peer, commands.station)
            if isinstance(refused, AuthenticationError):
                raise refused
    if not accepted:
        raise refused or SourceError(f"{link.peer} has no station that is asked for: check streams")
    await link.say("END")


async def _select(link: Link, commands: StationCommands) -> None:
    """Send SELECT and DATA of one station; a refused SELECT only means that more will come."""
    for command in commands.following:
        response = await link.ask(command)
        if not response and not command.startswith("SELECT"):
            raise refusal(response, link.peer, f"{command} of {commands.name}")
