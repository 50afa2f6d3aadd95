"""Pick whole recordings of fibers, away from the stream.

Shape suffixes: B batch, P phase, K fiber channel, T time.

A network for fibers sees tiles of neighbouring channels, one for stations each channel as if it were a
vertical component.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import torch
from numpy.typing import NDArray

from rtpick.learning.dataset import DatasetError
from rtpick.learning.resample import resample_rate
from rtpick.networks import FiberNetwork, Network
from rtpick.picking.fiber_trigger import Peaks, find_fiber_peaks

HALF_WINDOW_SAMPLES = 50
STATION_HOP_SAMPLES = 256
STATION_BATCH = 128
PHASES = ("P", "S")

FloatKT = NDArray[np.float32]


@dataclass(frozen=True)
class FiberRecord:
    """A recording of a fiber: samples (K, T), NaN where missing, their rate, and a name."""

    name: str
    samples_KT: FloatKT
    sampling_rate_hz: float

    @property
    def channel_minutes(self) -> float:
        """Channels times minutes."""
        return self.samples_KT.size / self.sampling_rate_hz / 60.0


def read_record(path: Path) -> FiberRecord:
    """Read HDF5 with `data` (channel, time) and its attribute `dt_s`.

    Raises
    ------
    DatasetError
        If the file has none.
    """
    try:
        with h5py.File(path, "r") as h5:
            data = h5["data"]
            return FiberRecord(path.stem, data[()].astype(np.float32), 1.0 / float(data.attrs["dt_s"]))
    except (OSError, KeyError) as error:
        raise DatasetError(f"{path}: {error}; it needs `data` with the attribute dt_s") from None


def pick_record(
    network: Network | FiberNetwork, record: FiberRecord, threshold: float, *, common_mode: bool = False
) -> Peaks:
    """Pick a whole record.

    Parameters
    ----------
    network
        Of either kind.
    record
        Is resampled to the network's rate first.
    threshold
        Of probability.
    common_mode
        Subtract from each sample the median over the channels first.

    Returns
    -------
    Peaks
        Planes 0 and 1 are P and S, rows channels, indices samples at the network's rate.
    """
    samples_KT = resample_rate(record.samples_KT, record.sampling_rate_hz, network.metadata.sampling_rate_hz)
    if common_mode:
        samples_KT = samples_KT - np.nanmedian(samples_KT, axis=0, keepdims=True)
    probe = fiber_probability if isinstance(network, FiberNetwork) else station_probability
    prob_PKT = probe(network, samples_KT)  # type: ignore[arg-type]
    rows = [network.phases.index(phase) for phase in PHASES]
    thresholds = np.full(len(PHASES), threshold, np.float32)
    return find_fiber_peaks(prob_PKT[rows], thresholds, HALF_WINDOW_SAMPLES, 0, samples_KT.shape[1])


@torch.inference_mode()
def fiber_probability(network: FiberNetwork, samples_KT: FloatKT) -> FloatKT:
    """Compute probabilities (P, K, T) in tiles of the size of training that overlap by half in both axes."""
    total_PKT = np.zeros((3, *samples_KT.shape), np.float32)
    weight_KT = np.zeros(samples_KT.shape, np.float32)
    for place in tile_places(samples_KT.shape, network.metadata.tile_shape):
        tile_KT = np.ascontiguousarray(samples_KT[place])
        prob_PKT = network(torch.from_numpy(tile_KT)[None]).probability_BPKT[0].numpy()
        taper_KT = np.outer(taper(tile_KT.shape[0]), taper(tile_KT.shape[1]))
        total_PKT[:, *place] += prob_PKT * taper_KT
        weight_KT[place] += taper_KT
    total_PKT /= weight_KT
    return total_PKT


@torch.inference_mode()
def station_probability(network: Network, samples_KT: FloatKT) -> FloatKT:
    """Compute probabilities (P, K, T) of each channel on its own, taken for a vertical component."""
    length, sample_count = network.metadata.window_samples, samples_KT.shape[1]
    padding = max(length - sample_count, 0)
    padded_KT = np.pad(samples_KT, ((0, 0), (0, padding)), constant_values=np.nan)
    total_PKT = np.zeros((3, *padded_KT.shape), np.float32)
    count_T = np.zeros(padded_KT.shape[1], np.float32)
    for begin in window_starts(padded_KT.shape[1], length, STATION_HOP_SAMPLES):
        window_KT = padded_KT[:, begin : begin + length]
        total_PKT[:, :, begin : begin + length] += _answer_vertical(network, window_KT)
        count_T[begin : begin + length] += 1.0
    total_PKT /= count_T
    return total_PKT[:, :, :sample_count]


def tile_places(shape: tuple[int, ...], tile_shape: tuple[int, int]) -> list[tuple[slice, slice]]:
    """List the slices of tiles that cover an array, overlapping by half.

    >>> tile_places((4, 8), (4, 6))
    [(slice(0, 4, None), slice(0, 6, None)), (slice(0, 4, None), slice(2, 8, None))]
    """
    rows, columns = (
        [slice(begin, min(begin + side, count)) for begin in window_starts(count, side, max(side // 2, 1))]
        for count, side in zip(shape, tile_shape, strict=True)
    )
    return [(row, column) for row in rows for column in columns]


def window_starts(sample_count: int, length: int, hop: int) -> list[int]:
    """List where windows begin; the last ends with the record.

    >>> window_starts(1000, 400, 256)
    [0, 256, 512, 600]
    >>> window_starts(300, 400, 256)
    [0]
    """
    last = max(sample_count - length, 0)
    return sorted({*range(0, last, hop), last})


def taper(length: int) -> FloatKT:
    """Weigh the middle of a tile more than its ends, which nothing beyond supports.

    >>> [round(float(weight), 2) for weight in taper(4)]
    [0.15, 0.85, 0.85, 0.15]
    """
    weight_T: FloatKT = np.sin(np.pi * (np.arange(length) + 0.5) / length).astype(np.float32) ** 2
    return weight_T


def _answer_vertical(network: Network, window_KT: FloatKT) -> FloatKT:
    wave_BCT = torch.full((len(window_KT), 3, window_KT.shape[1]), torch.nan)
    wave_BCT[:, network.component_order.index("Z")] = torch.from_numpy(window_KT)
    prob_BPT = torch.cat([network(part_BCT) for part_BCT in torch.split(wave_BCT, STATION_BATCH)])
    prob_PKT: FloatKT = prob_BPT.numpy().transpose(1, 0, 2)
    return prob_PKT
