"""Score networks on labelled windows, side by side: ``python -m rtpick.learning.score --help``.

Shape suffixes: B batch, C component, P phase, T time.

Windows of 30 s are cut so that the arrivals stand at random places; every network sees the same ones.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.signal import find_peaks

from rtpick.learning.crops import EDGE_SAMPLES, Crop, cut
from rtpick.learning.dataset import SAMPLING_RATE_HZ, Recording, read_windows
from rtpick.learning.matching import Tally, tally
from rtpick.networks import Network, load_network

# No two picks of one phase closer than this: the rule under which the reference network was published.
MIN_DISTANCE_SAMPLES = 50
PHASES = ("P", "S")


@dataclass(frozen=True)
class Scores:
    """A network's outcome: tallies of P and S over all windows, and picks on the noise windows."""

    tallies: dict[str, Tally]
    noise_windows: int
    noise_picks: int


@dataclass(frozen=True)
class Window:
    """A named window to score."""

    record: str
    crop: Crop
    noise: bool


def cut_windows(recordings: list[Recording], repeats: int, n_samples: int, seed: int) -> list[Window]:
    """Cut `repeats` windows around each event's arrivals, and one of each noise recording.

    Parameters
    ----------
    recordings
        Those of kind ``manual`` and ``noise`` are used.
    repeats
        Windows per event, with the arrivals at as many random places.
    n_samples
        Length of a window.
    seed
        The same seed gives the same windows.
    """
    rng = np.random.default_rng(seed)
    windows = []
    for recording in recordings:
        if recording.kind == "noise":
            windows.append(Window(recording.name, cut(recording, 0, n_samples), noise=True))
        elif recording.kind == "manual":
            for repeat in range(repeats):
                crop = cut(recording, _start(recording, n_samples, rng), n_samples)
                windows.append(Window(f"{recording.name}.{repeat}", crop, noise=False))
    return windows


def pick_windows(network: Network, windows: list[Window], threshold: float) -> pd.DataFrame:
    """Pick every window; columns record, phase_type, phase_time (s from the window's start), phase_score."""
    wave_BCT = torch.from_numpy(np.stack([window.crop.samples_CT for window in windows]))
    order = ["ENZ".index(component) for component in network.component_order]
    with torch.inference_mode():
        parts = [network(part_BCT[:, order]) for part_BCT in torch.split(wave_BCT, 64)]
    prob_BPT = torch.cat(parts).numpy()
    rows = []
    for window, prob_PT in zip(windows, prob_BPT, strict=True):
        for phase in PHASES:
            prob_T = prob_PT[network.phases.index(phase)]
            rows += [
                (window.record, phase, i / SAMPLING_RATE_HZ, prob_T[i]) for i in _peaks(prob_T, threshold)
            ]
    return pd.DataFrame(rows, columns=["record", "phase_type", "phase_time", "phase_score"])


def label_table(windows: list[Window]) -> pd.DataFrame:
    """List the labels; a noise window appears once, without phase."""
    rows: list[tuple[str, str, float]] = []
    for window in windows:
        if window.noise:
            rows.append((window.record, "", float("nan")))
        for phase, samples in zip(PHASES, window.crop.arrival_2A, strict=True):
            rows += [(window.record, phase, s / SAMPLING_RATE_HZ) for s in samples[np.isfinite(samples)]]
    return pd.DataFrame(rows, columns=["record", "phase_type", "phase_time"])


def score_picks(picks: pd.DataFrame, windows: list[Window], tolerance_s: float) -> Scores:
    """Tally the picks of every window against its labels; on a noise window, every pick is false."""
    times = {key: group.to_numpy() for key, group in picks.groupby(["record", "phase_type"])["phase_time"]}
    tallies = dict.fromkeys(PHASES, Tally())
    noise_picks = 0
    for window in windows:
        for phase, samples in zip(PHASES, window.crop.arrival_2A, strict=True):
            found_s = times.get((window.record, phase), np.empty(0))
            label_s = samples[np.isfinite(samples)] / SAMPLING_RATE_HZ
            tallies[phase] += tally(found_s, label_s, tolerance_s)
            noise_picks += len(found_s) if window.noise else 0
    return Scores(tallies, sum(window.noise for window in windows), noise_picks)


def main(arguments: list[str] | None = None) -> None:
    """Score the networks, print a table, write their picks and the labels as CSV."""
    options = _parse(arguments)
    recordings = [r for split in options.split for r in read_windows(options.windows, split)]
    windows = cut_windows(recordings, options.repeats, 3000, options.seed)
    options.out.mkdir(parents=True, exist_ok=True)
    label_table(windows).to_csv(options.out / "labels.csv", index=False)
    results = {}
    for name in options.network:
        network = load_network(name)
        picks = pick_windows(network, windows, options.threshold)
        picks.to_csv(options.out / f"picks_{network.model_version}.csv", index=False)
        results[network.model_version] = score_picks(picks, windows, options.tolerance)
    Console(width=110).print(_to_table(results))


def _start(recording: Recording, n_samples: int, rng: np.random.Generator) -> int:
    arrivals = np.concatenate([recording.p_samples, recording.s_samples])
    earliest = int(arrivals.max()) + EDGE_SAMPLES - n_samples
    latest = int(arrivals.min()) - EDGE_SAMPLES
    return int(rng.integers(earliest, latest + 1))


def _peaks(prob_T: NDArray[np.float32], threshold: float) -> NDArray[np.int64]:
    indices: NDArray[np.int64] = find_peaks(prob_T, height=threshold, distance=MIN_DISTANCE_SAMPLES)[0]
    return indices


def _to_table(results: dict[str, Scores]) -> Table:
    table = Table("network", "phase", "labels", "precision", "recall", "F1", "median ms", "noise picks")
    for version, scores in results.items():
        for phase, outcome in scores.tallies.items():
            median_ms = 1e3 * float(np.median(outcome.residuals_s or (np.nan,)))
            ratios = [f"{value:.3f}" for value in (outcome.precision, outcome.recall, outcome.f1)]
            noise = f"{scores.noise_picks} on {scores.noise_windows}"
            table.add_row(
                version, phase, str(outcome.found + outcome.missed), *ratios, f"{median_ms:+.0f}", noise
            )
    return table


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m rtpick.learning.score", description=__doc__)
    parser.add_argument("--windows", type=Path, required=True, help="labelled windows in SeisBench's layout")
    parser.add_argument("--network", action="append", required=True, help="name or path; once for each")
    parser.add_argument("--split", nargs="+", default=["test"], help="splits to score on")
    parser.add_argument("--repeats", type=int, default=10, help="windows per event")
    parser.add_argument("--threshold", type=float, default=0.3)
    parser.add_argument("--tolerance", type=float, default=0.1, help="seconds")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True, help="folder for the CSV files")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
