"""Settle how a fiber's tiles lie and are read, from the settings and the network's own wishes.

P phase, K fiber channel, T time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from rtpick.buffer.fiber_quantity import check_quantity, converted_layout
from rtpick.buffer.fiber_tiles import ALIGNMENT, TileGeometry
from rtpick.picking.fiber_engine import FiberEngine
from rtpick.picking.fiber_lane import LaneRule
from rtpick.picking.fiber_stack import taper
from rtpick.picking.fiber_trigger import IntArray
from rtpick.settings.fiber import FiberBufferSettings, FiberOverrides, FiberPickingSettings, FiberSettings
from rtpick.vocabulary.errors import SettingsError
from rtpick.vocabulary.fiber import FiberLayout

AMPLITUDE_S = {"P": "amplitude_p_s", "S": "amplitude_s_s"}


@dataclass(frozen=True, slots=True, eq=False)
class FiberRules:
    """All that is settled for the fibers of one network.

    Parameters
    ----------
    geometry : TileGeometry
        Of a fiber with enough channels.
    threshold_P : ndarray of float32
    reach_P : ndarray of int64
        Samples behind an onset in which its amplitude is sought.
    half_window, gap_guard : int
        Samples.
    """

    geometry: TileGeometry
    threshold_P: np.ndarray
    reach_P: IntArray
    half_window: int
    gap_guard: int

    def picking(self, geometry: TileGeometry) -> LaneRule:
        """How the sheet of phases is read."""
        weight_K = taper(geometry.channels, tapered=geometry.tapered)
        weight_T = taper(geometry.spoken, tapered=geometry.tapered)
        return LaneRule(
            self.threshold_P, self.half_window, geometry.lead, geometry.spoken, weight_K, weight_T
        )

    def hinting(self, geometry: TileGeometry, threshold: float, step: tuple[int, int]) -> LaneRule:
        """How the sheet of event centres is read."""
        rows, lead, spoken = (
            geometry.channels // step[0],
            geometry.lead // step[1],
            geometry.spoken // step[1],
        )
        half = max(round(self.half_window / step[1]), 1)
        weights = taper(rows, tapered=geometry.tapered), taper(spoken, tapered=geometry.tapered)
        return LaneRule(np.full(1, threshold, np.float32), half, lead, spoken, *weights)


def fiber_rules(settings: FiberSettings, engine: FiberEngine) -> FiberRules:
    """Join the settings with what the network wants.

    Raises
    ------
    SettingsError
        If the tiles would not fit the network, or the memory is too short for them.
    """
    picking, rate_hz = settings.picking, engine.sampling_rate_hz
    geometry = _geometry(picking, engine)
    _check_geometry(geometry, engine)
    seconds = [getattr(picking, AMPLITUDE_S.get(phase, "amplitude_s_s")) for phase in engine.phases]
    reach_P = np.array([round(reach_s * rate_hz) for reach_s in seconds], np.int64)
    longest = 2 * geometry.samples + int(reach_P.max()) + round(settings.buffer.health_cell_s * rate_hz)
    if settings.buffer.memory_s * rate_hz < longest:
        raise SettingsError(
            f"buffer.memory_s of fibers is {settings.buffer.memory_s:g}: with tiles of {geometry.samples} "
            f"samples at {rate_hz:g} Hz it must be at least {longest / rate_hz:.0f}"
        )
    thresholds = {"P": picking.p_threshold, "S": picking.s_threshold}
    return FiberRules(
        geometry,
        np.array([thresholds[phase] for phase in engine.phases], np.float32),
        reach_P,
        round(picking.half_window_s * rate_hz),
        round(picking.gap_guard_s * rate_hz),
    )


def allowed_overrides(settings: FiberSettings, layout: FiberLayout, engine: FiberEngine) -> FiberOverrides:
    """Take what is set for a fiber, if the network can then work with it.

    Raises
    ------
    NetworkError
        If the network was not trained on what the fiber measures behind its declared conversion.
    """
    overrides = settings.overrides(layout.fiber)
    converted = converted_layout(layout, overrides.conversion)
    check_quantity(converted, engine.quantities, engine.model_version)
    return overrides


def fit_decimation(settings: FiberSettings, layout: FiberLayout, engine: FiberEngine) -> FiberBufferSettings:
    """Settle what the settings leave to the network: how many channels are thinned out, and the common mode.

    A fiber whose channels lie closer than the network was trained on is thinned until they do not.
    """
    closest_m = engine.spacing_range_m[0]
    step = settings.buffer.channel_decimation or math.ceil(closest_m / layout.channel_spacing_m - 1e-6)
    mode = settings.buffer.common_mode or engine.common_mode
    return settings.buffer.model_copy(update={"channel_decimation": max(step, 1), "common_mode": mode})


def fit_channels(geometry: TileGeometry, channel_count: int, multiple: int) -> TileGeometry:
    """Make tiles no higher than a fiber needs.

    Examples
    --------
    >>> fit_channels(TileGeometry(1024, 1024, 256, overlap_channels=256), 300, 256).channels
    512
    """
    height = min(geometry.channels, -(-channel_count // multiple) * multiple)
    return replace(geometry, channels=height, overlap_channels=min(geometry.overlap_channels, height - 1))


def _geometry(picking: FiberPickingSettings, engine: FiberEngine) -> TileGeometry:
    own = engine.geometry
    asked = {
        "channels": picking.tile_channels,
        "samples": picking.tile_samples,
        "stride": picking.stride_samples,
        "lead": picking.lead_samples,
        "guard": picking.guard_samples,
        "overlap_channels": picking.overlap_channels,
    }
    # pydantic knows integers; replace() wants them named one by one
    return TileGeometry(
        **{name: getattr(own, name) if value is None else value for name, value in asked.items()},
        tapered=own.tapered,
    )


def _check_geometry(geometry: TileGeometry, engine: FiberEngine) -> None:
    if geometry.channels % engine.channel_multiple or geometry.samples % engine.sample_multiple:
        raise SettingsError(
            f"tiles of {geometry.channels} channels and {geometry.samples} samples: {engine.model_version} "
            f"takes multiples of {engine.channel_multiple} and {engine.sample_multiple}"
        )
    lengths = (geometry.stride, geometry.lead, geometry.spoken)
    step = engine.event_step
    if step and (any(length % step[1] for length in lengths) or ALIGNMENT % step[0]):
        raise SettingsError(f"stride, lead and guard of tiles must be multiples of {step[1]} samples")
