"""An engine that counts its windows and the time that it takes for them.

Arrays: B batch, C component, P phase, T time.
"""

from __future__ import annotations

from rtpick.networks import Network
from rtpick.picking.engine import Engine
from rtpick.runtime.clock import monotonic_s
from rtpick.settings.schema import EngineSettings
from rtpick.vocabulary.waveform import Float32Array


class CountedEngine(Engine):
    """See `Engine`.

    Attributes
    ----------
    windows, batches : int
        Since the beginning.
    busy_s : float
        Time in the network.
    """

    def __init__(self, network: Network, settings: EngineSettings) -> None:
        super().__init__(network, settings)
        self.windows = 0
        self.batches = 0
        self.busy_s = 0.0

    def infer(self, wave_BCT: Float32Array) -> Float32Array:
        """Compute the probabilities, and count."""
        began_s = monotonic_s()
        prob_BPT = super().infer(wave_BCT)
        self.busy_s += monotonic_s() - began_s
        self.windows += len(wave_BCT)
        self.batches += 1
        return prob_BPT
