from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from rtpick.networks.metadata import NetworkMetadata
from rtpick.networks.network import Network
from rtpick.networks.phasenet import PhaseNet
from rtpick.networks.preprocess import Normalisation
from rtpick.picking import engine as engine_module
from rtpick.picking.engine import Engine
from rtpick.picking.engine_golden import golden_batch
from rtpick.settings.schema import EngineSettings
from rtpick.vocabulary.errors import NetworkError, SettingsError

METADATA = NetworkMetadata(
    name="tiny",
    architecture="phasenet",
    version="0",
    component_order="ENZ",
    phases=("N", "P", "S"),
    sampling_rate_hz=100.0,
    window_samples=440,
    quantity="counts",
    normalisation=Normalisation(),
)
TORCH = EngineSettings(backend="torch", device="cpu", precision="float32")


def build_network(seed: int = 0, **changes) -> Network:
    torch.manual_seed(seed)
    network = Network(PhaseNet(), replace(METADATA, weights_sha256=f"{seed:064x}", **changes)).eval()
    with torch.no_grad():
        network.architecture.output.conv.weight *= 20
    return network


@pytest.fixture(scope="module")
def network():
    return build_network()


@pytest.fixture(scope="module", name="wave_BCT")
def make_waves():
    rng = np.random.default_rng(1)
    wave_BCT = (rng.standard_normal((11, 3, 440)) * 40 + 1e5).astype(np.float32)
    wave_BCT[1, 0] = np.nan
    wave_BCT[2, :, 100:200] = np.nan
    wave_BCT[3] = np.nan
    wave_BCT[4, 1, ::5] = np.nan
    wave_BCT[5, 2] = 7.0
    return wave_BCT


BACKENDS = [
    pytest.param(EngineSettings(backend="torch", device="cpu"), 1e-6, id="torch"),
    pytest.param(
        EngineSettings(backend="openvino", device="cpu", precision="float32"), 1e-5, id="openvino"
    ),
    pytest.param(
        EngineSettings(backend="openvino", device="cpu", precision="bfloat16"),
        0.05,
        id="openvino-bfloat16",
        marks=pytest.mark.hardware,
    ),
    pytest.param(
        EngineSettings(device="cuda", precision="float16"), 0.03, id="cuda", marks=pytest.mark.gpu
    ),
]


def capabilities(openvino):
    return openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def make_engine(network, settings):
    if settings.backend == "openvino":
        openvino = pytest.importorskip("openvino")
        if settings.precision == "bfloat16" and "BF16" not in capabilities(openvino):
            pytest.skip("this processor does not compute in bfloat16")
    if settings.device == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    return Engine(network, settings)


@pytest.mark.parametrize(("settings", "tolerance"), BACKENDS)
def test_every_backend_gives_what_the_network_gives_missing_samples_included(
    network, wave_BCT, settings, tolerance
):
    engine = make_engine(network, settings)
    engine.warm_up()
    before = wave_BCT.copy()
    with torch.inference_mode():
        expected = network(torch.from_numpy(wave_BCT)).numpy()[:, 1:]
    found = engine.infer(wave_BCT)
    assert engine.phases == ("P", "S")
    assert expected.max() - expected.min() > 0.1
    np.testing.assert_allclose(found, expected, atol=tolerance)
    np.testing.assert_array_equal(wave_BCT, before)
    assert (found[3] == 0).all()
    assert (found[2, :, 100:200] == 0).all()


@pytest.mark.parametrize(("settings", "tolerance"), BACKENDS[:2])
@pytest.mark.parametrize("size", [1, 2, 5, 11])
def test_on_a_cpu_a_window_does_not_know_its_batch(network, wave_BCT, settings, tolerance, size):
    del tolerance
    engine = make_engine(network, settings)
    parts = [engine.infer(wave_BCT[i : i + size]) for i in range(0, len(wave_BCT), size)]
    np.testing.assert_array_equal(np.concatenate(parts), engine.infer(wave_BCT))


def test_no_windows_give_no_probabilities(network):
    assert Engine(network, TORCH).infer(np.zeros((0, 3, 440), np.float32)).shape == (0, 2, 440)


def test_windows_of_another_shape_are_refused(network):
    with pytest.raises(NetworkError, match="the network takes"):
        Engine(network, TORCH).infer(np.zeros((1, 3, 441), np.float32))


