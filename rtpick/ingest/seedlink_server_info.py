"""What a SeedLink server tells about itself: XML for version 3, JSON for version 4."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from xml.etree import ElementTree

from rtpick.ingest.seedlink_server_dialogue import SendInfo, ServerFacts
from rtpick.ingest.seedlink_server_frames import frame_json, frame_xml
from rtpick.ingest.seedlink_server_ring import ChannelSpan, Ring
from rtpick.vocabulary.codes import StationId
from rtpick.vocabulary.time import format_utc

_MIME_TYPES = {"2": "application/vnd.fdsn.mseed", "3": "application/vnd.fdsn.mseed3"}
_SEQUENCE3_MASK = 0xFFFFFF


@dataclass(frozen=True, slots=True)
class ClientFacts:
    """One connection, as INFO CONNECTIONS tells it."""

    host: str
    port: int
    version: int
    client: str
    connected_ns: int
    records_sent: int


@dataclass(frozen=True, slots=True)
class InfoSource:
    """What there is to tell; `clients` only to those who may know."""

    facts: ServerFacts
    ring: Ring
    started_ns: int
    now_ns: int
    clients: tuple[ClientFacts, ...] | None


def answer_info(request: SendInfo, version: int, source: InfoSource) -> bytes:
    """Write the packets that answer an INFO; what is not told is answered by an error packet."""
    return _answer3(request, source) if version == 3 else _answer4(request, source)


def _answer4(request: SendInfo, source: InfoSource) -> bytes:
    document: dict[str, object] = {
        "software": f"SeedLink v4.0 ({source.facts.software})",
        "organization": source.facts.organization,
    }
    tell = _ITEMS4.get(request.item)
    if tell is None or (request.item == "CONNECTIONS" and source.clients is None):
        error = {"code": "ARGUMENTS", "message": f"INFO {request.item[:32]} is not told here"}
        return frame_json(document | {"error": error}, is_error=True)
    return frame_json(document | dict(tell(request, source)))


def _id4(request: SendInfo, source: InfoSource) -> Mapping[str, object]:
    return {"server_start": format_utc(source.started_ns), "seedlink_protocol": ["4.0", "3.1"]}


def _formats4(request: SendInfo, source: InfoSource) -> Mapping[str, object]:
    formats = {code: {"mimetype": mime, "subformat": {"D": "Data"}} for code, mime in _MIME_TYPES.items()}
    return {"format": formats, "filter": {"native": "as held, no conversion"}}


def _capabilities4(request: SendInfo, source: InfoSource) -> Mapping[str, object]:
    return {"capability": source.facts.capabilities.split(), **_formats4(request, source)}


def _stations4(request: SendInfo, source: InfoSource) -> Mapping[str, object]:
    return {"station": [_station4(item, spans) for item, spans in _chosen(request, source)]}


def _streams4(request: SendInfo, source: InfoSource) -> Mapping[str, object]:
    pattern = request.arguments[1] if len(request.arguments) > 1 else "*"
    stations = []
    for station, spans in _chosen(request, source):
        streams = [_stream4(span) for span in spans if fnmatchcase(_stream_id(span), pattern)]
        stations.append(_station4(station, spans) | {"stream": streams})
    return {"station": stations}


def _connections4(request: SendInfo, source: InfoSource) -> Mapping[str, object]:
    connections = [
        {
            "host": client.host,
            "port": client.port,
            "protocol": f"SeedLink {client.version}",
            "client_id": client.client,
            "connect_time": format_utc(client.connected_ns),
            "packet_count": client.records_sent,
        }
        for client in source.clients or ()
    ]
    return {"connection": connections, "connect_count": len(connections)}


_ITEMS4: dict[str, Callable[[SendInfo, InfoSource], Mapping[str, object]]] = {
    "ID": _id4,
    "FORMATS": _formats4,
    "CAPABILITIES": _capabilities4,
    "STATIONS": _stations4,
    "STREAMS": _streams4,
    "CONNECTIONS": _connections4,
}


def _chosen(request: SendInfo, source: InfoSource) -> list[tuple[StationId, list[ChannelSpan]]]:
    pattern = request.arguments[0] if request.arguments else "*"
    stations = source.ring.stations().items()
    return [item for item in stations if fnmatchcase(f"{item[0].network}_{item[0].station}", pattern)]


def _station4(station: StationId, spans: list[ChannelSpan]) -> dict[str, object]:
    return {
        "id": f"{station.network}_{station.station}",
        "description": "",
        "start_seq": min(span.start_sequence for span in spans),
        "end_seq": max(span.end_sequence for span in spans),
        "backfill": -1,
    }


def _stream4(span: ChannelSpan) -> dict[str, object]:
    return {
        "id": _stream_id(span),
        "format": str(span.format_version),
        "subformat": "D",
        "start_time": format_utc(span.start_ns),
        "end_time": format_utc(span.end_ns),
    }


def _stream_id(span: ChannelSpan) -> str:
    return f"{span.channel.location}_" + "_".join(span.channel.channel)


def _answer3(request: SendInfo, source: InfoSource) -> bytes:
    root = ElementTree.Element(
        "seedlink",
        software=f"SeedLink v3.1 ({source.facts.software})",
        organization=source.facts.organization,
        started=_time3(source.started_ns),
    )
    fill = _ITEMS3.get(request.item)
    refused = fill is None or (request.item == "CONNECTIONS" and source.clients is None)
    if fill is not None and not refused:
        fill(root, source)
    text = '<?xml version="1.0"?>' + ElementTree.tostring(root, encoding="unicode")
    return frame_xml(text, source.now_ns, is_error=refused)


def _id3(root: ElementTree.Element, source: InfoSource) -> None:
    """Nothing beside the root's attributes."""


