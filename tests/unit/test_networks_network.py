from __future__ import annotations

import numpy as np
import pytest
import torch

from rtpick.networks import load_network
from rtpick.networks.network import build_architecture
from rtpick.networks.phasenet import PhaseNet, stride_padding
from rtpick.vocabulary.errors import NetworkError

NAN = float("nan")


@pytest.fixture(scope="module")
def net():
    return load_network("default")


@pytest.fixture(name="wave_BCT")
def make_wave():
    return torch.randint(-900, 900, (3, 3, 3000), generator=torch.Generator().manual_seed(5)).float()


def test_default_ships_and_says_what_it_wants(net):
    assert net.component_order == "ENZ"
    assert net.phases == ("N", "P", "S")
    assert net.metadata.sampling_rate_hz == 100.0
    assert net.metadata.window_samples == 3000
    assert net.metadata.licence == "Apache-2.0"
    assert net.model_version == f"default-{net.metadata.weights_sha256[:8]}"
    assert not net.training
    assert not any(parameter.requires_grad for parameter in net.parameters())


def test_probabilities_sum_to_one(net, wave_BCT):
    prob_BPT = net(wave_BCT)
    assert prob_BPT.shape == (3, 3, 3000)
    assert prob_BPT.dtype == torch.float32
    assert torch.allclose(prob_BPT.sum(dim=1), torch.ones(3, 3000), atol=1e-5)


def test_nothing_is_noise(net):
    prob_BPT = net(torch.full((2, 3, 3000), NAN))
    assert (prob_BPT[:, 0] == 1).all()
    assert (prob_BPT[:, 1:] == 0).all()


def test_a_gap_is_noise_and_the_rest_stays_finite(net, wave_BCT):
    wave_BCT[1, :, 500:900] = NAN
    wave_BCT[2, 0, 500:900] = NAN
    prob_BPT = net(wave_BCT)
    assert torch.isfinite(prob_BPT).all()
    assert (prob_BPT[1, 0, 500:900] == 1).all()
    assert (prob_BPT[2, 0, 500:900] < 1).any(), "two components are still there"


def test_an_offset_changes_nothing(net, wave_BCT):
    assert (net(wave_BCT + 1e6) - net(wave_BCT)).abs().max() < 1e-4


def test_a_gain_changes_nothing(net, wave_BCT):
    assert (net(wave_BCT * 1e-9) - net(wave_BCT)).abs().max() < 1e-4


def test_windows_do_not_mix(net, wave_BCT):
    alone_BPT = torch.cat([net(wave_BCT[i : i + 1]) for i in range(3)])
    assert torch.allclose(net(wave_BCT), alone_BPT, atol=1e-5)


@pytest.mark.parametrize(
    ("wave", "complaint"),
    [
        (torch.zeros(3, 3000), r"shape \(3, 3000\)"),
        (torch.zeros(1, 2, 3000), r"shape \(1, 2, 3000\)"),
        (torch.zeros(1, 3, 3000, dtype=torch.float64), "convert them to float32"),
    ],
)
def test_other_input_is_refused(net, wave, complaint):
    with pytest.raises(NetworkError, match=complaint):
        net(wave)


@pytest.mark.parametrize("n_samples", [1, 5, 184, 255, 1000, 3000, 3001])
def test_any_length_runs(net, n_samples):
    assert net(torch.randn(1, 3, n_samples)).shape == (1, 3, n_samples)


@pytest.mark.parametrize("n_samples", [1, 2, 3, 4, 5, 12, 47, 188, 750, 3000, 9001])
def test_padding_makes_the_strided_length_a_quarter_rounded_up(n_samples):
    left, right = stride_padding(n_samples)
    assert (n_samples + left + right - 7) // 4 + 1 == -(-n_samples // 4)
    assert 0 <= right - left <= 1


def test_size_is_the_published_one():
    assert sum(parameter.numel() for parameter in PhaseNet().parameters()) == 268_443


def test_unknown_architecture_is_refused():
    with pytest.raises(NetworkError, match="rtpick has phasenet"):
        build_architecture("transformer")


def test_converts_to_openvino(net, wave_BCT):
    openvino = pytest.importorskip("openvino")
    wave_BCT[0, :2] = NAN
    wave_BCT[1, :, 1000:1300] = NAN
    model = openvino.convert_model(net, example_input=wave_BCT[:1], input=[-1, 3, 3000])
    compiled = openvino.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    difference = np.abs(compiled(wave_BCT.numpy())[0] - net(wave_BCT).numpy())
    assert difference.max() < 1e-4
