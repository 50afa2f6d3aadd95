"""Score networks on recordings of fibers, side by side: ``python -m rtpick.learning.das_score --help``.

Shape suffixes: B batch, P phase, K fiber channel, T time, N pick.

A network for fibers sees all channels at once, one for stations each channel as if it were a vertical
component.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from rtpick.learning.dataset import DatasetError
from rtpick.learning.resample import resample_rate
from rtpick.networks import FiberNetwork, Network, load_any_network
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


@dataclass(frozen=True)
class PhaseScore:
    """How many channels have a pick of a phase at its onset, and how many picks have one at theirs."""

    channels: int
    found: int
    picks: int
    picks_at_onset: int


@dataclass(frozen=True)
class FiberScore:
    """A network's outcome: each phase of an earthquake, picks and channel-minutes of each noise record."""

    phases: dict[str, PhaseScore]
    noise_picks: dict[str, int]
    noise_channel_minutes: dict[str, float]

    @property
    def noise_rate(self) -> float:
        """Picks per channel-minute over all noise records."""
        return sum(self.noise_picks.values()) / max(sum(self.noise_channel_minutes.values()), 1e-9)


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
    """Compute probabilities (P, K, T) in tiles of the network's own length that overlap by half."""
    length, sample_count = network.metadata.tile_shape[1], samples_KT.shape[1]
    total_PKT = np.zeros((3, *samples_KT.shape), np.float32)
    weight_T = np.zeros(sample_count, np.float32)
    for begin in window_starts(sample_count, length, length // 2):
        tile_KT = samples_KT[:, begin : begin + length]
        prob_PKT = network(torch.from_numpy(tile_KT)[None]).probability_BPKT[0].numpy()
        weight = taper(tile_KT.shape[1])
        total_PKT[:, :, begin : begin + length] += prob_PKT * weight
        weight_T[begin : begin + length] += weight
    total_PKT /= weight_T
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


def score_onsets(
    peaks: Peaks, onsets: pd.DataFrame, sampling_rate_hz: float, tolerance_s: float
) -> dict[str, PhaseScore]:
    """Compare picks with onsets that are known for groups of channels.

    Parameters
    ----------
    peaks
        See `pick_record`.
    onsets
        Columns channel_first, channel_last (inclusive), phase, arrival_s_from_start.
    sampling_rate_hz
        Of the indices of the peaks.
    tolerance_s
        Between a pick and its onset.
    """
    scores = {}
    for plane, phase in enumerate(PHASES):
        mine = peaks.take(peaks.phase_N == plane)
        onset_s = _onset_of_channel(onsets[onsets["phase"] == phase])
        due_s = np.array([onset_s.get(int(row), np.nan) for row in mine.row_N])
        close_N = np.abs(mine.index_N / sampling_rate_hz - due_s) <= tolerance_s
        found = len(np.unique(mine.row_N[close_N]))
        scores[phase] = PhaseScore(len(onset_s), found, len(mine.row_N), int(close_N.sum()))
    return scores


def score_network(
    network: Network | FiberNetwork,
    folder: Path,
    threshold: float,
    tolerance_s: float,
    *,
    common_mode: bool = False,
) -> FiberScore:
    """Score a network on a folder that has one ``NAME_picks.csv`` beside ``NAME.h5``, and ``noise*.h5``."""
    tables = sorted(folder.glob("*_picks.csv"))
    if not tables:
        raise DatasetError(f"{folder} has no *_picks.csv with onsets of an earthquake: give another folder")
    event = read_record(tables[0].with_name(tables[0].name.replace("_picks.csv", ".h5")))
    peaks = pick_record(network, event, threshold, common_mode=common_mode)
    rate_hz = network.metadata.sampling_rate_hz
    phases = score_onsets(peaks, pd.read_csv(tables[0]), rate_hz, tolerance_s)
    noise = [read_record(path) for path in sorted(folder.glob("noise*.h5"))]
    counts = {
        one.name: len(pick_record(network, one, threshold, common_mode=common_mode).row_N) for one in noise
    }
    return FiberScore(phases, counts, {one.name: one.channel_minutes for one in noise})


def main(arguments: list[str] | None = None) -> None:
    """Score the networks and print a table; write the figures as JSON if asked."""
    options = _parse(arguments)
    torch.set_num_threads(options.threads)
    results = {}
    for name in options.network:
        network = load_any_network(name)
        for threshold in options.threshold:
            score = score_network(
                network, options.data, threshold, options.tolerance, common_mode=options.common_mode
            )
            results[f"{network.model_version} > {threshold:g}"] = score
    Console(width=140).print(_to_table(results))
    if options.json:
        figures = {name: asdict(score) | {"noise_rate": score.noise_rate} for name, score in results.items()}
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def _answer_vertical(network: Network, window_KT: FloatKT) -> FloatKT:
    wave_BCT = torch.full((len(window_KT), 3, window_KT.shape[1]), torch.nan)
    wave_BCT[:, network.component_order.index("Z")] = torch.from_numpy(window_KT)
    prob_BPT = torch.cat([network(part_BCT) for part_BCT in torch.split(wave_BCT, STATION_BATCH)])
    prob_PKT: FloatKT = prob_BPT.numpy().transpose(1, 0, 2)
    return prob_PKT


def _onset_of_channel(rows: pd.DataFrame) -> dict[int, float]:
    return {
        channel: float(row["arrival_s_from_start"])
        for _, row in rows.iterrows()
        for channel in range(int(row["channel_first"]), int(row["channel_last"]) + 1)
    }


def _to_table(results: dict[str, FiberScore]) -> Table:
    records = list(next(iter(results.values())).noise_picks)
    columns = [f"{phase} {what}" for phase in PHASES for what in ("channels", "picks at onset")]
    table = Table("network", *columns, *(name.removeprefix("noise_") for name in records), "all noise")
    for name, score in results.items():
        cells = [cell for phase in PHASES for cell in _phase_cells(score.phases[phase])]
        rates = [score.noise_picks[one] / score.noise_channel_minutes[one] for one in records]
        table.add_row(name, *cells, *(f"{rate:.2f}" for rate in (*rates, score.noise_rate)))
    return table


def _phase_cells(score: PhaseScore) -> Iterator[str]:
    yield f"{score.found} of {score.channels}"
    yield f"{score.picks_at_onset} of {score.picks}"


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m rtpick.learning.das_score", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of HDF5 records and onsets")
    parser.add_argument("--network", action="append", required=True, help="name or path; once for each")
    parser.add_argument("--threshold", type=float, nargs="+", default=[0.3])
    parser.add_argument("--tolerance", type=float, default=0.3, help="seconds")
    parser.add_argument("--common-mode", action="store_true", help="subtract the median over channels first")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, help="where to write the figures")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
