"""Locating one event from its picks, as a function of its own.

Arrays: M pick, 4 unknowns (east, north, down, time).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rtpick.association.locate import FREEDOM, Spread, Timing, descend, locate_source
from rtpick.association.sites import Sites, number_sites
from rtpick.association.sphere import azimuthal_gap_deg, compass_at, geographic_deg, ray_from
from rtpick.association.trace import EARTH_RADIUS_KM
from rtpick.association.traveltime import TravelTimes
from rtpick.association.velocity import FloatArray
from rtpick.vocabulary.errors import PickTableError
from rtpick.vocabulary.event import Arrival, Origin
from rtpick.vocabulary.inventory import Inventory
from rtpick.vocabulary.pick import Pick
from rtpick.vocabulary.time import to_ns, to_s

_KM_PER_DEG = EARTH_RADIUS_KM * np.pi / 180.0
_S_FACTOR = 1.8
_PATH = np.array([0.01, 0.01]), np.array([2.0, 2.0])
_FEWEST = 3
_STARTS = 3  # stations with the earliest picks, under which the search begins


@dataclass(frozen=True, slots=True)
class Location:
    """An origin and the arrivals that it rests on."""

    origin: Origin
    arrivals: tuple[Arrival, ...]


def locate_origin(
    picks: Sequence[Pick],
    inventory: Inventory,
    travel_times: TravelTimes,
    *,
    onset_s: float = 0.1,
    fixed_depth_km: float | None = None,
) -> Location:
    """Find where and when an earthquake happened that its picks tell of.

    Parameters
    ----------
    picks : sequence of Pick
        P and S of one event; at least three at known stations, four if the depth is free.
    inventory : Inventory
    travel_times : TravelTimes
        As `build_travel_times` makes them of a velocity model.
    onset_s : float
        Standard deviation of a P onset; that of S is 1.8 times as large, and both grow with 1 % of the
        travel time, which is what the model leaves unexplained.
    fixed_depth_km : float or None
        Keep the depth here.

    Returns
    -------
    Location
        Uncertainties are one standard deviation; a depth that the picks do not resolve within a third of
        the table's range is replaced by a quarter of it, at most 10 km, and `depth_fixed` says so.

    Raises
    ------
    PickTableError
        If too few picks are at stations of the inventory.

    Notes
    -----
    Residuals are taken as Student's t with four degrees of freedom, so that an outlier counts little. The
    misfit is descended by damped, reweighted Gauss-Newton steps from under each of the three stations
    that were reached first, each at five depths; the lowest misfit wins.

    Examples
    --------
    >>> from rtpick.association.traveltime import build_travel_times
    >>> from rtpick.association.velocity import iasp91
    >>> from rtpick.vocabulary.codes import ChannelId, StationId
    >>> from rtpick.vocabulary.inventory import Station
    >>> corners = {"A": (45.3, 7.0), "B": (44.8, 7.4), "C": (44.8, 6.6), "D": (45.0, 7.0), "E": (45.2, 7.3)}
    >>> codes = {name: StationId("XX", name) for name in corners}
    >>> inventory = Inventory({codes[n]: Station(codes[n], *place) for n, place in corners.items()})
    >>> times = build_travel_times(iasp91(), 40.0, 150.0)
    >>> seconds = {"A": 6.0, "B": 6.878, "C": 6.878, "D": 1.724, "E": 5.85}
    >>> picks = [
    ...     Pick(n, ChannelId("XX", n, "", "HHZ"), "P", to_ns(1e9 + s), 0.9, 0.1, 0.0, 9.0, 1.0, "example")
    ...     for n, s in seconds.items()
    ... ]
    >>> origin = locate_origin(picks, inventory, times).origin
    >>> round(origin.latitude_deg, 2), round(origin.longitude_deg, 2), round(origin.depth_km)
    (45.0, 7.0, 10)
    """
    sites = number_sites(inventory)
    known = sorted((p for p in picks if _role(p) >= 0 and p.station_id in sites.number), key=_order)
    if len(known) < _FEWEST + (fixed_depth_km is None):
        raise PickTableError(
            f"{len(known)} of {len(picks)} picks are P or S at known stations; 4 locate an event"
        )
    timing = Timing(
        np.array([sites.number[p.station_id] for p in known]),
        np.array([_role(p) for p in known]),
        np.array([to_s(p.time_ns - known[0].time_ns) for p in known]),
    )
    spread = Spread(onset_s * np.array([1.0, _S_FACTOR]), *_PATH)
    found = _descend_from_all(sites, travel_times, spread, timing, fixed_depth_km)
    return _describe(known, sites, travel_times, timing, found)


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    source: FloatArray
    covariance_44: FloatArray
    ratio_M: FloatArray
    depth_fixed: bool


def _order(pick: Pick) -> tuple[int, str]:
    return pick.time_ns, pick.pick_id


def _role(pick: Pick) -> int:
    return {"P": 0, "S": 1}.get(pick.phase_hint[:1].upper(), -1)


def _descend_from_all(
    sites: Sites, travel_times: TravelTimes, spread: Spread, timing: Timing, fixed_depth_km: float | None
) -> _Found:
    table, places, deepest_km = travel_times.table, sites.places, travel_times.maximum_depth_km
    limit_km = max(0.3 * sites.aperture_km, 1.0)
    depth_D = deepest_km * np.array([0.03, 0.1, 0.25, 0.5, 0.8])
    trials = []
    for station in list(dict.fromkeys(timing.station_M.tolist()))[:_STARTS]:
        x, y, z = places.unit_S3[station]
        depth_km = depth_D[1] if fixed_depth_km is None else fixed_depth_km
        start = np.array([np.arcsin(z), np.arctan2(y, x), depth_km, -depth_km / 6.0])
        if fixed_depth_km is None:
            trials.append(locate_source(table, places, spread, timing, start, depth_D, limit_km))
        else:
            trials.append(descend(table, places, spread, timing, start, limit_km, False))
    best = min(trials, key=lambda trial: trial[1])
    source, _, ratio_M, matrix_44 = best
    wide_km = travel_times.maximum_distance_km
    covariance_44 = np.linalg.inv(matrix_44 + np.diag([wide_km**-2, wide_km**-2, deepest_km**-2, 1e-6]))
    fixed = fixed_depth_km is not None
    if not fixed and covariance_44[2, 2] > (deepest_km / 3.0) ** 2:
        source[2], fixed = min(10.0, deepest_km / 4.0), True
        source, _, ratio_M, _ = descend(table, places, spread, timing, source, limit_km, False)
    return _Found(source, covariance_44, ratio_M, fixed)


def _describe(
    picks: Sequence[Pick], sites: Sites, travel_times: TravelTimes, timing: Timing, found: _Found
) -> Location:
    arrivals = []
    compass = compass_at(found.source[0], found.source[1])
    for m, pick in enumerate(picks):
        station = int(timing.station_M[m])
        distance_km, east, north = ray_from(compass, sites.places.unit_S3[station])
        elevation_km = sites.places.elevation_km_S[station]
        travel_s, _, _ = travel_times.look_up(
            pick.phase_hint[:1].upper(), distance_km, found.source[2], elevation_km
        )
        arrivals.append(
            Arrival(
                pick_id=pick.pick_id,
                station=str(pick.station_id),
                phase=pick.phase_hint[:1].upper(),
                time_ns=pick.time_ns,
                residual_s=float(timing.time_M[m] - found.source[3] - travel_s),
                distance_deg=float(distance_km / _KM_PER_DEG),
                azimuth_deg=float(np.degrees(np.arctan2(east, north)) % 360.0),
                weight=float((FREEDOM + 1.0) / (FREEDOM + found.ratio_M[m] ** 2)),
            )
        )
    return Location(_origin(found, tuple(arrivals), picks[0].time_ns), tuple(arrivals))


def _origin(found: _Found, arrivals: tuple[Arrival, ...], zero_ns: int) -> Origin:
    covariance = found.covariance_44
    residual_M, weight_M = np.array([(a.residual_s, a.weight) for a in arrivals]).T
    return Origin(
        time_ns=zero_ns + to_ns(float(found.source[3])),
        latitude_deg=geographic_deg(float(found.source[0])),
        longitude_deg=float((np.degrees(found.source[1]) + 180.0) % 360.0 - 180.0),
        depth_km=float(found.source[2]),
        time_uncertainty_s=float(np.sqrt(covariance[3, 3])),
        horizontal_uncertainty_km=float(np.sqrt(np.linalg.eigvalsh(covariance[:2, :2])[-1])),
        depth_uncertainty_km=float("nan") if found.depth_fixed else float(np.sqrt(covariance[2, 2])),
        depth_fixed=found.depth_fixed,
        rms_s=float(np.sqrt(np.average(residual_M**2, weights=weight_M))),
        azimuthal_gap_deg=azimuthal_gap_deg(np.array([a.azimuth_deg for a in arrivals])),
        nearest_station_deg=min(a.distance_deg for a in arrivals),
        covariance_km2=tuple(covariance[:3, :3].ravel().tolist()),
    )
