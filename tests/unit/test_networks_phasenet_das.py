"""A network for fibers: its answer, its metadata, its files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rtpick.networks import FiberNetwork, FiberNetworkMetadata, PhaseNetDas, load_fiber_network, load_network
from rtpick.networks.eqnet_options import DAS_SMALL, UNetOptions
from rtpick.networks.phasenet_das_weights import write_fiber_network
from rtpick.vocabulary.errors import NetworkError, WeightsError
from rtpick.vocabulary.fiber import FiberLayout, Quantity

TINY = UNetOptions(
    stem_width=4, widths=(4, 16, 16), strides=((2, 4), (2, 4), (2, 2)), kernel=(3, 3), event_heads=True
)
METADATA = FiberNetworkMetadata(
    name="tiny",
    version="1",
    quantities=(Quantity.STRAIN_RATE, Quantity.STRAIN),
    sampling_rate_hz=100.0,
    channel_spacing_range_m=(1.0, 20.0),
    tile_shape=(64, 512),
    options=TINY,
    licence="Apache-2.0",
)


@pytest.fixture(scope="module")
def network() -> FiberNetwork:
    torch.manual_seed(3)
    return FiberNetwork(PhaseNetDas(TINY), METADATA).eval()


@pytest.fixture
def written(tmp_path: Path) -> Path:
    torch.manual_seed(3)
    write_fiber_network(PhaseNetDas(TINY), METADATA, tmp_path / "tiny.safetensors")
    return tmp_path / "tiny.safetensors"


def edit_json(path: Path, **changes: object) -> None:
    sidecar = path.with_suffix(".json")
    sidecar.write_text(json.dumps(json.loads(sidecar.read_text()) | changes))


@settings(max_examples=15, deadline=None)
@given(channels=st.integers(1, 40), samples=st.integers(1, 200))
def test_tiles_of_any_size_are_answered_sample_by_sample(network, channels, samples):
    with torch.inference_mode():
        answer = network(torch.randn(2, channels, samples))
    assert answer.probability_BPKT.shape == (2, 3, channels, samples)
    assert torch.allclose(answer.probability_BPKT.sum(dim=1), torch.ones(()), atol=1e-5)
    across, along = answer.event_stride
    cells = (2, -(-channels // across), -(-samples // along))
    assert answer.center_probability_BKT.shape == answer.event_time_BKT.shape == cells
    assert ((answer.center_probability_BKT >= 0) & (answer.center_probability_BKT <= 1)).all()


@settings(max_examples=15, deadline=None)
@given(scale=st.floats(1e-12, 1e6), offset=st.floats(-3.0, 3.0))
def test_unit_and_offset_do_not_matter(network, scale, offset):
    raw_BKT = torch.randn(1, 8, 64, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        plain = network(raw_BKT).probability_BPKT
        scaled = network((raw_BKT + offset) * scale).probability_BPKT
    assert torch.allclose(plain, scaled, atol=1e-4)


def test_noise_is_certain_where_a_sample_is_missing(network):
    raw_BKT = torch.randn(1, 8, 64)
    raw_BKT[0, 2, 10:30] = torch.nan
    raw_BKT[0, 5] = torch.nan
    with torch.inference_mode():
        probability = network(raw_BKT).probability_BPKT[0]
    assert torch.isfinite(probability).all()
    assert (probability[0, 2, 10:30] == 1).all()
    assert (probability[0, 5] == 1).all()
    assert (probability[0, 4] < 1).all()


def test_what_is_missing_is_the_mean_of_its_channel(network):
    raw_BKT = torch.randn(1, 8, 64)
    raw_BKT[0, 3] = torch.nan
    filled_BKT = torch.where(torch.isnan(raw_BKT), 7.0, raw_BKT)
    assert torch.equal(network.normalise(raw_BKT), network.normalise(filled_BKT))


@pytest.mark.parametrize("wrong", [torch.zeros(3, 4), torch.zeros(1, 0, 4), torch.zeros(1, 3, 4).double()])
def test_other_shapes_and_types_are_refused(network, wrong):
    with pytest.raises(NetworkError, match="tiles"):
        network(wrong)


def test_a_quantity_that_was_not_trained_on_is_refused():
    layout = FiberLayout("north", 0, 10, 5.0, 100.0, Quantity.COUNTS)
    with pytest.raises(NetworkError, match=r"'north' delivers counts.* trained on strain_rate, strain"):
        METADATA.check_layout(layout)
    METADATA.check_layout(replace(layout, quantity=Quantity.STRAIN))


def test_what_is_written_is_read_back(written):
    network = load_fiber_network(written)
    assert replace(network.metadata, weights_sha256="0" * 64) == METADATA
    torch.manual_seed(3)
    wanted = PhaseNetDas(TINY).state_dict()
    assert all(torch.equal(t, wanted[name]) for name, t in network.architecture.state_dict().items())
    assert not any(p.requires_grad for p in network.parameters())
    assert not network.training


def test_a_fiber_network_is_none_for_stations(written):
    with pytest.raises(WeightsError, match="a station needs another"):
        load_network(written)
    with pytest.raises(WeightsError, match="a fiber needs another"):
        load_fiber_network("default")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"quantities": ["counts"]}, "quantities"),
        ({"quantities": ["furlongs"]}, "furlongs"),
        ({"phases": ["P", "S", "N"]}, "phases"),
        ({"depth": 3}, "depth"),
        ({"options": {"depth": 3}}, "depth"),
        ({"options": None}, "correct the file"),
        ({"options": {}}, "does not fit the architecture"),
        ({"channel_spacing_range_m": [5, 1]}, "channel_spacing_range_m"),
        ({"channel_spacing_range_m": 5}, "correct the file"),
        ({"tile_shape": [0, 5]}, "tile_shape"),
        ({"sampling_rate_hz": -1}, "sampling_rate_hz"),
        ({"normalisation": {"kind": "loud"}}, "loud"),
        ({"weights_sha256": "1" * 64}, "weights_sha256"),
    ],
)
def test_metadata_that_cannot_be_are_refused(written, changes, words):
    edit_json(written, **changes)
    with pytest.raises(WeightsError, match=words):
        load_fiber_network(written)


def test_the_small_network_is_small():
    assert sum(p.numel() for p in PhaseNetDas(DAS_SMALL).parameters()) < 3_000_000