def _capabilities3(root: ElementTree.Element, source: InfoSource) -> None:
    items = [f"info:{item.lower()}" for item in _ITEMS3]
    for name in ["dialup", "multistation", "window-extraction", *items]:
        ElementTree.SubElement(root, "capability", name=name)


def _stations3(root: ElementTree.Element, source: InfoSource) -> None:
    for station, spans in source.ring.stations().items():
        _station3(root, station, spans)


def _streams3(root: ElementTree.Element, source: InfoSource) -> None:
    for station, spans in source.ring.stations().items():
        element = _station3(root, station, spans)
        for span in spans:
            ElementTree.SubElement(
                element,
                "stream",
                location=span.channel.location,
                seedname=span.channel.channel,
                type="D",
                begin_time=_time3(span.start_ns),
                end_time=_time3(span.end_ns),
                begin_recno="0",
                end_recno="0",
                gap_check="disabled",
                gap_treshold="0",
            )


def _connections3(root: ElementTree.Element, source: InfoSource) -> None:
    for client in source.clients or ():
        ElementTree.SubElement(
            root,
            "connection",
            host=client.host,
            port=str(client.port),
            ctime=_time3(client.connected_ns),
            begin_seq="0",
            client=client.client,
            txcount=str(client.records_sent),
        )


_ITEMS3: dict[str, Callable[[ElementTree.Element, InfoSource], None]] = {
    "ID": _id3,
    "CAPABILITIES": _capabilities3,
    "STATIONS": _stations3,
    "STREAMS": _streams3,
    "CONNECTIONS": _connections3,
}


def _station3(root: ElementTree.Element, station: StationId, spans: list[ChannelSpan]) -> ElementTree.Element:
    newest = max(span.end_sequence for span in spans) - 1
    return ElementTree.SubElement(
        root,
        "station",
        name=station.station,
        network=station.network,
        description="",
        begin_seq=f"{min(span.start_sequence for span in spans) & _SEQUENCE3_MASK:06X}",
        end_seq=f"{newest & _SEQUENCE3_MASK:06X}",
        stream_check="enabled",
    )


def _time3(time_ns: int) -> str:
    return format_utc(time_ns)[:24].replace("-", "/").replace("T", " ")
