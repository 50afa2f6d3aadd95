from __future__ import annotations

import pytest
import torch

from rtpick.networks import load_network
from rtpick.picking.engine_blocks import BLOCK, BlockedPhaseNet


@pytest.fixture(scope="module")
def plain():
    return load_network().architecture.eval()


@pytest.mark.parametrize("length", [184, 440, 3000])
def test_blocks_give_what_samples_give(plain, length):
    wave_BCT = torch.randn(3, 3, length, generator=torch.Generator().manual_seed(length))
    with torch.inference_mode():
        blocked_BPSN = BlockedPhaseNet(plain).eval()(wave_BCT)
        expected_BPT = plain(wave_BCT)
    assert blocked_BPSN.shape == (3, 3, BLOCK, length // BLOCK)
    torch.testing.assert_close(blocked_BPSN.transpose(2, 3).flatten(2), expected_BPT, atol=2e-5, rtol=0)


def test_the_plain_network_is_left_as_it_was(plain):
    before = {name: value.clone() for name, value in plain.state_dict().items()}
    BlockedPhaseNet(plain)
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(value, before[name], atol=0, rtol=0)
