"""The network in OpenVINO, for CPUs.

Arrays: B batch, C component, P phase, T time.

Two compiled models stand behind one another. The first is the network's own normalisation, always in float32:
raw counts do not survive eight bits of mantissa. The second is the rest, in the precision asked for.
"""

from __future__ import annotations

import warnings

import numpy as np
import openvino
import torch
from torch import Tensor, nn
from torch.jit._trace import TracerWarning

from rtpick.networks.network import Network
from rtpick.picking.engine_backend import OPENVINO_BUCKETS, fit_buckets
from rtpick.settings.schema import EngineSettings
from rtpick.vocabulary.errors import SettingsError
from rtpick.vocabulary.waveform import Float32Array

HINTS = {"float32": "f32", "bfloat16": "bf16", "float16": "f16"}
CAPABILITIES = {"float32": "FP32", "bfloat16": "BF16", "float16": "FP16"}


class OpenVinoBackend:
    """Run the network in OpenVINO; see `engine_backend.Backend`."""

    name = "openvino"

    def __init__(self, network: Network, settings: EngineSettings, rows: list[int]) -> None:
        core = openvino.Core()
        capabilities = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        self.precision = choose_precision(settings.precision, capabilities)
        self.buckets = fit_buckets(OPENVINO_BUCKETS, settings.batch_size)
        shape = (len(network.component_order), network.metadata.window_samples)
        front, rest = _convert(_Normalise(network), shape), _convert(_Probabilities(network, rows), shape)
        self._stages = {
            size: (
                _compile(core, front, (size, *shape), "float32", settings.threads),
                _compile(core, rest, (size, *shape), self.precision, settings.threads),
            )
            for size in self.buckets
        }

    def run(self, wave_BCT: Float32Array) -> Float32Array:
        """Turn raw samples into probabilities (B, P, T)."""
        front, rest = self._stages[len(wave_BCT)]
        normal_BCT = front.infer({0: wave_BCT}, share_inputs=True, share_outputs=True)[0]
        prob_BPT = rest.infer({0: normal_BCT}, share_inputs=True, share_outputs=True)[0]
        return np.array(prob_BPT, np.float32)


class _Normalise(nn.Module):
    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, wave_BCT: Tensor) -> Tensor:
        return self.network.normalise(wave_BCT)


class _Probabilities(nn.Module):
    def __init__(self, network: Network, rows: list[int]) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("rows", torch.tensor(rows))

    def forward(self, normal_BCT: Tensor) -> Tensor:
        return self.network.probabilities(normal_BCT).index_select(1, self.get_buffer("rows"))


def choose_precision(asked: str, capabilities: list[str]) -> str:
    """Settle ``auto`` to float32, so that a recording gives the same picks on every processor.

    Raises
    ------
    SettingsError
        If the processor does not have the precision asked for.

    Notes
    -----
    bfloat16 is half as fast again where the processor computes in it. It changes probabilities by 0.01 on
    average, moves one pick in twenty by more than a sample, and makes or loses one in a hundred, all of them
    near the threshold.
    """
    if asked == "auto":
        return "float32"
    if CAPABILITIES[asked] not in capabilities:
        raise SettingsError(f"engine.precision is {asked}, which this processor lacks: use auto or float32")
    return asked


def _convert(module: nn.Module, shape: tuple[int, int]) -> openvino.Model:
    with warnings.catch_warnings():
        # Lengths are fixed on purpose: the tracer warns that paddings are derived from them.
        warnings.simplefilter("ignore", TracerWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        example_BCT = torch.zeros(1, *shape)
        traced = torch.jit.trace(  # type: ignore[no-untyped-call]
            module.eval(), example_BCT, check_trace=False
        )
    return openvino.convert_model(traced, example_input=example_BCT)


def _compile(
    core: openvino.Core, model: openvino.Model, shape: tuple[int, ...], precision: str, threads: int
) -> openvino.InferRequest:
    fixed = model.clone()
    fixed.reshape(list(shape))
    hints = {"INFERENCE_PRECISION_HINT": HINTS[precision], "PERFORMANCE_HINT": "LATENCY"}
    if threads:
        hints["INFERENCE_NUM_THREADS"] = str(threads)
    return core.compile_model(fixed, "CPU", hints).create_infer_request()
