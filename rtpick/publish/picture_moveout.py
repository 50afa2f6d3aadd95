"""The arrivals of one event by distance: reduced time against the predicted curves, and residuals."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba

from rtpick.publish.quakeml_origin import KM_PER_DEG
from rtpick.vocabulary.event import Arrival, Event
from rtpick.vocabulary.time import format_utc, to_s

Predict = Callable[[str, float], float]
COLOURS = {"P": "#0072B2", "S": "#D55E00"}
_INK, _FAINT = "#22303c", "#8a97a3"
_POINTS = 120


def suit_velocity(event: Event) -> float:
    """Choose a round reduction velocity (km/s) that lets P lie nearly flat.

    Returns
    -------
    float
        6 where there are no P arrivals at two distances.
    """
    of_p = [(_km(a), to_s(a.time_ns - event.origin.time_ns)) for a in event.arrivals if a.phase == "P"]
    table = np.array([pair for pair in of_p if np.isfinite(pair[0])]).reshape(-1, 2)
    if len(table) < 2 or np.ptp(table[:, 0]) < 1.0:
        return 6.0
    slowness = float(np.polyfit(table[:, 0], table[:, 1], 1)[0])
    return float(np.clip(round(2.0 / max(slowness, 0.05)) / 2.0, 3.0, 12.0))


def draw_moveout(axes: Axes, event: Event, velocity_km_s: float, predict_s: Predict | None) -> None:
    """Draw arrival times less distance over velocity, and the curves that the model predicts."""
    farthest_km = max((_km(a) for a in event.arrivals if np.isfinite(a.distance_deg)), default=1.0)
    for phase, colour in COLOURS.items():
        mine = [a for a in event.arrivals if a.phase == phase and np.isfinite(a.distance_deg)]
        if not mine:
            continue
        km = np.array([_km(a) for a in mine])
        late_s = np.array([to_s(a.time_ns - event.origin.time_ns) for a in mine]) - km / velocity_km_s
        axes.scatter(
            km, late_s, s=24, color=colour, zorder=3, linewidths=0, label=f"{phase} picked ({len(mine)})"
        )
        if predict_s is not None:
            line_km = np.linspace(0.0, 1.03 * farthest_km, _POINTS)
            line_s = np.array([predict_s(phase, float(x)) for x in line_km]) - line_km / velocity_km_s
            axes.plot(line_km, line_s, color=colour, linewidth=1.0, alpha=0.8, label=f"{phase} predicted")
    axes.set_xlim(0, 1.03 * farthest_km)
    axes.set_ylabel(f"time - distance / {velocity_km_s:g} km/s, s", fontsize=9, color=_INK)
    axes.legend(fontsize=8, frameon=False, labelcolor=_INK, ncols=2)
    axes.set_title(_title(event), loc="left", fontsize=9.5, color=_INK)


def draw_residuals(axes: Axes, event: Event) -> None:
    """Draw observed less predicted times by distance; what counts little is pale."""
    for phase, colour in COLOURS.items():
        mine = [a for a in event.arrivals if a.phase == phase and np.isfinite(a.distance_deg + a.residual_s)]
        weight = np.array([a.weight for a in mine])
        if mine:
            alpha = np.clip(weight / max(float(weight.max()), 1e-9), 0.15, 1.0)
            faces = [to_rgba(colour, float(share)) for share in alpha]
            axes.scatter(
                [_km(a) for a in mine], [a.residual_s for a in mine], s=22, color=faces, linewidths=0
            )
    axes.axhline(0.0, color=_FAINT, linewidth=0.9)
    axes.set_xlim(left=0)
    axes.set_xlabel("epicentral distance, km", fontsize=9, color=_INK)
    axes.set_ylabel("residual, s", fontsize=9, color=_INK)


def _km(arrival: Arrival) -> float:
    return arrival.distance_deg * KM_PER_DEG


def _title(event: Event) -> str:
    size = event.magnitude
    named = f"{size.magnitude_type} {size.magnitude:.1f}, " if size else ""
    when = format_utc(event.origin.time_ns)[:21].replace("T", " ")
    depth = f"{event.origin.depth_km:.1f} km deep" + (" (fixed)" if event.origin.depth_fixed else "")
    return f"{named}{when} UTC, {depth}, rms {event.origin.rms_s:.2f} s"
