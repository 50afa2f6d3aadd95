"""The network in OpenVINO, for CPUs.

Arrays: B batch, C component, P phase, T time.

Two compiled models stand behind one another. The first is the network's own normalisation, always in float32:
raw counts do not survive eight bits of mantissa. The second is the rest, in the precision asked for; it runs
as several streams of one thread each, because batches side by side wait for nothing, while threads that share
a batch wait for one another.
"""

from __future__ import annotations

import os
import warnings
from functools import partial
from typing import NamedTuple

import numpy as np
import openvino
import torch
from torch import Tensor, nn
from torch.jit._trace import TracerWarning

from rtpick.networks.network import Network
from rtpick.networks.phasenet import PhaseNet
from rtpick.picking.engine_backend import OPENVINO_BUCKETS, Promise, fit_buckets
from rtpick.picking.engine_blocks import BLOCK, BlockedPhaseNet
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
        threads = settings.threads or len(os.sched_getaffinity(0))
        self._stages = {
            size: _Stage(
                _compile(core, front, (size, *shape), "float32", 1),
                _compile(core, rest, (size, *shape), self.precision, threads),
            )
            for size in self.buckets
        }

    def start(self, wave_BCT: Float32Array) -> Promise:
        """Begin to turn raw samples into probabilities (B, P, T)."""
        stage = self._stages[len(wave_BCT)]
        place = stage.take_place()
        normal_BCT = place.front.infer({0: wave_BCT}, share_inputs=True, share_outputs=True)[0]
        place.rest.start_async({0: normal_BCT}, share_inputs=True)
        return partial(_finish, stage, place)


class _Place(NamedTuple):
    """The buffers of one batch under way."""

    front: openvino.InferRequest
    rest: openvino.InferRequest


class _Stage:
    """The compiled models of one batch size, and a place for every batch that was under way at once."""

    def __init__(self, front: openvino.CompiledModel, rest: openvino.CompiledModel) -> None:
        self._front, self._rest = front, rest
        self.free: list[_Place] = []

    def take_place(self) -> _Place:
        if self.free:
            return self.free.pop()
        return _Place(self._front.create_infer_request(), self._rest.create_infer_request())


def _finish(stage: _Stage, place: _Place) -> Float32Array:
    place.rest.wait()
    prob = place.rest.get_output_tensor(0).data
    prob_BPT = prob.swapaxes(2, 3).reshape(*prob.shape[:2], -1) if prob.ndim == 4 else np.array(prob)
    stage.free.append(place)
    return np.asarray(prob_BPT, np.float32)


class _Normalise(nn.Module):
    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, wave_BCT: Tensor) -> Tensor:
        return self.network.normalise(wave_BCT)


class _Probabilities(nn.Module):
    def __init__(self, network: Network, rows: list[int]) -> None:
        super().__init__()
        self.architecture = _arrange(network)
        self.register_buffer("rows", torch.tensor(rows))

    def forward(self, normal_BCT: Tensor) -> Tensor:
        """Give (B, P, T), or what stands for it in blocks, (B, P, 4, N)."""
        return torch.softmax(self.architecture(normal_BCT), dim=1).index_select(1, self.get_buffer("rows"))


def _arrange(network: Network) -> nn.Module:
    """Take PhaseNet in blocks where its windows allow it."""
    plain = network.architecture
    if isinstance(plain, PhaseNet) and network.metadata.window_samples % BLOCK == 0:
        return BlockedPhaseNet(plain)
    return plain


def choose_precision(asked: str, capabilities: list[str]) -> str:
    """Settle ``auto`` to bfloat16 where the processor computes in it, else to float32.

    Raises
    ------
    SettingsError
        If the processor does not have the precision asked for.

    Notes
    -----
    bfloat16 takes half the time. It changes probabilities by 0.01 on average, moves one pick in twenty by
    more than a sample, and makes or loses one in a hundred, all of them near the threshold; against
    analysts' picks it is as good. float32 gives the same picks on every processor.
    """
    if asked == "auto":
        return "bfloat16" if CAPABILITIES["bfloat16"] in capabilities else "float32"
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
    core: openvino.Core, model: openvino.Model, shape: tuple[int, ...], precision: str, streams: int
) -> openvino.CompiledModel:
    fixed = model.clone()
    fixed.reshape(list(shape))
    hints = {
        "INFERENCE_PRECISION_HINT": HINTS[precision],
        "NUM_STREAMS": str(streams),
        "INFERENCE_NUM_THREADS": str(streams),
        "ENABLE_CPU_PINNING": "NO",
    }
    return core.compile_model(fixed, "CPU", hints)
