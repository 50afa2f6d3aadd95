"""Cut windows out of recordings: at a random place, at a random pace, with what is known of the arrivals.

Shape suffixes: B batch, C component, A arrival, T time; 2 for the phases P and S.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from rtpick.learning.dataset import Recording

MAX_ARRIVALS = 2
# A window is asked to show an arrival at least this far from its ends, where that can be had.
EDGE_SAMPLES = 50
MAX_STRETCH = 1.4


@dataclass(frozen=True)
class Crop:
    """One window: samples_CT (3, T) float32 with NaN, arrival_2A in samples from its start with NaN."""

    samples_CT: NDArray[np.float32]
    arrival_2A: NDArray[np.float64]


@dataclass(frozen=True)
class Batch:
    """Windows to learn from.

    Attributes
    ----------
    wave_BCT
        Raw samples, float32, NaN where missing.
    arrival_B2A
        Arrivals in samples from the window's start, NaN for none.
    trust_B
        How far the arrivals are to be believed against the teacher, 0 to 1.
    quiet_B
        True where no arrival is expected anywhere in the window.
    """

    wave_BCT: Tensor
    arrival_B2A: Tensor
    trust_B: Tensor
    quiet_B: Tensor


def cut(recording: Recording, start: int, n_samples: int, stretch: float = 1.0) -> Crop:
    """Cut `n_samples` from sample `start` on, played `stretch` times slower than recorded.

    Parameters
    ----------
    recording
        Not modified.
    start
        First sample; it may lie before the recording, and the window may end after it.
    n_samples
        Length of the window.
    stretch
        2.0 makes a second of ground motion last two; sampling between samples is linear.

    Returns
    -------
    Crop
        What lies outside the recording is missing; arrivals outside the window are left out.
    """
    if stretch == 1.0:
        samples_CT = _slice(recording.samples_CT, start, n_samples)
    else:
        samples_CT = _interpolate(recording.samples_CT, start, n_samples, stretch)
    arrival_2A = np.full((2, MAX_ARRIVALS), np.nan)
    for phase, samples in enumerate((recording.p_samples, recording.s_samples)):
        seen = (samples - start) * stretch
        seen = seen[(seen >= 0) & (seen < n_samples)][:MAX_ARRIVALS]
        arrival_2A[phase, : len(seen)] = seen
    return Crop(samples_CT, arrival_2A)


def draw_start(recording: Recording, n_samples: int, stretch: float, rng: np.random.Generator) -> int:
    """Choose where a window begins: around an arrival where one is known, else anywhere inside."""
    span = int(n_samples / stretch)
    arrivals = np.concatenate([recording.p_samples, recording.s_samples])
    if len(arrivals):
        # Uniform over every place that shows this arrival: its position in the window must teach nothing.
        return int(rng.choice(arrivals)) - int(rng.integers(EDGE_SAMPLES, span - EDGE_SAMPLES))
    spare = recording.samples_CT.shape[1] - span
    return int(rng.integers(min(spare, 0), max(spare, 0) + 1))


def draw_stretch(probability: float, rng: np.random.Generator) -> float:
    """Choose a pace: 1 mostly, else log-uniform within a factor of 1.4."""
    if rng.random() >= probability:
        return 1.0
    return float(np.exp(rng.uniform(-np.log(MAX_STRETCH), np.log(MAX_STRETCH))))


def _slice(samples_CT: NDArray[np.float32], start: int, n_samples: int) -> NDArray[np.float32]:
    window_CT = np.full((samples_CT.shape[0], n_samples), np.nan, dtype=np.float32)
    first, last = max(start, 0), min(start + n_samples, samples_CT.shape[1])
    if last > first:
        window_CT[:, first - start : last - start] = samples_CT[:, first:last]
    return window_CT


def _interpolate(
    samples_CT: NDArray[np.float32], start: int, n_samples: int, stretch: float
) -> NDArray[np.float32]:
    source_T = np.arange(n_samples) / stretch
    whole_T = source_T.astype(int)
    share_T = (source_T - whole_T).astype(np.float32)
    window_CT = _slice(samples_CT, start, int(whole_T[-1]) + 2)
    left_CT, right_CT = window_CT[:, whole_T], window_CT[:, whole_T + 1]
    interpolated_CT: NDArray[np.float32] = left_CT + share_T * (right_CT - left_CT)
    return interpolated_CT
