"""What a SeedLink server says to each command line: pure, no socket.

The state of a negotiation goes in with a line; the next state and what is to be done come out.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import replace

from rtpick.ingest.seedlink_server_dialogue import (
    Close,
    Dialogue,
    RefusalError,
    Say,
    SendInfo,
    ServerFacts,
    Stream,
    Turn,
    reply,
)
from rtpick.ingest.seedlink_server_position import parse_data3, parse_data4, parse_time3
from rtpick.ingest.seedlink_server_selection import (
    Begin,
    StationRequest,
    parse_selector3,
    parse_selector4,
)

MAXIMUM_STATIONS = 10_000
MAXIMUM_SELECTORS = 1_000
_VERSIONS = {"3.0": 3, "3.1": 3, "4.0": 4}


def respond(dialogue: Dialogue, line: str, facts: ServerFacts) -> Turn:
    r"""Answer one command line.

    Parameters
    ----------
    dialogue : Dialogue
        State before the line.
    line : str
        Without its end; keywords in either case.
    facts : ServerFacts
        What the server says of itself, and whom it lets in.

    Returns
    -------
    Dialogue
        State after it.
    tuple of Action
        What the connection does about it, in order.

    Notes
    -----
    While records are streaming only INFO and BYE are heard, as servers in the field have it.

    Examples
    --------
    >>> respond(Dialogue(), "SLPROTO 4.0", ServerFacts())[1]
    (Say(data=b'OK\r\n'),)
    """
    keyword, *arguments = line.split()
    command = _COMMANDS.get(keyword.upper())
    if dialogue.streaming and keyword.upper() not in ("INFO", "BYE"):
        return dialogue, ()
    try:
        if command is None:
            raise RefusalError("UNSUPPORTED", f"no command {keyword[:32]!r}")
        return command(dialogue, arguments, facts)
    except RefusalError as refusal:
        return dialogue, reply(dialogue, error=str(refusal))
    except NotImplementedError as refusal:
        return dialogue, reply(dialogue, error=f"UNSUPPORTED {refusal}")
    except ValueError as refusal:
        return dialogue, reply(dialogue, error=f"ARGUMENTS {refusal}")


def _hello(dialogue: Dialogue, arguments: list[str], facts: ServerFacts) -> Turn:
    first = f"SeedLink v4.0 ({facts.software}) :: {facts.capabilities}"
    return dialogue, (Say(f"{first}\r\n{facts.organization}\r\n".encode()),)


def _slproto(dialogue: Dialogue, arguments: list[str], facts: ServerFacts) -> Turn:
    if dialogue.open_request or dialogue.requests:
        raise RefusalError("UNEXPECTED", "SLPROTO comes before STATION")
    version = _VERSIONS.get(arguments[0]) if len(arguments) == 1 else None
    if version is None:
        raise RefusalError("UNSUPPORTED", "unsupported protocol version; 3.1 and 4.0 are spoken")
    return replace(dialogue, version=version), reply(replace(dialogue, version=version))


def _capabilities(dialogue: Dialogue, arguments: list[str], facts: ServerFacts) -> Turn:
    extended = "EXTREPLY" in (word.upper() for word in arguments)
    new = replace(dialogue, extended_replies=extended or dialogue.extended_replies)
    return new, reply(new)


def _batch(dialogue: Dialogue, arguments: list[str], facts: ServerFacts) -> Turn:
    if dialogue.version != 3:
        raise RefusalError("UNSUPPORTED", "BATCH belongs to version 3")
    return replace(dialogue, batch=True), reply(dialogue)


def _useragent(dialogue: Dialogue, arguments: list[str], facts: ServerFacts) -> Turn:
    return replace(dialogue, client=" ".join(arguments)[:128]), reply(dialogue)


def _auth(dialogue: Dialogue, arguments: list[str], facts: ServerFacts) -> Turn:
    method = arguments[0].upper() if arguments else ""
    if method == "USERPASS" and len(arguments) == 3:
        known = _same(facts.users.get(arguments[1], ""), arguments[2])
        valid = known and arguments[1] in facts.users
    elif method == "JWT" and len(arguments) == 2:
        valid = any([_same(token, arguments[1]) for token in facts.tokens])
    else:
        raise RefusalError("ARGUMENTS", "AUTH USERPASS user password, or AUTH JWT token")
    if not valid:
        raise RefusalError("AUTH", "authentication failed")
    return replace(dialogue, authenticated=True), reply(dialogue)


def _same(expected: str, given: str) -> bool:
    return hmac.compare_digest(expected.encode(), given.encode())


def _station(dialogue: Dialogue, arguments: list[str], facts: ServerFacts) -> Turn:
    if len(dialogue.requests) >= MAXIMUM_STATIONS:
        raise RefusalError("LIMIT", f"more than {MAXIMUM_STATIONS} stations; use wildcards")
    network, station = _station_codes(dialogue.version, arguments)
    request = StationRequest(network.upper(), station.upper())
    new = replace(dialogue, requests=_all_requests(dialogue), open_request=request, multi_station=True)
    return new, reply(dialogue)


def _station_codes(version: int, arguments: list[str]) -> tuple[str, str]:
    if version == 3 and len(arguments) in (1, 2):
        return (arguments[1] if len(arguments) == 2 else "*"), arguments[0]
    if version == 4 and arguments == ["*"]:
        return "*", "*"
    network, _, station = " ".join(arguments).partition("_")
    if version == 4 and len(arguments) == 1 and network and station:
        return network, station
    raise RefusalError("ARGUMENTS", "STATION UH1 BW in version 3, STATION BW_UH1 in version 4")


def _all_requests(dialogue: Dialogue) -> tuple[StationRequest, ...]:
    """Requests so far; a station without DATA gives new records only."""
    return dialogue.requests + ((dialogue.open_request,) if dialogue.open_request else ())


def _select(dialogue: Dialogue, arguments: list[str], facts: ServerFacts) -> Turn:
    if dialogue.open_request is None and dialogue.requests:
        raise RefusalError("UNEXPECTED", "SELECT comes between STATION and DATA")
    request = dialogue.open_request or StationRequest()
    parse = parse_selector3 if dialogue.version == 3 else parse_selector4
    selectors = request.selectors + tuple(map(parse, arguments)) if arguments else ()
    if len(selectors) > MAXIMUM_SELECTORS:
        raise RefusalError("LIMIT", f"more than {MAXIMUM_SELECTORS} selectors")
    return replace(dialogue, open_request=replace(request, selectors=selectors)), reply(dialogue)


def _data(dialogue: Dialogue, arguments: list[str], facts: ServerFacts) -> Turn:
    parse = parse_data3 if dialogue.version == 3 else parse_data4
    return _close_request(dialogue, parse(_request_for_data(dialogue), arguments), facts)


def _fetch(dialogue: Dialogue, arguments: list[str], facts: ServerFacts) -> Turn:
    if dialogue.version != 3:
        raise RefusalError("UNSUPPORTED", "FETCH belongs to version 3; use ENDFETCH")
    request = parse_data3(_request_for_data(dialogue), arguments)
    return _close_request(dialogue, _finite(request), facts)


def _finite(request: StationRequest) -> StationRequest:
    """Dial-up: what is held and no more; from new records on there would be nothing, so all of it."""
    begin = Begin.OLDEST if request.begin is Begin.NEXT else request.begin
    return replace(request, begin=begin, finite=True)


def _time(dialogue: Dialogue, arguments: list[str], facts: ServerFacts) -> Turn:
    if dialogue.version != 3:
        raise RefusalError("UNSUPPORTED", "TIME belongs to version 3; use DATA ALL start end")
    return _close_request(dialogue, parse_time3(_request_for_data(dialogue), arguments), facts)


def _request_for_data(dialogue: Dialogue) -> StationRequest:
    if dialogue.open_request is None and dialogue.requests:
        raise RefusalError("UNEXPECTED", "one DATA a STATION")
    return dialogue.open_request or StationRequest()


def _close_request(dialogue: Dialogue, request: StationRequest, facts: ServerFacts) -> Turn:
    """Note the request; in version 3 without STATION it is for all stations and starts at once."""
    new = replace(dialogue, requests=(*dialogue.requests, request), open_request=None)
    if dialogue.version == 3 and not dialogue.multi_station:
        return _begin(new, facts)
    return new, reply(dialogue)


def _end(dialogue: Dialogue, arguments: list[str], facts: ServerFacts) -> Turn:
    return _begin(replace(dialogue, requests=_all_requests(dialogue), open_request=None), facts)


def _endfetch(dialogue: Dialogue, arguments: list[str], facts: ServerFacts) -> Turn:
    finite = tuple(map(_finite, _all_requests(dialogue)))
    return _begin(replace(dialogue, requests=finite, open_request=None), facts)


def _begin(dialogue: Dialogue, facts: ServerFacts) -> Turn:
    audible = replace(dialogue, batch=False)
    if facts.wants_credentials and not dialogue.authenticated:
        return dialogue, (*reply(audible, "AUTH authentication required for streaming"), Close())
    if not dialogue.requests:
        return dialogue, reply(audible, "UNEXPECTED no STATION was asked for")
    return replace(audible, streaming=True), (Stream(),)


def _info(dialogue: Dialogue, arguments: list[str], facts: ServerFacts) -> Turn:
    item = arguments[0].upper() if arguments else ""
    return dialogue, (SendInfo(item, tuple(argument.upper() for argument in arguments[1:])),)


def _bye(dialogue: Dialogue, arguments: list[str], facts: ServerFacts) -> Turn:
    return dialogue, (Close(),)


_COMMANDS: dict[str, Callable[[Dialogue, list[str], ServerFacts], Turn]] = {
    "HELLO": _hello,
    "SLPROTO": _slproto,
    "CAPABILITIES": _capabilities,
    "BATCH": _batch,
    "USERAGENT": _useragent,
    "AUTH": _auth,
    "STATION": _station,
    "SELECT": _select,
    "DATA": _data,
    "FETCH": _fetch,
    "TIME": _time,
    "END": _end,
    "ENDFETCH": _endfetch,
    "INFO": _info,
    "BYE": _bye,
}
