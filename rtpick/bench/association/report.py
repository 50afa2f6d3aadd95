"""The figures of all associators on all scenarios: a table for people, a CSV for programs."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from rtpick.bench.association.catalogue import Found
from rtpick.bench.association.score import Score, pool

COLUMNS = (
    "F1", "precision", "recall", "splits", "merges", "false/h", "pick F1", "epicentre km", "in 68 %",
    "in 90 %", "delay s", "retracted", "picks/s",
)  # fmt: skip
CSV_COLUMNS = (
    "scenario", "associator", "setting", "lists", "required", "found", "f1", "precision", "recall",
    "f1_in_space", "splits", "merges", "false_per_hour", "pick_f1", "pick_precision", "pick_recall",
    "epicentre_km_median",
    "epicentre_km_p90", "depth_km_median", "time_s_median", "within_68", "within_90", "delay_s_median",
    "delay_s_p90", "published", "retracted", "picks", "processor_s", "picks_per_s",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """One associator on one kind of scenario, all its pick lists together."""

    scenario: str
    associator: str
    setting: str
    lists: int
    score: Score
    pick_count: int
    processor_s: float

    @property
    def picks_per_s(self) -> float:
        """Picks taken in for each second of one thread."""
        return self.pick_count / max(self.processor_s, 1e-9)


def gather(runs: Sequence[tuple[str, Found, Score]]) -> list[Row]:
    """Pool runs by scenario and associator, in the order in which they first come."""
    groups: dict[tuple[str, str], list[tuple[Found, Score]]] = {}
    for scenario, found, score in runs:
        groups.setdefault((scenario, found.associator), []).append((found, score))
    order = list(dict.fromkeys(scenario for scenario, _, _ in runs))
    ordered = sorted(groups.items(), key=lambda item: order.index(item[0][0]))
    return [_row(scenario, associator, group) for (scenario, associator), group in ordered]


def _row(scenario: str, associator: str, group: Sequence[tuple[Found, Score]]) -> Row:
    return Row(
        scenario=scenario,
        associator=associator,
        setting=group[0][0].setting,
        lists=len(group),
        score=pool([score for _, score in group]),
        pick_count=sum(found.pick_count for found, _ in group),
        processor_s=sum(found.processor_s for found, _ in group),
    )


def print_rows(rows: Sequence[Row], console: Console) -> None:
    """Print a line for each associator, scenario by scenario, and how each was set."""
    table = Table(title="Associators on the same picks; one thread", title_justify="left")
    table.add_column("scenario")
    table.add_column("associator")
    for name in COLUMNS:
        table.add_column(name, justify="right")
    last = ""
    for row in rows:
        if last and row.scenario != last:
            table.add_section()
        table.add_row(row.scenario if row.scenario != last else "", row.associator, *_cells(row))
        last = row.scenario
    console.print(table)
    for text in dict.fromkeys(f"{row.scenario}: {row.associator}: {row.setting}" for row in rows):
        console.print(f"[dim]{text}[/dim]", soft_wrap=True)


def _cells(row: Row) -> list[str]:
    s = row.score
    rates = [_three(s.events.f1), _three(s.events.precision), _three(s.events.recall)]
    return [
        *rates, str(s.splits), str(s.merges), f"{s.false_per_hour:.2f}", _three(s.picks.f1),
        _two(_middle(s.epicentre_km)), _percent(s.within_68), _percent(s.within_90), _two(_middle(s.delay_s)),
        _percent(s.retracted_share), f"{row.picks_per_s:,.0f}",
    ]  # fmt: skip


def write_rows(path: Path, rows: Sequence[Row]) -> None:
    """Write every figure, one line a scenario and associator; what is not known is empty."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(CSV_COLUMNS)
        writer.writerows([_plain(cell) for cell in _csv_cells(row)] for row in rows)


def _csv_cells(row: Row) -> list[object]:
    s = row.score
    return [
        row.scenario, row.associator, row.setting, row.lists, s.events.hits + s.events.missed, s.found,
        s.events.f1, s.events.precision, s.events.recall, s.events_in_space.f1, s.splits, s.merges,
        s.false_per_hour, s.picks.f1, s.picks.precision, s.picks.recall, _middle(s.epicentre_km),
        _high(s.epicentre_km), _middle(s.depth_km), _middle(s.time_s), s.within_68, s.within_90,
        _middle(s.delay_s), _high(s.delay_s), s.published, s.retracted, row.pick_count,
        row.processor_s, row.picks_per_s,
    ]  # fmt: skip


def _plain(cell: object) -> object:
    if isinstance(cell, float):
        return "" if math.isnan(cell) else f"{cell:.6g}"
    return cell


def _middle(values: np.ndarray) -> float:
    return float(np.median(values)) if len(values) else math.nan


def _high(values: np.ndarray) -> float:
    return float(np.quantile(values, 0.9)) if len(values) else math.nan


def _three(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3f}"


def _two(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.2f}"


def _percent(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.0%}"
