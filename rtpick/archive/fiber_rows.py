"""Picks, events and progress of fibers to rows and back: arrays as one compressed NPZ, never pickled.

Arrays: N pick, M pick of an event, K channel of a curve.
"""

from __future__ import annotations

import io
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import RowMapping

from rtpick.vocabulary.event import EventStatus
from rtpick.vocabulary.fiber import FiberPicks, FiberProgress
from rtpick.vocabulary.fiber_event import FiberCurve, FiberEvent

Row = dict[str, Any]
Arrays = dict[str, npt.NDArray[Any]]

_PICK_ARRAYS = ("channel_number_N", "phase_N", "time_ns_N", "probability_N", "amplitude_N")
_EVENT_ARRAYS = ("channel_number_M", "phase_M", "time_ns_M", "residual_s_M")
_CURVE_ARRAYS = ("channel_number_K", "p_ns_K", "s_ns_K")


@dataclass(frozen=True, slots=True, eq=False)
class FiberBatch:
    """Picks as they are kept: in one row, under a name that equal picks have too."""

    batch_id: str
    picks: FiberPicks


def name_batch(picks: FiberPicks) -> FiberBatch:
    """Name picks by what they are."""
    content = b"".join(getattr(picks, name).tobytes() for name in _PICK_ARRAYS[:3])
    first_ns = int(picks.time_ns_N.min())
    return FiberBatch(f"{picks.fiber}-{first_ns}-{zlib.crc32(content):08x}", picks)


def batch_row(batch: FiberBatch) -> Row:
    """The row of table `fiber_picks`."""
    picks = batch.picks
    return {
        "batch_id": batch.batch_id,
        "fiber": picks.fiber,
        "begin_ns": int(picks.time_ns_N.min()),
        "end_ns": int(picks.time_ns_N.max()),
        "pick_count": len(picks),
        "model_version": picks.model_version,
        "arrays": _pack({name: getattr(picks, name) for name in _PICK_ARRAYS}),
    }


def read_batch(row: RowMapping) -> FiberBatch:
    """The picks of a row."""
    picks = FiberPicks(fiber=row["fiber"], model_version=row["model_version"], **_unpack(row["arrays"]))
    return FiberBatch(row["batch_id"], picks)


def event_row(event: FiberEvent) -> Row:
    """The row of table `fiber_event`."""
    arrays = {name: getattr(event, name) for name in _EVENT_ARRAYS}
    return {
        "event_id": event.event_id,
        "revision": int(event.revision),
        "status": event.status.value,
        "fiber": event.fiber,
        "origin_ns": int(event.origin_ns),
        "ps_s": float(event.ps_s),
        "pick_count": len(event),
        "channel_count": len(np.unique(event.channel_number_M)),
        "apex_channel": apex_channel(event),
        "merged_into": event.merged_into,
        "arrays": _pack(arrays | {name: getattr(event.curve, name) for name in _CURVE_ARRAYS}),
    }


def read_event(row: RowMapping) -> FiberEvent:
    """The event of a row."""
    arrays = _unpack(row["arrays"])
    curve = FiberCurve(**{name: arrays.pop(name) for name in _CURVE_ARRAYS})
    return FiberEvent(
        event_id=row["event_id"],
        fiber=row["fiber"],
        revision=row["revision"],
        status=EventStatus(row["status"]),
        origin_ns=row["origin_ns"],
        ps_s=row["ps_s"],
        curve=curve,
        merged_into=row["merged_into"],
        **arrays,
    )


def apex_channel(event: FiberEvent) -> int:
    """The channel that P reaches first."""
    return int(event.curve.channel_number_K[np.argmin(event.curve.p_ns_K)])


def progress_row(progress: FiberProgress) -> Row:
    """The row of table `fiber_progress`."""
    sequence = None if progress.sequence is None else str(progress.sequence)
    return {
        "source": progress.source,
        "fiber": progress.fiber,
        "settled_ns": int(progress.settled_ns),
        "sequence": sequence,
    }


def read_progress(row: RowMapping) -> FiberProgress:
    """The progress of a row."""
    sequence = None if row["sequence"] is None else int(row["sequence"])
    return FiberProgress(row["source"], row["fiber"], row["settled_ns"], sequence)


def only_rows(picks: FiberPicks, keep_N: npt.NDArray[np.bool_]) -> FiberPicks:
    """Some of the picks."""
    arrays = {name: getattr(picks, name)[keep_N] for name in _PICK_ARRAYS}
    return FiberPicks(fiber=picks.fiber, model_version=picks.model_version, **arrays)


def _pack(arrays: Arrays) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def _unpack(content: bytes) -> Arrays:
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return dict(arrays)
