"""A station's network as an engine for tiles: every channel of the fiber for itself, as a vertical component.

For small machines and as a teacher. B batch, C component, P phase, K fiber channel, T time.
"""

from __future__ import annotations

import numpy as np

from rtpick.buffer.fiber_common_mode import CommonMode
from rtpick.buffer.fiber_tiles import TileGeometry
from rtpick.networks.network import Network
from rtpick.picking.engine import Engine
from rtpick.picking.fiber_engine import FiberAnswer
from rtpick.settings.schema import EngineSettings
from rtpick.vocabulary.fiber import Quantity
from rtpick.vocabulary.waveform import Float32Array

TILE_CHANNELS = 128
STRIDE_SAMPLES = 256
VERTICAL = "Z"


class SingleChannelEngine:
    """See `fiber_engine.FiberEngine`.

    Parameters
    ----------
    network : Network
        Made for stations.
    settings : EngineSettings
        As for stations.

    Notes
    -----
    The network was trained on ground velocity; a fiber's strain rate looks enough like it. Windows overlap as
    those of stations do, and all count the same.
    """

    def __init__(self, network: Network, settings: EngineSettings) -> None:
        self._engine = Engine(network, settings)
        self.network = network
        self._row = network.component_order.index(VERTICAL)
        self.model_version = network.model_version
        self.phases = self._engine.phases
        self.sampling_rate_hz = self._engine.sampling_rate_hz
        self.quantities: tuple[Quantity, ...] = (Quantity.STRAIN_RATE, Quantity.PHASE_RATE)
        left, right = self._engine.blinding
        self.geometry = TileGeometry(
            TILE_CHANNELS, self._engine.window_samples, STRIDE_SAMPLES, left, right, tapered=False
        )
        self.channel_multiple = self.sample_multiple = 1
        self.event_step = None
        self.common_mode: CommonMode = "steps"
        self.spacing_range_m = (1e-9, float("inf"))
        self.batch_size = 1

    @property
    def description(self) -> str:
        """Backend and precision in words, for logs."""
        return f"{self._engine.description}, each channel for itself"

    def warm_up(self) -> None:
        """Run every batch size once."""
        self._engine.warm_up()

    def infer(self, tiles_BKT: Float32Array) -> FiberAnswer:
        """Compute the probabilities of P and S of every channel that has samples."""
        traces_NT = tiles_BKT.reshape(-1, tiles_BKT.shape[2])
        present_N = np.isfinite(traces_NT).any(axis=1)
        shape = int(present_N.sum()), len(self._engine.component_order), traces_NT.shape[1]
        wave_NCT = np.full(shape, np.nan, np.float32)
        wave_NCT[:, self._row] = traces_NT[present_N]
        prob_NPT = np.zeros((len(traces_NT), len(self.phases), traces_NT.shape[1]), np.float32)
        prob_NPT[present_N] = self._engine.infer(wave_NCT)
        prob_BKPT = prob_NPT.reshape(*tiles_BKT.shape[:2], *prob_NPT.shape[1:])
        return FiberAnswer(np.ascontiguousarray(prob_BKPT.transpose(0, 2, 1, 3)))
