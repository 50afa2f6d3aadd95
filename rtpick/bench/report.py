"""The figures as tables for people and as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from rich.console import Console
from rich.table import Table

from rtpick.bench.latency import PacedFigures, Quantiles
from rtpick.bench.machine import Machine
from rtpick.bench.measurement import Absent, Throughput
from rtpick.bench.resident import Resident

MEBIBYTE = 1 << 20
COLUMNS = ("window/hop", "stations", "picks", "wall s", "windows/s", "ratio", "station-s/s", "ratio", "MiB")
SPANS = (
    "window complete\n-> published",
    "onset received\n-> preliminary",
    "onset itself\n-> preliminary",
)


@dataclass(frozen=True, slots=True)
class Residency:
    """Memory of the process during our run, bytes; the records are in memory before it begins.

    `tenths` are taken each time a tenth of the run is over.
    """

    records: int
    before: int
    tenths: tuple[int, ...]
    peak: int

    @classmethod
    def of(cls, resident: Resident, records_bytes: int) -> Self:
        """Read it off the watch."""
        tenths = tuple(resident.at(tenth / 10) for tenth in range(1, 11))
        return cls(records_bytes, resident.bytes[0], tenths, resident.peak_bytes)


@dataclass(frozen=True, slots=True)
class OurFigures:
    """What our run at full speed showed.

    Parameters
    ----------
    throughput : Throughput
    engine : str
        Backend and precision.
    mean_batch : float
        Windows a batch.
    network_share : float
        Wall time spent in the network, normalisation included.
    processor_share : float
        Processor time over wall time and cores.
    shares : dict of str to dict of str to float
        For each worker, the fractions of its time by part.
    residency : Residency
    """

    throughput: Throughput
    engine: str
    mean_batch: float
    network_share: float
    processor_share: float
    shares: dict[str, dict[str, float]]
    residency: Residency


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything that was measured.

    Parameters
    ----------
    machine : Machine
    weights : str
        Model version.
    threads : int
        Given to our network and to the peers' torch.
    repeat_s : float
        Each station hears the recording, with three earthquakes in it, once in this time.
    ours : OurFigures
    offline : Throughput
        Of the same records, without the daemon's links and storage.
    peers : tuple of Throughput
    absent : tuple of Absent
    reading_s : float or None
        What obspy takes to decode the peers' records, which SeisBench's times leave out.
    paced : tuple of PacedFigures
    """

    machine: Machine
    weights: str
    threads: int
    repeat_s: float
    ours: OurFigures
    offline: Throughput
    peers: tuple[Throughput, ...]
    absent: tuple[Absent, ...]
    reading_s: float | None
    paced: tuple[PacedFigures, ...]


def write_json(figures: Figures, path: Path) -> None:
    """Write everything, and what follows from it, as JSON."""
    ours = figures.ours.throughput
    content = asdict(figures)
    content["ours"] |= _rates(ours) | {"stations_in_real_time": stations_in_real_time(ours)}
    content["offline"] |= _rates(figures.offline)
    for entry, peer in zip(content["peers"], figures.peers, strict=True):
        entry.update(_rates(peer))
        entry["windows_ratio"] = ours.windows_per_s / peer.windows_per_s
        entry["station_seconds_ratio"] = ours.station_seconds_per_s / peer.station_seconds_per_s
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _rates(measured: Throughput) -> dict[str, float]:
    return {
        "windows_per_s": measured.windows_per_s,
        "station_seconds_per_s": measured.station_seconds_per_s,
    }


def stations_in_real_time(ours: Throughput) -> int:
    """Stations whose windows, one a hop, could be taken at the measured rate.

    Examples
    --------
    >>> stations_in_real_time(Throughput("", "", 1, 1.0, 3000, 256, 1000, 0, 1.0, 0))
    2560
    """
    return int(ours.windows_per_s * ours.stride_samples / 100)


def print_report(figures: Figures, console: Console) -> None:
    """Print all tables."""
    console.print(*_describe(figures), sep="\n")
    console.print(throughput_table(figures))
    console.print(*_explain(figures), sep="\n")
    console.print(shares_table(figures.ours.shares))
    if figures.paced:
        console.print(latency_table(figures.paced))
    for absent in figures.absent:
        console.print(f"{absent.subject}: not installed ({absent.remedy})")


