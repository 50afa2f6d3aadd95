"""What the parts of the newer U-Nets promise, whatever their weights."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from rtpick.networks.eqnet_attention import Transformer, rotary_angles, rotate, same_event
from rtpick.networks.eqnet_blocks import DepthToSpace, FeatureNorm, SpaceToDepth
from rtpick.networks.eqnet_options import DAS_SMALL, STATION, UNetOptions, parse_options
from rtpick.networks.eqnet_rescale import moving_normalise
from rtpick.networks.eqnet_station import StationUNet
from rtpick.networks.eqnet_unet import TokenPlaces, UNet
from rtpick.vocabulary.errors import NetworkError

TINY = UNetOptions(
    stem_width=4, widths=(4, 8), strides=((2, 4), (2, 4)), kernel=(3, 3), attention_heads=2, event_heads=True
)


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(5)


@pytest.mark.parametrize("stride", [(4, 4), (2, 4), (1, 4), (3, 1)])
def test_nothing_is_lost_between_space_and_depth(stride):
    features_BCKT = torch.randn(2, 3, 12, 16)
    coarse_BCKT = SpaceToDepth(stride)(features_BCKT)
    assert coarse_BCKT.shape == (2, 3 * stride[0] * stride[1], 12 // stride[0], 16 // stride[1])
    assert torch.equal(DepthToSpace(stride)(coarse_BCKT), features_BCKT)


def test_the_general_rearrangement_is_the_square_one_of_torch():
    features_BCKT = torch.randn(1, 2, 6, 6)
    cells = features_BCKT.reshape(1, 2, 2, 3, 2, 3).permute(0, 1, 3, 5, 2, 4).flatten(1, 3)
    assert torch.equal(SpaceToDepth((3, 3))(features_BCKT), cells)


def test_the_norm_of_features_forgets_their_scale_and_bears_silence():
    norm = FeatureNorm(8)
    features_BCKT = torch.randn(1, 8, 3, 3)
    assert torch.allclose(norm(features_BCKT), norm(1e3 * features_BCKT), atol=1e-5)
    silent = torch.zeros(1, 8, 2, 2, requires_grad=True)
    norm(silent).sum().backward()
    assert torch.isfinite(silent.grad).all()


def test_attention_has_no_order_without_positions():
    layer = Transformer(16, 2)
    features_BCKT = torch.randn(1, 16, 2, 6)
    turned = layer(features_BCKT.flip(-1)).flip(-1)
    assert torch.allclose(layer(features_BCKT), turned, atol=1e-5)


def test_tokens_of_another_event_are_not_seen():
    layer = Transformer(16, 2)
    features_BCKT = torch.randn(1, 16, 1, 6)
    allowed_BNN = same_event(torch.tensor([[0, 0, 0, 1, 1, 1]]))
    changed_BCKT = features_BCKT.clone()
    changed_BCKT[..., 3:] += 1.0
    before = layer(features_BCKT, None, allowed_BNN)
    after = layer(changed_BCKT, None, allowed_BNN)
    assert torch.equal(before[..., :3], after[..., :3])
    assert not torch.allclose(before[..., 3:], after[..., 3:])


def test_rotary_positions_speak_of_differences_only():
    query, key = torch.randn(1, 1, 32), torch.randn(1, 1, 32)
    periods = (5.0, 5.0, 205.0)

    def product(shift: float) -> float:
        places = torch.tensor([[[1.0, 2.0, 3.0]], [[4.0, 1.0, 9.0]]]) + shift
        angles = rotary_angles(places, periods)
        return float((rotate(query, angles[:1]) * rotate(key, angles[1:])).sum())

    assert product(0.0) == pytest.approx(product(7.5), abs=1e-4)
    assert abs(product(0.0) - float((query * key).sum())) > 1e-3


def test_positions_and_events_reach_the_bottleneck():
    options = replace(STATION, attend_at_middle=True, rope_periods=(5.0, 5.0, 205.0))
    network = UNet(options).eval()
    wave_BCKT = torch.randn(1, 3, 2, 512)
    position = torch.tensor([[[0.0, 0, 0], [0, 0, 2.56], [30, 0, 0], [30, 0, 2.56]]])
    events = torch.tensor([[0, 0, 1, 1]])
    with torch.inference_mode():
        plain = network(wave_BCKT).phase_BPKT
        placed = network(wave_BCKT, TokenPlaces(position)).phase_BPKT
        apart = network(wave_BCKT, TokenPlaces(position, events)).phase_BPKT
        alone = network(wave_BCKT[:, :, :1], TokenPlaces(position[:, :2])).phase_BPKT
    assert not torch.equal(plain, placed)
    assert not torch.allclose(placed, apart)
    assert torch.allclose(apart[:, :, :1], alone, atol=1e-4)


def test_a_moving_normalisation_levels_a_slow_drift_and_bears_silence():
    time_T = torch.arange(4096.0)
    wave_BCKT = (torch.sin(time_T) * (1 + time_T / 400) + 50.0)[None, None, None]
    level = moving_normalise(wave_BCKT, 1024, 256)
    quarters = level.abs().reshape(4, 1024).mean(dim=1)
    assert quarters.max() / quarters.min() < 1.4
    assert torch.equal(moving_normalise(torch.zeros(1, 1, 1, 2048), 1024, 256), torch.zeros(1, 1, 1, 2048))


def test_tiles_of_a_wrong_size_are_refused():
    with pytest.raises(NetworkError, match="multiple of 64 channels, a multiple of 256 samples"):
        UNet(DAS_SMALL)(torch.zeros(1, 1, 64, 300))


def test_the_event_heads_answer_on_their_own_grid():
    answer = UNet(TINY)(torch.randn(2, 1, 8, 32))
    assert answer.phase_BPKT.shape == (2, 3, 8, 32)
    assert TINY.event_reduction == (1, 1)
    assert answer.event_time_BKT.shape == (2, 8, 32)
    assert DAS_SMALL.event_reduction == (16, 16)


def test_every_parameter_learns():
    network = UNet(replace(TINY, attend_at_middle=True, extra_blocks=1, polarity_head=True))
    answer = network(torch.randn(2, 1, 8, 32))
    heads = (answer.phase_BPKT, answer.event_center_BKT, answer.event_time_BKT, answer.polarity_BKT)
    sum(functional.softplus(head).mean() for head in heads).backward()
    idle = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert idle == []


def test_a_station_of_any_length_is_answered_sample_by_sample():
    network = StationUNet().eval()
    with torch.inference_mode():
        assert network(torch.randn(2, 3, 3000)).shape == (2, 3, 3000)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"depth": 3}, "unknown keys depth"),
        ({"widths": [8]}, "1 widths and 4 strides"),
        ({"kernel": [2, 3]}, "odd sides"),
        ({"widths": 5}, "wrong type"),
        ({"stem_width": 0}, "1 to 4096"),
        ({"extra_blocks": 99}, "0 to 8"),
    ],
)
def test_options_that_cannot_be_are_refused(content, words):
    with pytest.raises(NetworkError, match=words):
        parse_options(content)
