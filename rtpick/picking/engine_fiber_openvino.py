"""The tiles of fibers through OpenVINO, on a CPU: a half more to twice the tiles of torch in the same time.

B batch, K fiber channel, T time.
"""

from __future__ import annotations

import os
import warnings

import openvino
import torch
from torch import Tensor, nn
from torch.jit._trace import TracerWarning

from rtpick.networks.eqnet_unet import UNetAnswer
from rtpick.networks.phasenet_das import FiberNetwork, PhaseNetDas
from rtpick.picking.engine_fiber_torch import Outputs, answer_tiles
from rtpick.picking.engine_openvino import HINTS, choose_precision
from rtpick.settings.schema import EngineSettings


class OpenVinoTiles:
    """Run tiles one by one; see `engine_fiber_torch.Runner`.

    Notes
    -----
    Normalisation and softmax are torch's, in float32. Each shape of tile is compiled when it first comes.
    """

    name = "openvino cpu"

    def __init__(self, network: FiberNetwork, settings: EngineSettings) -> None:
        self._network = network
        self._core = openvino.Core()
        capabilities = self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        self.precision: str = choose_precision(settings.precision, capabilities)
        self._threads = settings.threads or len(os.sched_getaffinity(0))
        self._requests: dict[tuple[int, ...], openvino.InferRequest] = {}
        self.batch_size = 1

    def run(self, tiles_BKT: Tensor) -> Outputs:
        """Turn raw samples into probabilities, and what the event heads say."""
        parts = [self._run_one(tile_KT.unsqueeze(0)) for tile_KT in tiles_BKT]
        return tuple(torch.cat(column) for column in zip(*parts, strict=True))

    def _run_one(self, tile_1KT: Tensor) -> Outputs:
        shape = tuple(tile_1KT.shape)
        if shape not in self._requests:
            self._requests[shape] = self._compile(shape)
        request = self._requests[shape]
        request.infer({0: self._network.normalise(tile_1KT).numpy()}, share_inputs=True)
        count = len(request.output_tensors)
        logits = [torch.tensor(request.get_output_tensor(i).data) for i in range(count)]
        return answer_tiles(self._network, UNetAnswer(*logits), tile_1KT)

    def _compile(self, shape: tuple[int, ...]) -> openvino.InferRequest:
        example_BKT = torch.zeros(shape)
        with warnings.catch_warnings():
            # Sizes are fixed on purpose: the tracer warns that paddings are derived from them.
            warnings.simplefilter("ignore", TracerWarning)
            warnings.simplefilter("ignore", DeprecationWarning)
            traced = torch.jit.trace(  # type: ignore[no-untyped-call]
                _Logits(self._network.architecture).eval(), example_BKT, check_trace=False
            )
        model = openvino.convert_model(traced, example_input=example_BKT)
        model.reshape(list(shape))
        hints = {
            "INFERENCE_PRECISION_HINT": HINTS[self.precision],
            "NUM_STREAMS": "1",
            "INFERENCE_NUM_THREADS": str(self._threads),
            "ENABLE_CPU_PINNING": "NO",
        }
        return self._core.compile_model(model, "CPU", hints).create_infer_request()


class _Logits(nn.Module):
    """The network's answer as a tuple, which can be traced."""

    def __init__(self, architecture: PhaseNetDas) -> None:
        super().__init__()
        self.architecture = architecture

    def forward(self, normal_BKT: Tensor) -> Outputs:
        answer = self.architecture(normal_BKT)
        if answer.event_center_BKT is None or answer.event_time_BKT is None:
            return (answer.phase_BPKT,)
        return answer.phase_BPKT, answer.event_center_BKT, answer.event_time_BKT
