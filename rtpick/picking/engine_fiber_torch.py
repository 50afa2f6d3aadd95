"""The tiles of fibers through torch: on a CPU one by one, on a GPU as CUDA graphs of whole batches.

B batch, P phase, K fiber channel, T time.
"""

from __future__ import annotations

import copy
from typing import Protocol

import torch
from torch import Tensor, nn

from rtpick.networks.eqnet_unet import UNetAnswer
from rtpick.networks.phasenet_das import FiberNetwork
from rtpick.picking.engine_backend import PHASES
from rtpick.picking.engine_torch import DTYPES, WARM_UP_RUNS
from rtpick.settings.schema import EngineSettings

CUDA_BUCKETS = (1, 2, 4, 8, 16)

Outputs = tuple[Tensor, ...]
"""Probabilities of P and S; with event heads also event centres and travel times."""


class Runner(Protocol):
    """Runs a network on batches of tiles."""

    name: str
    precision: str
    batch_size: int

    def run(self, tiles_BKT: Tensor) -> Outputs:
        """Turn raw samples, NaN where missing, into answers in the memory of the CPU."""


class TorchTiles:
    """Run tiles one by one on a CPU: its kernels differ in the last bit from one batch size to another."""

    name = "torch cpu"

    def __init__(self, network: FiberNetwork, settings: EngineSettings) -> None:
        self.precision: str = "float32" if settings.precision == "auto" else settings.precision
        if settings.threads:
            torch.set_num_threads(settings.threads)
        self._net = _Mixed(network, DTYPES[self.precision]).eval()
        self.batch_size = 1

    def run(self, tiles_BKT: Tensor) -> Outputs:
        """Turn raw samples into answers."""
        parts = [self._net(part_BKT) for part_BKT in torch.split(tiles_BKT, 1)]
        return tuple(torch.cat(column) for column in zip(*parts, strict=True))


class CudaTiles:
    """Run batches of a few fixed sizes on a GPU, each captured once as a graph."""

    def __init__(self, network: FiberNetwork, settings: EngineSettings, device: str) -> None:
        self.precision: str = "bfloat16" if settings.precision == "auto" else settings.precision
        self.name = f"torch {device}"
        self._device = torch.device(device)
        self._net = _Mixed(network, DTYPES[self.precision]).to(self._device).eval()
        self._graphs: dict[tuple[int, ...], _CapturedTiles] = {}
        self.batch_size = max(size for size in CUDA_BUCKETS if size <= settings.batch_size)

    def run(self, tiles_BKT: Tensor) -> Outputs:
        """Turn raw samples into answers; a batch that the device has no room for is halved from then on."""
        try:
            parts = [self._replay(part_BKT) for part_BKT in torch.split(tiles_BKT, self.batch_size)]
        except torch.OutOfMemoryError:
            if self.batch_size == 1:
                raise
            self._graphs.clear()
            torch.cuda.empty_cache()
            self.batch_size = max(size for size in CUDA_BUCKETS if size < self.batch_size)
            return self.run(tiles_BKT)
        return tuple(torch.cat(column) for column in zip(*parts, strict=True))

    def _replay(self, tiles_BKT: Tensor) -> Outputs:
        count = len(tiles_BKT)
        size = next(bucket for bucket in CUDA_BUCKETS if bucket >= count)
        key = (size, *tiles_BKT.shape[1:])
        if key not in self._graphs:
            self._graphs[key] = _CapturedTiles(self._net, key, self._device)
        return tuple(output[:count].cpu() for output in self._graphs[key].replay(tiles_BKT))


class _CapturedTiles:
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
    """Normalise in float32, run the network in `dtype`, answer in float32, keep P and S."""

    def __init__(self, network: FiberNetwork, dtype: torch.dtype) -> None:
        super().__init__()
        self.network = copy.deepcopy(network)
        self.network.architecture.to(dtype)
        self._dtype = dtype

    def forward(self, tiles_BKT: Tensor) -> Outputs:
        logits = self.network.architecture(self.network.normalise(tiles_BKT).to(self._dtype))
        return answer_tiles(self.network, logits, tiles_BKT)


def answer_tiles(network: FiberNetwork, logits: UNetAnswer, tiles_BKT: Tensor) -> Outputs:
    """Turn logits into probabilities of P and S, zero at missing samples, and what the event heads say.

    As `FiberNetwork.answer`, but without making a tensor on the CPU, which no graph can capture.
    """
    prob_BPKT = torch.softmax(logits.phase_BPKT.float(), dim=1)
    rows = [network.phases.index(phase) for phase in PHASES]
    wanted_BPKT = torch.stack([prob_BPKT[:, row] for row in rows], dim=1)
    present_B1KT = torch.isfinite(tiles_BKT).unsqueeze(1)
    told_BPKT = torch.where(present_B1KT, wanted_BPKT, 0.0)
    if logits.event_center_BKT is None or logits.event_time_BKT is None:
        return (told_BPKT,)
    return told_BPKT, torch.sigmoid(logits.event_center_BKT.float()), logits.event_time_BKT.float()