def throughput_table(figures: Figures) -> Table:
    """One row a picker and setting."""
    title = "As fast as it goes; ratios are ours over theirs; MiB: largest resident memory"
    table = Table(title=title, title_justify="left")
    table.add_column("picker")
    for name in COLUMNS:
        table.add_column(name, justify="right")
    ours = figures.ours.throughput
    for measured in (ours, figures.offline, *figures.peers):
        table.add_row(*_throughput_cells(measured, ours))
    return table


def shares_table(shares: dict[str, dict[str, float]]) -> Table:
    """Where each worker's time goes."""
    table = Table(title="Where our time goes (each worker is a thread)", title_justify="left")
    table.add_column("worker")
    table.add_column("parts of its time")
    for worker, parts in shares.items():
        seen = [f"{part} {share:.0%}" for part, share in parts.items() if share >= 0.005]
        table.add_row(worker, ", ".join(seen))
    return table


def latency_table(paced: Sequence[PacedFigures]) -> Table:
    """One row a hop."""
    table = Table(title="At the records' own pace: p50 / p95 / max, s", title_justify="left")
    for name in ("hop s", "stations", "windows/s", "processor", "picks"):
        table.add_column(name, justify="right")
    for span in SPANS:
        table.add_column(span, justify="right")
    for run in paced:
        spans = (run.window_to_publication, run.arrival_to_preliminary, run.onset_to_preliminary)
        table.add_row(
            f"{run.stride_samples / 100:.2f}",
            f"{run.station_count:,}",
            f"{run.windows_per_s:,.0f}",
            f"{run.processor_share:.0%}",
            f"{run.window_to_publication.count:,}",
            *map(_spell, spans),
        )
    return table


def _throughput_cells(measured: Throughput, ours: Throughput) -> Iterable[str]:
    return (
        f"{measured.subject}\n[dim]{measured.setting}[/dim]",
        f"{measured.window_samples}/{measured.stride_samples}",
        f"{measured.station_count:,}",
        f"{measured.picks:,}",
        f"{measured.wall_s:.1f}",
        f"{measured.windows_per_s:,.0f}",
        f"{ours.windows_per_s / measured.windows_per_s:.1f}",
        f"{measured.station_seconds_per_s:,.0f}",
        f"{ours.station_seconds_per_s / measured.station_seconds_per_s:.1f}",
        f"{measured.resident_peak_bytes / MEBIBYTE:,.0f}",
    )


def _describe(figures: Figures) -> list[str]:
    machine = figures.machine
    versions = ", ".join(f"{name} {number}" for name, number in machine.versions.items())
    return [
        f"{machine.processor}, {machine.cores} cores, {figures.threads} threads; {machine.system}",
        f"Python {machine.python}; {versions}",
        f"weights {figures.weights}; our engine {figures.ours.engine}; load before {machine.load_before:.2f}",
        f"each station hears three earthquakes in {figures.repeat_s:g} s",
    ]


def _explain(figures: Figures) -> list[str]:
    ours, held = figures.ours, figures.ours.residency
    hop_s = ours.throughput.stride_samples / 100
    lines = [
        f"In real time at a hop of {hop_s:.2f} s: {stations_in_real_time(ours.throughput):,} stations.",
        f"The network takes {ours.network_share:.0%} of our wall time, in batches of {ours.mean_batch:.0f}; "
        f"the processors are busy {ours.processor_share:.0%}.",
        f"Our memory, MiB: {_mebibytes(held.before)} before (records: {_mebibytes(held.records)}), "
        f"after each tenth {', '.join(map(_mebibytes, held.tenths))}; peak {_mebibytes(held.peak)}.",
    ]
    if figures.reading_s is not None:
        lines.append(f"SeisBench was given decoded records; obspy takes {figures.reading_s:.2f} s for that.")
    return lines


def _mebibytes(count: int) -> str:
    return f"{count / MEBIBYTE:,.0f}"


def _spell(quantiles: Quantiles) -> str:
    return f"{quantiles.p50_s:.2f} / {quantiles.p95_s:.2f} / {quantiles.maximum_s:.2f}"
