"""Tables of station coordinates, in the spellings that are about."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite, remainder
from pathlib import Path

from rtpick.vocabulary.codes import ChannelId, StationId
from rtpick.vocabulary.errors import InventoryError
from rtpick.vocabulary.inventory import Channel, Station

_SPELLINGS = {
    "id": ("id", "station_id", "trace_id"),
    "network": ("network", "net", "network_code"),
    "station": ("station", "sta", "code", "station_code"),
    "location": ("location", "loc", "location_code"),
    "channel": ("channel", "cha", "chan", "band_instrument"),
    "component": ("component", "components"),
    "latitude": ("latitude", "lat", "latitude_deg", "station_latitude_deg"),
    "longitude": ("longitude", "lon", "longitude_deg", "station_longitude_deg"),
    "elevation_m": ("elevation_m", "elevation", "elev", "elevation(m)", "station_elevation_m"),
    "elevation_km": ("elevation_km", "elevation(km)"),
    "sensitivity": ("sensitivity", "response", "scale"),
    "unit": ("unit", "input_unit", "scaleunits"),
    "sampling_rate_hz": ("sampling_rate_hz", "sampling_rate", "samplerate"),
}
_NAMES = {spelling: name for name, spellings in _SPELLINGS.items() for spelling in spellings}


@dataclass(frozen=True, slots=True)
class _Row:
    """One line under the names above; `place` is file and line, for messages."""

    place: str
    cells: dict[str, str]

    def text(self, name: str) -> str:
        return self.cells.get(name, "").strip()

    def number(self, name: str) -> float:
        text = self.text(name)
        value = _finite(text)
        if value is None:
            what = f"{name} {text!r} is not a number" if text else f"{name} is missing"
            raise InventoryError(f"{self.place}: {what}; correct it")
        return value

    def degrees(self, name: str, limit: float) -> float:
        value = self.number(name)
        if not -limit <= value <= limit:
            raise InventoryError(f"{self.place}: {name} {value} is outside -{limit:g}..{limit:g}; correct it")
        return value


def _finite(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if isfinite(value) else None


def read_csv(path: Path) -> list[Station]:
    """Read a table with a header line, one row a station or a channel.

    Parameters
    ----------
    path : Path
        Columns, in any order: ``station`` (or ``id`` as ``NET.STA``, ``NET.STA.LOC``,
        ``NET.STA.LOC.CHA``), ``latitude``, ``longitude``; and where known ``network``,
        ``elevation_m`` (also ``elevation``, in metres) or ``elevation_km``, ``location``,
        ``channel``, ``component``, ``sensitivity``, ``unit``. Others are passed over. Commas,
        semicolons, tabs or bars part them.

    Returns
    -------
    list of Station
        In the order of the rows; a station without network has an empty network code.

    Raises
    ------
    InventoryError
        Naming file and line.
    """
    return [_station(row) for row in _rows(path)]


def _rows(path: Path) -> Iterator[_Row]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InventoryError(f"{path}: cannot be read: {error}") from error
    lines = text.splitlines()
    header = lines[0] if lines else ""
    reader = csv.reader(lines, delimiter=max(",;\t|", key=header.count))
    names = [_NAMES.get(_plain(cell), "") for cell in next(reader, [])]
    _require_columns(path, set(names))
    for cells in reader:
        if any(cell.strip() for cell in cells):
            place = f"{path}:{reader.line_num}"
            if len(cells) != len(names):
                raise InventoryError(f"{place}: {len(cells)} columns, {len(names)} in the header; correct it")
            yield _Row(place, {name: cell for name, cell in zip(names, cells, strict=True) if name})


def _plain(cell: str) -> str:
    return cell.strip().lstrip("#").strip().lower().replace(" ", "_")


def _require_columns(path: Path, names: set[str]) -> None:
    missing = [name for name in ("latitude", "longitude") if name not in names]
    if not names & {"station", "id"}:
        missing.insert(0, "station")
    if missing:
        raise InventoryError(f"{path}:1: no column {', '.join(missing)}; name the columns in the first line")


def _station(row: _Row) -> Station:
    network, station, location, code = _codes(row)
    longitude_deg = row.degrees("longitude", 360.0)
    return Station(
        station=StationId(network, station),
        latitude_deg=row.degrees("latitude", 90.0),
        longitude_deg=longitude_deg if abs(longitude_deg) <= 180.0 else remainder(longitude_deg, 360.0),
        elevation_m=_elevation_m(row),
        channels=tuple(_channels(row, network, station, location, code)),
    )


def _codes(row: _Row) -> tuple[str, str, str, str]:
    """Network, station, location and channel, from their columns or from a dotted id."""
    dotted = (row.text("id") or row.text("station")).split(".")
    if len(dotted) > 4 or not dotted[1 if len(dotted) > 1 else 0]:
        raise InventoryError(f"{row.place}: no station code such as UH1 or BW.UH1..SHZ; correct it")
    lone = len(dotted) == 1
    network, station, location, code = ["", *dotted, "", ""] if lone else [*dotted, "", ""][:4]
    return (
        row.text("network") or network,
        station,
        (row.text("location") or location).replace("-", ""),
        row.text("channel") or code,
    )


def _elevation_m(row: _Row) -> float:
    if row.text("elevation_m"):
        return row.number("elevation_m")
    return row.number("elevation_km") * 1000.0 if row.text("elevation_km") else 0.0


def _channels(row: _Row, network: str, station: str, location: str, code: str) -> Iterator[Channel]:
    components = [item.strip() for item in row.text("component").split(",") if item.strip()]
    codes = [code] if len(code) == 3 else [code + item for item in components if len(code + item) == 3]
    for item, sensitivity in zip(codes, _sensitivities(row, len(codes)), strict=True):
        if item.isalnum():
            yield Channel(
                channel=ChannelId(network, station, location, item),
                sampling_rate_hz=row.number("sampling_rate_hz") if row.text("sampling_rate_hz") else None,
                sensitivity=sensitivity,
                input_unit=row.text("unit").lower() or None,
            )


def _sensitivities(row: _Row, count: int) -> list[float | None]:
    texts = [item.strip() for item in row.text("sensitivity").split(",") if item.strip()]
    if not texts:
        return [None] * count
    if len(texts) not in (1, count):
        raise InventoryError(f"{row.place}: {len(texts)} sensitivities for {count} channels; give one each")
    values = [_finite(text) for text in texts]
    if None in values:
        raise InventoryError(f"{row.place}: sensitivity {row.text('sensitivity')!r} is no number; correct it")
    return values if len(values) == count else values * count
