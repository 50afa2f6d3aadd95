"""Picks and events of fibers as versioned JSON: `schemas/fiber_picks-1.json`, `schemas/fiber_event-1.json`.

Picks come in batches, as arrays of equal length. What is not known (NaN inside) is null.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from rtpick.vocabulary.fiber import FiberPicks
from rtpick.vocabulary.fiber_event import FiberEvent
from rtpick.vocabulary.time import NS_PER_S, format_utc

PICKS_SCHEMA = "rtpick/fiber_picks/1"
EVENT_SCHEMA = "rtpick/fiber_event/1"

Json = dict[str, Any]


def encode_fiber_message(item: FiberPicks | FiberEvent) -> bytes:
    """Write picks or an event of a fiber as one line of UTF-8 JSON; equal items give equal bytes."""
    message = picks_message(item) if isinstance(item, FiberPicks) else fiber_event_message(item)
    return json.dumps(message, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()


def picks_message(picks: FiberPicks) -> Json:
    """Lay a batch of picks out as `schemas/fiber_picks-1.json` says."""
    begin_ns = int(picks.time_ns_N.min()) if len(picks) else 0
    return {
        "schema": PICKS_SCHEMA,
        "fiber": picks.fiber,
        "begin": format_utc(begin_ns),
        "count": len(picks),
        "model_version": picks.model_version,
        "channel": picks.channel_number_N.tolist(),
        "phase": picks.phase_N.tolist(),
        "since_begin_s": _since(picks.time_ns_N, begin_ns),
        "probability": _known(picks.probability_N),
        "amplitude": _known(picks.amplitude_N),
    }


def fiber_event_message(event: FiberEvent) -> Json:
    """Lay an event's revision out as `schemas/fiber_event-1.json` says."""
    curve = event.curve
    return {
        "schema": EVENT_SCHEMA,
        "event_id": event.event_id,
        "fiber": event.fiber,
        "revision": event.revision,
        "status": event.status.value,
        "merged_into": event.merged_into,
        "origin_time": format_utc(event.origin_ns),
        "ps_s": None if math.isnan(event.ps_s) else float(event.ps_s),
        "p_count": int((event.phase_M == "P").sum()),
        "s_count": int((event.phase_M == "S").sum()),
        "channel_count": len(np.unique(event.channel_number_M)),
        "apex_channel": int(curve.channel_number_K[np.argmin(curve.p_ns_K)]),
        "curve": {
            "channel": curve.channel_number_K.tolist(),
            "p_since_origin_s": _since(curve.p_ns_K, event.origin_ns),
            "s_since_origin_s": _since(curve.s_ns_K, event.origin_ns),
        },
    }


def _since(time_ns: Any, begin_ns: int) -> list[float]:
    """Seconds since a time, to the microsecond."""
    return [round(value / NS_PER_S, 6) for value in (time_ns - begin_ns).tolist()]


def _known(values: Iterable[Any]) -> list[float | None]:
    return [round(float(value), 9) if math.isfinite(value) else None for value in values]
