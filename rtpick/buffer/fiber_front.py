"""From a fiber's samples in order to the ring that tiles are cut from: what is done to them, in which order.

Conversion of the quantity, bad channels out, channels thinned, rate changed, common mode out.
K channel, T time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from rtpick.buffer.fiber_common_mode import remove_common_mode
from rtpick.buffer.fiber_continuity import budget_samples
from rtpick.buffer.fiber_decimate import design_spatial_filter, thin_channels
from rtpick.buffer.fiber_health import ChannelHealth, HealthMemory
from rtpick.buffer.fiber_intake import Stretch, to_float32
from rtpick.buffer.fiber_quantity import Differentiator, converted_layout
from rtpick.buffer.fiber_resample import StreamingResampler
from rtpick.buffer.fiber_ring import FiberRing
from rtpick.buffer.lock import PhaseLock
from rtpick.settings.fiber import FiberBufferSettings, FiberOverrides
from rtpick.vocabulary.fiber import FiberLayout
from rtpick.vocabulary.waveform import Float32Array

MAXIMUM_PHASES = 64
"""Changes of a clock's phase that are remembered; picks behind older ones are long told."""


class FiberFront:
    """One generation of a fiber's samples, conditioned and kept.

    Parameters
    ----------
    layout : FiberLayout
        As the source delivers it.
    lock : PhaseLock
        At the first sample.
    output_rate : Fraction
        Of the network, Hz.
    settings : FiberBufferSettings
    overrides : FiberOverrides
        Of this fiber.
    memory : HealthMemory, optional
        Of an earlier run.

    Raises
    ------
    SettingsError
        If the declared conversion or the rates cannot be.
    """

    def __init__(
        self,
        layout: FiberLayout,
        lock: PhaseLock,
        output_rate: Fraction,
        settings: FiberBufferSettings,
        overrides: FiberOverrides,
        memory: HealthMemory | None = None,
    ) -> None:
        self.native_layout = layout
        self._settings = settings
        self._factor = overrides.conversion.factor if overrides.conversion else 1.0
        differentiates = overrides.conversion is not None and overrides.conversion.differentiate
        self._differentiator = Differentiator(float(lock.rate)) if differentiates else None
        cell_samples = max(budget_samples(layout, settings.health_cell_s), 1)
        self.health = ChannelHealth(layout, settings, overrides, cell_samples, memory)
        self._spatial = design_spatial_filter(layout.channel_count, settings.channel_decimation or 1)
        self.layout = self._spatial.layout(converted_layout(layout, overrides.conversion))
        self._resampler = StreamingResampler(self.layout.channel_count, lock.rate, output_rate)
        self.ring = FiberRing(self.layout.channel_count, round(settings.memory_s * float(output_rate)))
        self._rates = lock.rate, output_rate
        self._phases: deque[tuple[int, int]] = deque([(-(2**62), lock.phase_ns)], MAXIMUM_PHASES)

    @property
    def reach_samples(self) -> int:
        """Native samples before an output that it depends on."""
        return self._resampler.reach + 1

    def add(self, stretch: Stretch) -> Iterator[None]:
        """Take in samples, a piece at a time; the ring holds more after each.

        Parameters
        ----------
        stretch : Stretch
            Behind all before it.

        Yields
        ------
        None
            After each piece, never longer than a cell of the bad-channel map.
        """
        self._follow(stretch)
        for start, end in cell_spans(stretch.start, stretch.end, self.health.cell_samples):
            samples_KT = stretch.samples_KT[:, start - stretch.start : end - stretch.start]
            self._add_piece(start, to_float32(samples_KT, self._factor))
            yield

    def phase_ns(self, index: int) -> int:
        """How far an output lies behind the grid of its rate: a clock that runs off is followed."""
        return next((phase for first, phase in reversed(self._phases) if first <= index), self._phases[0][1])

    def _follow(self, stretch: Stretch) -> None:
        phase_ns = stretch.lock.phase_ns
        if phase_ns != self._phases[-1][1]:
            native, output = self._rates
            self._phases.append((int(stretch.start * output / native), phase_ns))

    def _add_piece(self, start: int, samples_KT: Float32Array) -> None:
        if self._differentiator is not None:
            samples_KT = self._differentiator.add(start, samples_KT)
        self.health.add(start, samples_KT)
        bad_K = self.health.is_bad
        if bad_K.any():
            samples_KT[bad_K] = np.nan
        thinned_KT = thin_channels(self._spatial, samples_KT)
        first, output_KT = self._resampler.add(start, thinned_KT)
        if output_KT.shape[1]:
            self.ring.write(first, remove_common_mode(output_KT, self._settings.common_mode or "off"))


def cell_spans(start: int, end: int, cell: int) -> Iterator[tuple[int, int]]:
    """Divide a span at the multiples of `cell`.

    Examples
    --------
    >>> list(cell_spans(8, 25, 10))
    [(8, 10), (10, 20), (20, 25)]
    """
    while start < end:
        stop = min((start // cell + 1) * cell, end)
        yield start, stop
        start = stop
