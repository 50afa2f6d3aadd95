"""Score networks on recordings of fibers, side by side: ``python -m rtpick.learning.das_score --help``.

Shape suffix: N pick.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from rich.console import Console
from rich.table import Table

from rtpick.learning.das_whole import PHASES, pick_record, read_record
from rtpick.learning.dataset import DatasetError
from rtpick.networks import FiberNetwork, Network, load_any_network
from rtpick.picking.fiber_trigger import Peaks


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
