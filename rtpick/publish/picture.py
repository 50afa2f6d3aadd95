"""A record section: the traces of an event by distance, with what was picked and what was predicted.

Arrays: C component, T time.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from rtpick.archive.atomic import write_atomic
from rtpick.publish.picture_traces import BAND_HZ, Trace, collect_traces
from rtpick.vocabulary.event import Arrival, Event
from rtpick.vocabulary.inventory import Inventory
from rtpick.vocabulary.pick import Pick, PickStatus
from rtpick.vocabulary.time import format_utc, to_s
from rtpick.vocabulary.waveform import Clip, Packet

MAXIMUM_TRACES = 60

# Told apart by every kind of colour vision, and in grey.
_COLOURS = {"P": "#0072B2", "S": "#D55E00"}
_INK = "#22303c"
_FAINT = "#8a97a3"
_BEFORE_S = 3.0
_SWING = 0.46

Predict = Callable[[str, float], float]


def plot_record_section(
    path: Path,
    waveforms: Iterable[Packet | Clip],
    picks: Iterable[Pick],
    event: Event,
    inventory: Inventory,
    *,
    predict_s: Predict | None = None,
) -> None:
    """Draw an event's traces by epicentral distance, with its picks and predicted arrivals.

    Parameters
    ----------
    path : Path
        ``.png``, ``.svg`` or ``.pdf``.
    waveforms : iterable of Packet or Clip
        Samples around the event; pieces of one channel are joined.
    picks : iterable of Pick
        Those of the event are drawn strong, others in the picture's span faint.
    event : Event
        Its arrivals' residuals give the predicted times.
    inventory : Inventory
        Stations that it does not hold are left out.
    predict_s : callable, optional
        ``predict_s(phase, distance_km)``: travel time at the event's depth, for curves of expected
        arrivals at every station.

    Raises
    ------
    ValueError
        If no trace of a known station lies in the picture's span.
    ArchiveError
        If the file cannot be written.
    """
    end_s = _span_end_s(event)
    traces = collect_traces(waveforms, event.origin, inventory, -_BEFORE_S, end_s)[:MAXIMUM_TRACES]
    if not traces:
        raise ValueError(f"no trace to draw for event {event.event_id}: are its stations in the inventory?")
    figure = Figure(figsize=(10.5, 2.4 + 0.62 * len(traces)), layout="constrained", facecolor="white")
    axes = figure.add_subplot()
    _draw_traces(axes, traces)
    _draw_expected(axes, traces, event, predict_s)
    _draw_picks(axes, traces, picks, event, end_s)
    _dress(figure, axes, traces, event, end_s)
    _save(figure, path)


def _span_end_s(event: Event) -> float:
    delays_s = [to_s(arrival.time_ns - event.origin.time_ns) for arrival in event.arrivals]
    return max(delays_s, default=10.0) * 1.6 + 5.0


def _draw_traces(axes: Axes, traces: Sequence[Trace]) -> None:
    for row, trace in enumerate(traces):
        axes.axhline(row, color="#e6eaee", linewidth=0.6, zorder=0)
        for time_s_T, samples_T in trace.pieces:
            swing_T = row - _SWING * samples_T / trace.peak
            axes.plot(time_s_T, swing_T, color=_INK, linewidth=0.55, zorder=2)


def _draw_expected(axes: Axes, traces: Sequence[Trace], event: Event, predict_s: Predict | None) -> None:
    arrivals = {(arrival.station, arrival.phase): arrival for arrival in event.arrivals}
    for row, trace in enumerate(traces):
        for phase, colour in _COLOURS.items():
            arrival = arrivals.get((str(trace.station), phase))
            time_s = _expected_s(arrival, event, trace.distance_km, phase, predict_s)
            if time_s is not None:
                axes.plot(time_s, row + 0.43, marker="^", markersize=6, color=colour, markerfacecolor="white",
                          markeredgewidth=1.1, zorder=4)  # fmt: skip


def _expected_s(
    arrival: Arrival | None, event: Event, distance_km: float, phase: str, predict_s: Predict | None
) -> float | None:
    if arrival is not None and math.isfinite(arrival.residual_s):
        return to_s(arrival.time_ns - event.origin.time_ns) - arrival.residual_s
    return None if predict_s is None else predict_s(phase, distance_km)


def _draw_picks(
    axes: Axes, traces: Sequence[Trace], picks: Iterable[Pick], event: Event, end_s: float
) -> None:
    for pick in picks:
        time_s = to_s(pick.time_ns - event.origin.time_ns)
        if pick.status is PickStatus.WITHDRAWN or not -_BEFORE_S <= time_s <= end_s:
            continue
        rows = [row for row, trace in enumerate(traces) if trace.station == pick.station_id]
        _draw_pick(axes, rows, time_s, pick, pick.pick_id in event.pick_ids)


def _draw_pick(axes: Axes, rows: Sequence[int], time_s: float, pick: Pick, is_member: bool) -> None:
    colour = _COLOURS.get(pick.phase_hint, _FAINT)
    for row in rows:
        axes.plot([time_s, time_s], [row - 0.42, row + 0.42], color=colour, zorder=3,
                  linewidth=1.8 if is_member else 0.9, alpha=1.0 if is_member else 0.35)  # fmt: skip
    if rows and is_member:
        axes.annotate(pick.phase_hint, (time_s, rows[0] - 0.42), xytext=(2.5, -7), color=colour,
                      textcoords="offset points", fontsize=8.5, fontweight="bold", zorder=5)  # fmt: skip


def _dress(figure: Figure, axes: Axes, traces: Sequence[Trace], event: Event, end_s: float) -> None:
    axes.set_xlim(-_BEFORE_S, end_s)
    axes.set_ylim(len(traces) - 0.35, -0.75)
    axes.axvline(0.0, color=_FAINT, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
    axes.set_yticks(range(len(traces)), [trace.label for trace in traces], fontsize=8.5, color=_INK)
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", colors=_INK, labelsize=8.5)
    axes.set_xlabel("seconds after the origin time", fontsize=9.5, color=_INK)
    for side in ("top", "left", "right"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(_FAINT)
    figure.suptitle(_headline(event), x=0.012, ha="left", fontsize=13, fontweight="bold", color=_INK)
    axes.set_title(_details(event), loc="left", fontsize=9.5, color="#51606d", pad=10)
    axes.legend(handles=_legend(), loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=4, frameon=False,
                fontsize=8.5, labelcolor=_INK, handlelength=1.2, columnspacing=1.3)  # fmt: skip


def _legend() -> list[Any]:
    observed = [
        Line2D([], [], color=colour, linewidth=1.8, label=f"{phase} picked")
        for phase, colour in _COLOURS.items()
    ]
    expected = [
        Line2D(
            [],
            [],
            color=colour,
            marker="^",
            markerfacecolor="white",
            linestyle="",
            label=f"{phase} predicted",
        )
        for phase, colour in _COLOURS.items()
    ]
    return [*observed, *expected]


def _headline(event: Event) -> str:
    magnitude = event.magnitude
    size = f"{magnitude.magnitude_type} {magnitude.magnitude:.1f}   " if magnitude else ""
    time = format_utc(event.origin.time_ns)
    return f"{size}{time[:10]}  {time[11:22]} UTC"


def _details(event: Event) -> str:
    origin = event.origin
    phases = [arrival.phase for arrival in event.arrivals]
    north = f"{abs(origin.latitude_deg):.4f}° {'N' if origin.latitude_deg >= 0 else 'S'}"
    east = f"{abs(origin.longitude_deg):.4f}° {'E' if origin.longitude_deg >= 0 else 'W'}"
    depth = f"{origin.depth_km:.1f} km deep" + (" (fixed)" if origin.depth_fixed else "")
    counts = f"{phases.count('P')} P, {phases.count('S')} S"
    fit = f"rms {origin.rms_s:.2f} s, gap {origin.azimuthal_gap_deg:.0f}°"
    band = f"traces {BAND_HZ[0]:g}-{BAND_HZ[1]:g} Hz, each to its own peak"
    return f"{north}  {east}   {depth}   {counts}   {fit}\n{band}"


def _save(figure: Figure, path: Path) -> None:
    buffer = io.BytesIO()
    figure.savefig(buffer, format=path.suffix.removeprefix(".") or "png", dpi=160)
    write_atomic(path, buffer.getvalue())
