"""Instrument responses out of StationXML and what else obspy reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from obspy import read_inventory as read_with_obspy

from rtpick.ingest.obspy_reading import read_quietly
from rtpick.vocabulary.codes import ChannelId
from rtpick.vocabulary.errors import InventoryError
from rtpick.vocabulary.response import Response, Responses

_TABLE_SUFFIXES = frozenset({".csv", ".txt", ".tsv"})  # these hold no response
_FREQUENCIES_HZ = np.geomspace(0.02, 100.0, 160)


def read_responses(files: Iterable[Path | str]) -> Responses:
    """Read the response to displacement of every channel whose poles and zeros are given.

    Parameters
    ----------
    files : iterable of Path or str
        As `rtpick.ingest.inventory.read_inventory` takes them; tables of coordinates are passed over.

    Returns
    -------
    Responses
        Without the channels of which an overall sensitivity alone is known.

    Raises
    ------
    InventoryError
        If a file cannot be read.
    """
    paths = [Path(file) for file in files]
    wanted = [path for path in paths if path.suffix.lower() not in _TABLE_SUFFIXES]
    return Responses.of(response for path in wanted for response in _responses(path))


def _responses(path: Path) -> Iterator[Response]:
    for network in read_quietly(read_with_obspy, str(path), path, "inventory", InventoryError):
        for station in network:
            for channel in station:
                code = ChannelId(network.code, station.code, channel.location_code or "", channel.code)
                response = _response(path, code, channel)
                if response is not None:
                    yield response


def _response(path: Path, code: ChannelId, channel: Any) -> Response | None:
    if channel.response is None or not channel.response.response_stages:
        return None
    try:
        counts_F = channel.response.get_evalresp_response_for_frequencies(_FREQUENCIES_HZ, output="DISP")
    except Exception as error:
        raise InventoryError(
            f"{path}: response of {code} cannot be evaluated: {error}; correct it"
        ) from error
    size_F = np.abs(counts_F)
    if not np.isfinite(size_F).all() or not size_F.any():
        return None
    return Response(code, _ns(channel.start_date), _ns(channel.end_date), _FREQUENCIES_HZ, counts_F)


def _ns(moment: Any) -> int | None:
    return None if moment is None else int(moment.ns)
