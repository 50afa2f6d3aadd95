"""Where the channels of a cable lie.

Arrays: K channel (ordered by number), V vertex of a line.
"""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rtpick.association.fiber_pool import FloatArray, IntArray
from rtpick.association.sphere import arc_km, geocentric_rad, unit_vectors
from rtpick.vocabulary.errors import InventoryError

_CHANNEL_NAMES = ("channel", "channel_index", "channel_number")


@dataclass(frozen=True, slots=True, eq=False)
class FiberGeometry:
    """Coordinates of a cable's channels, elevation above the sea; in between they are interpolated."""

    channel_number_K: IntArray
    latitude_deg_K: FloatArray
    longitude_deg_K: FloatArray
    elevation_m_K: FloatArray

    def __len__(self) -> int:
        return len(self.channel_number_K)

    def distance_km(self) -> FloatArray:
        """Distance of every channel along the cable from the first, shape (K,)."""
        unit_K3 = _units(self.latitude_deg_K, self.longitude_deg_K)
        return np.concatenate(([0.0], np.cumsum(_legs_km(unit_K3))))

    @property
    def channel_spacing_m(self) -> float:
        """Median distance between channels whose numbers differ by one."""
        if len(self) < 2:
            return float("nan")
        return float(np.median(np.diff(self.distance_km()) * 1e3 / np.diff(self.channel_number_K)))

    def place(self, channel_number: float) -> tuple[float, float, float]:
        """Return latitude, longitude (degrees) and elevation (m) of a channel; the ends hold beyond."""
        columns = self.latitude_deg_K, self.longitude_deg_K, self.elevation_m_K
        latitude, longitude, elevation = (
            float(np.interp(channel_number, self.channel_number_K, column)) for column in columns
        )
        return latitude, longitude, elevation


def _units(latitude_deg: FloatArray, longitude_deg: FloatArray) -> FloatArray:
    return np.asarray(unit_vectors(geocentric_rad(latitude_deg), np.radians(longitude_deg)), np.float64)


def _legs_km(unit_V3: FloatArray) -> FloatArray:
    return np.asarray(arc_km(unit_V3[:-1], unit_V3[1:]), np.float64)


def read_fiber_geometry(path: Path | str, channel_spacing_m: float | None = None) -> FiberGeometry:
    """Read where the channels of a cable lie.

    Parameters
    ----------
    path : path
        CSV with channel (or channel_index), latitude, longitude and, if known, elevation_m; or GeoJSON
        with one LineString, whose properties may say first_channel and channel_count or
        channel_spacing_m.
    channel_spacing_m : float or None
        Distance of neighbouring channels along a line that does not say it.

    Raises
    ------
    InventoryError
        Naming the file, the line and what is wrong with it.
    """
    path = Path(path)
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InventoryError(f"cannot read the cable's channels from {path}: {error}") from error
    if path.suffix.lower() in {".json", ".geojson"}:
        return _read_line(text, path, channel_spacing_m)
    return _read_table(text, path)


def _read_table(text: str, path: Path) -> FiberGeometry:
    table = csv.DictReader(text.splitlines())
    columns = table.fieldnames or ()
    channel = next((name for name in _CHANNEL_NAMES if name in columns), None)
    if channel is None or not {"latitude", "longitude"} <= set(columns):
        raise InventoryError(
            f"{path} needs the columns channel, latitude and longitude; it has {', '.join(columns) or 'none'}"
        )
    rows = [_row(row, channel, path, line) for line, row in enumerate(table, start=2)]
    table_K4 = np.array(sorted(rows)).reshape(-1, 4)
    again = np.flatnonzero(np.diff(table_K4[:, 0]) == 0)
    if len(again):
        raise InventoryError(f"{path} lists channel {int(table_K4[again[0], 0])} twice")
    if not rows:
        raise InventoryError(f"{path} lists no channel")
    return FiberGeometry(table_K4[:, 0].astype(np.int64), *table_K4[:, 1:].T)


def _row(row: dict[str, str], channel: str, path: Path, line: int) -> tuple[float, float, float, float]:
    try:
        values = int(row[channel]), float(row["latitude"]), float(row["longitude"])
        elevation_m = float(row.get("elevation_m") or 0.0)
    except (TypeError, ValueError) as error:
        raise InventoryError(f"{path}, line {line}: {error}") from error
    if not (abs(values[1]) <= 90 and abs(values[2]) <= 360 and np.isfinite(elevation_m)):
        raise InventoryError(f"{path}, line {line}: {values[1]}, {values[2]} is no place on Earth")
    return (*values, elevation_m)


def _read_line(text: str, path: Path, channel_spacing_m: float | None) -> FiberGeometry:
    try:
        tree = json.loads(text)
    except json.JSONDecodeError as error:
        raise InventoryError(f"{path}, line {error.lineno}: {error.msg}") from error
    found = list(_lines(tree, {}))
    if len(found) != 1:
        raise InventoryError(f"{path} has {len(found)} LineStrings; a cable is one")
    coordinates, properties = found[0]
    try:
        vertex_V3 = np.array([(*point, 0.0)[:3] for point in coordinates], np.float64).reshape(-1, 3)
        first = int(properties.get("first_channel", 0))
        count = properties.get("channel_count")
        spacing_m = channel_spacing_m or properties.get("channel_spacing_m")
        return _spread(vertex_V3, first, count and int(count), spacing_m and float(spacing_m), path)
    except (TypeError, ValueError) as error:
        raise InventoryError(f"{path}: {error}") from error


def _lines(tree: Any, properties: dict[str, Any]) -> list[tuple[list[Any], dict[str, Any]]]:
    """Find the lines of a GeoJSON object, each with the properties of its feature."""
    if not isinstance(tree, dict):
        return []
    properties = tree.get("properties") or properties
    if tree.get("type") == "LineString":
        return [(tree.get("coordinates", []), properties)]
    inner = [tree.get("geometry"), *tree.get("features", ()), *tree.get("geometries", ())]
    return [line for part in inner for line in _lines(part, properties)]


def _spread(
    vertex_V3: FloatArray, first: int, count: int | None, spacing_m: float | None, path: Path
) -> FiberGeometry:
    """Lay channels evenly along a line of longitude, latitude and elevation."""
    if len(vertex_V3) < 2:
        raise InventoryError(f"{path}: a cable's LineString needs two vertices, not {len(vertex_V3)}")
    unit_V3 = _units(vertex_V3[:, 1], vertex_V3[:, 0])
    along_V = np.concatenate(([0.0], np.cumsum(_legs_km(unit_V3)))) * 1e3
    if spacing_m is None and (count is None or count < 2):
        raise InventoryError(f"{path} says neither channel_spacing_m nor channel_count in its properties")
    step_m = spacing_m or along_V[-1] / ((count or 2) - 1)
    number = np.arange(count or int(along_V[-1] // step_m) + 1)
    longitude, latitude, elevation = (np.interp(number * step_m, along_V, column) for column in vertex_V3.T)
    return FiberGeometry(first + number, latitude, longitude, elevation)
