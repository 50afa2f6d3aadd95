"""`picks.csv` and `events.csv`: whole tables for a finished run, growing ones for the daemon."""

from __future__ import annotations

import csv
import io
import math
import os
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from pathlib import Path

from rtpick.archive.atomic import storage_errors, write_atomic
from rtpick.vocabulary.event import Event
from rtpick.vocabulary.pick import Pick, PickStatus
from rtpick.vocabulary.time import format_utc

PICK_COLUMNS = [
    "pick_id", "network", "station", "location", "channel", "phase_hint", "time", "probability",
    "uncertainty_s", "amplitude", "snr", "coverage", "model_version", "status", "revision",
]  # fmt: skip
EVENT_COLUMNS = [
    "event_id", "time", "latitude", "longitude", "depth_km", "magnitude", "magnitude_type", "n_picks",
    "rms_s", "gap_deg", "time_uncertainty_s", "horizontal_uncertainty_km", "depth_uncertainty_km",
    "status", "revision",
]  # fmt: skip
_DAYS_OPEN = 4

Cells = list[str]


def write_picks(path: Path, picks: Iterable[Pick]) -> None:
    """Write picks as one table, one row each, by onset; an unknown value is an empty cell.

    Raises
    ------
    ArchiveError
        If the file cannot be written; an old one is untouched then.
    """
    ordered = sorted(picks, key=lambda pick: (pick.time_ns, pick.pick_id))
    write_atomic(path, _encode([PICK_COLUMNS, *map(pick_cells, ordered)]))


def write_events(path: Path, events: Iterable[Event]) -> None:
    """Write events as one table, one row each, by origin time.

    Raises
    ------
    ArchiveError
        If the file cannot be written; an old one is untouched then.
    """
    ordered = sorted(events, key=lambda event: (event.origin.time_ns, event.event_id, event.revision))
    write_atomic(path, _encode([EVENT_COLUMNS, *map(event_cells, ordered)]))


def pick_cells(pick: Pick) -> Cells:
    """The cells of a pick in the order of `PICK_COLUMNS`."""
    channel = pick.channel
    return [
        pick.pick_id,
        channel.network,
        channel.station,
        channel.location,
        channel.channel,
        pick.phase_hint,
        format_utc(pick.time_ns),
        _number(pick.probability),
        _number(pick.uncertainty_s),
        _number(pick.amplitude),
        _number(pick.snr),
        _number(pick.coverage),
        pick.model_version,
        pick.status.value,
        str(pick.revision),
    ]


def event_cells(event: Event) -> Cells:
    """The cells of an event's revision in the order of `EVENT_COLUMNS`."""
    origin, magnitude = event.origin, event.magnitude
    return [
        event.event_id,
        format_utc(origin.time_ns),
        _number(origin.latitude_deg),
        _number(origin.longitude_deg),
        _number(origin.depth_km),
        _number(magnitude.magnitude) if magnitude else "",
        magnitude.magnitude_type if magnitude else "",
        str(len(event.arrivals)),
        _number(origin.rms_s),
        _number(origin.azimuthal_gap_deg),
        _number(origin.time_uncertainty_s),
        _number(origin.horizontal_uncertainty_km),
        _number(origin.depth_uncertainty_km),
        event.status.value,
        str(event.revision),
    ]


class CsvTables:
    """Tables that grow with a running daemon, one file a UTC day of the onset or the origin.

    ``picks-2010-05-27.csv`` takes each final pick once, ``events-2010-05-27.csv`` each event revision once.
    Rows are appended whole and flushed; what a crash cut off is removed when the file is next opened,
    and a row that is told again is not written again.

    Parameters
    ----------
    directory : Path
        Made where it is missing.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._tables: OrderedDict[Path, GrowingTable] = OrderedDict()

    def append(self, news: Sequence[Pick | Event]) -> None:
        """Add final picks and event revisions; picks that may still change are passed over.

        Raises
        ------
        StorageFullError, ArchiveError
            If a file cannot be written; appending the same again completes it.
        """
        rows: dict[Path, list[Cells]] = {}
        for item in news:
            if isinstance(item, Event):
                rows.setdefault(self._path("events", item.origin.time_ns), []).append(event_cells(item))
            elif item.status is PickStatus.FINAL:
                rows.setdefault(self._path("picks", item.time_ns), []).append(pick_cells(item))
        for path, cells in rows.items():
            self._table(path).append(cells)

    def _path(self, kind: str, time_ns: int) -> Path:
        return self._directory / f"{kind}-{format_utc(time_ns)[:10]}.csv"

    def _table(self, path: Path) -> GrowingTable:
        if path not in self._tables:
            columns = PICK_COLUMNS if path.name.startswith("picks") else EVENT_COLUMNS
            self._tables[path] = GrowingTable(path, columns)
        self._tables.move_to_end(path)
        while len(self._tables) > 2 * _DAYS_OPEN:
            self._tables.popitem(last=False)
        return self._tables[path]


class GrowingTable:
    """One CSV file to which rows are added; a row is known by its first and its last cell."""

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self._path = path
        self._columns = columns
        self._known: set[tuple[str, str]] = set()
        self._size_bytes = -1

    def append(self, rows: Sequence[Cells]) -> None:
        """Add the rows that are not there yet, whole, and flush them to the device."""
        with storage_errors(self._path):
            if _size_bytes(self._path) != self._size_bytes:
                self._read()
            news = {_row_key(row): row for row in rows if _row_key(row) not in self._known}
            if news:
                self._write(_encode(news.values()))
                self._known.update(news)

    def _read(self) -> None:
        """Take note of what is there: at the first use, after a crash, when someone moved the file away."""
        content = self._path.read_bytes() if self._path.exists() else b""
        whole = content[: content.rfind(b"\n") + 1]
        rows = csv.reader(io.StringIO(whole.decode("utf-8", errors="replace")))
        self._known = {_row_key(row) for row in rows}
        self._size_bytes = len(whole)

    def _write(self, content: bytes) -> None:
        if self._size_bytes == 0:
            content = _encode([self._columns]) + content
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("ab") as file:
            # What an attempt that was cut short left behind goes first.
            file.truncate(self._size_bytes)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        self._size_bytes += len(content)


def _size_bytes(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _row_key(row: Sequence[str]) -> tuple[str, str]:
    return (row[0], row[-1]) if row else ("", "")


def _encode(rows: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def _number(value: float) -> str:
    return "" if math.isnan(value) else repr(float(value))
