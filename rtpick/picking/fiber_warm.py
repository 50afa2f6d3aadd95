"""Compiling everything before the first real block of a fiber comes.

B batch, K fiber channel, T time; J, U channel and time of the coarser grid.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rtpick.buffer.fiber_common_mode import CommonMode
from rtpick.buffer.fiber_tiles import TileGeometry
from rtpick.picking.fiber_engine import FiberAnswer
from rtpick.picking.fiber_picker import FiberPicker
from rtpick.settings.fiber import FiberBufferSettings, FiberPickingSettings, FiberSettings
from rtpick.vocabulary.fiber import DasBlock, FiberLayout, Quantity
from rtpick.vocabulary.waveform import Float32Array

_GEOMETRY = TileGeometry(64, 256, 128, 32, 32, 16)
_LAYOUT = FiberLayout("warm", 0, 256, 1.0, 200.0)
_SECONDS = 8.0
_GAP = (500, 520)


@dataclass(frozen=True)
class _SureEngine:
    """Finds something everywhere."""

    model_version: str = "warm"
    phases: tuple[str, ...] = ("P", "S")
    sampling_rate_hz: float = 100.0
    quantities: tuple[Quantity, ...] = (Quantity.STRAIN_RATE,)
    spacing_range_m: tuple[float, float] = (2.0, 2.0)
    common_mode: CommonMode = "steps"
    geometry: TileGeometry = _GEOMETRY
    channel_multiple: int = 16
    sample_multiple: int = 16
    event_step: tuple[int, int] | None = (16, 16)
    batch_size: int = 1

    def infer(self, tiles_BKT: Float32Array) -> FiberAnswer:
        """Answer with what comes, so that there are peaks."""
        height_BKT = np.abs(np.nan_to_num(tiles_BKT))
        coarse_BJU = np.ascontiguousarray(height_BKT[:, ::16, ::16])
        return FiberAnswer(np.stack([height_BKT, height_BKT], axis=1), coarse_BJU, coarse_BJU)


def warm_up_fibers() -> None:
    """Let an invented fiber, with a gap in it, pass through, and forget it.

    Notes
    -----
    Takes some ten seconds after an installation and a moment later on.
    """
    settings = FiberSettings(
        buffer=FiberBufferSettings(memory_s=20, health_cell_s=1.0),
        picking=FiberPickingSettings(amplitude_p_s=1.0, amplitude_s_s=1.0),
    )
    picker = FiberPicker(settings, _SureEngine(), lossless=True)
    samples_KT = np.random.default_rng(0).random((_LAYOUT.channel_count, 1600), np.float32)
    for start, end in ((0, _GAP[0]), (_GAP[1], round(_SECONDS * _LAYOUT.sampling_rate_hz))):
        picker.add(DasBlock(_LAYOUT, start * 5_000_000, samples_KT[:, start:end]), 2**62)
        picker.step(2**62)
    picker.flush(2**62)
