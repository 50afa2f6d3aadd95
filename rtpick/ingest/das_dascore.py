"""Files of other formats, read with dascore where that is installed."""

from __future__ import annotations

import importlib
import math
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rtpick.vocabulary.errors import RecordError
from rtpick.vocabulary.fiber import FiberLayout, Quantity

if TYPE_CHECKING:
    from rtpick.ingest.das_files import DasFile

_KEPT_FILES = 2
_QUANTITIES = {
    "strain": Quantity.STRAIN,
    "strain_rate": Quantity.STRAIN_RATE,
    "phase_rate": Quantity.PHASE_RATE,
}


def index_with_dascore(path: Path, fiber: str) -> DasFile:
    """Look at a file of another format.

    Raises
    ------
    RecordError
        If dascore is not installed, or cannot read the file either.
    """
    from rtpick.ingest.das_files import DasFile  # that module asks this one for what it cannot read

    patch = _read(path)
    times_ns = np.asarray(patch.coords.get_array("time")).astype("datetime64[ns]").astype(np.int64)
    distances_m = np.asarray(patch.coords.get_array("distance"), dtype=np.float64)
    if len(times_ns) < 2 or len(distances_m) < 1:
        raise RecordError(f"{path}: too short, {len(distances_m)} channels of {len(times_ns)} samples")
    layout = _layout(patch, fiber, times_ns, distances_m)
    return DasFile(path, layout, int(times_ns[0]), len(times_ns), str(patch.data.dtype.str), True)


def read_with_dascore(path: Path, first: int, behind: int) -> np.ndarray:
    """Read samples `first` to `behind` of all channels, shape (channel, time)."""
    return np.asarray(_read(path).data)[:, first:behind]


@lru_cache(maxsize=_KEPT_FILES)
def _read(path: Path) -> Any:
    """Read a whole file with its axes in our order; kept, as it is asked for block by block."""
    try:
        dascore = importlib.import_module("dascore")
    except ImportError as error:
        detail = "no dataset `data` (channel, time) with begin_time, dt_s, dx_m"
        remedy = "other formats are read with dascore: pip install 'rtpick[das-formats]'"
        raise RecordError(f"{path}: {detail}; {remedy}") from error
    try:
        (patch,) = dascore.read(str(path))
        return patch.transpose("distance", "time")
    except Exception as error:  # what its many readers raise is of every kind
        raise RecordError(f"{path} is of no format that dascore reads as one array ({error})") from error


def _layout(patch: Any, fiber: str, times_ns: np.ndarray, distances_m: np.ndarray) -> FiberLayout:
    spacing_m = float(np.median(np.diff(distances_m))) if len(distances_m) > 1 else 1.0
    period_ns = float(times_ns[-1] - times_ns[0]) / (len(times_ns) - 1)
    rate_hz = 1e9 / period_ns
    figure_hz = round(rate_hz, 3)
    is_near = figure_hz > 0 and abs(1e9 / figure_hz - period_ns) * len(times_ns) <= 1.0
    gauge = getattr(patch.attrs, "gauge_length", None)
    return FiberLayout(
        fiber,
        round(distances_m[0] / spacing_m) if spacing_m else 0,
        len(distances_m),
        spacing_m,
        figure_hz if is_near else rate_hz,
        _QUANTITIES.get(str(getattr(patch.attrs, "data_type", "")), Quantity.COUNTS),
        str(getattr(patch.attrs, "data_units", None) or "unknown"),
        float(gauge) if isinstance(gauge, int | float) else math.nan,
        1,
        float(distances_m[0]),
    )
