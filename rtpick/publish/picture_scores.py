"""Bars that compare associators, scenario by scenario."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rtpick.archive.atomic import write_atomic

# Told apart by every kind of colour vision, and in grey.
_COLOURS = ("#0072B2", "#E69F00", "#7A8793", "#CC79A7")
_INK, _FAINT = "#22303c", "#8a97a3"


@dataclass(frozen=True, slots=True)
class Bar:
    """One associator on one scenario."""

    scenario: str
    associator: str
    event_f1: float
    pick_f1: float
    false_per_hour: float
    picks_per_s: float


def plot_scores(path: Path, bars: Sequence[Bar]) -> None:
    """Draw F1 of events and of picks, false events an hour and speed, one group of bars a scenario.

    Raises
    ------
    ArchiveError
        If the file cannot be written.
    """
    scenarios = list(dict.fromkeys(bar.scenario for bar in bars))
    names = list(dict.fromkeys(bar.associator for bar in bars))
    figure = Figure(
        figsize=(max(9.5, 1.7 * len(scenarios) + 3), 8.2), layout="constrained", facecolor="white"
    )
    grid = figure.subplots(2, 2)
    panels: list[tuple[Axes, str, Callable[[Bar], float]]] = [
        (grid[0, 0], "F1 of events, by shared picks", lambda bar: bar.event_f1),
        (grid[0, 1], "F1 of pick assignments", lambda bar: bar.pick_f1),
        (grid[1, 0], "false events an hour", lambda bar: bar.false_per_hour),
        (grid[1, 1], "picks for each second of one thread", lambda bar: bar.picks_per_s),
    ]
    for axes, title, value in panels:
        _draw(axes, title, value, bars, scenarios, names)
    _zoom_f1(grid[0, 0], [bar.event_f1 for bar in bars])
    _zoom_f1(grid[0, 1], [bar.pick_f1 for bar in bars])
    grid[1, 0].set_ylim(0, max(1.15 * max((bar.false_per_hour for bar in bars), default=0.0), 0.5))
    grid[1, 1].set_yscale("log")
    handles, labels = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=len(names), frameon=False, fontsize=10)
    buffer = io.BytesIO()
    figure.savefig(buffer, format=path.suffix.removeprefix(".") or "png", dpi=150)
    write_atomic(path, buffer.getvalue())


def _draw(
    axes: Axes,
    title: str,
    value: Callable[[Bar], float],
    bars: Sequence[Bar],
    scenarios: Sequence[str],
    names: Sequence[str],
) -> None:
    width = 0.82 / len(names)
    for place, name in enumerate(names):
        of_name = {bar.scenario: value(bar) for bar in bars if bar.associator == name}
        heights = [of_name.get(scenario, math.nan) for scenario in scenarios]
        where = [k + (place - (len(names) - 1) / 2) * width for k in range(len(scenarios))]
        drawn = axes.bar(where, heights, width * 0.92, label=name, color=_COLOURS[place % len(_COLOURS)])
        labels = ["" if math.isnan(h) else _spell(h) for h in heights]
        axes.bar_label(
            drawn, labels, fontsize=7, padding=1, rotation=90 if len(scenarios) > 4 else 0, color=_INK
        )
    axes.set_xticks(range(len(scenarios)), scenarios, fontsize=8.5, rotation=20 if len(scenarios) > 4 else 0)
    axes.set_title(title, loc="left", fontsize=10.5, color=_INK)
    axes.tick_params(colors=_INK, labelsize=8.5)
    axes.margins(y=0.14)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(_FAINT)


def _zoom_f1(axes: Axes, values: Sequence[float]) -> None:
    """Begin a scale that ends at one where the worst still shows."""
    known = [value for value in values if not math.isnan(value)]
    low = min(known, default=0.0)
    axes.set_ylim(max(0.0, math.floor((low - 0.05) * 20) / 20), 1.04)
    axes.set_yticks([tick for tick in axes.get_yticks() if tick <= 1.0])


def _spell(value: float) -> str:
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3f}" if value <= 1 else f"{value:.3g}"
