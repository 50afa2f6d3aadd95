"""PhaseNet-DAS as an engine for tiles: on a CPU tile by tile, on a GPU as CUDA graphs of whole batches.

B batch, P phase, K fiber channel, T time.
"""

from __future__ import annotations

import copy

import numpy as np
import torch
from torch import Tensor, nn

from rtpick.buffer.fiber_common_mode import CommonMode
from rtpick.buffer.fiber_tiles import TileGeometry
from rtpick.networks.phasenet_das import FiberNetwork
from rtpick.picking.engine_backend import PHASES, choose_device
from rtpick.picking.engine_torch import DTYPES, WARM_UP_RUNS
from rtpick.picking.fiber_engine import FiberAnswer
from rtpick.settings.schema import EngineSettings
from rtpick.vocabulary.fiber import Quantity
from rtpick.vocabulary.waveform import Float32Array

CUDA_BUCKETS = (1, 2, 4, 8, 16)
MOST_CHANNELS = 1024
"""Higher tiles are cut into several: on a CPU they would keep what comes behind them waiting."""

Outputs = tuple[Tensor, ...]


class FiberNetworkEngine:
    """See `fiber_engine.FiberEngine`.

    Parameters
    ----------
    network : FiberNetwork
        In inference mode.
    settings : EngineSettings
        Device, precision, batch size and threads.

    Notes
    -----
    Normalisation and softmax stay in float32; only the network itself runs in the given precision.
    """

    def __init__(self, network: FiberNetwork, settings: EngineSettings) -> None:
        self._device = torch.device(choose_device(settings))
        on_gpu = self._device.type == "cuda"
        self.precision = choose_fiber_precision(settings.precision, on_gpu)
        if settings.threads and not on_gpu:
            torch.set_num_threads(settings.threads)
        metadata, options = network.metadata, network.architecture.options
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
        self.batch_size = min(settings.batch_size, CUDA_BUCKETS[-1]) if on_gpu else 1
        net = _Mixed(network, DTYPES[self.precision], [network.phases.index(phase) for phase in PHASES])
        self._net = net.to(self._device).eval()
        self._graphs: dict[tuple[int, ...], CapturedTiles] = {}

    @property
    def description(self) -> str:
        """Device and precision in words, for logs."""
        return f"torch {self._device.type} {self.precision}"

    def warm_up(self) -> None:
        """Run the usual shapes once, so that the first real tiles find everything ready."""
        shape = self.geometry.channels, self.geometry.samples
        for size in self._buckets() if self._device.type == "cuda" else (1,):
            self.infer(np.zeros((size, *shape), np.float32))

    def infer(self, tiles_BKT: Float32Array) -> FiberAnswer:
        """Compute the probabilities of P and S, and what the event heads say.

        Parameters
        ----------
        tiles_BKT : ndarray of float32
            Raw samples, NaN where missing.
        """
        with torch.inference_mode():
            parts = [self._run(part_BKT) for part_BKT in self._batches(torch.from_numpy(tiles_BKT))]
        outputs = [torch.cat(column).numpy() for column in zip(*parts, strict=True)]
        if len(outputs) == 1:
            return FiberAnswer(outputs[0])
        return FiberAnswer(*outputs)

    def _buckets(self) -> tuple[int, ...]:
        return tuple(size for size in CUDA_BUCKETS if size <= self.batch_size)

    def _batches(self, tiles_BKT: Tensor) -> list[Tensor]:
        """Torch's CPU kernels differ in the last bit from one batch size to another: there, one by one."""
        if self._device.type != "cuda":
            return list(torch.split(tiles_BKT, 1))
        return list(torch.split(tiles_BKT, self._buckets()[-1]))

    def _run(self, tiles_BKT: Tensor) -> Outputs:
        if self._device.type != "cuda":
            outputs: Outputs = self._net(tiles_BKT)
            return outputs
        count = len(tiles_BKT)
        size = next(bucket for bucket in self._buckets() if bucket >= count)
        key = (size, *tiles_BKT.shape[1:])
        if key not in self._graphs:
            self._graphs[key] = CapturedTiles(self._net, key, self._device)
        return tuple(output[:count].cpu() for output in self._graphs[key].replay(tiles_BKT))


class CapturedTiles:
    """One shape of batch, recorded once and replayed without launching each kernel anew."""

    def __init__(self, net: nn.Module, shape: tuple[int, ...], device: torch.device) -> None:
        self._input_BKT = torch.zeros(shape, device=device)
        side = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(side):
            for _ in range(WARM_UP_RUNS):
                net(self._input_BKT)
        torch.cuda.current_stream(device).wait_stream(side)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._outputs: Outputs = net(self._input_BKT)

    def replay(self, tiles_BKT: Tensor) -> Outputs:
        """Run the recorded kernels on new samples; the result is overwritten by the next run."""
        self._input_BKT[: len(tiles_BKT)].copy_(tiles_BKT, non_blocking=True)
        self._graph.replay()
        return self._outputs


class _Mixed(nn.Module):
    """Normalise in float32, run the network in `dtype`, answer in float32, keep the phases asked for."""

    def __init__(self, network: FiberNetwork, dtype: torch.dtype, rows: list[int]) -> None:
        super().__init__()
        self.network = copy.deepcopy(network)
        self.network.architecture.to(dtype)
        self._dtype = dtype
        self.register_buffer("rows", torch.tensor(rows))

    def forward(self, tiles_BKT: Tensor) -> Outputs:
        logits = self.network.architecture(self.network.normalise(tiles_BKT).to(self._dtype))
        answer = self.network.answer(logits, tiles_BKT)
        prob_BPKT = answer.probability_BPKT.index_select(1, self.get_buffer("rows"))
        if answer.center_probability_BKT is None or answer.event_time_BKT is None:
            return (prob_BPKT,)
        return prob_BPKT, answer.center_probability_BKT, answer.event_time_BKT


def choose_fiber_precision(asked: str, on_gpu: bool) -> str:
    """Settle ``auto``: bfloat16 on a GPU, float32 on a CPU.

    Examples
    --------
    >>> choose_fiber_precision("auto", False), choose_fiber_precision("bfloat16", False)
    ('float32', 'bfloat16')
    """
    if asked != "auto":
        return asked
    return "bfloat16" if on_gpu else "float32"


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
