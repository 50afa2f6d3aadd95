"""From settings in seconds to the lengths in samples that a lane works with."""

from __future__ import annotations

from typing import Protocol

from rtpick.picking.features import AMPLITUDE_S
from rtpick.picking.lane import LaneRule
from rtpick.picking.life import LifeRule
from rtpick.settings.schema import PickingSettings, StationThresholds
from rtpick.vocabulary.codes import StationId

WIDTH_REACH_S = 0.5
HOLD_S = 30.0
MEMORY_S = 300.0


class WindowContract(Protocol):
    """What a lane must know of the network."""

    @property
    def window_samples(self) -> int:
        """Length of a window."""

    @property
    def sampling_rate_hz(self) -> float:
        """Rate of the grid."""

    @property
    def blinding(self) -> tuple[int, int]:
        """Samples at either end of a window that are not to be used."""


def lane_rule(settings: PickingSettings, network: WindowContract, station: StationId) -> LaneRule:
    """Work out the rule for the instruments of one station.

    Parameters
    ----------
    settings : PickingSettings
        Thresholds of the station come before those of the network.
    network : WindowContract
        The engine, or whatever runs the network.
    station : StationId
        Whose thresholds.
    """
    own = settings.station_thresholds.get(str(station), StationThresholds())
    rate_hz = network.sampling_rate_hz
    life = LifeRule(
        reach=round(settings.minimum_distance_s * rate_hz),
        hold=round(HOLD_S * rate_hz),
        features=round(max(AMPLITUDE_S.values()) * rate_hz),
    )
    return LaneRule(
        thresholds=(own.p or settings.p_threshold, own.s or settings.s_threshold),
        window=network.window_samples,
        stride=settings.stride_samples,
        stacking=settings.stacking,
        life=life,
        guard=round(settings.guard_s * rate_hz),
        blinding=network.blinding,
        minimum_rise=settings.minimum_rise,
        width_reach=round(WIDTH_REACH_S * rate_hz),
        memory=round(MEMORY_S * rate_hz),
    )
