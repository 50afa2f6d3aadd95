"""Where stations stand: StationXML and tables of coordinates become one inventory.

Also decides which sensor of a station is listened to.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import reduce
from pathlib import Path

from rtpick.ingest.inventory_csv import read_csv
from rtpick.ingest.inventory_stationxml import read_stationxml
from rtpick.vocabulary.codes import ChannelId, InstrumentId, StationId
from rtpick.vocabulary.errors import InventoryError
from rtpick.vocabulary.inventory import Inventory, Station

_TABLE_SUFFIXES = frozenset({".csv", ".txt", ".tsv"})
_SAME_PLACE_DEG = 0.02  # two kilometres: epochs and sensors of one station stand closer


def read_inventory(files: Iterable[Path | str]) -> Inventory:
    """Read stations and channels from files and put them together.

    Parameters
    ----------
    files : iterable of Path or str
        Tables of coordinates (``.csv``, ``.txt``, ``.tsv``); everything else is read as
        StationXML, or as what else obspy knows (SeisComP XML, dataless SEED).

    Returns
    -------
    Inventory
        Of a station with several epochs the newest. A station in several files has the channels
        of all of them, and the coordinates of the first.

    Raises
    ------
    InventoryError
        Naming file and line or element: a file that is missing or cannot be read, coordinates
        that are missing or impossible, one station at two places, or no station at all.
    """
    paths = [Path(file) for file in files]
    stations = [(path, station) for path in paths for station in _read(path)]
    if not stations:
        raise InventoryError(f"no station in {', '.join(map(str, paths)) or 'no file'}; add an inventory")
    return Inventory(reduce(_add, stations, {}))


def _read(path: Path) -> list[Station]:
    if not path.is_file():
        raise InventoryError(f"{path}: no such file; correct the path of the inventory")
    return read_csv(path) if path.suffix.lower() in _TABLE_SUFFIXES else read_stationxml(path)


def _add(known: dict[StationId, Station], found: tuple[Path, Station]) -> dict[StationId, Station]:
    path, station = found
    first = known.get(station.station)
    known[station.station] = station if first is None else _merge(path, first, station)
    return known


def _merge(path: Path, first: Station, other: Station) -> Station:
    apart_deg = max(
        abs(first.latitude_deg - other.latitude_deg), abs(first.longitude_deg - other.longitude_deg)
    )
    if apart_deg > _SAME_PLACE_DEG:
        raise InventoryError(f"{path}: station {first.station} stands at two places; correct one of them")
    listed = {item.channel for item in first.channels}
    fresh = tuple(item for item in other.channels if item.channel not in listed)
    return replace(first, channels=first.channels + fresh)


def select_instruments(
    source: Inventory | Iterable[ChannelId], band_instrument_priority: Sequence[str]
) -> dict[StationId, InstrumentId]:
    """Choose the one sensor of each station that is listened to.

    Parameters
    ----------
    source : Inventory or iterable of ChannelId
        Channels that there are: an inventory's, an archive's, or those a server offers.
    band_instrument_priority : sequence of str
        ``("HH", "BH", ...)``: the first of them that the station has is taken.

    Returns
    -------
    dict of StationId to InstrumentId
        Without the stations that have none of them. Among sensors of the same kind the one with
        the most components is taken, then the first location code.

    Examples
    --------
    >>> channels = [ChannelId.parse(code) for code in ("BW.UH1..HNZ", "BW.UH1..SHZ")]
    >>> str(select_instruments(channels, ("SH", "HN"))[StationId("BW", "UH1")])
    'BW.UH1..SH'
    """
    rank = {kind: place for place, kind in enumerate(band_instrument_priority)}
    components: dict[InstrumentId, set[str]] = {}
    for channel in _channels(source):
        if channel.channel[:2] in rank:
            components.setdefault(channel.instrument_id, set()).add(channel.component)
    chosen: dict[StationId, InstrumentId] = {}
    for instrument in sorted(
        components, key=lambda item: (rank[item.band_instrument], -len(components[item]), item)
    ):
        chosen.setdefault(instrument.station_id, instrument)
    return chosen


def _channels(source: Inventory | Iterable[ChannelId]) -> Iterable[ChannelId]:
    if isinstance(source, Inventory):
        return (item.channel for station in source for item in station.channels)
    return source
