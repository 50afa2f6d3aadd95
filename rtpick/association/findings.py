"""What the operator should know of a station: it is too noisy, its clock is wrong, its path is slow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from rtpick.association.delays import clock_error_s, station_term_s
from rtpick.association.view import View
from rtpick.association.world import World
from rtpick.vocabulary.codes import StationId

_ONSETS = 5.0  # a clock is wrong by this many times what an onset may be


class FindingKind(StrEnum):
    """What was found of a station."""

    QUARANTINE = "quarantine"
    CLOCK_ERROR = "clock_error"
    STATION_TERM = "station_term"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found of one station.

    `value` is stray picks an hour of a station in quarantine, else seconds; `phase` is empty where it
    does not matter.
    """

    station: StationId
    kind: FindingKind
    value: float
    phase: str = ""

    def __str__(self) -> str:
        if self.kind is FindingKind.QUARANTINE:
            return f"{self.station} founds no events: {self.value:.0f} stray picks an hour"
        if self.kind is FindingKind.CLOCK_ERROR:
            return f"{self.station} is {self.value:+.2f} s late in every event: check its clock"
        return f"{self.station} hears {self.phase} {self.value:+.2f} s late"


def find(world: World, view: View | None) -> tuple[Finding, ...]:
    """List what is found of the stations, in order of their codes."""
    if view is None:
        return ()
    return tuple(_of_stations(world, view))


def _of_stations(world: World, view: View) -> Iterator[Finding]:
    background, codes = view.background, world.sites.codes
    for station in np.flatnonzero(background.quarantined_S).tolist():
        rate = 7200.0 * float(np.exp(background.beliefs.log_rate_S[station]))
        yield Finding(codes[station], FindingKind.QUARANTINE, rate)
    delays, least_s = background.delays, _ONSETS * world.extent.onset_s
    for station in sorted({station for _, station in delays.late_s}):
        error_s = clock_error_s(delays, station, least_s)
        if error_s is not None:
            yield Finding(codes[station], FindingKind.CLOCK_ERROR, error_s)
        for role in (0, 1) if world.settings.learn_station_terms else ():
            term_s = station_term_s(delays, station, role, world.settings.maximum_residual_s)
            yield Finding(codes[station], FindingKind.STATION_TERM, term_s, "PS"[role])
