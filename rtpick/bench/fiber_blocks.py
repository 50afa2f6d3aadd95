"""Blocks of made-up fibers: noise, and every so often a wave that moves along them.

K channel, T time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from rtpick.vocabulary.fiber import DasBlock, FiberLayout
from rtpick.vocabulary.waveform import Float32Array

REPEAT_S = 20.0
START_NS = 1_700_000_000_000_000_000
NOISE = 1e-9
WAVE = 2e-8
SPEED_M_S = 3500.0
WAVE_S = 3.0


def synthetic_blocks(
    layouts: list[FiberLayout], seconds: float, block_s: float, clock_ns: Callable[[], int]
) -> Iterator[DasBlock]:
    """Make the blocks of several fibers, those of one time one after the other.

    Parameters
    ----------
    layouts : list of FiberLayout
        All of one rate.
    seconds, block_s : float
        Length of the recordings and of a block.
    clock_ns : callable
        Stamps the blocks' receipt.

    Notes
    -----
    The same 20 s come again and again, so that memory stays small and making them costs nothing.
    """
    recordings = [_record(layout, seed) for seed, layout in enumerate(layouts)]
    length = max(round(block_s * layouts[0].sampling_rate_hz), 1)
    for number in range(round(seconds / block_s)):
        for layout, samples_KT in zip(layouts, recordings, strict=True):
            first = number * length % (samples_KT.shape[1] - length + 1)
            start_ns = START_NS + round(number * length * 1e9 / layout.sampling_rate_hz)
            block_KT = samples_KT[:, first : first + length]
            yield DasBlock(layout, start_ns, block_KT, "bench", number, clock_ns())


def _record(layout: FiberLayout, seed: int) -> Float32Array:
    rng = np.random.default_rng(seed)
    count = round(REPEAT_S * layout.sampling_rate_hz)
    samples_KT = rng.standard_normal((layout.channel_count, count), np.float32) * np.float32(NOISE)
    wave_T = rng.standard_normal(round(WAVE_S * layout.sampling_rate_hz), np.float32) * np.float32(WAVE)
    for row, distance_m in enumerate(layout.distances_m):
        first = round((5.0 + distance_m / SPEED_M_S) * layout.sampling_rate_hz) % (count - len(wave_T))
        samples_KT[row, first : first + len(wave_T)] += wave_T
    return samples_KT
