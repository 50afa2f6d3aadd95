"""What associators found again of real catalogues: a table for people, a CSV for programs."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from rtpick.bench.association.catalogue import Found
from rtpick.bench.association.real import RealScore

COLUMNS = (
    "found",
    "catalogued",
    "matched",
    "its picks",
    "in the right event",
    "in another",
    "apart km",
    "picks/s",
)
CSV_COLUMNS = (
    "picks_of", "associator", "setting", "found", "catalogued", "matched", "catalogued_picks", "right_picks",
    "wrong_picks", "epicentre_km_median", "picks", "processor_s", "picks_per_s",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class RealRow:
    """One associator on one real pick list."""

    name: str
    found: Found
    score: RealScore

    @property
    def apart_km(self) -> str:
        """Median distance from the catalogue's epicentres, empty where it has none."""
        return f"{np.median(self.score.apart_km):.2f}" if len(self.score.apart_km) else ""


def print_real(rows: Sequence[RealRow], console: Console) -> None:
    """Print a line for each associator, list by list, and how each was set."""
    table = Table(title="Real picks, against what others found in them; one thread", title_justify="left")
    table.add_column("picks of")
    table.add_column("associator")
    for name in COLUMNS:
        table.add_column(name, justify="right")
    for row in rows:
        s, f = row.score, row.found
        counts = (len(f.events), s.catalogued, s.matched, s.picks, s.right, s.wrong)
        table.add_row(row.name, f.associator, *map(str, counts), row.apart_km, f"{f.picks_per_s:,.0f}")
    console.print(table)
    for row in rows:
        console.print(f"[dim]{row.name}: {row.found.associator}: {row.found.setting}[/dim]", soft_wrap=True)


def write_real(path: Path, rows: Sequence[RealRow]) -> None:
    """Write every figure, one line a list and associator."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(CSV_COLUMNS)
        for row in rows:
            f, s = row.found, row.score
            writer.writerow([
                row.name, f.associator, f.setting, len(f.events), s.catalogued, s.matched, s.picks, s.right,
                s.wrong, row.apart_km, f.pick_count, f"{f.processor_s:.6g}", f"{f.picks_per_s:.6g}",
            ])  # fmt: skip
