"""An engine that counts its batches and the time that it takes for them.

Arrays: B batch, C component, P phase, T time.
"""

from __future__ import annotations

from rtpick.daemon.metered_engine import MeteredEngine
from rtpick.networks import Network
from rtpick.runtime.clock import monotonic_s
from rtpick.settings.schema import EngineSettings
from rtpick.telemetry.metrics import Metrics
from rtpick.vocabulary.waveform import Float32Array


class TimedEngine(MeteredEngine):
    """See `MeteredEngine`.

    Attributes
    ----------
    batches : int
    busy_s : float
        Wall time in the network.
    """

    def __init__(self, network: Network, settings: EngineSettings, metrics: Metrics) -> None:
        super().__init__(network, settings, metrics)
        self.batches = 0
        self.busy_s = 0.0

    def infer(self, wave_BCT: Float32Array) -> Float32Array:
        """Compute the probabilities, and count."""
        began_s = monotonic_s()
        prob_BPT = super().infer(wave_BCT)
        self.busy_s += monotonic_s() - began_s
        self.batches += 1
        return prob_BPT
