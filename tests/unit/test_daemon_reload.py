"""SIGHUP: what is applied at once, what is refused, and what is left for a restart."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from rtpick.daemon.reload import LIVE_PICKING_KEYS, Reloader, with_live_keys
from rtpick.networks import Network, load_network
from rtpick.networks.weights import write_network
from rtpick.settings.load import load_settings
from rtpick.settings.schema import LoggingSettings, PickingSettings
from rtpick.telemetry.logs import configure_logging
from rtpick.vocabulary.errors import NetworkError

LOG = configure_logging(LoggingSettings(level="error"))


class Engine:
    """What a reload does to an engine."""

    def __init__(self) -> None:
        self.model_version = load_network("default").model_version
        self.swaps: list[str] = []
        self.refuses = False

    def swap(self, network: Network) -> None:
        if self.refuses:
            raise NetworkError("made for another rate")
        self.model_version = network.model_version
        self.swaps.append(network.model_version)


class Picker:
    """What a reload does to a picker."""

    def __init__(self) -> None:
        self.engine = Engine()
        self.tuned: list[PickingSettings] = []

    def retune(self, settings: PickingSettings) -> None:
        self.tuned.append(settings)


class Orders:
    """Orders wait until the picker's thread comes to them."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[Picker], None]] = []

    def order(self, change: Callable[[Picker], None]) -> None:
        self.waiting.append(change)

    def obey(self, picker: Picker) -> None:
        while self.waiting:
            self.waiting.pop(0)(picker)


@pytest.fixture(scope="module")
def other_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped network with one number changed."""
    network = load_network("default")
    with torch.no_grad():
        next(network.architecture.parameters()).view(-1)[0] += 1e-3
    path = tmp_path_factory.mktemp("weights") / "other.safetensors"
    write_network(network.architecture, network.metadata, path)
    return path


@pytest.fixture
def configuration(tmp_path: Path) -> Callable[..., Path]:
    def write(**picking: object) -> Path:
        path = tmp_path / "rtpick.yaml"
        keys = "".join(f"  {name}: {value}\n" for name, value in picking.items())
        path.write_text(
            "sources:\n  - {type: archive, name: files, path: x}\ninventory:\n  files: [stations.csv]\n"
            + ("picking:\n" + keys if keys else "")
        )
        return path

    return write


def start(path: Path) -> tuple[Reloader, Orders, Picker]:
    orders = Orders()
    return Reloader(path, load_settings(path), orders, LOG), orders, Picker()  # type: ignore[arg-type]


def test_only_live_keys_reach_the_picker(configuration):
    reloader, orders, picker = start(configuration())
    configuration(
        p_threshold=0.4, minimum_rise=0.1, stride_samples=64, stacking="max", guard_s=2.0,
        minimum_distance_s=3.0, gap_guard_s=9.0, clip_before_s=1.0, waiting_windows=300,
    )  # fmt: skip
    reloader.reload()
    orders.obey(picker)
    (tuned,) = picker.tuned
    assert tuned == PickingSettings(p_threshold=0.4, minimum_rise=0.1)


def test_every_other_key_stays_as_it_runs():
    fresh = PickingSettings.model_construct(**dict.fromkeys(PickingSettings.model_fields, "changed"))
    mixed = with_live_keys(PickingSettings(), fresh)
    changed = {name for name in PickingSettings.model_fields if getattr(mixed, name) == "changed"}
    assert changed == LIVE_PICKING_KEYS


def test_two_reloads_in_a_row_end_with_the_last(configuration, other_weights):
    reloader, orders, picker = start(configuration())
    first = picker.engine.model_version
    configuration(weights=other_weights)
    reloader.reload()
    configuration(weights="default")
    reloader.reload()
    orders.obey(picker)
    assert len(picker.engine.swaps) == 2
    assert picker.engine.model_version == first


def test_a_file_of_weights_replaced_under_its_name_is_taken(configuration, other_weights, tmp_path):
    weights = tmp_path / "mine.safetensors"
    network = load_network("default")
    write_network(network.architecture, network.metadata, weights)
    reloader, orders, picker = start(configuration(weights=weights))
    reloader.reload()
    orders.obey(picker)
    assert picker.engine.swaps == []
    for ending in (".safetensors", ".json"):
        weights.with_suffix(ending).write_bytes(other_weights.with_suffix(ending).read_bytes())
    reloader.reload()
    orders.obey(picker)
    assert picker.engine.swaps == [load_network(other_weights).model_version]


def test_weights_that_the_engine_refuses_change_nothing(configuration, other_weights):
    reloader, orders, picker = start(configuration())
    picker.engine.refuses = True
    configuration(weights=other_weights, p_threshold=0.9)
    reloader.reload()
    orders.obey(picker)
    assert picker.tuned == []


def test_a_mistake_leaves_the_running_configuration(configuration):
    reloader, orders, _picker = start(configuration())
    configuration(p_threshold=7)
    reloader.reload()
    configuration(weights="no-such-file")
    reloader.reload()
    assert orders.waiting == []
