"""Travel times of first P and S by depth and distance, looked up with their slopes.

Arrays: R role (0 P, 1 S), Z source depth, X distance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from rtpick.association.trace import trace_first_arrivals
from rtpick.association.velocity import FloatArray, VelocityModel
from rtpick.numeric.compiled import compiled
from rtpick.vocabulary.errors import VelocityModelError

_DISTANCES = 801
_DEPTHS = 161


class Table(NamedTuple):
    """Travel times on an even grid, in the form that compiled code takes."""

    time_RZX: FloatArray
    distance_step_km: float
    depth_step_km: float
    surface_km_s_R: FloatArray


@compiled
def look_up(table: Table, role: int, distance_km: float, depth_km: float,
            elevation_km: float) -> tuple[float, float, float]:  # fmt: skip
    """Return travel time and its slopes along distance and depth (s, s/km, s/km)."""
    time_ZX = table.time_RZX[role]
    u = min(max(distance_km / table.distance_step_km, 0.0), time_ZX.shape[1] - 1.001)
    w = min(max(depth_km / table.depth_step_km, 0.0), time_ZX.shape[0] - 1.001)
    i, k = int(u), int(w)
    u, w = u - i, w - k
    a, b, c, d = time_ZX[k, i], time_ZX[k, i + 1], time_ZX[k + 1, i], time_ZX[k + 1, i + 1]
    along = ((b - a) * (1.0 - w) + (d - c) * w) / table.distance_step_km
    down = ((c - a) * (1.0 - u) + (d - b) * u) / table.depth_step_km
    time = (a * (1.0 - u) + b * u) * (1.0 - w) + (c * (1.0 - u) + d * u) * w
    velocity = table.surface_km_s_R[role]
    sine = min(max(along * velocity, 0.0), 0.98)
    return time + elevation_km / velocity * np.sqrt(1.0 - sine * sine), along, down


@compiled
def _look_up_all(table: Table, role: int, distance_km: FloatArray, depth_km: FloatArray,
                 elevation_km: FloatArray, out: FloatArray) -> None:  # fmt: skip
    for n in range(len(distance_km)):
        out[n, 0], out[n, 1], out[n, 2] = look_up(table, role, distance_km[n], depth_km[n], elevation_km[n])


@dataclass(frozen=True, slots=True, eq=False)
class TravelTimes:
    """First-arrival times of a velocity model.

    Parameters
    ----------
    table : Table
    model : VelocityModel
        What the table was made of.
    """

    table: Table
    model: VelocityModel

    @property
    def maximum_depth_km(self) -> float:
        """Deepest source of the table."""
        return float(self.table.depth_step_km * (self.table.time_RZX.shape[1] - 1))

    @property
    def maximum_distance_km(self) -> float:
        """Farthest distance of the table."""
        return float(self.table.distance_step_km * (self.table.time_RZX.shape[2] - 1))

    def look_up(
        self,
        phase: str,
        distance_km: FloatArray | float,
        depth_km: FloatArray | float,
        elevation_km: FloatArray | float = 0.0,
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return times (s) and their slopes along distance and depth (s/km), broadcast together.

        Outside the table its edge is taken. Elevation is corrected along the arriving ray.
        """
        arrays = np.broadcast_arrays(
            *(np.asarray(x, np.float64) for x in (distance_km, depth_km, elevation_km))
        )
        flat = [np.ascontiguousarray(x).ravel() for x in arrays]
        out = np.empty((flat[0].size, 3))
        _look_up_all(self.table, "PS".index(phase), flat[0], flat[1], flat[2], out)
        shape = arrays[0].shape
        return out[:, 0].reshape(shape), out[:, 1].reshape(shape), out[:, 2].reshape(shape)


def build_travel_times(
    model: VelocityModel, maximum_depth_km: float, maximum_distance_km: float
) -> TravelTimes:
    """Trace a velocity model into a table.

    Parameters
    ----------
    model : VelocityModel
    maximum_depth_km, maximum_distance_km : float
        What the table must cover; its spacing follows from them.

    Raises
    ------
    VelocityModelError
        If a range is not positive, or a distance is beyond what a regional table can serve.
    """
    if not (0 < maximum_depth_km <= 760 and 0 < maximum_distance_km <= 3000):
        raise VelocityModelError(
            f"travel times to {maximum_depth_km:g} km depth and {maximum_distance_km:g} km distance "
            "are out of range; ask for 0-760 km and 0-3000 km"
        )
    source_km = np.linspace(0.0, maximum_depth_km, _DEPTHS)
    x_km = np.linspace(0.0, maximum_distance_km, _DISTANCES)
    times = trace_first_arrivals(model, source_km, x_km)
    surface = np.array([model.vp_km_s[0], model.vs_km_s[0]])
    return TravelTimes(Table(times, float(x_km[1]), float(source_km[1]), surface), model)
