"""Coordinates of an xdas chunk, whichever of the three shapes they come in: interpolated, sampled, dense."""

from __future__ import annotations

from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from rtpick.ingest.das_terms import UnusableMessageError
from rtpick.vocabulary.fiber import FiberRejectCause
from rtpick.vocabulary.time import parse_utc

UNIT_NS = {
    **dict.fromkeys(("nanosecond", "nanoseconds", "ns"), 1),
    **dict.fromkeys(("microsecond", "microseconds", "us"), 1_000),
    **dict.fromkeys(("millisecond", "milliseconds", "msec", "msecs", "ms"), 1_000_000),
    **dict.fromkeys(("second", "seconds", "sec", "secs", "s"), 1_000_000_000),
    **dict.fromkeys(("minute", "minutes", "min", "mins"), 60_000_000_000),
    **dict.fromkeys(("hour", "hours", "hr", "hrs", "h"), 3_600_000_000_000),
    **dict.fromkeys(("day", "days", "d"), 86_400_000_000_000),
}
_REACH_NS = float(1 << 61)
_CALENDARS = {"proleptic_gregorian", "standard", "gregorian"}
_MAXIMUM_TIES = 10_000_000


def read_times(file: h5py.File, name: str, count: int) -> npt.NDArray[np.int64]:
    """Read the time of every sample, in ns since 1970.

    Parameters
    ----------
    file : h5py.File
    name : str
        Of the dimension.
    count : int
        Samples along it.

    Raises
    ------
    UnusableMessageError
        With the cause LAYOUT, where there is no coordinate, or a unit that CF does not know.
    """
    ties = _holder(file, name)
    unit_ns, origin_ns = _read_unit(_text(ties.attrs.get("units")), _text(ties.attrs.get("calendar")))
    values_M = _ns_of(_bounded(ties), unit_ns, origin_ns)
    if f"{name}_sampling" in file:
        step_ns = _sampling_ns(file[f"{name}_sampling"], unit_ns)
        return _from_lengths(values_M, _bounded(file[f"{name}_lengths"]), step_ns, count).astype(np.int64)
    if f"{name}_indices" not in file:
        return _full(values_M, count, name)
    first_ns = int(values_M[0])
    offsets_ns = _interpolated(_bounded(file[f"{name}_indices"]), values_M - first_ns, count)
    return first_ns + np.round(offsets_ns).astype(np.int64)


def read_distances(file: h5py.File, name: str, count: int) -> npt.NDArray[np.float64]:
    """Read the place of every channel along the fiber, in m.

    Raises
    ------
    UnusableMessageError
        With the cause LAYOUT, where there is no coordinate.
    """
    values_M = _bounded(_holder(file, name)).astype(np.float64)
    if not np.isfinite(values_M).all():
        raise _layout_error(f"coordinate {name} has values that are not finite")
    if f"{name}_sampling" in file:
        step_m = float(np.ravel(file[f"{name}_sampling"].attrs["sampling_interval"])[0])
        return _from_lengths(values_M, _bounded(file[f"{name}_lengths"]), step_m, count)
    if f"{name}_indices" in file:
        return _interpolated(_bounded(file[f"{name}_indices"]), values_M, count)
    return _full(values_M, count, name)


def _holder(file: h5py.File, name: str) -> h5py.Dataset:
    """Where a coordinate's values are: in the subsampled variable, else in the dimension's own."""
    found = file.get(f"{name}_values")
    dimension = file.get(name) if found is None else found
    is_bare = isinstance(dimension, h5py.Dataset) and _text(dimension.attrs.get("NAME")).startswith(
        "This is a"
    )
    if not isinstance(dimension, h5py.Dataset) or is_bare:
        raise _layout_error(f"no coordinate {name!r}")
    return dimension


def _bounded(ties: h5py.Dataset) -> npt.NDArray[Any]:
    if ties.external or ties.is_virtual:
        raise _layout_error("a coordinate that refers to another file")
    if ties.ndim > 1 or ties.size > _MAXIMUM_TIES or ties.size == 0:
        raise _layout_error(f"a coordinate of shape {ties.shape}")
    return np.atleast_1d(ties[()])


