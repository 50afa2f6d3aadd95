"""Velocity of P and S against depth."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rtpick.vocabulary.errors import VelocityModelError

FloatArray = npt.NDArray[np.floating[Any]]  # float64 throughout; numpy's own stubs promise less

# Depth (km), vp and vs (km/s) of iasp91 down to 760 km: what regional first arrivals see.
IASP91 = (
    (0.0, 5.8, 3.36), (20.0, 5.8, 3.36), (20.0, 6.5, 3.75), (35.0, 6.5, 3.75),
    (35.0, 8.04, 4.47), (77.5, 8.045, 4.485), (120.0, 8.05, 4.5), (165.0, 8.175, 4.509),
    (210.0, 8.3, 4.518), (210.0, 8.3, 4.522), (260.0, 8.4825, 4.609), (310.0, 8.665, 4.696),
    (360.0, 8.8475, 4.783), (410.0, 9.03, 4.87), (410.0, 9.36, 5.07), (460.0, 9.528, 5.176),
    (510.0, 9.696, 5.282), (560.0, 9.864, 5.388), (610.0, 10.032, 5.494), (660.0, 10.2, 5.6),
    (660.0, 10.79, 5.95), (710.0, 10.9229, 6.0797), (760.0, 11.0558, 6.2095),
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class VelocityModel:
    """Velocity nodes, linear in between; a repeated depth is a step, the last node goes on below.

    Parameters
    ----------
    depth_km, vp_km_s, vs_km_s : ndarray of float64, shape (N,)
    name : str

    Raises
    ------
    VelocityModelError
        If depths fall, do not begin at zero, or a velocity is not positive with vp above vs.
    """

    depth_km: FloatArray
    vp_km_s: FloatArray
    vs_km_s: FloatArray
    name: str = "model"

    def __post_init__(self) -> None:
        if len(self.depth_km) == 0 or self.depth_km[0] != 0.0:
            raise VelocityModelError(f"velocity model {self.name}: the first depth must be 0 km")
        if not all(np.all(np.isfinite(x)) for x in (self.depth_km, self.vp_km_s, self.vs_km_s)):
            raise VelocityModelError(f"velocity model {self.name}: every value must be a finite number")
        if np.any(np.diff(self.depth_km) < 0):
            row = int(np.argmax(np.diff(self.depth_km) < 0)) + 2
            raise VelocityModelError(f"velocity model {self.name}: depth falls at node {row}; sort by depth")
        if np.any(self.vs_km_s <= 0) or np.any(self.vp_km_s <= self.vs_km_s):
            row = int(np.argmax((self.vs_km_s <= 0) | (self.vp_km_s <= self.vs_km_s))) + 1
            raise VelocityModelError(f"velocity model {self.name}: node {row} needs vp > vs > 0 km/s")

    @property
    def deepest_km(self) -> float:
        """Depth of the last node."""
        return float(self.depth_km[-1])

    def sample(self, depth_km: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Velocities of P and S at depths that are not steps themselves.

        Examples
        --------
        >>> vp, vs = iasp91().sample(np.array([10.0, 30.0]))
        >>> vp.tolist(), vs.tolist()
        ([5.8, 6.5], [3.36, 3.75])
        """
        # A step is given a width of less than a millimetre, so that one interpolation serves all.
        nodes_km = self.depth_km + np.arange(len(self.depth_km)) * 1e-7
        return np.interp(depth_km, nodes_km, self.vp_km_s), np.interp(depth_km, nodes_km, self.vs_km_s)


def iasp91() -> VelocityModel:
    """Return the radial reference model iasp91 down to 760 km.

    References
    ----------
    Kennett and Engdahl (1991), Traveltimes for global earthquake location and phase
    identification, Geophysical Journal International 105.
    """
    nodes = np.array(IASP91)
    return VelocityModel(nodes[:, 0], nodes[:, 1], nodes[:, 2], "iasp91")


def read_velocity_model(name_or_path: str | Path) -> VelocityModel:
    """Read a velocity model: ``iasp91``, or a CSV with the columns depth_km, vp and vs (km/s).

    Raises
    ------
    VelocityModelError
        If the file is missing, lacks a column, or holds what is no model.
    """
    if str(name_or_path).lower() == "iasp91":
        return iasp91()
    path = Path(name_or_path)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = [_node(row, path, line) for line, row in enumerate(csv.DictReader(file), start=2)]
    except (OSError, UnicodeDecodeError) as error:
        raise VelocityModelError(f"cannot read velocity model {path}: {error}") from error
    nodes = np.array(rows, np.float64).reshape(-1, 3)
    return VelocityModel(nodes[:, 0], nodes[:, 1], nodes[:, 2], str(path))


def _node(row: dict[str | None, str], path: Path, line: int) -> tuple[float, ...]:
    try:
        return tuple(float(row[key]) for key in ("depth_km", "vp", "vs"))
    except (KeyError, TypeError, ValueError) as error:
        raise VelocityModelError(
            f"{path}, line {line}: needs numbers in the columns depth_km, vp, vs ({error})"
        ) from error
