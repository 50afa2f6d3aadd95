"""How large an event is: local magnitude, or an estimate from the amplitudes of its picks.

``ML`` is from Wood-Anderson amplitudes of horizontal components, ``MLv`` from those of verticals where no
station has others, ``Mpgv`` from the peak velocities that the picker measures, where there are no responses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from rtpick.association.trace import EARTH_RADIUS_KM
from rtpick.association.wood_anderson import MAGNIFICATION, StationAmplitude
from rtpick.vocabulary.codes import StationId
from rtpick.vocabulary.event import Arrival, Event, Magnitude
from rtpick.vocabulary.pick import Pick

_NM_PER_MM = 1e6 / MAGNIFICATION
_TYPICAL_HZ = 5.0  # of the largest motion at local distances
_P_BELOW_S = 0.5  # log of how much smaller P is than S
_FARTHEST_KM = 1000.0
_OUTLIER = 3.0
_SCATTER = 0.3  # of station magnitudes, from which a few say little
_S_SLOWNESS_S_KM = 0.3


@dataclass(frozen=True, slots=True)
class Scale:
    """``log10(A) + geometric * log10(R) + absorption_per_km * R + constant``, A in nm of ground motion.

    Parameters
    ----------
    geometric, absorption_per_km, constant : float
        Southern California's, which IASPEI recommends where none of a region's own is known.
    corrections : mapping
        Added to the magnitudes of stations.

    References
    ----------
    Hutton and Boore (1987), The ML scale in southern California, Bulletin of the Seismological Society of
    America 77.
    """

    geometric: float = 1.11
    absorption_per_km: float = 0.00189
    constant: float = -2.09
    corrections: Mapping[StationId, float] = field(default_factory=dict)

    def magnitude(self, amplitude_nm: float, hypocentral_km: float, station: StationId) -> float:
        """Magnitude of one station.

        Examples
        --------
        >>> round(Scale().magnitude(480.77, 100.0, StationId("XX", "A")), 2)  # 1 mm drawn at 100 km
        3.0
        """
        reach_km = max(hypocentral_km, 0.1)
        fallen = self.geometric * np.log10(reach_km) + self.absorption_per_km * reach_km
        return float(np.log10(amplitude_nm) + fallen + self.constant + self.corrections.get(station, 0.0))


def size_event(
    event: Event, drawn: Mapping[str, StationAmplitude], picks: Mapping[str, Pick], scale: Scale
) -> Magnitude | None:
    """Say how large an event is from what is known of its picks.

    Parameters
    ----------
    event : Event
    drawn : mapping
        Wood-Anderson amplitudes by pick_id; a station counts by its largest.
    picks : mapping
        Picks by pick_id, for where there are none of these.
    scale : Scale

    Returns
    -------
    Magnitude or None
        None where nothing is known. The uncertainty is that of the median; that of one station is NaN.
    """
    for kind, values in (
        ("ML", _drawn_magnitudes(event, drawn, scale, horizontal=True)),
        ("MLv", _drawn_magnitudes(event, drawn, scale, horizontal=False)),
        ("Mpgv", _pick_magnitudes(event, picks, scale)),
    ):
        if values:
            value, spread, count = robust_median(list(values.values()))
            return Magnitude(value, kind, spread, count)
    return None


def robust_median(values: list[float]) -> tuple[float, float, int]:
    """Median without outliers, its standard deviation (NaN for one value), and how many values were kept.

    Examples
    --------
    >>> robust_median([2.0, 2.1, 2.2, 2.1, 4.9])
    (2.1, 0.09, 4)
    """
    kept = np.array(sorted(values))
    for _ in range(3):
        middle = float(np.median(kept))
        scatter = max(1.4826 * float(np.median(np.abs(kept - middle))), _SCATTER / 2.0)
        kept = kept[np.abs(kept - middle) <= _OUTLIER * scatter]
    scatter = max(1.4826 * float(np.median(np.abs(kept - np.median(kept)))), _SCATTER / 2.0)
    spread = 1.2533 * scatter / np.sqrt(len(kept)) if len(kept) > 1 else np.nan
    return round(float(np.median(kept)), 2), round(float(spread), 2), len(kept)


def _drawn_magnitudes(
    event: Event, drawn: Mapping[str, StationAmplitude], scale: Scale, horizontal: bool
) -> dict[str, float]:
    """Magnitude by station; only clips in which S has arrived count."""
    found: dict[str, float] = {}
    for arrival in event.arrivals:
        amplitude = drawn.get(arrival.pick_id)
        reach_km = _hypocentral_km(event, arrival)
        if amplitude is None or amplitude.horizontal is not horizontal or not reach_km < _FARTHEST_KM:
            continue
        s_ns = event.origin.time_ns + round(_S_SLOWNESS_S_KM * reach_km * 1e9)
        if arrival.phase == "P" and amplitude.end_ns < s_ns:
            continue
        value = scale.magnitude(amplitude.amplitude_mm * _NM_PER_MM, reach_km, amplitude.station)
        found[arrival.station] = max(value, found.get(arrival.station, -np.inf))
    return found


def _pick_magnitudes(event: Event, picks: Mapping[str, Pick], scale: Scale) -> dict[str, float]:
    """Magnitude by station from peak velocities; S where it is picked, else P."""
    found: dict[str, float] = {}
    for arrival in sorted(event.arrivals, key=lambda a: a.phase):
        pick = picks.get(arrival.pick_id)
        reach_km = _hypocentral_km(event, arrival)
        usable = pick is not None and pick.amplitude_unit == "m/s" and pick.amplitude > 0
        if pick is None or not usable or not reach_km < _FARTHEST_KM:
            continue
        amplitude_nm = pick.amplitude * 1e9 / (2.0 * np.pi * _TYPICAL_HZ)
        below = _P_BELOW_S if arrival.phase == "P" else 0.0
        found[arrival.station] = scale.magnitude(amplitude_nm, reach_km, pick.station_id) + below
    return found


def _hypocentral_km(event: Event, arrival: Arrival) -> float:
    distance_km = arrival.distance_deg * EARTH_RADIUS_KM * np.pi / 180.0
    return float(np.hypot(distance_km, event.origin.depth_km))
