"""A catalogue at a glance: map with error ellipses, depth section, moveout of one event, sizes by time."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.collections import EllipseCollection
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure

from rtpick.archive.atomic import write_atomic
from rtpick.publish.picture_moveout import draw_moveout, draw_residuals, suit_velocity
from rtpick.publish.quakeml_origin import KM_PER_DEG, horizontal_ellipse
from rtpick.vocabulary.event import Event
from rtpick.vocabulary.inventory import Inventory
from rtpick.vocabulary.time import format_utc

Predict = Callable[[str, float], float]
FloatArray = npt.NDArray[np.float64]

_INK, _FAINT, _STATION = "#22303c", "#8a97a3", "#5c6b78"
_ELLIPSE_68 = math.sqrt(2.2789)  # standard deviations that hold 68 % in a plane
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MAP_COLOURS = "viridis_r"
_KINDS = ("#0072B2", "#D55E00", "#7A8793")
_SHAPE = 1.4  # width of the map over its height


def plot_catalogue(
    path: Path,
    events: Sequence[Event],
    inventory: Inventory,
    *,
    predict_s: Callable[[Event], Predict] | None = None,
) -> None:
    """Draw where events lie, how deep, how well the largest is fitted, and how large they are when.

    Parameters
    ----------
    path : Path
        ``.png``, ``.svg`` or ``.pdf``.
    events : sequence of Event
        Ellipses hold the true epicentre with 68 %.
    inventory : Inventory
    predict_s : callable, optional
        ``predict_s(event)(phase, distance_km)``: travel time for the curves of the moveout.

    Raises
    ------
    ValueError
        If there is no event.
    ArchiveError
        If the file cannot be written.
    """
    if not events:
        raise ValueError("no event to draw")
    figure = Figure(figsize=(14.0, 10.0), layout="constrained", facecolor="white")
    grid = figure.add_gridspec(4, 2, height_ratios=(2.3, 1.2, 1.2, 1.5), width_ratios=(1.15, 1.0))
    over, below = figure.add_subplot(grid[0:2, 0]), figure.add_subplot(grid[2, 0])
    moveout, residuals = figure.add_subplot(grid[0, 1]), figure.add_subplot(grid[1, 1])
    histogram, sizes = figure.add_subplot(grid[2, 1]), figure.add_subplot(grid[3, :])
    largest = max(events, key=lambda event: (len(event.arrivals), event.event_id))
    _draw_map(over, events, inventory, largest)
    _draw_section(below, events, largest)
    below.set_xlim(over.get_xlim())
    velocity_km_s = suit_velocity(largest)
    draw_moveout(moveout, largest, velocity_km_s, predict_s(largest) if predict_s else None)
    draw_residuals(residuals, largest)
    _draw_histogram(histogram, events)
    _draw_sizes(sizes, events)
    for axes in (over, below, moveout, residuals, histogram, sizes):
        _dress(axes)
    figure.suptitle(_headline(events), x=0.012, ha="left", fontsize=14, fontweight="bold", color=_INK)
    buffer = io.BytesIO()
    figure.savefig(buffer, format=path.suffix.removeprefix(".") or "png", dpi=140)
    write_atomic(path, buffer.getvalue())


def _headline(events: Sequence[Event]) -> str:
    times = [event.origin.time_ns for event in events]
    picks = sum(len(event.arrivals) for event in events)
    span = f"{format_utc(min(times))[:19]} to {format_utc(max(times))[:19]} UTC"
    return f"{len(events)} events, {picks} picks   {span}"


def _draw_map(axes: Axes, events: Sequence[Event], inventory: Inventory, largest: Event) -> None:
    """Epicentres coloured by depth over the stations that took part."""
    longitude, latitude, depth = _places(events)
    middle = math.cos(math.radians(float(np.median(latitude))))
    _draw_stations(axes, events, inventory)
    _draw_ellipses(axes, events, middle)
    dots = axes.scatter(longitude, latitude, _dot_size(len(events)), depth, cmap=_MAP_COLOURS,
                        linewidths=0.3, edgecolors="white", zorder=4)  # fmt: skip
    _mark(axes, largest.origin.longitude_deg, largest.origin.latitude_deg)
    bar = axes.figure.colorbar(dots, ax=axes, shrink=0.55, pad=0.01, aspect=28)
    bar.set_label("depth, km", fontsize=8.5, color=_INK)
    bar.ax.tick_params(labelsize=8, colors=_INK)
    bar.ax.invert_yaxis()
    _frame(axes, longitude, latitude, middle)
    axes.set_aspect(1.0 / middle, adjustable="box", anchor="NW")
    axes.set_ylabel("latitude, °", fontsize=9, color=_INK)
    title = "Epicentres with 68 % ellipses; triangles: stations; ring: the event at the right"
    axes.set_title(title, loc="left",
                   fontsize=9.5, color=_INK)  # fmt: skip


def _draw_stations(axes: Axes, events: Sequence[Event], inventory: Inventory) -> None:
    heard = {arrival.station for event in events for arrival in event.arrivals}
    for used, colour in ((False, "#c9d1d8"), (True, _STATION)):
        places = [(s.longitude_deg, s.latitude_deg) for s in inventory if (str(s.station) in heard) is used]
        if places:
            x, y = zip(*places, strict=True)
            axes.scatter(x, y, marker="^", s=26, color=colour, linewidths=0, zorder=2)


def _draw_ellipses(axes: Axes, events: Sequence[Event], middle: float) -> None:
    shapes = []
    for event in events:
        covariance = event.origin.covariance_km2
        if len(covariance) == 9 and np.isfinite(covariance).all():
            major_km, minor_km, azimuth_deg = horizontal_ellipse(covariance)
            shapes.append((2 * _ELLIPSE_68 * major_km, 2 * _ELLIPSE_68 * minor_km, 90.0 - azimuth_deg,
                           event.origin.longitude_deg, event.origin.latitude_deg))  # fmt: skip
    if not shapes:
        return
    table = np.array(shapes)
    # Widths are in degrees of latitude; the axes' aspect makes degrees of longitude as long as they are.
    wide, high, angle = table[:, 0] / KM_PER_DEG, table[:, 1] / KM_PER_DEG, table[:, 2]
    axes.add_collection(
        EllipseCollection(
            wide,
            high,
            angle,
            units="y",
            offsets=table[:, 3:],
            offset_transform=axes.transData,
            facecolors="none",
            edgecolors="#D55E00",
            linewidths=0.7,
            zorder=3,
            alpha=float(np.clip(60.0 / len(events), 0.15, 0.8)),
        )
    )


def _draw_section(axes: Axes, events: Sequence[Event], largest: Event) -> None:
    """Depth against longitude, with one standard deviation where the depth is free."""
    longitude, _, depth = _places(events)
    spread = np.array([event.origin.depth_uncertainty_km for event in events])
    fixed = np.array([event.origin.depth_fixed for event in events])
    some = ~fixed & np.isfinite(spread)
    pale = float(np.clip(60.0 / len(events), 0.12, 0.7))
    axes.errorbar(longitude[some], depth[some], yerr=spread[some], fmt="none", ecolor="#D55E00",
                  elinewidth=0.7, alpha=pale, zorder=2)  # fmt: skip
    for of, face, label in ((~fixed, "#0072B2", "depth free"), (fixed, "white", "depth fixed")):
        if of.any():
            axes.scatter(longitude[of], depth[of], s=_dot_size(len(events)), facecolors=face, linewidths=0.6,
                         edgecolors="#0072B2", zorder=3, label=label)  # fmt: skip
    _mark(axes, largest.origin.longitude_deg, largest.origin.depth_km)
    axes.set_ylim(
        max(float(np.quantile(depth + np.nan_to_num(spread), 0.98)) * 1.1, 1.0), -0.03 * depth.max() - 0.1
    )
    axes.set_xlabel("longitude, °", fontsize=9, color=_INK)
    axes.set_ylabel("depth, km", fontsize=9, color=_INK)
    axes.legend(loc="lower right", fontsize=8, frameon=False, labelcolor=_INK)
    axes.set_title("Depth section, looking north", loc="left", fontsize=9.5, color=_INK)


def _draw_histogram(axes: Axes, events: Sequence[Event]) -> None:
    """Residuals of all events."""
    for phase, colour in (("P", "#0072B2"), ("S", "#D55E00")):
        values = np.array([a.residual_s for e in events for a in e.arrivals if a.phase == phase])
        values = values[np.isfinite(values)]
        if len(values):
            edge = float(max(np.quantile(np.abs(values), 0.99), 1e-3))
            label = f"{phase}: median {np.median(values):+.3f} s, half within {_half(values):.3f} s"
            axes.hist(
                values, bins=np.linspace(-edge, edge, 41).tolist(), histtype="step", color=colour, label=label
            )
    axes.set_xlabel("residual, s", fontsize=9, color=_INK)
    axes.set_ylabel("arrivals", fontsize=9, color=_INK)
    axes.legend(fontsize=8, frameon=False, labelcolor=_INK)
    axes.set_title("Residuals of all events", loc="left", fontsize=9.5, color=_INK)
    axes.margins(y=0.35)


def _half(values: FloatArray) -> float:
    return float(np.median(np.abs(values - np.median(values))))


def _draw_sizes(axes: Axes, events: Sequence[Event]) -> None:
    """Magnitude against time; the number of picks where there are no magnitudes."""
    if any(event.magnitude for event in events):
        _draw_magnitudes(axes, events)
        title = "Magnitude against time, with one standard deviation"
    else:
        counts = [len(event.arrivals) for event in events]
        axes.vlines(_days(events), 0, counts, color="#0072B2", linewidth=1.0)
        axes.set_ylim(bottom=0)
        axes.set_ylabel("picks", fontsize=9, color=_INK)
        title = "Number of picks against time (no magnitudes)"
    axes.set_title(title, loc="left", fontsize=9.5, color=_INK)
    locator = AutoDateLocator()  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]


def _draw_magnitudes(axes: Axes, events: Sequence[Event]) -> None:
    kinds = sorted({event.magnitude.magnitude_type for event in events if event.magnitude})
    for place, kind in enumerate(kinds):
        of = [e for e in events if e.magnitude and e.magnitude.magnitude_type == kind]
        sizes = [e.magnitude for e in of if e.magnitude]
        spread = [m.uncertainty if math.isfinite(m.uncertainty) else 0.0 for m in sizes]
        colour, values = _KINDS[place % len(_KINDS)], [m.magnitude for m in sizes]
        axes.errorbar(_days(of), values, yerr=spread, fmt="o", markersize=4, ecolor=_FAINT, color=colour,
                      elinewidth=0.7, label=f"{kind} ({len(of)})")  # fmt: skip
    axes.set_ylabel("magnitude", fontsize=9, color=_INK)
    axes.legend(fontsize=8, frameon=False, labelcolor=_INK, ncols=3)


def _places(events: Sequence[Event]) -> tuple[FloatArray, FloatArray, FloatArray]:
    table = np.array([(e.origin.longitude_deg, e.origin.latitude_deg, e.origin.depth_km) for e in events])
    return table[:, 0], table[:, 1], table[:, 2]


def _days(events: Sequence[Event]) -> list[float]:
    """Origin times as matplotlib counts them."""
    moments = [_EPOCH + timedelta(microseconds=event.origin.time_ns // 1000) for event in events]
    return [float(date2num(moment)) for moment in moments]  # type: ignore[no-untyped-call]


def _frame(axes: Axes, longitude: FloatArray, latitude: FloatArray, middle: float) -> None:
    """Make room for every epicentre, in the shape that the map has."""
    high = max(float(np.ptp(latitude)), float(np.ptp(longitude)) * middle / _SHAPE, 1e-3) * 1.2
    wide = high * _SHAPE / middle
    x, y = (float(values.min() + values.max()) / 2 for values in (longitude, latitude))
    axes.set_xlim(x - wide / 2, x + wide / 2)
    axes.set_ylim(y - high / 2, y + high / 2)


def _dot_size(count: int) -> float:
    return float(np.clip(900.0 / max(count, 1), 6.0, 34.0))


def _mark(axes: Axes, x: float, y: float) -> None:
    axes.plot(x, y, marker="o", markersize=13, markerfacecolor="none", markeredgecolor=_INK, zorder=5)


def _dress(axes: Axes) -> None:
    axes.tick_params(colors=_INK, labelsize=8.5)
    axes.grid(color="#eef1f4", linewidth=0.6, zorder=0)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(_FAINT)
