"""A batch that every backend must answer as the network itself does, before it sees the real world.

Arrays: B batch, C component, P phase, T time.
"""

from __future__ import annotations

import numpy as np
import torch

from rtpick.networks.network import Network
from rtpick.picking.engine_backend import Backend, phase_rows
from rtpick.picking.stitch import BoolArray
from rtpick.vocabulary.errors import NetworkError
from rtpick.vocabulary.waveform import Float32Array

GOLDEN_WINDOWS = 4
TOLERANCE = {"float32": 1e-4, "bfloat16": 0.1, "float16": 0.03}


def golden_batch(component_count: int, window_samples: int) -> Float32Array:
    """Make windows with what real ones have: noise, onsets, an offset, a gap, a component missing.

    Returns
    -------
    ndarray of float32, shape (4, component_count, window_samples)
        Always the same.
    """
    rng = np.random.default_rng(2010)
    wave_BCT = rng.standard_normal((GOLDEN_WINDOWS, component_count, window_samples)) * 20 + 3000
    onset = window_samples // 3
    tail_T = np.arange(window_samples - onset) / 100.0
    for row, gain in enumerate((0.0, 200.0, 2000.0, 500.0)):
        wave_BCT[row, :, onset:] += gain * np.exp(-tail_T) * np.sin(2 * np.pi * 7 * tail_T)
    wave_BCT[2, 0] = np.nan
    wave_BCT[3, :, -window_samples // 5 :] = np.nan
    return wave_BCT.astype(np.float32)


def check_against_network(backend: Backend, network: Network) -> None:
    """Compare a backend with the network on the golden batch.

    Raises
    ------
    NetworkError
        If a probability is not finite or further off than the precision explains.
    """
    wave_BCT = golden_batch(len(network.component_order), network.metadata.window_samples)
    with torch.inference_mode():
        expected_BPT = network(torch.from_numpy(wave_BCT)).numpy()[:, phase_rows(network)]
    present_BT: BoolArray = np.asarray(np.isfinite(wave_BCT).any(axis=1))
    given_BPT = _run_all(backend, wave_BCT) * present_BT[:, None]
    worst = float(np.max(np.abs(given_BPT - expected_BPT)))
    if not worst <= TOLERANCE[backend.precision]:
        raise NetworkError(
            f"{backend.name} in {backend.precision} gives probabilities up to {worst:.3g} from those of "
            f"{network.model_version}: set engine.precision to float32, or engine.backend to torch"
        )


def _run_all(backend: Backend, wave_BCT: Float32Array) -> Float32Array:
    """Repeat the batch up to a whole number of the backend's smallest batches."""
    size = backend.buckets[0]
    whole = np.concatenate([wave_BCT] * size)
    parts = [backend.start(np.ascontiguousarray(whole[i : i + size]))() for i in range(0, len(whole), size)]
    return np.concatenate(parts)[: len(wave_BCT)]
