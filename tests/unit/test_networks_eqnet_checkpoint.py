"""Checkpoints of EQNet's training are read, and nothing in them is run."""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
import torch

from rtpick.networks import FiberNetwork, Network, load_any_network, load_fiber_network, load_network
from rtpick.networks.eqnet_options import DAS, DAS_PLUS, STATION_PLUS, UNetOptions
from rtpick.networks.phasenet_das import PhaseNetDas
from rtpick.vocabulary.errors import WeightsError

CONFIG: dict[str, Any] = {
    "backbone": "phasenet_das",
    "log_scale": False,
    "moving_norm": None,
    "attend_at_middle": False,
    "rope_base_nx": None,
    "rope_base_nt": 205.0,
    "event_center_loss_weight": 1.0,
}


class Hostile:
    def __init__(self, victim: Path) -> None:
        self.victim = victim

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.victim}",)


@lru_cache(maxsize=4)
def random_state(options: UNetOptions, seed: int) -> dict[str, torch.Tensor]:
    torch.manual_seed(seed)
    return PhaseNetDas(options).state_dict()


def checkpoint(state: dict[str, torch.Tensor], **changes: Any) -> dict[str, Any]:
    model = torch.nn.Linear(2, 2)
    optimizer = torch.optim.AdamW(model.parameters())
    content = {
        "model": state,
        "model_config": CONFIG,
        "optimizer": optimizer.state_dict(),
        "lr_scheduler": torch.optim.lr_scheduler.LinearLR(optimizer).state_dict(),
        "global_step": 50_000,
        "args": argparse.Namespace(lr=1e-4, nx=2048, nt=4096, workers=4, resume=None, plus=[1, 2]),
    }
    return {key: value for key, value in {**content, **changes}.items() if value is not None}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model_50000.pth"


def test_the_mean_weights_are_taken_where_there_are_any(path):
    last, mean = random_state(DAS_PLUS, 1), random_state(DAS_PLUS, 2)
    averaged = {"n_averaged": torch.tensor(7), **{f"module.{k}": v for k, v in mean.items()}}
    torch.save(checkpoint(last, model_ema=averaged, model_ema_weights=mean), path)
    network = load_fiber_network(path)
    assert isinstance(network, FiberNetwork)
    assert network.metadata.options == DAS_PLUS
    assert network.model_version.startswith("model_50000-")
    found = network.architecture.state_dict()
    assert all(torch.equal(found[name], tensor) for name, tensor in mean.items())
    torch.save(checkpoint(last, model_ema=averaged), path)
    assert load_fiber_network(path).model_version == network.model_version
    torch.save(checkpoint(last), path)
    assert load_fiber_network(path).model_version != network.model_version


@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module."])
@pytest.mark.parametrize("bare", [True, False])
def test_what_training_puts_before_names_is_stripped(path, prefix, bare):
    state = random_state(DAS, 1)
    renamed = {prefix + (k.removeprefix("backbone.") if bare else k): v for k, v in state.items()}
    torch.save(checkpoint(renamed), path)
    found = load_fiber_network(path).architecture.state_dict()
    assert all(torch.equal(found[name], tensor) for name, tensor in state.items())


def test_switches_come_from_the_configuration(path):
    options = replace(DAS, attend_at_middle=True, log_scale=True, moving_norm=(1024, 256))
    config = {**CONFIG, "attend_at_middle": True, "log_scale": True, "moving_norm": (1024, 256)}
    torch.save(checkpoint(random_state(options, 1), model_config=config), path)
    assert load_fiber_network(path).metadata.options == options


def test_a_configuration_that_contradicts_the_tensors_is_refused(path):
    torch.save(checkpoint(random_state(replace(DAS, attend_at_middle=True), 1)), path)
    with pytest.raises(WeightsError, match=r"unknown tensor 'backbone\.mid_attn"):
        load_fiber_network(path)


def test_a_station_network_is_one(path):
    torch.save(checkpoint(random_state(STATION_PLUS, 1)), path)
    network = load_network(path)
    assert isinstance(network, Network)
    assert network(torch.randn(1, 3, 1000)).shape == (1, 3, 1000)
    with pytest.raises(WeightsError, match="a fiber needs another"):
        load_fiber_network(path)


def test_a_plain_state_dictionary_is_read(path):
    torch.save(random_state(DAS, 1), path)
    assert isinstance(load_any_network(path), FiberNetwork)
    with pytest.raises(WeightsError, match="a station needs another"):
        load_network(path)


def test_a_hostile_pickle_is_refused_and_not_run(path, tmp_path):
    victim = tmp_path / "victim"
    torch.save(checkpoint(random_state(DAS, 1), args=Hostile(victim)), path)
    with pytest.raises(WeightsError, match="cannot be read safely") as caught:
        load_fiber_network(path)
    assert "posix.system" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not victim.exists()
    assert argparse.Namespace not in torch.serialization.get_safe_globals()


def test_a_namespace_with_something_hostile_inside_is_refused_too(path, tmp_path):
    victim = tmp_path / "victim"
    args = argparse.Namespace(lr=1e-4, extra=Hostile(victim))
    torch.save(checkpoint(random_state(DAS, 1), args=args), path)
    with pytest.raises(WeightsError, match="cannot be read safely"):
        load_fiber_network(path)
    assert not victim.exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([1, 2], "holds list"),
        ({"model": 5}, "no state dictionary"),
        ({"model": {"a": 1.0}}, "no state dictionary of tensors"),
        ({"model": {"init_conv.weight": torch.zeros(16, 2, 3, 3)}}, "no architecture that rtpick reads"),
        ({"model": {"init_conv.weight": torch.zeros(3)}}, "no architecture that rtpick reads"),
        ({"model": {"weight": torch.zeros(3)}}, "no architecture that rtpick reads"),
        (
            {"model": {"init_conv.weight": torch.zeros(16, 1, 7, 7)}, "model_config": {"rope_base_nx": 5.0}},
            "rotary positions",
        ),
        ({"model": {"init_conv.weight": torch.zeros(16, 1, 7, 7)}, "model_config": 3}, "no architecture"),
        ({"model": {"init_conv.weight": torch.zeros(16, 1, 7, 7)}}, "no tensor"),
    ],
)
def test_anything_else_is_one_clear_error(path, content, words):
    torch.save(content, path)
    with pytest.raises(WeightsError, match=words) as caught:
        load_any_network(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut", b"\x80\x02X", b"text\n" * 100])
def test_a_damaged_file_is_one_clear_error(path, content):
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="cannot be read safely"):
        load_any_network(path)


def test_a_missing_file_is_named(path):
    with pytest.raises(WeightsError, match=r"model_50000\.pth are missing"):
        load_any_network(path)
