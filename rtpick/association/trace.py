"""First arrivals in a layered earth: the ray that goes up, and every wave refracted below.

Arrays: L layer, Z source depth, X distance, J ray parameter.
"""

from __future__ import annotations

import numpy as np

from rtpick.association.velocity import FloatArray, VelocityModel
from rtpick.numeric.compiled import compiled

EARTH_RADIUS_KM = 6371.0
_RAYS = 240


@compiled
def _fill_direct(thickness_L: FloatArray, velocity_L: FloatArray, layer: int, x_X: FloatArray,
                 ray_J: FloatArray, first_X: FloatArray) -> None:  # fmt: skip
    """Write the arrival of the ray that leaves the top of `layer` upwards."""
    if layer == 0:
        first_X[:] = x_X / velocity_L[0]
        return
    slowest_p = 1.0 / velocity_L[:layer].max()
    column, x0, t0, p0 = 0, 0.0, 0.0, 0.0
    for j in range(len(ray_J)):
        p, x1, t1 = slowest_p * ray_J[j], 0.0, 0.0
        for k in range(layer):
            cosine = np.sqrt(1.0 - (p * velocity_L[k]) ** 2)
            x1 += thickness_L[k] * p * velocity_L[k] / cosine
            t1 += thickness_L[k] / (velocity_L[k] * cosine)
        while j > 0 and column < len(x_X) and x_X[column] < x1:
            first_X[column] = _hermite(x_X[column], x0, x1, t0, t1, p0, p)
            column += 1
        x0, t0, p0 = x1, t1, p
    for rest in range(column, len(x_X)):
        first_X[rest] = t0 + (x_X[rest] - x0) * slowest_p


@compiled
def _hermite(x: float, x0: float, x1: float, t0: float, t1: float, p0: float, p1: float) -> float:
    """Travel time between two rays; the ray parameter is its slope at both."""
    span = x1 - x0
    u = (x - x0) / span
    chord = (t1 - t0) / span
    bend = (1.0 - u) * (p0 - chord) - u * (p1 - chord)
    return t0 + (x - x0) * chord + span * u * (1.0 - u) * bend


@compiled
def _fill_refracted(thickness_L: FloatArray, velocity_L: FloatArray, layer_Z: FloatArray,
                    x_X: FloatArray, first_ZX: FloatArray) -> None:  # fmt: skip
    """Lower the arrivals to those of waves along the top of each layer faster than all above."""
    fastest = velocity_L[0]
    step = x_X[1] - x_X[0]
    for k in range(1, len(velocity_L)):
        if velocity_L[k] <= fastest * (1.0 + 1e-9):
            continue
        fastest = velocity_L[k]
        p = 1.0 / fastest
        cosine_L = np.sqrt(1.0 - (p * velocity_L[:k]) ** 2)
        delay_L = np.cumsum(thickness_L[:k] * cosine_L / velocity_L[:k])
        reach_L = np.cumsum(thickness_L[:k] * p * velocity_L[:k] / cosine_L)
        for z in range(len(layer_Z)):
            i = int(layer_Z[z])
            if i > k:
                break
            tau = 2.0 * delay_L[k - 1] - (delay_L[i - 1] if i > 0 else 0.0)
            begin = 2.0 * reach_L[k - 1] - (reach_L[i - 1] if i > 0 else 0.0)
            for j in range(int(np.ceil(begin / step)), len(x_X)):
                first_ZX[z, j] = min(first_ZX[z, j], tau + p * x_X[j])


def layer_tops(model: VelocityModel, source_km: FloatArray) -> FloatArray:
    """Cut the earth into thin layers whose tops hold all source depths and all nodes of the model."""
    step_km = float(source_km[1] - source_km[0])
    bottom_km = max(model.deepest_km, float(source_km[-1]))
    fine = np.arange(source_km[-1], bottom_km, max(step_km, 1.0))
    tops = np.unique(np.round(np.concatenate([source_km, model.depth_km, fine]), 6))
    return np.asarray(tops, np.float64)


def trace_first_arrivals(model: VelocityModel, source_km: FloatArray, x_km: FloatArray) -> FloatArray:
    """Compute the times of the first P and S from each source depth to each distance.

    Parameters
    ----------
    model : VelocityModel
    source_km, x_km : ndarray of float64
        Evenly spaced from zero; distance along the surface.

    Returns
    -------
    ndarray of float64, shape (2, Z, X)
        Seconds; P in row 0.

    Notes
    -----
    Layers are thin and homogeneous on the flattened earth, so that a diving ray is the envelope
    of waves refracted along the tops of layers.

    References
    ----------
    Mueller (1971), Approximate treatment of elastic body waves in media with spherical symmetry.
    """
    tops_km = layer_tops(model, source_km)
    thickness_km = np.diff(tops_km, append=tops_km[-1] + 1.0)
    middle_km = tops_km + thickness_km / 2
    flat_km = -EARTH_RADIUS_KM * np.log(1 - np.append(tops_km, tops_km[-1] + 1.0) / EARTH_RADIUS_KM)
    stretch = EARTH_RADIUS_KM / (EARTH_RADIUS_KM - middle_km)
    layer_Z = np.searchsorted(tops_km, source_km - 1e-6).astype(np.float64)
    ray_J = 1.0 - np.exp(-np.linspace(0.0, 22.0, _RAYS))
    times = np.empty((2, len(source_km), len(x_km)))
    for row, velocity in enumerate(model.sample(middle_km)):
        for z, layer in enumerate(layer_Z):
            _fill_direct(np.diff(flat_km), velocity * stretch, int(layer), x_km, ray_J, times[row, z])
        _fill_refracted(np.diff(flat_km), velocity * stretch, layer_Z, x_km, times[row])
    return times
