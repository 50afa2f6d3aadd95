"""`fiber-picks-DAY.csv` and `fiber-events-DAY.csv`: what fibers have, in tables that grow with the daemon."""

from __future__ import annotations

import csv
import io
import os
from collections import Counter, OrderedDict
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from rtpick.archive.atomic import storage_errors
from rtpick.publish.csv_tables import GrowingTable
from rtpick.vocabulary.fiber import FiberPicks
from rtpick.vocabulary.fiber_event import FiberEvent
from rtpick.vocabulary.time import format_utc

PICK_COLUMNS = ["fiber", "channel", "phase", "time", "probability", "amplitude", "model_version", "batch_id"]
EVENT_COLUMNS = [
    "event_id", "fiber", "origin_time", "ps_s", "n_p", "n_s", "n_channels", "apex_channel", "apex_p_time",
    "merged_into", "status", "revision",
]  # fmt: skip
_DAYS_OPEN = 4

Cells = list[str]
Batch = tuple[str, FiberPicks]


class FiberTables:
    """Tables by UTC day; what is told again is not written again.

    Parameters
    ----------
    directory : Path
        Made where it is missing.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._picks: OrderedDict[str, BatchTable] = OrderedDict()
        self._events: OrderedDict[str, GrowingTable] = OrderedDict()

    def append(self, batches: Sequence[Batch], events: Sequence[FiberEvent]) -> None:
        """Add batches of picks under their names, and revisions of events.

        Raises
        ------
        StorageFullError, ArchiveError
            If a file cannot be written; appending the same again completes it.
        """
        for batch_id, picks in batches:
            for day, rows in _by_day(pick_cells(batch_id, picks), 3).items():
                self._table_of_picks(day).append(batch_id, rows)
        for day, rows in _by_day(map(event_cells, events), 2).items():
            self._table_of_events(day).append(rows)

    def _table_of_picks(self, day: str) -> BatchTable:
        if day not in self._picks:
            self._picks[day] = BatchTable(self._directory / f"fiber-picks-{day}.csv")
        while len(self._picks) > _DAYS_OPEN:
            self._picks.popitem(last=False)
        return self._picks[day]

    def _table_of_events(self, day: str) -> GrowingTable:
        if day not in self._events:
            self._events[day] = GrowingTable(self._directory / f"fiber-events-{day}.csv", EVENT_COLUMNS)
        while len(self._events) > _DAYS_OPEN:
            self._events.popitem(last=False)
        return self._events[day]


class BatchTable:
    """One CSV file of picks; of each batch it is known how many rows are there, and no more."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._written: Counter[str] = Counter()
        self._size_bytes = -1

    def append(self, batch_id: str, rows: Sequence[Cells]) -> None:
        """Add the rows of a batch that are not there yet, and flush them to the device."""
        with storage_errors(self._path):
            size_bytes = self._path.stat().st_size if self._path.exists() else 0
            if size_bytes != self._size_bytes:
                self._read()
            news = rows[self._written[batch_id] :]
            if news:
                self._write(news)
                self._written[batch_id] = len(rows)

    def _read(self) -> None:
        """Count what is there, but for a row that was cut off."""
        content = self._path.read_bytes() if self._path.exists() else b""
        whole = content[: content.rfind(b"\n") + 1]
        rows = csv.reader(io.StringIO(whole.decode("utf-8", errors="replace")))
        self._written = Counter(row[-1] for row in rows if row)
        self._size_bytes = len(whole)

    def _write(self, rows: Sequence[Cells]) -> None:
        text = io.StringIO()
        head = [PICK_COLUMNS] if self._size_bytes == 0 else []
        csv.writer(text, lineterminator="\n").writerows([*head, *rows])
        content = text.getvalue().encode()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("ab") as file:
            file.truncate(self._size_bytes)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        self._size_bytes += len(content)


def pick_cells(batch_id: str, picks: FiberPicks) -> list[Cells]:
    """The cells of each pick in the order of `PICK_COLUMNS`."""
    columns = picks.channel_number_N, picks.phase_N, picks.time_ns_N, picks.probability_N, picks.amplitude_N
    return [
        [picks.fiber, str(channel), str(phase), format_utc(int(time_ns)), f"{probability:.4f}",
         "" if np.isnan(amplitude) else f"{amplitude:.6g}", picks.model_version, batch_id]
        for channel, phase, time_ns, probability, amplitude in zip(*columns, strict=True)
    ]  # fmt: skip


def event_cells(event: FiberEvent) -> Cells:
    """The cells of an event's revision in the order of `EVENT_COLUMNS`."""
    apex = int(np.argmin(event.curve.p_ns_K))
    p_count = int((event.phase_M == "P").sum())
    return [
        event.event_id,
        event.fiber,
        format_utc(event.origin_ns),
        f"{event.ps_s:.3f}",
        str(p_count),
        str(len(event) - p_count),
        str(len(np.unique(event.channel_number_M))),
        str(int(event.curve.channel_number_K[apex])),
        format_utc(int(event.curve.p_ns_K[apex])),
        event.merged_into or "",
        event.status.value,
        str(event.revision),
    ]


def _by_day(rows: Iterable[Cells], time_column: int) -> dict[str, list[Cells]]:
    days: dict[str, list[Cells]] = {}
    for row in rows:
        days.setdefault(row[time_column][:10], []).append(row)
    return days
