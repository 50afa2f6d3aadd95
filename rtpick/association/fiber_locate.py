"""Locating a cable's event on the same travel times as stations: channels are stations, one every 200 m.

Arrays: M pick of the event.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from rtpick.association.fiber_geometry import FiberGeometry
from rtpick.association.location import locate_origin
from rtpick.association.traveltime import TravelTimes
from rtpick.vocabulary.codes import ChannelId, StationId
from rtpick.vocabulary.event import Event
from rtpick.vocabulary.fiber_event import FiberCurve, FiberEvent
from rtpick.vocabulary.inventory import Inventory, Station
from rtpick.vocabulary.pick import Pick
from rtpick.vocabulary.time import to_ns

_STATION_M = 200.0
_ALIKE_M = 3000.0  # over so much cable, what the model leaves unexplained is the same
_METHOD = "rtpick-das"
_CHANNEL = "HSF"  # strain along a fiber


@dataclass(frozen=True, slots=True)
class LocatedFiberEvent:
    """A cable's event as a network has its events, and the picks and stations that it rests on."""

    event: Event
    picks: tuple[Pick, ...]
    inventory: Inventory


def locate_fiber_event(
    event: FiberEvent, geometry: FiberGeometry, travel_times: TravelTimes, *, onset_s: float = 0.1
) -> LocatedFiberEvent:
    """Find where an event happened that a cable saw.

    Parameters
    ----------
    event : FiberEvent
    geometry : FiberGeometry
    travel_times : TravelTimes
    onset_s : float
        Standard deviation of a P onset at one of some few places along the cable.

    Raises
    ------
    PickTableError
        If there are too few picks.

    Notes
    -----
    A straight cable cannot tell left from right, nor a short one much of depth: the uncertainties say so
    only for the side that was found. Picks of neighbouring channels err alike, so that all of them
    together count as one every 3 km.
    """
    picks = tuple(_station_picks(event, geometry))
    inventory = Inventory({pick.station_id: _station(pick.station_id, geometry) for pick in picks})
    alike = max(min(_ALIKE_M, geometry.distance_km()[-1] * 1e3) / _STATION_M, 1.0)
    found = locate_origin(picks, inventory, travel_times, onset_s=onset_s * float(np.sqrt(alike)))
    told = Event(event.event_id, event.revision, event.status, found.origin, found.arrivals,
                 merged_into=event.merged_into, method_id=_METHOD)  # fmt: skip
    return LocatedFiberEvent(told, picks, inventory)


def station_of(fiber: str, channel_number: int) -> StationId:
    """Name the station that stands for some channels of a cable."""
    return StationId(fiber, f"CH{channel_number:05d}")


def _station(code: StationId, geometry: FiberGeometry) -> Station:
    return Station(code, *geometry.place(int(code.station[2:])))


def _station_picks(event: FiberEvent, geometry: FiberGeometry) -> Iterator[Pick]:
    """Take the median of each phase over every 200 m, relative to the event's curve."""
    width = max(round(_STATION_M / max(geometry.channel_spacing_m, 0.1)), 1)
    group_M = event.channel_number_M // width
    for phase in ("P", "S"):
        of_phase = event.phase_M == phase
        for group in np.unique(group_M[of_phase]):
            channel = int(group) * width + width // 2
            late_s = float(np.median(event.residual_s_M[of_phase & (group_M == group)]))
            onset_ns = _on_curve_ns(event.curve, phase, channel) + to_ns(late_s)
            yield virtual_pick(event.fiber, channel, phase, onset_ns, 0.9)


def _on_curve_ns(curve: FiberCurve, phase: str, channel: int) -> int:
    times = curve.p_ns_K if phase == "P" else curve.s_ns_K
    zero_ns = int(times[0])
    return zero_ns + round(float(np.interp(channel, curve.channel_number_K, times - zero_ns)))


def virtual_pick(fiber: str, channel_number: int, phase: str, time_ns: int, probability: float) -> Pick:
    """Make the pick of a station that stands for some channels of a cable."""
    code = station_of(fiber, channel_number)
    return Pick(
        pick_id=f"{fiber}_{channel_number}_{phase}_{time_ns // 1_000_000}",
        channel=ChannelId(code.network, code.station, "", _CHANNEL),
        phase_hint=phase,
        time_ns=time_ns,
        probability=probability,
        uncertainty_s=0.1,
        amplitude=float("nan"),
        snr=float("nan"),
        coverage=1.0,
        model_version="",
        amplitude_unit="counts",
    )
