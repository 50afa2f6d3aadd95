"""A real recording for demonstrations: two induced earthquakes at Unterhaching, Bavaria, 2010.

The waveforms lie in obspy's own package (its test data, network BW); here they are written as
the miniSEED that a SeedLink server serves, and beside them stands what is known of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import obspy

from rtpick.vocabulary.codes import ChannelId, StationId
from rtpick.vocabulary.errors import RecordError
from rtpick.vocabulary.inventory import Station
from rtpick.vocabulary.time import parse_utc

_FILES = "signal/tests/data/BW.UH?._.?H?.D.2010.147.cut.slist.gz"
_RECORD_BYTES = 512


@dataclass(frozen=True, slots=True)
class KnownEvent:
    """What is known of an earthquake in the recording; None where nothing is published."""

    description: str
    time_ns: int
    latitude_deg: float | None = None
    longitude_deg: float | None = None
    depth_km: float | None = None
    magnitude: float | None = None


# Elevations are about right: 500 m is published for UH1 alone, the ground there is flat.
STATIONS = (
    Station(StationId("BW", "UH1"), 48.0815, 11.6361, 500.0),
    Station(StationId("BW", "UH2"), 48.0584, 11.6817, 500.0),
    Station(StationId("BW", "UH3"), 48.0313, 11.6366, 500.0),
    Station(StationId("BW", "UH4"), 48.0318, 11.5354, 500.0),
)
CHANNELS = tuple(
    map(
        ChannelId.parse,
        ("BW.UH1..SHZ", "BW.UH2..SHZ", "BW.UH3..SHE", "BW.UH3..SHN", "BW.UH3..SHZ", "BW.UH4..EHZ"),
    )
)
START_NS = parse_utc("2010-05-27T16:24:03.669999Z")
END_NS = parse_utc("2010-05-27T16:27:54.02Z")
CATALOGUED = KnownEvent(
    "catalogued, M 2.1", parse_utc("2010-05-27T16:24:31.80Z"), 48.0480, 11.6458, 4.8, 2.1
)
REPEAT = KnownEvent("smaller repeat from the same place, arrives", parse_utc("2010-05-27T16:27:30.5Z"))
SMALL = KnownEvent("seen well on UH3 alone, arrives", parse_utc("2010-05-27T16:25:26Z"))
KNOWN_EVENTS = (CATALOGUED, SMALL, REPEAT)


def write_recording(folder: Path) -> list[Path]:
    """Write the recording's six channels into `folder`, one miniSEED file each.

    Returns
    -------
    list of Path
        ``BW.UH1..SHZ.mseed`` and so on: 512-byte records, Steim2 where the samples are whole
        counts and float32 at UH4, whose samples are not.

    Raises
    ------
    RecordError
        If the installed obspy does not carry the recording.
    """
    sources = sorted(Path(obspy.__file__).parent.glob(_FILES))
    written = [_write_channel(source, folder) for source in sources]
    expected = [f"{channel}.mseed" for channel in CHANNELS]
    if sorted(path.name for path in written) != expected:
        raise RecordError(f"obspy {obspy.__version__} lacks {_FILES}; install obspy with its test data")
    return written


def _write_channel(source: Path, folder: Path) -> Path:
    (trace,) = obspy.read(str(source))
    counts = trace.data.astype(np.int32)
    whole = np.array_equal(counts, trace.data)
    trace.data = counts if whole else trace.data.astype(np.float32)
    path = folder / f"{trace.id}.mseed"
    encoding = "STEIM2" if whole else "FLOAT32"
    trace.write(str(path), format="MSEED", reclen=_RECORD_BYTES, encoding=encoding)
    return path


def write_coordinates(path: Path) -> None:
    """Write the stations' coordinates as a table that `inventory.files` may name."""
    lines = ["network,station,latitude,longitude,elevation_m"]
    for site in STATIONS:
        code = site.station
        place = f"{site.latitude_deg},{site.longitude_deg},{site.elevation_m:g}"
        lines.append(f"{code.network},{code.station},{place}")
    path.write_text("\n".join(lines) + "\n")
