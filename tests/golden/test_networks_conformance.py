"""The reference PhaseNet, run here, gives the probabilities that its authors' own code gave."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from rtpick.networks import Network, load_network

TOLERANCE = 1e-5
OTHER_LENGTHS = (1000, 1234, 3002, 3003, 4096, 6000)


@pytest.fixture(scope="module")
def weights(shared: Path) -> Path:
    return shared / "data" / "weights"


@pytest.fixture(scope="module")
def reference(weights: Path) -> Network:
    return load_network(weights / "phasenet_ncedc_2019.safetensors")


@pytest.fixture(scope="module")
def public(weights: Path) -> dict[str, NDArray[np.float32]]:
    with np.load(weights / "conformance_public.npz") as archive:
        return {name: archive[name] for name in ("raw", "x", "logits", "probs")}


@pytest.fixture(scope="module")
def lengths(weights: Path) -> dict[str, NDArray[np.float32]]:
    with np.load(weights / "conformance_lengths.npz") as archive:
        return {name: archive[name] for name in archive if archive[name].dtype == np.float32}


def largest_difference(probability: torch.Tensor, expected: NDArray[np.float32]) -> float:
    return float(np.abs(probability.numpy() - expected).max())


def test_normalised_input_gives_the_published_probabilities(reference, public):
    assert (
        largest_difference(reference.probabilities(torch.from_numpy(public["x"])), public["probs"])
        < TOLERANCE
    )


def test_raw_counts_give_the_published_probabilities(reference, public):
    wave_BCT = torch.from_numpy(public["raw"]).transpose(1, 2)
    assert largest_difference(reference(wave_BCT), public["probs"]) < TOLERANCE


def test_missing_components_count_as_the_zeros_of_the_published_input(reference, public):
    wave_BCT = torch.from_numpy(public["raw"]).transpose(1, 2)
    dead_BC1 = (wave_BCT == wave_BCT[..., :1]).all(dim=-1, keepdim=True)
    assert dead_BC1.any(), "the vectors are expected to hold windows of one component"
    wave_BCT = torch.where(dead_BC1, torch.nan, wave_BCT)
    assert largest_difference(reference(wave_BCT), public["probs"]) < TOLERANCE


def test_seisbench_length(reference, lengths):
    probability = reference.probabilities(torch.from_numpy(lengths["x3001"]))
    assert largest_difference(probability, lengths["probs3001"]) < TOLERANCE


@pytest.mark.parametrize("n_samples", OTHER_LENGTHS)
def test_every_other_length(reference, lengths, n_samples):
    wave_BCT = torch.from_numpy(lengths[f"len{n_samples}_x"][:, :, 0]).transpose(1, 2)
    expected = lengths[f"len{n_samples}_p"].transpose(0, 2, 1)
    assert largest_difference(reference.probabilities(wave_BCT), expected) < TOLERANCE


def test_seisbench_files_hold_the_same_weights(reference, weights, lengths):
    network = load_network(weights / "seisbench_original" / "original.pt.v1")
    assert network.metadata.weights_sha256 == reference.metadata.weights_sha256
    assert (network.component_order, network.phases) == ("ENZ", ("N", "P", "S"))
    probability = network.probabilities(torch.from_numpy(lengths["x3001"]))
    assert largest_difference(probability, lengths["probs3001"]) < TOLERANCE


def test_json_of_the_pair_names_the_same_network(weights):
    folder = weights / "seisbench_original"
    by_json = load_network(folder / "original.json.v1")
    assert by_json.model_version == load_network(folder / "original.pt.v1").model_version


def test_openvino_agrees_in_float32(reference, public):
    openvino = pytest.importorskip("openvino")
    wave_BCT = torch.from_numpy(public["raw"]).transpose(1, 2).contiguous()
    model = openvino.convert_model(reference, example_input=wave_BCT[:1], input=[-1, 3, 3000])
    compiled = openvino.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    assert np.abs(compiled(wave_BCT.numpy())[0] - public["probs"]).max() < 1e-4
