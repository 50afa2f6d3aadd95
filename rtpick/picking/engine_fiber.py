"""PhaseNet-DAS as an engine for the tiles of fibers.

B batch, K fiber channel, T time.
"""

from __future__ import annotations

import numpy as np
import torch

from rtpick.buffer.fiber_common_mode import CommonMode
from rtpick.buffer.fiber_tiles import TileGeometry
from rtpick.networks.phasenet_das import FiberNetwork
from rtpick.picking.engine_backend import PHASES, choose_backend, choose_device
from rtpick.picking.engine_fiber_torch import CUDA_BUCKETS, CudaTiles, Runner, TorchTiles
from rtpick.picking.fiber_engine import FiberAnswer
from rtpick.settings.schema import EngineSettings
from rtpick.vocabulary.fiber import Quantity
from rtpick.vocabulary.waveform import Float32Array

MOST_CHANNELS = 1024
"""Higher tiles are cut into several: on a CPU they would keep what comes behind them waiting."""


class FiberNetworkEngine:
    """See `fiber_engine.FiberEngine`.

    Parameters
    ----------
    network : FiberNetwork
        In inference mode.
    settings : EngineSettings
        Backend, device, precision, batch size and threads.

    Raises
    ------
    SettingsError
        If the backend, device or precision asked for is not to be had.

    Notes
    -----
    Normalisation and softmax stay in float32; only the network itself runs in the given precision.
    """

    def __init__(self, network: FiberNetwork, settings: EngineSettings) -> None:
        metadata, options = network.metadata, network.architecture.options
        self._runner = build_runner(network, settings)
        self.network = network
        self.model_version = network.model_version
        self.phases: tuple[str, ...] = PHASES
        self.sampling_rate_hz = metadata.sampling_rate_hz
        self.quantities: tuple[Quantity, ...] = metadata.quantities
        self.channel_multiple, self.sample_multiple = options.reduction
        self.geometry = default_geometry(metadata.tile_shape, options.reduction)
        self.event_step = options.event_reduction if options.event_heads else None
        self.common_mode: CommonMode = "median" if metadata.common_mode else "steps"
        self.spacing_range_m = metadata.channel_spacing_range_m
        self.batch_size = self._runner.batch_size

    @property
    def description(self) -> str:
        """Backend, device and precision in words, for logs."""
        return f"{self._runner.name} {self._runner.precision}"

    def warm_up(self) -> None:
        """Run the usual shapes once, so that the first real tiles find everything ready."""
        shape = self.geometry.channels, self.geometry.samples
        for size in (size for size in CUDA_BUCKETS if size <= self.batch_size):
            self.infer(np.zeros((size, *shape), np.float32))

    def infer(self, tiles_BKT: Float32Array) -> FiberAnswer:
        """Compute the probabilities of P and S, and what the event heads say.

        Parameters
        ----------
        tiles_BKT : ndarray of float32
            Raw samples, NaN where missing.
        """
        with torch.inference_mode():
            outputs = self._runner.run(torch.from_numpy(tiles_BKT))
        return FiberAnswer(*(output.numpy() for output in outputs))


def build_runner(network: FiberNetwork, settings: EngineSettings) -> Runner:
    """Make the backend that the settings name, or the best that is there.

    Raises
    ------
    SettingsError
        If a named backend, device or precision is not to be had on this machine.
    """
    device = choose_device(settings)
    if choose_backend(settings, device) == "openvino":
        from rtpick.picking.engine_fiber_openvino import OpenVinoTiles

        return OpenVinoTiles(network, settings)
    if device == "cpu":
        return TorchTiles(network, settings)
    return CudaTiles(network, settings, device)


def default_geometry(tile_shape: tuple[int, int], multiples: tuple[int, int]) -> TileGeometry:
    """Let tiles of the size of training overlap twice in what they speak of, and four times in all.

    Parameters
    ----------
    tile_shape : tuple of int
        Channels and samples that the network was trained on.
    multiples : tuple of int
        Of which both must be multiples.

    Examples
    --------
    >>> geometry = default_geometry((2048, 4096), (256, 256))
    >>> geometry.channels, geometry.samples, geometry.stride, geometry.lead, geometry.guard
    (1024, 4096, 1024, 1536, 512)
    """
    channels = -(-min(tile_shape[0], MOST_CHANNELS) // multiples[0]) * multiples[0]
    samples = -(-tile_shape[1] // multiples[1]) * multiples[1]
    unit = samples // 8
    return TileGeometry(channels, samples, 2 * unit, 3 * unit, unit, channels // 4)
