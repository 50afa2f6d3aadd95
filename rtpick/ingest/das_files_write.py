"""Blocks written as one HDF5 file of rtpick's layout, which is there whole or not at all.

Arrays: K fiber channel, T time.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import h5py
import numpy as np

from rtpick.vocabulary.errors import RecordError
from rtpick.vocabulary.fiber import DasBlock
from rtpick.vocabulary.time import format_utc

_CHUNK_CHANNELS = 128
_CHUNK_SAMPLES = 2048
_GATHER_SAMPLES = 4 * _CHUNK_SAMPLES


def write_das_file(path: Path, blocks: Iterable[DasBlock]) -> int:
    """Write blocks that follow one another without a gap.

    Parameters
    ----------
    path : Path
        Its folder exists. The file takes its name when it is complete and on the device.
    blocks : iterable of DasBlock
        Of one layout and one type of samples.

    Returns
    -------
    int
        Samples in time.

    Raises
    ------
    RecordError
        If there are no blocks, or they do not follow one another.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        with h5py.File(partial, "w") as file:
            sample_count = _fill(file, path, blocks)
        _sync(partial)
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    _sync(path.parent)
    return sample_count


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _fill(file: h5py.File, path: Path, blocks: Iterable[DasBlock]) -> int:
    data: h5py.Dataset | None = None
    written = 0
    for block in _gathered(_contiguous(path, blocks)):
        data = data or _create(file, block)
        count = block.samples_KT.shape[1]
        data.resize(written + count, axis=1)
        data[:, written : written + count] = block.samples_KT
        written += count
    if not written:
        raise RecordError(f"{path}: no blocks to write")
    return written


def _gathered(blocks: Iterable[DasBlock]) -> Iterator[DasBlock]:
    """Join short blocks, as every write touches all chunks of its span."""
    waiting: list[DasBlock] = []
    for block in blocks:
        waiting.append(block)
        if sum(item.samples_KT.shape[1] for item in waiting) >= _GATHER_SAMPLES:
            yield _joined(waiting)
            waiting = []
    if waiting:
        yield _joined(waiting)


def _joined(blocks: list[DasBlock]) -> DasBlock:
    samples_KT = np.concatenate([block.samples_KT for block in blocks], axis=1)
    return DasBlock(blocks[0].layout, blocks[0].start_ns, samples_KT)


def _create(file: h5py.File, block: DasBlock) -> h5py.Dataset:
    channel_count = block.samples_KT.shape[0]
    data = file.create_dataset(
        "data",
        (channel_count, 0),
        block.samples_KT.dtype,
        maxshape=(channel_count, None),
        chunks=(min(channel_count, _CHUNK_CHANNELS), _CHUNK_SAMPLES),
    )
    layout = block.layout
    fields = {
        "begin_time": format_utc(block.start_ns),
        "dt_s": 1.0 / layout.sampling_rate_hz,
        "dx_m": layout.channel_spacing_m,
        "quantity": layout.quantity.value,
        "unit": layout.unit,
        "first_channel": layout.first_channel,
        "channel_step": layout.channel_step,
        "start_distance_m": layout.first_distance_m,
        "fiber": layout.fiber,
    }
    if math.isfinite(layout.gauge_length_m):
        fields["gauge_length_m"] = layout.gauge_length_m
    for key, value in fields.items():
        data.attrs[key] = value
    return data


def _contiguous(path: Path, blocks: Iterable[DasBlock]) -> Iterator[DasBlock]:
    """Refuse what would put samples at a wrong time or channel."""
    first: DasBlock | None = None
    written = 0
    for block in blocks:
        first = first or block
        rate_hz = first.layout.sampling_rate_hz
        due_ns = first.start_ns + round(written * 1e9 / rate_hz)
        alike = (block.samples_KT.shape[0], block.samples_KT.dtype) == (
            first.samples_KT.shape[0],
            first.samples_KT.dtype,
        )
        if not alike or abs(block.start_ns - due_ns) > 1e9 / rate_hz:
            raise RecordError(
                f"{path}: the block at {format_utc(block.start_ns)} does not go on from the last"
            )
        written += block.samples_KT.shape[1]
        yield block
