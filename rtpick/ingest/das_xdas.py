"""xdas streams: every message is a NetCDF4 file in memory, one chunk of a fiber with its coordinates.

Arrays: K fiber channel, T time.

References
----------
CF conventions 1.9 and later, sections 4.4 (time coordinate) and 8.3 (coordinate subsampling), as the xdas
package writes them.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, replace

import h5py
import numpy as np

from rtpick.ingest.das_hdf5_filters import require_filters
from rtpick.ingest.das_hdf5_guard import require_walkable_heaps
from rtpick.ingest.das_stretches import Stretch, stretches
from rtpick.ingest.das_terms import (
    CableTerms,
    Decoded,
    LayoutNews,
    Message,
    UnusableMessageError,
    fiber_of_part,
    layouts_agree,
    possible_layout,
    require_possible_time,
)
from rtpick.ingest.das_xdas_coordinates import read_distances, read_times
from rtpick.vocabulary.fiber import DasBlock, FiberLayout, FiberRejectCause

GREETING = b"xdas"
MAXIMUM_LENGTH = 10_000_000
HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
# What h5py raises on damaged files, by where the damage lies.
DAMAGE = (OSError, KeyError, RuntimeError, ValueError, TypeError, OverflowError, AttributeError, IndexError)


@dataclass(frozen=True, slots=True)
class XdasState:
    """What is known of a stream: the layouts told last, by fiber. Never changed in place."""

    terms: CableTerms
    layouts: tuple[FiberLayout, ...] = ()


def decode_xdas(state: XdasState, message: Message, received_ns: int = 0) -> tuple[XdasState, list[Decoded]]:
    """Turn one message into blocks: one for each stretch of time and of channels without a jump.

    Parameters
    ----------
    state : XdasState
    message : sequence of bytes
        The last frame counts. The greeting of four bytes gives nothing.
    received_ns : int
        Wall time of the receipt.

    Returns
    -------
    state : XdasState
    decoded : list of DasBlock, LayoutNews or FiberRejection

    Notes
    -----
    A chunk carries no number and no checksum: lost and repeated ones are found from their times. A file
    that refers to other files is refused.
    """
    payload = message[-1] if message else b""
    if payload == GREETING:
        return state, []
    try:
        blocks = _read_file(payload, state.terms, received_ns)
    except UnusableMessageError as error:
        return state, [error.rejection(state.terms.fiber)]
    return _with_news(state, blocks)


def _with_news(state: XdasState, blocks: list[DasBlock]) -> tuple[XdasState, list[Decoded]]:
    """Tell layouts that are new; a layout that differs by rounding alone stays what it was."""
    known = {layout.fiber: layout for layout in state.layouts}
    decoded: list[Decoded] = []
    for block in blocks:
        before = known.get(block.layout.fiber)
        if before is None or not layouts_agree(before, block.layout):
            decoded.append(LayoutNews(block.layout.fiber, block.layout))
            known[block.layout.fiber] = before = block.layout
        decoded.append(replace(block, layout=before))
    return replace(state, layouts=tuple(known.values())), decoded


def _read_file(payload: bytes, terms: CableTerms, received_ns: int) -> list[DasBlock]:
    if not payload.startswith(HDF5_MAGIC):
        detail = f"{len(payload)} bytes that are no NetCDF4 file"
        raise UnusableMessageError(FiberRejectCause.CORRUPT, detail)
    require_walkable_heaps(payload)
    try:
        with h5py.File(io.BytesIO(payload), "r") as file:
            return list(_read_chunk(file, terms, received_ns))
    except UnusableMessageError:
        raise
    except DAMAGE as error:
        detail = f"NetCDF4 file that cannot be read ({type(error).__name__}: {error})"
        raise UnusableMessageError(FiberRejectCause.CORRUPT, detail[:300]) from error


def _read_chunk(file: h5py.File, terms: CableTerms, received_ns: int) -> Iterator[DasBlock]:
    values = _only_plane(file)
    _require_bounded(values, terms)
    require_filters(values)
    time_axis, names = _axes(file, values)
    times_T = read_times(file, names[time_axis], values.shape[time_axis])
    distances_K = read_distances(file, names[1 - time_axis], values.shape[1 - time_axis])
    samples_KT = values[()] if time_axis == 1 else values[()].T
    require_possible_time(int(times_T[0]), samples_KT.size)
    for part, channels in enumerate(stretches(distances_K)):
        for span in stretches(times_T):
            layout = _layout(terms, part, channels, span)
            piece_KT = samples_KT[channels.first : channels.behind, span.first : span.behind]
            yield DasBlock(layout, int(span.start), piece_KT, terms.source, None, received_ns)


def _only_plane(file: h5py.File) -> h5py.Dataset:
    """The one data variable with two dimensions, whatever its name."""
    if any(not isinstance(file.get(name, getlink=True), h5py.HardLink) for name in file):
        raise UnusableMessageError(FiberRejectCause.LAYOUT, "a chunk that refers to another file")
    variables = [item for item in file.values() if isinstance(item, h5py.Dataset)]
    planes = [item for item in variables if item.ndim == 2 and item.dtype.kind in "if"]
    if len(planes) != 1:
        detail = f"{len(planes)} variables of two dimensions, one is expected"
        raise UnusableMessageError(FiberRejectCause.LAYOUT, detail)
    return planes[0]


def _require_bounded(values: h5py.Dataset, terms: CableTerms) -> None:
    """Look at the size and at where samples lie before anything is read."""
    if values.nbytes > terms.maximum_block_bytes or max(values.shape) > MAXIMUM_LENGTH:
        detail = f"a chunk of shape {values.shape}, more than maximum_block_bytes allows"
        raise UnusableMessageError(FiberRejectCause.TOO_LARGE, detail)
    if values.external or values.is_virtual:
        raise UnusableMessageError(FiberRejectCause.LAYOUT, "a chunk that refers to another file")
    if 0 in values.shape:
        raise UnusableMessageError(FiberRejectCause.LAYOUT, f"a chunk of shape {values.shape}")


def _axes(file: h5py.File, values: h5py.Dataset) -> tuple[int, list[str]]:
    """Which axis is time, and the names of both."""
    numbers = values.attrs.get("_Netcdf4Coordinates")
    names = _names_by_reference(values) if numbers is None else _names_by_number(file, np.ravel(numbers))
    if names.count("time") != 1 or len(names) != 2:
        detail = f"dimensions {names}, one must be named time"
        raise UnusableMessageError(FiberRejectCause.LAYOUT, detail)
    return names.index("time"), names


def _names_by_number(file: h5py.File, numbers: np.ndarray) -> list[str]:
    """Names of dimensions as NetCDF numbers them: damaged references may keep the library busy for ever."""
    scales = [item for item in file.values() if isinstance(item, h5py.Dataset) and _is_scale(item)]
    names = {int(scale.attrs["_Netcdf4Dimid"]): scale.name.rpartition("/")[2] for scale in scales}
    return [names.get(int(number), "") for number in numbers]


def _is_scale(item: h5py.Dataset) -> bool:
    return "_Netcdf4Dimid" in item.attrs and item.attrs.get("CLASS") in (
        b"DIMENSION_SCALE",
        "DIMENSION_SCALE",
    )


def _names_by_reference(values: h5py.Dataset) -> list[str]:
    """Names of the scales that are attached to a variable."""
    return [next((scale.name.rpartition("/")[2] for scale in dim.values()), "") for dim in values.dims]


def _layout(terms: CableTerms, part: int, channels: Stretch, span: Stretch) -> FiberLayout:
    spacing_m = channels.step if channels.step else 1.0
    layout = FiberLayout(
        fiber_of_part(terms.fiber, part),
        round(channels.start / spacing_m),
        channels.behind - channels.first,
        spacing_m,
        _rate_hz(span),
        terms.quantity,
        terms.unit,
        terms.gauge_length_m,
        1,
        float(channels.start),
    )
    return possible_layout(layout)


def _rate_hz(span: Stretch) -> float:
    """Samples a second; the round figure where times in whole nanoseconds cannot tell it from theirs."""
    if not span.step > 0:
        raise UnusableMessageError(FiberRejectCause.LAYOUT, f"times that go on by {span.step} ns")
    rate_hz = 1e9 / span.step
    figure_hz = round(rate_hz, 3)
    intervals = max(span.behind - span.first - 1, 1)
    is_near = figure_hz > 0 and abs(1e9 / figure_hz - span.step) * intervals <= 1.0
    return figure_hz if is_near else rate_hz
