"""SeisBench's pair of files, made here from random weights."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch

from rtpick.networks import load_network
from rtpick.networks.phasenet import PhaseNet
from rtpick.networks.weights import fingerprint
from rtpick.vocabulary.errors import WeightsError

ARGUMENTS = {"component_order": "ZNE", "phases": "PSN", "norm": "std", "sampling_rate": 100}
DOWN = {"conv": 0, "bn": 1, "stride_conv": 2, "stride_bn": 3}
UP = {"deconv": 0, "deconv_bn": 1, "conv": 2, "bn": 3}
STEM = {"input.conv": "inc", "input.bn": "in_bn", "output.conv": "out"}


def foreign_name(name: str) -> str:
    module, _, parameter = name.rpartition(".")
    if module in STEM:
        return f"{STEM[module]}.{parameter}"
    match = re.fullmatch(r"(down|up)\.(\d)\.(\w+)", module)
    side, level, part = match[1], int(match[2]), match[3]
    if side == "down":
        return f"down_branch.{level}.{DOWN[part]}.{parameter}"
    return f"up_branch.{3 - level}.{UP[part]}.{parameter}"


@pytest.fixture
def pair(tmp_path: Path) -> Path:
    torch.manual_seed(4)
    state = {foreign_name(name): value for name, value in PhaseNet().state_dict().items()}
    torch.save(state, tmp_path / "mine.pt.v2")
    content = {"docstring": "made up", "model_args": ARGUMENTS, "default_args": {"blinding": [3, 4]}}
    (tmp_path / "mine.json.v2").write_text(json.dumps(content))
    return tmp_path / "mine.pt.v2"


def edit(pair: Path, **arguments: object) -> None:
    path = pair.with_name("mine.json.v2")
    content = json.loads(path.read_text())
    content["model_args"] |= arguments
    path.write_text(json.dumps(content))


def test_weights_and_metadata_arrive(pair):
    torch.manual_seed(4)
    expected = PhaseNet().state_dict()
    network = load_network(pair)
    assert network.metadata.weights_sha256 == fingerprint(expected)
    assert (network.component_order, network.phases) == ("ZNE", ("P", "S", "N"))
    assert network.metadata.blinding_samples == (3, 4)
    assert (network.metadata.version, network.metadata.name) == ("2", "mine")
    rule = network.metadata.normalisation
    assert (rule.kind, rule.ddof, rule.epsilon, rule.rescale_missing) == ("std", 1, 1e-10, False)


@pytest.mark.parametrize("lost", ["mine.pt.v2", "mine.json.v2"])
def test_half_a_pair(pair, lost):
    pair.with_name(lost).unlink()
    with pytest.raises(WeightsError, match=f"{re.escape(lost)}.* missing"):
        load_network(pair)


@pytest.mark.parametrize("damage", [b"", b"nonsense", b"PK\x03\x04broken"])
def test_damaged_weights(pair, damage):
    pair.write_bytes(damage)
    with pytest.raises(WeightsError, match=r"mine\.pt\.v2.*fetch them again"):
        load_network(pair)


def test_nothing_is_unpickled(pair, tmp_path):
    torch.save({"weights": Path("/tmp")}, pair)
    with pytest.raises(WeightsError, match="no plain tensors"):
        load_network(pair)


def test_other_things_than_tensors(pair):
    torch.save({"epoch": 3}, pair)
    with pytest.raises(WeightsError, match="export the state dictionary alone"):
        load_network(pair)


def test_another_network(pair):
    torch.save({"encoder.convs.0.weight": torch.zeros(1)}, pair)
    with pytest.raises(WeightsError, match="give PhaseNet's file"):
        load_network(pair)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"norm_detrend": True}, "norm_detrend"),
        ({"filter_args": ["highpass"]}, "filter_args"),
        ({"norm": "median"}, "'std' or 'peak'"),
        ({"phases": "PSX"}, "phases"),
        ({"component_order": "Z"}, "component_order"),
    ],
)
def test_what_is_not_done_here_is_refused(pair, arguments, complaint):
    edit(pair, **arguments)
    with pytest.raises(WeightsError, match=f"mine.json.v2.*{complaint}"):
        load_network(pair)


def test_json_of_something_else(pair):
    pair.with_name("mine.json.v2").write_text("{}")
    with pytest.raises(WeightsError, match="not the JSON of a SeisBench model"):
        load_network(pair)