def _full(values_M: npt.NDArray[Any], count: int, name: str) -> npt.NDArray[Any]:
    if len(values_M) != count:
        raise _layout_error(f"coordinate {name} of {len(values_M)} values for {count}")
    return values_M


def _read_unit(units: str, calendar: str) -> tuple[int, int]:
    """Read ``milliseconds since 2026-11-21 12:00:00``: ns of one unit, and the origin."""
    unit, _, origin = units.partition(" since ")
    if unit.strip().lower() not in UNIT_NS or (calendar and calendar.lower() not in _CALENDARS):
        raise _layout_error(f"time in {units!r}, calendar {calendar!r}")
    try:
        return UNIT_NS[unit.strip().lower()], parse_utc(origin.strip().removesuffix(" UTC"))
    except ValueError as error:
        raise _layout_error(f"time in {units!r}: {error}") from error


def _ns_of(values_M: npt.NDArray[Any], unit_ns: int, origin_ns: int) -> npt.NDArray[np.int64]:
    """Scale to ns; whole numbers stay exact."""
    if values_M.dtype.kind in "iu":
        if np.abs(values_M.astype(np.float64)).max() * unit_ns > _REACH_NS:
            raise _layout_error("times beyond what 64 bits of nanoseconds hold")
        return np.asarray(values_M.astype(np.int64) * unit_ns + origin_ns)
    if not np.isfinite(values_M).all():
        raise _layout_error("times that are not finite")
    whole = np.floor(values_M)
    parts_ns = np.round((values_M - whole) * unit_ns).astype(np.int64)
    return np.asarray(whole.astype(np.int64) * unit_ns + parts_ns + origin_ns)


def _sampling_ns(sampling: h5py.Dataset, unit_ns: int) -> float:
    """Read the step of a sampled coordinate; without a unit of its own it has the coordinate's."""
    interval = float(np.ravel(sampling.attrs["sampling_interval"])[0])
    own = _text(sampling.attrs.get("sampling_interval_units")).lower()
    scale = UNIT_NS.get(own, unit_ns) if own else _dtype_ns(sampling, unit_ns)
    return interval * scale


def _dtype_ns(sampling: h5py.Dataset, unit_ns: int) -> int:
    name = _text(sampling.attrs.get("sampling_interval_dtype"))
    return UNIT_NS.get(name.removeprefix("timedelta64[").removesuffix("]"), unit_ns)


def _from_lengths(
    values_M: npt.NDArray[Any], lengths_M: npt.NDArray[Any], step: float, count: int
) -> npt.NDArray[Any]:
    """Lay `lengths` elements behind each value."""
    if len(lengths_M) != len(values_M) or int(lengths_M.sum()) != count or (lengths_M < 1).any():
        raise _layout_error(f"lengths {lengths_M[:8].tolist()} for {count} elements")
    pieces = [
        value
        + np.round(np.arange(length) * step, 6 if values_M.dtype.kind == "f" else 0).astype(values_M.dtype)
        for value, length in zip(values_M, lengths_M, strict=True)
    ]
    return np.concatenate(pieces)


def _interpolated(
    indices_M: npt.NDArray[Any], values_M: npt.NDArray[Any], count: int
) -> npt.NDArray[np.float64]:
    """Lay elements evenly between tie points."""
    rising = len(indices_M) == len(values_M) and (np.diff(indices_M) > 0).all()
    if not rising or indices_M[0] != 0 or indices_M[-1] != count - 1:
        raise _layout_error(f"tie points {indices_M[:8].tolist()} for {count} elements")
    return np.interp(np.arange(count), indices_M, values_M.astype(np.float64))


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return "" if value is None else str(value)


def _layout_error(detail: str) -> UnusableMessageError:
    return UnusableMessageError(FiberRejectCause.LAYOUT, detail)
