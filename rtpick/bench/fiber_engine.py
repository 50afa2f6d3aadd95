"""Engines for measuring: with or without weights, timed, and their arithmetic counted."""

from __future__ import annotations

import torch
from torch.utils.flop_counter import FlopCounterMode

from rtpick.networks.eqnet_options import DAS_PLUS, DAS_SMALL
from rtpick.networks.phasenet_das import FiberNetwork, PhaseNetDas
from rtpick.networks.phasenet_das_metadata import FiberNetworkMetadata
from rtpick.picking.engine_fiber import FiberNetworkEngine
from rtpick.picking.engine_fiber_choice import build_fiber_engine
from rtpick.picking.engine_fiber_single import SingleChannelEngine
from rtpick.picking.engine_torch import DTYPES
from rtpick.picking.fiber_engine import FiberAnswer
from rtpick.runtime.clock import monotonic_s
from rtpick.settings.schema import EngineSettings
from rtpick.vocabulary.fiber import Quantity
from rtpick.vocabulary.waveform import Float32Array

BenchEngine = FiberNetworkEngine | SingleChannelEngine
UNTRAINED = {"random-small": (DAS_SMALL, (256, 3072)), "random-full": (DAS_PLUS, (1024, 4096))}
PEAK_SIDE = 2048
PEAK_RUNS = 8


def build_bench_engine(weights: str, settings: EngineSettings) -> BenchEngine:
    """Load a network, or make an untrained one, which takes as long."""
    if weights not in UNTRAINED:
        return build_fiber_engine(weights, settings)
    options, tile_shape = UNTRAINED[weights]
    torch.manual_seed(0)
    metadata = FiberNetworkMetadata(
        weights, "0", (Quantity.STRAIN_RATE,), 100.0, (1.0, 1000.0), tile_shape, options
    )
    return FiberNetworkEngine(FiberNetwork(PhaseNetDas(options), metadata).eval(), settings)


class TimedFiberEngine:
    """An engine that counts its samples and the time that it takes for them."""

    def __init__(self, engine: BenchEngine) -> None:
        self.inner = engine
        self.busy_s = 0.0
        self.samples = 0
        self.model_version, self.phases = engine.model_version, engine.phases
        self.sampling_rate_hz, self.quantities = engine.sampling_rate_hz, engine.quantities
        self.geometry, self.batch_size = engine.geometry, engine.batch_size
        self.channel_multiple, self.sample_multiple = engine.channel_multiple, engine.sample_multiple
        self.event_step: tuple[int, int] | None = engine.event_step
        self.common_mode, self.spacing_range_m = engine.common_mode, engine.spacing_range_m
        self.description = engine.description
        self.shape = (0, 0)

    @property
    def arithmetic(self) -> tuple[str, torch.dtype]:
        """Device and number type that the network computes with."""
        words = self.description.replace(",", "").split()
        dtype = next((DTYPES[word] for word in words if word in DTYPES), torch.float32)
        return ("cuda" if "cuda" in self.description else "cpu"), dtype

    def warm_up(self) -> None:
        """Run the usual shapes once."""
        self.inner.warm_up()

    def infer(self, tiles_BKT: Float32Array) -> FiberAnswer:
        """Compute the probabilities, and count."""
        began_s = monotonic_s()
        answer = self.inner.infer(tiles_BKT)
        self.busy_s += monotonic_s() - began_s
        self.samples += tiles_BKT.size
        self.shape = (tiles_BKT.shape[1], tiles_BKT.shape[2])
        return answer


def flops_per_tile(engine: TimedFiberEngine) -> float:
    """Count the multiplications and additions of one tile."""
    channels, samples = engine.shape
    if not channels:
        return 0.0
    counter = FlopCounterMode(display=False)
    with torch.inference_mode(), counter:
        if isinstance(engine.inner, FiberNetworkEngine):
            engine.inner.network.architecture(torch.zeros(1, channels, samples))
        else:
            engine.inner.network.architecture(torch.zeros(1, 3, samples))
    one = float(counter.get_total_flops())
    return one if isinstance(engine.inner, FiberNetworkEngine) else one * channels


def measure_peak(device: str, dtype: torch.dtype) -> float:
    """Measure what large matrix products reach: the most that this device does in practice."""
    one = torch.randn(PEAK_SIDE, PEAK_SIDE, device=device, dtype=dtype)
    one @ one
    _wait(device)
    began_s = monotonic_s()
    for _ in range(PEAK_RUNS):
        one @ one
    _wait(device)
    return PEAK_RUNS * 2.0 * PEAK_SIDE**3 / (monotonic_s() - began_s)


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()