class Cramped:
    """A backend with room for a few windows only."""

    name, precision, buckets = "cramped", "float32", (1, 4, 16)

    def __init__(self, network, room):
        self.network, self.room, self.runs = network, room, []

    def start(self, wave_BCT):
        self.runs.append(len(wave_BCT))
        if len(wave_BCT) > self.room:
            raise MemoryError("full")
        with torch.inference_mode():
            prob_BPT = self.network(torch.from_numpy(wave_BCT)).numpy()[:, 1:]
        return lambda: prob_BPT


def test_a_batch_is_split_when_memory_runs_out_and_stays_split(network, wave_BCT, monkeypatch):
    backend = Cramped(network, room=4)
    monkeypatch.setattr(engine_module, "build_backend", lambda *_: backend)
    engine = Engine(network, EngineSettings())
    many_BCT = np.concatenate([wave_BCT, wave_BCT])
    found = engine.infer(many_BCT)
    with torch.inference_mode():
        expected = network(torch.from_numpy(many_BCT)).numpy()[:, 1:]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert engine.memory_splits == 1
    backend.runs.clear()
    engine.infer(many_BCT)
    assert max(backend.runs) == 4


def test_memory_that_does_not_hold_one_window_is_an_error(network, monkeypatch):
    backend = Cramped(network, room=1)
    monkeypatch.setattr(engine_module, "build_backend", lambda *_: backend)
    engine = Engine(network, EngineSettings())
    backend.room = 0
    with pytest.raises(MemoryError):
        engine.infer(np.zeros((1, 3, 440), np.float32))


def test_a_swap_changes_the_network_between_two_batches(network, wave_BCT):
    engine = Engine(network, TORCH)
    other = build_network(seed=5)
    engine.swap(other)
    with torch.inference_mode():
        expected = other(torch.from_numpy(wave_BCT)).numpy()[:, 1:]
    np.testing.assert_allclose(engine.infer(wave_BCT), expected, atol=1e-6)
    assert engine.model_version == other.model_version


@pytest.mark.parametrize(
    "changes", [{"component_order": "ZNE"}, {"sampling_rate_hz": 50.0}, {"window_samples": 696}]
)
def test_a_network_of_other_windows_is_not_swapped_in(network, wave_BCT, changes):
    engine = Engine(network, TORCH)
    before = engine.infer(wave_BCT)
    with pytest.raises(NetworkError, match=rf"{next(iter(changes))}.*needs a restart"):
        engine.swap(build_network(seed=6, **changes))
    np.testing.assert_array_equal(engine.infer(wave_BCT), before)
    assert engine.model_version == network.model_version


class Lying(Cramped):
    def start(self, wave_BCT):
        prob_BPT = super().start(wave_BCT)()
        return lambda: prob_BPT + np.float32(0.2)


def test_a_backend_that_lies_is_found_out_before_it_is_used(network, monkeypatch):
    monkeypatch.setattr(engine_module, "build_backend", lambda *_: Lying(network, 99))
    with pytest.raises(NetworkError, match=r"set engine\.precision to float32"):
        Engine(network, EngineSettings())


def test_a_broken_network_leaves_the_running_one_in_force(network, wave_BCT, monkeypatch):
    engine = Engine(network, TORCH)
    before = engine.infer(wave_BCT)
    monkeypatch.setattr(engine_module, "build_backend", lambda net, _: Lying(net, 99))
    with pytest.raises(NetworkError):
        engine.swap(build_network(seed=7))
    np.testing.assert_array_equal(engine.infer(wave_BCT), before)


def test_the_golden_batch_is_always_the_same_and_has_gaps():
    one, other = golden_batch(3, 440), golden_batch(3, 440)
    np.testing.assert_array_equal(one, other)
    assert np.isnan(one[2, 0]).all()
    assert np.isnan(one[3]).any()
    assert not np.isnan(one[:2]).any()


@pytest.mark.hardware
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (EngineSettings(device="cuda"), "finds no CUDA device"),
        (EngineSettings(backend="openvino", precision="float16"), "precision is float16|gives"),
    ],
)
def test_what_is_not_to_be_had_is_said(network, settings, message):
    if settings.device == "cuda" and torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    if settings.precision == "float16":
        openvino = pytest.importorskip("openvino")
        if "FP16" in capabilities(openvino):
            pytest.skip("this processor computes in float16")
    with pytest.raises((SettingsError, NetworkError), match=message):
        Engine(network, settings)
