"""Picks of a made-up cable: events with P and S, noise, steps of the interrogator, a vehicle.

For tests and trials; everything follows from the seed.

Arrays: K channel, N pick.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rtpick.vocabulary.fiber import FiberPicks

_VP_KM_S, _VP_VS = 6.0, 1.74
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SceneEvent:
    """An earthquake: origin time (s), place from the cable's middle and depth (km), how well it is seen."""

    origin_s: float
    x_km: float
    y_km: float
    depth_km: float = 8.0
    seen_p: float = 0.5
    seen_s: float = 0.9


@dataclass(frozen=True, slots=True)
class Scene:
    """A cable on a bend, and what happens beside it.

    Parameters
    ----------
    events : sequence of SceneEvent
    channel_count : int
    channel_spacing_m : float
    duration_s : float
    noise_hz : float
        False picks a second and channel.
    steps_s : sequence of float
        When the interrogator steps.
    start_ns : int
    seed : int
    """

    events: Sequence[SceneEvent] = ()
    channel_count: int = 1000
    channel_spacing_m: float = 8.0
    duration_s: float = 120.0
    noise_hz: float = 0.005
    steps_s: Sequence[float] = ()
    start_ns: int = 1_760_000_000_000_000_000
    seed: int = 1


def place_channels(scene: Scene) -> tuple[FloatArray, FloatArray]:
    """Lay the cable out: east and north of its middle (km), a gentle S."""
    turn_K = 0.6 * np.sin(np.linspace(0, 2 * np.pi, scene.channel_count))
    step_km = scene.channel_spacing_m / 1e3
    x_K, y_K = np.cumsum(np.cos(turn_K)) * step_km, np.cumsum(np.sin(turn_K)) * step_km
    return x_K - x_K.mean(), y_K - y_K.mean()


def arrival_times_s(scene: Scene, event: SceneEvent) -> tuple[FloatArray, FloatArray]:
    """Return when P and S reach each channel of the cable."""
    x_K, y_K = place_channels(scene)
    distance_K = np.sqrt((x_K - event.x_km) ** 2 + (y_K - event.y_km) ** 2 + event.depth_km**2)
    p_K = distance_K / _VP_KM_S
    return event.origin_s + p_K, event.origin_s + p_K * _VP_VS


def make_picks(scene: Scene, fiber: str = "ridge") -> tuple[FiberPicks, npt.NDArray[np.int64]]:
    """Pick a scene, in order of time and channel.

    Returns
    -------
    FiberPicks, ndarray of int64
        And the event of each pick, -1 for none.
    """
    rng = np.random.default_rng(scene.seed)
    parts = [_noise(scene, rng), *(_step(scene, rng, at_s) for at_s in scene.steps_s)]
    for number, event in enumerate(scene.events):
        parts.extend(_seen(scene, rng, event, number))
    channel_N, time_s_N, is_s_N, event_N = (np.concatenate(column) for column in zip(*parts, strict=True))
    inside = (time_s_N >= 0) & (time_s_N < scene.duration_s)
    time_ns_N = scene.start_ns + np.round(time_s_N * 100.0).astype(np.int64) * 10_000_000
    keys = np.stack((time_ns_N, channel_N, is_s_N.astype(np.int64)))[:, inside]
    _, order = np.unique(keys, axis=1, return_index=True)
    rows = np.flatnonzero(inside)[order]
    score_N = rng.uniform(0.3, 0.9, len(rows)).astype(np.float32)
    phase_N = np.where(is_s_N[rows], "S", "P")
    unknown_N = np.full(len(rows), np.nan, np.float32)
    return FiberPicks(fiber, channel_N[rows], phase_N, time_ns_N[rows], score_N, unknown_N), event_N[rows]


_Part = tuple[npt.NDArray[np.int64], FloatArray, npt.NDArray[np.bool_], npt.NDArray[np.int64]]


def _noise(scene: Scene, rng: np.random.Generator) -> _Part:
    count = rng.poisson(scene.noise_hz * scene.channel_count * scene.duration_s)
    channel_N = rng.integers(0, scene.channel_count, count)
    return channel_N, rng.uniform(0, scene.duration_s, count), rng.random(count) < 0.4, np.full(count, -1)


def _step(scene: Scene, rng: np.random.Generator, at_s: float) -> _Part:
    channel_N = np.flatnonzero(rng.random(scene.channel_count) < 0.8)
    count = len(channel_N)
    return channel_N, at_s + rng.normal(0, 0.01, count), rng.random(count) < 0.5, np.full(count, -1)


def _seen(scene: Scene, rng: np.random.Generator, event: SceneEvent, number: int) -> list[_Part]:
    parts = []
    for time_K, seen, scatter_s, is_s in zip(
        arrival_times_s(scene, event), (event.seen_p, event.seen_s), (0.03, 0.06), (False, True), strict=True
    ):
        channel_N = np.flatnonzero(rng.random(scene.channel_count) < seen)
        time_N = time_K[channel_N] + rng.normal(0, scatter_s, len(channel_N))
        parts.append((channel_N, time_N, np.full(len(channel_N), is_s), np.full(len(channel_N), number)))
    return parts
