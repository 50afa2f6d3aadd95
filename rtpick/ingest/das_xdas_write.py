"""Blocks written as xdas publishers write them: one NetCDF4 file in memory each."""

from __future__ import annotations

import io
from typing import Literal

import h5py
import numpy as np

from rtpick.vocabulary.fiber import DasBlock
from rtpick.vocabulary.time import NS_PER_S, format_utc

Shape = Literal["interpolated", "sampled", "dense"]


def encode_xdas(block: DasBlock, shape: Shape = "interpolated", *, time_first: bool = True) -> bytes:
    r"""Write a block as a NetCDF4 file.

    Parameters
    ----------
    block : DasBlock
    shape : str
        How coordinates are written.
    time_first : bool
        The order of the axes.

    Notes
    -----
    The convention has no words for quantity, gauge length and channel numbers: what reads it declares
    them. Times are whole nanoseconds since the start of the block's second.

    Examples
    --------
    >>> from rtpick.vocabulary.fiber import FiberLayout
    >>> block = DasBlock(FiberLayout("north", 0, 3, 8.0, 100.0), 10**18, np.zeros((3, 5), "f4"))
    >>> encode_xdas(block)[:4]
    b'\x89HDF'
    """
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.attrs["Conventions"] = "CF-1.13"
        samples = block.samples_KT.T if time_first else block.samples_KT
        names = ("time", "distance") if time_first else ("distance", "time")
        values = file.create_dataset("__values__", data=np.ascontiguousarray(samples))
        for axis, name in enumerate(names):
            scale = file.create_dataset(name, data=_dense(block, name, shape, samples.shape[axis]))
            scale.make_scale(name if shape == "dense" else f"{_BARE}{samples.shape[axis]:10d}")
            values.dims[axis].attach_scale(scale)
            scale.attrs["_Netcdf4Dimid"] = np.int32(axis)
        values.attrs["_Netcdf4Coordinates"] = np.arange(2, dtype=np.int32)
        _WRITERS[shape](file, block, values)
    return buffer.getvalue()


_BARE = "This is a netCDF dimension but not a netCDF variable."


def _dense(block: DasBlock, name: str, shape: Shape, count: int) -> np.ndarray:
    """The values of a dimension; zeros where these are written elsewhere."""
    if shape != "dense":
        return np.zeros(count, ">f4")
    return _offsets_ns(block) if name == "time" else block.layout.distances_m


def _offsets_ns(block: DasBlock) -> np.ndarray:
    """Times behind the origin of the unit."""
    rows = np.arange(block.samples_KT.shape[1])
    behind = np.round(rows * (NS_PER_S / block.layout.sampling_rate_hz)).astype(np.int64)
    return behind + block.start_ns % NS_PER_S


def _mark(times: h5py.Dataset, block: DasBlock) -> None:
    origin = format_utc(block.start_ns - block.start_ns % NS_PER_S)[:19].replace("T", " ")
    times.attrs["units"] = f"nanoseconds since {origin}"
    times.attrs["calendar"] = "proleptic_gregorian"


def _write_dense(file: h5py.File, block: DasBlock, values: h5py.Dataset) -> None:
    _mark(file["time"], block)


def _write_interpolated(file: h5py.File, block: DasBlock, values: h5py.Dataset) -> None:
    words = [f"{name}_values: {name}_interpolation" for name in ("time", "distance")]
    values.attrs["coordinate_interpolation"] = " ".join(words)
    for name, whole in (("time", _offsets_ns(block)), ("distance", block.layout.distances_m)):
        ends = [0, len(whole) - 1] if len(whole) > 1 else [0]
        file.create_dataset(f"{name}_indices", data=np.array(ends))
        file.create_dataset(f"{name}_values", data=whole[ends])
        note = file.create_dataset(f"{name}_interpolation", data=np.nan)
        note.attrs["interpolation_name"] = "linear"
        note.attrs["tie_point_mapping"] = f"{name}: {name}_indices {name}_points"
    _mark(file["time_values"], block)


def _write_sampled(file: h5py.File, block: DasBlock, values: h5py.Dataset) -> None:
    words = [f"{name}_values: {name}_sampling" for name in ("time", "distance")]
    values.attrs["coordinate_sampling"] = " ".join(words)
    step_ns = round(NS_PER_S / block.layout.sampling_rate_hz)
    steps = {"time": (_offsets_ns(block), step_ns), "distance": (block.layout.distances_m, 0.0)}
    for name, (whole, step) in steps.items():
        file.create_dataset(f"{name}_values", data=whole[:1])
        file.create_dataset(f"{name}_lengths", data=np.array([len(whole)]))
        note = file.create_dataset(f"{name}_sampling", data=np.nan)
        note.attrs["sampling_interval"] = step or block.layout.channel_spacing_m
        note.attrs["tie_point_mapping"] = f"{name}: {name}_lengths {name}_points"
    file["time_sampling"].attrs["sampling_interval_dtype"] = "timedelta64[ns]"
    file["time_sampling"].attrs["sampling_interval_units"] = "nanoseconds"
    _mark(file["time_values"], block)


_WRITERS = {"dense": _write_dense, "interpolated": _write_interpolated, "sampled": _write_sampled}
