"""An engine that tells how many windows it has inferred.

Arrays: B batch, C component, P phase, T time.
"""

from __future__ import annotations

from functools import partial

from rtpick.networks import Network
from rtpick.picking.engine import Engine
from rtpick.picking.engine_backend import Promise
from rtpick.settings.schema import EngineSettings
from rtpick.telemetry.metrics import Metrics
from rtpick.vocabulary.waveform import Float32Array


class MeteredEngine(Engine):
    """See `Engine`.

    Attributes
    ----------
    windows_inferred : int
    """

    def __init__(self, network: Network, settings: EngineSettings, metrics: Metrics) -> None:
        super().__init__(network, settings)
        self._metrics = metrics
        self.windows_inferred = 0
        metrics.record_model(self.model_version)

    def start(self, wave_BCT: Float32Array) -> Promise:
        """Begin to compute the probabilities; they are counted when they are there."""
        return partial(self._count, super().start(wave_BCT))

    def _count(self, promise: Promise) -> Float32Array:
        prob_BPT = promise()
        self._metrics.record_batch(len(prob_BPT))
        self.windows_inferred += len(prob_BPT)
        return prob_BPT

    def swap(self, network: Network) -> None:
        """Replace the network, and say which one runs now."""
        super().swap(network)
        self._metrics.record_model(self.model_version)
