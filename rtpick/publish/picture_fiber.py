"""A cable's samples, its picks and its events as one picture: time along, channels upwards.

Arrays: N pick, Y row of cells, X column of cells.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from rtpick.archive.atomic import write_atomic
from rtpick.publish.waterfall import FloatArray, WaterfallGrid
from rtpick.vocabulary.fiber import FiberPicks
from rtpick.vocabulary.fiber_event import FiberCurve, FiberEvent
from rtpick.vocabulary.time import NS_PER_S, format_utc

# Told apart by every kind of colour vision, on grey too.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8c564b", "#F0E442")
_INK, _FAINT, _NOBODY = "#22303c", "#8a97a3", "#5c6670"
_MARKS = {"P": ("o", "P"), "S": ("x", "S")}
_LOUD = 0.98  # of a row's cells are drawn below full contrast
_IN_LEGEND = 12


@dataclass(frozen=True, slots=True, eq=False)
class FiberScene:
    """What is drawn.

    Parameters
    ----------
    picks : FiberPicks
    owner_N : ndarray of int64
        Place in `curves` and `labels` of each pick's event, -1 for none.
    curves : sequence of FiberCurve or None
        Where P and S of each event pass, None where that is unknown.
    labels : sequence of str
    """

    picks: FiberPicks
    owner_N: npt.NDArray[np.int64]
    curves: Sequence[FiberCurve | None]
    labels: Sequence[str]


def scene_of_events(picks: FiberPicks, events: Sequence[FiberEvent]) -> FiberScene:
    """Find each pick's event."""
    place = {}
    for number, event in enumerate(events):
        columns = event.channel_number_M, event.phase_M, event.time_ns_M
        place.update(dict.fromkeys(zip(*(column.tolist() for column in columns), strict=True), number))
    columns = picks.channel_number_N, picks.phase_N, picks.time_ns_N
    keys = zip(*(column.tolist() for column in columns), strict=True)
    owner_N = np.array([place.get(key, -1) for key in keys], np.int64)
    labels = [f"{format_utc(event.origin_ns)[11:21]}" for event in events]
    return FiberScene(picks, owner_N, [event.curve for event in events], labels)


def plot_fiber(
    path: Path | str,
    scene: FiberScene,
    grid: WaterfallGrid,
    cells_YX: FloatArray | None = None,
    *,
    title: str = "",
    channel_spacing_m: float | None = None,
) -> None:
    """Draw a waterfall with picks coloured by event and the curves on which events lie.

    Parameters
    ----------
    path : path
        The ending says the format.
    scene : FiberScene
    grid : WaterfallGrid
        What is shown.
    cells_YX : ndarray or None
        As `rtpick.publish.waterfall.draw_together` makes them of `grid`; each row is scaled by its own
        loud cells. None draws picks alone.
    title : str
    channel_spacing_m : float or None
        Draws a second scale, of distance.

    Raises
    ------
    ArchiveError
        If the file cannot be written.
    """
    figure = Figure(figsize=(13.0, 8.0), layout="constrained", facecolor="white")
    axes = figure.subplots()
    span_s = (grid.end_ns - grid.start_ns) / NS_PER_S
    edges = (0.0, span_s, grid.first_channel - 0.5, grid.last_channel + 0.5)
    if cells_YX is not None:
        _draw_cells(axes, cells_YX, edges)
    _draw_picks(axes, scene, grid)
    _draw_curves(axes, scene, grid)
    axes.set(xlim=edges[:2], ylim=edges[2:])
    _dress(axes, scene, grid, title, bool(channel_spacing_m))
    if channel_spacing_m:
        _add_distance(axes, grid, channel_spacing_m)
    buffer = io.BytesIO()
    figure.savefig(buffer, format=Path(path).suffix.removeprefix(".") or "png", dpi=130)
    write_atomic(Path(path), buffer.getvalue())


