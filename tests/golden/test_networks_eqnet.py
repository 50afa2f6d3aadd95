"""The newer U-Nets, built here, answer what their own package answered with the same weights."""

from __future__ import annotations

import json
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from rtpick.networks.eqnet_options import DAS, DAS_PLUS, STATION, STATION_PLUS, UNetOptions
from rtpick.networks.eqnet_unet import UNet, UNetAnswer
from rtpick.networks.phasenet_das import PhaseNetDas

# Logits reach 150 here; float32 carries 7 digits through some thirty convolutions.
RELATIVE_TOLERANCE = 2e-6
NETWORKS = {
    "das": DAS,
    "das_plus": DAS_PLUS,
    "das_plus_midattn": replace(DAS_PLUS, attend_at_middle=True),
    "das_plus_mn_log": replace(DAS_PLUS, log_scale=True, moving_norm=(1024, 256)),
    "plus": STATION_PLUS,
    "phasenet": STATION,
}
WITH_MIDDLE = {
    9_317_283: replace(DAS, attend_at_middle=True),
    9_401_413: replace(DAS_PLUS, attend_at_middle=True),
    2_278_691: replace(STATION, attend_at_middle=True),
    2_315_910: replace(STATION_PLUS, attend_at_middle=True),
}


@pytest.fixture(scope="module")
def tables(shared: Path) -> dict[str, Any]:
    text = (shared / "data" / "weights" / "eqnet_state_dicts.json").read_text("utf-8")
    return json.loads(text)["models"]


@pytest.fixture(scope="module")
def reference(shared: Path) -> dict[str, NDArray[np.float32]]:
    with np.load(shared / "data" / "weights" / "eqnet_forward_conformance.npz") as archive:
        return {name: archive[name] for name in archive}


def weight_of_formula(name: str, shape: tuple[int, ...]) -> torch.Tensor:
    seed = zlib.crc32(name.encode()) & 0x7FFFFFFF
    value = np.random.RandomState(seed).standard_normal(shape).astype(np.float32)
    if name.endswith(("gamma", ".g", "q_scale", "k_scale")):
        value = 1 + np.float32(0.1) * value
    elif name.endswith("bias"):
        value = np.float32(0.1) * value
    elif not name.endswith("null_kv"):
        value = (value / np.sqrt(np.prod(shape[1:])) * 1.4).astype(np.float32)
    return torch.from_numpy(np.asarray(value))


def network_of_formula(options: UNetOptions) -> UNet:
    network = UNet(options).eval()
    state = {
        name: weight_of_formula(f"backbone.{name}", tuple(tensor.shape))
        for name, tensor in network.state_dict().items()
    }
    network.load_state_dict(state)
    return network


def input_of(name: str) -> torch.Tensor:
    shape = (2, 3, 1, 4096) if name in ("plus", "phasenet") else (1, 1, 256, 512)
    if name == "das_plus_mn_log":
        shape = (1, 1, 256, 2048)
    return torch.from_numpy(np.random.RandomState(1234).standard_normal(shape).astype(np.float32))


def as_stored(answer: UNetAnswer) -> dict[str, NDArray[np.float32]]:
    heads = {
        "phase": answer.phase_BPKT,
        "event_center": answer.event_center_BKT,
        "event_time": answer.event_time_BKT,
        "polarity": answer.polarity_BKT,
    }
    arrays = {name: head.detach().numpy() for name, head in heads.items() if head is not None}
    arrays = {name: a if a.ndim == 4 else a[:, None] for name, a in arrays.items()}
    return {name: a[..., ::8, ::8] if a.shape[2] > 32 else a for name, a in arrays.items()}


@pytest.mark.parametrize("name", NETWORKS)
def test_tensors_have_the_published_names_and_shapes(name, tables):
    state = PhaseNetDas(NETWORKS[name]).state_dict()
    assert {key: list(tensor.shape) for key, tensor in state.items()} == tables[name]["keys"]
    assert sum(tensor.numel() for tensor in state.values()) == tables[name]["n_parameters"]


@pytest.mark.parametrize("count", WITH_MIDDLE)
def test_attention_in_the_middle_has_the_published_number_of_parameters(count):
    assert sum(p.numel() for p in UNet(WITH_MIDDLE[count]).parameters()) == count


@pytest.mark.parametrize("name", NETWORKS)
def test_the_forward_pass_is_the_published_one(name, reference):
    with torch.inference_mode():
        found = as_stored(network_of_formula(NETWORKS[name])(input_of(name)))
    wanted = {key.partition(".")[2]: a for key, a in reference.items() if key.partition(".")[0] == name}
    assert found.keys() == wanted.keys()
    for head, array in wanted.items():
        assert found[head].shape == array.shape
        assert np.abs(found[head] - array).max() <= RELATIVE_TOLERANCE * np.abs(array).max(), head


def test_probabilities_are_the_published_ones(reference):
    with torch.inference_mode():
        answer = network_of_formula(DAS_PLUS)(input_of("das_plus"))
    found = torch.softmax(answer.phase_BPKT, dim=1)[..., ::8, ::8]
    wanted = torch.softmax(torch.from_numpy(reference["das_plus.phase"]), dim=1)
    assert float((found - wanted).abs().max()) < 2e-5
    center = torch.sigmoid(answer.event_center_BKT)
    wanted = torch.sigmoid(torch.from_numpy(reference["das_plus.event_center"][:, 0]))
    assert float((center - wanted).abs().max()) < 1e-5
