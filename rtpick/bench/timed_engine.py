"""An engine that counts its batches and the time that it takes for them.

Arrays: B batch, C component, P phase, T time.
"""

from __future__ import annotations

from functools import partial

from rtpick.daemon.metered_engine import MeteredEngine
from rtpick.networks import Network
from rtpick.picking.engine_backend import Promise
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
        Wall time spent on starting the network and on waiting for it.
    """

    def __init__(self, network: Network, settings: EngineSettings, metrics: Metrics) -> None:
        super().__init__(network, settings, metrics)
        self.batches = 0
        self.busy_s = 0.0

    def start(self, wave_BCT: Float32Array) -> Promise:
        """Begin to compute the probabilities, and count."""
        began_s = monotonic_s()
        promise = super().start(wave_BCT)
        self.busy_s += monotonic_s() - began_s
        self.batches += 1
        return partial(self._wait, promise)

    def _wait(self, promise: Promise) -> Float32Array:
        began_s = monotonic_s()
        prob_BPT = promise()
        self.busy_s += monotonic_s() - began_s
        return prob_BPT
