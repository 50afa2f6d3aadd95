from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from rtpick.networks import NetworkMetadata, load_network
from rtpick.networks.load import shipped_names
from rtpick.networks.metadata import parse_metadata
from rtpick.networks.phasenet import PhaseNet
from rtpick.networks.preprocess import Normalisation
from rtpick.networks.weights import fingerprint, write_network
from rtpick.vocabulary.errors import NetworkError, WeightsError

METADATA = NetworkMetadata(
    name="tiny",
    architecture="phasenet",
    version="1",
    component_order="ZNE",
    phases=("P", "S", "N"),
    sampling_rate_hz=100.0,
    window_samples=3000,
    quantity="velocity",
    normalisation=Normalisation("peak", 1, 1e-6, False, False),
    blinding_samples=(5, 7),
    licence="Apache-2.0",
    description="random",
)


@pytest.fixture
def written(tmp_path: Path) -> Path:
    torch.manual_seed(11)
    path = tmp_path / "tiny.safetensors"
    write_network(PhaseNet(), METADATA, path)
    return path


def edit_json(path: Path, **changes: object) -> None:
    sidecar = path.with_suffix(".json")
    content = json.loads(sidecar.read_text()) | changes
    sidecar.write_text(json.dumps({key: value for key, value in content.items() if value is not None}))


def edit_tensors(path: Path, **changes: torch.Tensor | None) -> None:
    state = {**load_file(path), **changes}
    save_file({key: value for key, value in state.items() if value is not None}, path)
    kept = {key: value for key, value in state.items() if value is not None}
    edit_json(path, weights_sha256=fingerprint(kept))


def test_what_is_written_is_read_back(written):
    network = load_network(written)
    assert replace(network.metadata, weights_sha256="0" * 64) == METADATA
    assert network.phases == ("P", "S", "N")
    assert fingerprint(network.architecture.state_dict()) == network.metadata.weights_sha256


def test_the_order_of_phases_is_the_one_of_the_output(written):
    prob_BPT = load_network(written)(torch.full((1, 3, 300), float("nan")))
    assert prob_BPT[0, :, 0].tolist() == [0.0, 0.0, 1.0]


def test_version_follows_the_weights_alone(written, tmp_path):
    network = load_network(written)
    again = write_network(network.architecture, replace(METADATA, licence="MIT"), tmp_path / "b.safetensors")
    assert again.weights_sha256 == network.metadata.weights_sha256
    with torch.no_grad():
        network.architecture.output.conv.bias[0] += 1e-3
    changed = write_network(network.architecture, METADATA, tmp_path / "c.safetensors")
    assert changed.weights_sha256 != again.weights_sha256


def test_shipped_names_hold_the_default():
    assert "default" in shipped_names()


def refusal(path: Path | str) -> str:
    with pytest.raises(WeightsError) as caught:
        load_network(path)
    message = str(caught.value)
    assert Path(path).name.split(".")[0] in message, "the message must name the file"
    return message


def test_unknown_name_lists_what_there_is():
    assert "default" in refusal("defualt")


def test_missing_weights(tmp_path):
    assert "missing" in refusal(tmp_path / "nowhere.safetensors")


def test_missing_sidecar(written):
    written.with_suffix(".json").unlink()
    assert "metadata beside" in refusal(written)


@pytest.mark.parametrize("damage", [b"", b"\x00" * 200, b"not weights at all"])
def test_damaged_weights(written, damage):
    written.write_bytes(damage)
    assert "fetch the file again" in refusal(written)


def test_truncated_weights(written):
    written.write_bytes(written.read_bytes()[:-1000])
    assert "damaged" in refusal(written)


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", "\x00"])
def test_damaged_sidecar(written, text):
    written.with_suffix(".json").write_text(text)
    assert "JSON" in refusal(written)


def test_unknown_key_of_the_sidecar(written):
    edit_json(written, sampling_rate=100)
    assert "unknown keys sampling_rate" in refusal(written)


def test_missing_key_of_the_sidecar(written):
    edit_json(written, phases=None)
    assert "lacks phases" in refusal(written)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"component_order": "ENE"}, "component_order is 'ENE'"),
        ({"phases": ["P", "S"]}, "phases is 'PS'"),
        ({"sampling_rate_hz": 0}, "positive rate"),
        ({"sampling_rate_hz": "fast"}, "correct the file"),
        ({"window_samples": 0}, "positive number"),
        ({"blinding_samples": [2000, 1000]}, "leave nothing"),
        ({"blinding_samples": 3}, "correct the file"),
        ({"normalisation": "std"}, "must be a JSON object"),
        ({"normalisation": {"kind": "std"}}, "lacks ddof"),
        ({"architecture": "transformer"}, "says 'transformer'"),
    ],
)
def test_wrong_values_of_the_sidecar(written, changes, complaint):
    edit_json(written, **changes)
    assert complaint in refusal(written)


def test_component_order_that_contradicts_the_weights(written):
    edit_json(written, component_order="ENZ")
    assert "written with component_order 'ZNE'" in refusal(written)


def test_weights_of_another_sidecar(written):
    edit_json(written, weights_sha256="1" * 64)
    assert "weights_sha256 differs" in refusal(written)


def test_tensors_that_do_not_fit(written):
    original = load_file(written)
    edit_tensors(written, **{"output.conv.weight": torch.zeros(4, 8, 1)})
    assert "output.conv.weight is (4, 8, 1), not (3, 8, 1)" in refusal(written)
    edit_tensors(written, **original, **{"extra.weight": torch.zeros(1)})
    assert "unknown tensor 'extra.weight'" in refusal(written)
    edit_tensors(written, **{**original, "extra.weight": None, "up.0.bn.bias": None})
    assert "no tensor 'up.0.bn.bias'" in refusal(written)


def test_weights_that_are_not_finite(written):
    edit_tensors(written, **{"output.conv.bias": torch.tensor([0.0, float("nan"), 0.0])})
    assert "not finite" in refusal(written)


def test_metadata_refuses_what_cannot_be():
    with pytest.raises(NetworkError, match="component_order"):
        replace(METADATA, component_order="XYZ")
    content = json.loads(json.dumps(asdict(METADATA)))
    assert parse_metadata(content, Path("somewhere.json")) == METADATA
