"""Compiling everything before the first real pick comes."""

from __future__ import annotations

import numpy as np

from rtpick.association.associate import AssociatorState, finish, step
from rtpick.association.sphere import compass_at, ray_from
from rtpick.vocabulary.codes import ChannelId
from rtpick.vocabulary.pick import Pick
from rtpick.vocabulary.time import to_ns

_STATIONS = 16
_FAR_AWAY_S_KM = (0.05, 0.0)


def warm_up(state: AssociatorState) -> None:
    """Let an invented earthquake and an invented plane wave pass through, and forget them.

    Notes
    -----
    Takes some twenty seconds after an installation and moments later on; the state is left alone.
    """
    sites = state.world.sites
    compass = compass_at(*sites.centre_rad)
    distance_km = np.array([ray_from(compass, unit_3)[0] for unit_3 in sites.places.unit_S3])
    depth_km = state.world.extent.maximum_depth_km / 5.0
    picks = []
    for number in np.argsort(distance_km)[:_STATIONS].tolist():
        for phase in "PS":
            travel_s = float(state.world.travel_times.look_up(phase, distance_km[number], depth_km)[0])
            picks.append(_pick(state, number, phase, travel_s))
        picks.append(
            _pick(state, number, "P", 600.0 + float(state.world.plane_km_S2[number] @ _FAR_AWAY_S_KM))
        )
    picks.sort(key=lambda pick: pick.time_ns)
    finish(step(state, picks, 0)[0])


def _pick(state: AssociatorState, number: int, phase: str, time_s: float) -> Pick:
    code, nan = state.world.sites.codes[number], float("nan")
    channel = ChannelId(code.network, code.station, "", "HHZ")
    name = f"warm-{number}-{phase}-{time_s:.3f}"
    return Pick(name, channel, phase, to_ns(1e6 + time_s), 0.9, nan, nan, nan, 1.0, "warm")
