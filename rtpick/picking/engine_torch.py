"""The network in torch: on a CPU as it is, on a GPU as CUDA graphs.

Arrays: B batch, C component, P phase, T time.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from rtpick.networks.network import Network
from rtpick.picking.engine_backend import CUDA_BUCKETS, TORCH_BUCKETS, Promise, fit_buckets
from rtpick.settings.schema import EngineSettings
from rtpick.vocabulary.waveform import Float32Array

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
WARM_UP_RUNS = 3


class TorchBackend:
    """Run the network in torch; see `engine_backend.Backend`.

    Notes
    -----
    Normalisation and softmax stay in float32; only the convolutions run in the given precision. On a GPU each
    batch size is captured once as a graph with fixed input and output tensors.
    """

    name = "torch"

    def __init__(self, network: Network, settings: EngineSettings, device: str, rows: list[int]) -> None:
        self._device = torch.device(device)
        on_gpu = self._device.type == "cuda"
        self.precision = choose_precision(settings.precision, on_gpu)
        self.buckets = fit_buckets(CUDA_BUCKETS if on_gpu else TORCH_BUCKETS, settings.batch_size)
        if settings.threads and not on_gpu:
            torch.set_num_threads(settings.threads)
        self._net = _Mixed(network, DTYPES[self.precision], rows).to(self._device).eval()
        self._graphs: dict[int, CapturedGraph] = {}

    def start(self, wave_BCT: Float32Array) -> Promise:
        """Turn raw samples into probabilities (B, P, T), at once."""
        prob_BPT = self._run(wave_BCT)
        return lambda: prob_BPT

    def _run(self, wave_BCT: Float32Array) -> Float32Array:
        wave = torch.from_numpy(wave_BCT)
        try:
            with torch.inference_mode():
                prob = self._replay(wave) if self._device.type == "cuda" else self._net(wave)
        except torch.OutOfMemoryError as error:
            torch.cuda.empty_cache()
            raise MemoryError(str(error)) from error
        result: Float32Array = prob.cpu().numpy()
        return result

    def _replay(self, wave_BCT: Tensor) -> Tensor:
        batch = len(wave_BCT)
        if batch not in self._graphs:
            self._graphs[batch] = CapturedGraph(self._net, wave_BCT, self._device)
        return self._graphs[batch].replay(wave_BCT)


class CapturedGraph:
    """One batch size of the network, recorded once and replayed without launching each kernel anew."""

    def __init__(self, net: nn.Module, wave_BCT: Tensor, device: torch.device) -> None:
        self._input_BCT = wave_BCT.to(device).clone()
        side = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(side):
            for _ in range(WARM_UP_RUNS):
                net(self._input_BCT)
        torch.cuda.current_stream(device).wait_stream(side)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._output_BPT: Tensor = net(self._input_BCT)

    def replay(self, wave_BCT: Tensor) -> Tensor:
        """Run the recorded kernels on new samples; the result is overwritten by the next run."""
        self._input_BCT.copy_(wave_BCT)
        self._graph.replay()
        return self._output_BPT


class _Mixed(nn.Module):
    """Normalise in float32, convolve in `dtype`, take the softmax in float32, keep the rows asked for."""

    def __init__(self, network: Network, dtype: torch.dtype, rows: list[int]) -> None:
        super().__init__()
        self.network = copy.deepcopy(network)
        self.network.architecture.to(dtype)
        self._dtype = dtype
        self.register_buffer("rows", torch.tensor(rows))

    def forward(self, wave_BCT: Tensor) -> Tensor:
        normal_BCT = self.network.normalise(wave_BCT).to(self._dtype)
        logits_BPT: Tensor = self.network.architecture(normal_BCT).to(torch.float32)
        return torch.softmax(logits_BPT, dim=1).index_select(1, self.get_buffer("rows"))


def choose_precision(asked: str, on_gpu: bool) -> str:
    """Settle ``auto``: half precision on a GPU, which is made for it; float32 on a CPU."""
    if asked != "auto":
        return asked
    return "float16" if on_gpu else "float32"
