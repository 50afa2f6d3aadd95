"""What the associator of a fiber knows, as arrays by name, and back.

The arrays go into one `.npz` file without pickling. A restored associator says what one that never
stopped would have said.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from rtpick.association.fiber_associate import FiberAssociatorState
from rtpick.association.fiber_ledger import Entry, Ledger
from rtpick.association.fiber_options import FiberOptions
from rtpick.association.fiber_pool import Pool
from rtpick.vocabulary.event import EventStatus
from rtpick.vocabulary.fiber_event import FiberCurve, FiberEvent

Arrays = dict[str, npt.NDArray[np.generic]]
_COLUMNS = ("time_ns_N", "channel_N", "is_s_N", "is_hint_N", "is_judged_N", "is_burst_N", "owner_N")
_OF_EVENT = ("event_id", "fiber", "revision", "origin_ns", "ps_s", "channel_number_M", "phase_M", "time_ns_M",
             "residual_s_M")  # fmt: skip
_OF_CURVE = ("channel_number_K", "p_ns_K", "s_ns_K")


def take_snapshot(state: FiberAssociatorState) -> Arrays:
    """Write the state down as arrays by name.

    Examples
    --------
    >>> state = FiberAssociatorState("ridge")
    >>> restore_snapshot(take_snapshot(state), state.options).fiber
    'ridge'
    """
    arrays: Arrays = {
        "fiber": np.array(state.fiber),
        "reviewed_ns": np.array(state.reviewed_ns),
        "mixed_ns": state.mixed_ns,
        "channels": np.array(state.channels),
        "late": np.array(state.late),
        "next_number": np.array(state.ledger.next_number),
        "names": np.array(state.ledger.names, str),
        "numbers": np.array([entry.number for entry in state.ledger.entries], np.int64),
    }
    for pool, name in ((state.pool, "pool"), (state.incoming, "incoming")):
        arrays |= {f"{name}.{column}": getattr(pool, column) for column in _COLUMNS}
    for entry in state.ledger.entries:
        event, place = entry.event, f"event{entry.number}"
        arrays |= {f"{place}.{name}": np.asarray(getattr(event, name)) for name in _OF_EVENT}
        arrays |= {f"{place}.{name}": getattr(event.curve, name) for name in _OF_CURVE}
        arrays[f"{place}.status"] = np.array(event.status.value)
    return arrays


def restore_snapshot(
    arrays: Mapping[str, npt.NDArray[np.generic]], options: FiberOptions
) -> FiberAssociatorState:
    """Continue from what `take_snapshot` wrote.

    Raises
    ------
    KeyError
        Naming the array that is missing.
    """
    entries = tuple(Entry(int(number), _event(arrays, int(number))) for number in arrays["numbers"].tolist())
    names = tuple(str(name) for name in arrays["names"].tolist())
    pools = _pool(arrays, "pool"), _pool(arrays, "incoming")
    state = FiberAssociatorState(str(arrays["fiber"]), options, *pools)
    low, high = arrays["channels"].tolist()
    return replace(
        state,
        ledger=Ledger(entries, int(arrays["next_number"]), names),
        reviewed_ns=int(arrays["reviewed_ns"]),
        mixed_ns=np.asarray(arrays["mixed_ns"], np.int64),
        channels=(int(low), int(high)),
        late=int(arrays["late"]),
    )


def _pool(arrays: Mapping[str, npt.NDArray[np.generic]], name: str) -> Pool:
    return Pool(*(arrays[f"{name}.{column}"] for column in _COLUMNS))  # type: ignore[arg-type]


def _event(arrays: Mapping[str, npt.NDArray[np.generic]], number: int) -> FiberEvent:
    place = f"event{number}"
    fields: dict[str, Any] = {name: arrays[f"{place}.{name}"] for name in _OF_EVENT}
    fields = {name: value.item() if value.ndim == 0 else value for name, value in fields.items()}
    curve = FiberCurve(*(np.asarray(arrays[f"{place}.{name}"], np.int64) for name in _OF_CURVE))
    return FiberEvent(**fields, status=EventStatus(str(arrays[f"{place}.status"])), curve=curve)