def _draw_cells(axes: Axes, cells_YX: FloatArray, edges: tuple[float, float, float, float]) -> None:
    """Scale each row by its own loud cells, so that a dull channel shows as much as a loud one."""
    heard = np.isfinite(cells_YX).any(axis=1)
    loud_Y = np.ones(len(cells_YX))
    loud_Y[heard] = np.nanquantile(np.abs(cells_YX[heard]), _LOUD, axis=1)
    scaled_YX = cells_YX / np.maximum(loud_Y, np.finfo(np.float64).tiny)[:, None]
    axes.set_facecolor("#e8e0c8")  # no samples
    axes.imshow(scaled_YX, origin="lower", aspect="auto", extent=edges, cmap="Greys", vmin=-1.0, vmax=1.0,
                interpolation="none", alpha=0.75)  # fmt: skip


def _draw_picks(axes: Axes, scene: FiberScene, grid: WaterfallGrid) -> None:
    picks = scene.picks
    time_s_N = (picks.time_ns_N - grid.start_ns) / NS_PER_S
    size = float(np.clip(30_000.0 / max(len(picks), 1), 1.5, 14.0))
    for phase, (marker, _) in _MARKS.items():
        of_phase = picks.phase_N == phase
        for owner in (-1, *range(len(scene.curves))):
            mine = of_phase & (scene.owner_N == owner)
            colour = _NOBODY if owner < 0 else COLOURS[owner % len(COLOURS)]
            axes.scatter(
                time_s_N[mine], picks.channel_number_N[mine], s=size * (1.0 if owner >= 0 else 0.6),
                color=colour, marker=marker, linewidths=0.0 if marker == "o" else 0.7,
                alpha=0.9 if owner >= 0 else 0.45, zorder=2 + (owner >= 0),
            )  # fmt: skip


def _draw_curves(axes: Axes, scene: FiberScene, grid: WaterfallGrid) -> None:
    for curve in scene.curves:
        if curve is None:
            continue
        for times_ns, style in ((curve.p_ns_K, (0, (4, 2))), (curve.s_ns_K, "-")):
            time_s = (times_ns - grid.start_ns) / NS_PER_S
            axes.plot(time_s, curve.channel_number_K, color=_INK, linestyle=style, linewidth=0.7, alpha=0.8,
                      zorder=5)  # fmt: skip


def _dress(axes: Axes, scene: FiberScene, grid: WaterfallGrid, title: str, spaced: bool) -> None:
    count = [int(np.count_nonzero(scene.owner_N == number)) for number in range(len(scene.labels))]
    own = [Line2D([], [], color=COLOURS[n % len(COLOURS)], linewidth=3, label=f"{label}  ({count[n]} picks)")
           for n, label in enumerate(scene.labels[:_IN_LEGEND])]  # fmt: skip
    kinds = [
        Line2D([], [], color=_INK, marker="o", markersize=4, linestyle=(0, (4, 2)), linewidth=1, label="P"),
        Line2D([], [], color=_INK, marker="x", markersize=4, linestyle="-", linewidth=1, label="S"),
        Line2D([], [], color=_NOBODY, marker="o", markersize=3, linestyle="", alpha=0.6, label="in no event"),
    ]
    more = len(scene.labels) - _IN_LEGEND
    if more > 0:
        own.append(Line2D([], [], linestyle="", label=f"and {more} more events"))
    beside = (1.06 if spaced else 1.01, 1.0)
    axes.legend(handles=[*kinds, *own], loc="upper left", bbox_to_anchor=beside, fontsize=8, frameon=False,
                labelcolor=_INK)  # fmt: skip
    axes.set_xlabel(f"seconds after {format_utc(grid.start_ns)[:21]}Z", color=_INK)
    axes.set_ylabel("channel", color=_INK)
    axes.tick_params(colors=_FAINT)
    axes.set_title(title, loc="left", color=_INK, fontsize=11)
    for spine in axes.spines.values():
        spine.set_color(_FAINT)


def _add_distance(axes: Axes, grid: WaterfallGrid, spacing_m: float) -> None:
    side = axes.twinx()
    low, high = axes.get_ylim()
    side.set_ylim((low - grid.first_channel) * spacing_m / 1e3, (high - grid.first_channel) * spacing_m / 1e3)
    side.set_ylabel("distance along the cable, km", color=_INK)
    side.tick_params(colors=_FAINT)
    for spine in side.spines.values():
        spine.set_color(_FAINT)
