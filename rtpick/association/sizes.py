"""What is remembered of amplitudes while picks, clips and events go by, as a stage.

The size of an event is stated with each of its revisions, from what has been seen until then; clips come
with final picks, so that the last revision knows most.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import TypeVar

from rtpick.association.magnitude import Scale, size_event
from rtpick.association.wood_anderson import StationAmplitude, measure_clip
from rtpick.settings.schema import MagnitudeSettings
from rtpick.vocabulary.codes import StationId
from rtpick.vocabulary.errors import InventoryError
from rtpick.vocabulary.event import Event, EventStatus
from rtpick.vocabulary.pick import Pick
from rtpick.vocabulary.response import Responses
from rtpick.vocabulary.waveform import Clip

CAPACITY = 20_000  # picks remembered, more than settle in minutes of the densest network
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, eq=False)
class Sizes:
    """Amplitudes by pick_id, the oldest first; never changed in place."""

    scale: Scale = field(default_factory=Scale)
    responses: Responses = field(default_factory=Responses)
    drawn: Mapping[str, StationAmplitude] = field(default_factory=dict)
    picks: Mapping[str, Pick] = field(default_factory=dict)


def new_sizes(settings: MagnitudeSettings, responses: Responses) -> Sizes:
    """Begin with no amplitude.

    Raises
    ------
    InventoryError
        If the table of corrections cannot be read.
    """
    corrections = read_corrections(settings.corrections) if settings.corrections else {}
    scale = Scale(settings.geometric, settings.absorption_per_km, settings.constant, corrections)
    return Sizes(scale, responses)


def take_amplitudes(sizes: Sizes, results: Sequence[object]) -> Sizes:
    """Take note of picks and clips; anything else is passed over."""
    picks = {r.pick_id: r for r in results if isinstance(r, Pick) and r.amplitude_unit == "m/s"}
    clips = [r for r in results if isinstance(r, Clip)] if len(sizes.responses) else []
    measured = [measure_clip(clip, sizes.responses) for clip in clips]
    drawn = {amplitude.pick_id: amplitude for amplitude in measured if amplitude is not None}
    if not picks and not drawn:
        return sizes
    return replace(sizes, picks=_bounded(sizes.picks, picks), drawn=_bounded(sizes.drawn, drawn))


def _bounded(known: Mapping[str, Item], news: Mapping[str, Item]) -> Mapping[str, Item]:
    """Put news behind what is known, and forget the oldest beyond the capacity."""
    if not news:
        return known
    together = {**known, **news}
    return dict(islice(together.items(), max(len(together) - CAPACITY, 0), None))


def size_events(sizes: Sizes, events: Iterable[Event]) -> list[Event]:
    """State the magnitude of events, where there is one."""
    return [_sized(sizes, event) for event in events]


def _sized(sizes: Sizes, event: Event) -> Event:
    if event.status in (EventStatus.MERGE, EventStatus.RETRACT):
        return event
    return replace(event, magnitude=size_event(event, sizes.drawn, sizes.picks, sizes.scale))


def read_corrections(path: Path) -> dict[StationId, float]:
    """Read what is added to the magnitudes of stations: a CSV with the columns station and correction.

    Raises
    ------
    InventoryError
        Naming file and line.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = enumerate(csv.DictReader(file), start=2)
            return dict(_correction(row, path, line) for line, row in rows)
    except (OSError, UnicodeDecodeError) as error:
        raise InventoryError(f"cannot read magnitude corrections from {path}: {error}") from error


def _correction(row: Mapping[str, str], path: Path, line: int) -> tuple[StationId, float]:
    try:
        return StationId.parse(row["station"]), float(row["correction"])
    except (KeyError, TypeError, ValueError) as error:
        text = f"{path}, line {line}: needs station (NET.STA) and correction, a number ({error!r})"
        raise InventoryError(text) from error
