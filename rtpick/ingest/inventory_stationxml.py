"""StationXML, and what else obspy reads, as stations of our vocabulary."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from obspy import read_inventory as read_with_obspy

from rtpick.ingest.obspy_reading import read_quietly
from rtpick.vocabulary.codes import ChannelId, StationId
from rtpick.vocabulary.errors import InventoryError
from rtpick.vocabulary.inventory import Channel, Station

_ROOT = "FDSNStationXML"


def read_stationxml(path: Path) -> list[Station]:
    """Read stations and channels; of several epochs the newest.

    Parameters
    ----------
    path : Path
        StationXML, or another format that obspy recognises.

    Returns
    -------
    list of Station
        Sensitivity and its unit where the file gives them; poles and zeros are not read.

    Raises
    ------
    InventoryError
        Naming file and line, or the station whose coordinates are wrong.
    """
    content = path.read_bytes()
    if content.lstrip()[:1] == b"<":
        content = _without_stages(path, content)
    found = read_quietly(read_with_obspy, BytesIO(content), path, "inventory", InventoryError)
    try:
        return list(_stations(found))
    except (TypeError, ValueError) as error:
        raise InventoryError(f"{path}: {error}; correct it") from error


def _without_stages(path: Path, content: bytes) -> bytes:
    """Leave out the filter stages, which are most of a StationXML: obspy is five times faster."""
    try:
        root = ElementTree.fromstring(content)  # noqa: S314 - a file that the operator names
    except ElementTree.ParseError as error:
        raise InventoryError(f"{path}:{error.position[0]}: not well-formed XML: {error}") from error
    space = root.tag.removesuffix(_ROOT)
    if space == root.tag:
        return content
    _require_coordinates(path, root, space)
    for response in root.iter(f"{space}Response"):
        for stage in response.findall(f"{space}Stage"):
            response.remove(stage)
    ElementTree.register_namespace("", space.strip("{}"))
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True))


def _require_coordinates(path: Path, root: ElementTree.Element, space: str) -> None:
    for network in root.iter(f"{space}Network"):
        for station in network.iter(f"{space}Station"):
            for word, limit in (("Latitude", 90.0), ("Longitude", 180.0)):
                text = station.findtext(space + word, "")
                if not _is_angle(text, limit):
                    name = f"station {network.get('code')}.{station.get('code')}"
                    raise InventoryError(f"{path}: {name}: {word} {text!r} is not within {limit:g} degrees")


def _is_angle(text: str, limit: float) -> bool:
    try:
        return abs(float(text)) <= limit
    except ValueError:
        return False


def _stations(found: Any) -> Iterator[Station]:
    newest: dict[StationId, Any] = {}
    channels: dict[StationId, dict[ChannelId, Any]] = {}
    for network in found:
        for station in network:
            key = StationId(network.code, station.code)
            newest[key] = _newer(newest.get(key), station)
            of_station = channels.setdefault(key, {})
            for channel in station:
                code = ChannelId(network.code, station.code, channel.location_code or "", channel.code)
                of_station[code] = _newer(of_station.get(code), channel)
    for key, station in newest.items():
        listed = tuple(_channel(code, channel) for code, channel in sorted(channels[key].items()))
        place = float(station.latitude), float(station.longitude), float(station.elevation or 0.0)
        yield Station(key, *place, channels=listed)


def _newer(known: Any, other: Any) -> Any:
    """The epoch that starts later; one without a start is the oldest."""
    if known is None or known.start_date is None:
        return other
    return other if other.start_date is not None and other.start_date >= known.start_date else known


def _channel(code: ChannelId, channel: Any) -> Channel:
    sensitivity = channel.response.instrument_sensitivity if channel.response else None
    if sensitivity and sensitivity.value is None:
        raise ValueError(f"channel {code}: InstrumentSensitivity without a number")
    value = float(sensitivity.value) if sensitivity else None
    unit = sensitivity.input_units if sensitivity else None
    return Channel(
        channel=code,
        sampling_rate_hz=_number(channel.sample_rate),
        azimuth_deg=_number(channel.azimuth),
        dip_deg=_number(channel.dip),
        sensitivity=value,
        input_unit=unit.lower() if unit else None,
    )


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
