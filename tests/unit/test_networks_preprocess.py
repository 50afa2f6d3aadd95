from __future__ import annotations

import pytest
import torch

from rtpick.networks.preprocess import Normalisation, normalise
from rtpick.vocabulary.errors import NetworkError

NAN = float("nan")
RULES = [
    Normalisation("std", 0, 0.0, True, True),
    Normalisation("std", 1, 1e-10, True, False),
    Normalisation("std", 0, 0.0, False, False),
    Normalisation("peak", 0, 1e-10, True, False),
    Normalisation("peak", 0, 0.0, False, True),
]


@pytest.fixture(name="wave_BCT")
def make_wave():
    generator = torch.Generator().manual_seed(7)
    return 100.0 * torch.randn(4, 3, 600, generator=generator).round(decimals=1)


def test_a_ramp_has_a_known_deviation():
    wave_BCT = torch.tensor([[[1.0, 2.0, 3.0, 4.0]] * 3])
    expected_T = torch.tensor([-1.5, -0.5, 0.5, 1.5]) / 1.25**0.5
    assert torch.allclose(normalise(wave_BCT, Normalisation())[0, 1], expected_T)


def test_unbiased_deviation_divides_by_one_less():
    wave_BCT = torch.tensor([[[1.0, 2.0, 3.0, 4.0]] * 3])
    expected_T = torch.tensor([-1.5, -0.5, 0.5, 1.5]) / (5.0 / 3.0) ** 0.5
    assert torch.allclose(normalise(wave_BCT, Normalisation("std", 1))[0, 1], expected_T)


def test_peak_brings_the_largest_sample_to_one(wave_BCT):
    own_BCT = normalise(wave_BCT, Normalisation("peak"))
    assert torch.allclose(own_BCT.abs().amax(dim=-1), torch.ones(4, 3))
    shared_BCT = normalise(wave_BCT, Normalisation("peak", per_component=False))
    assert torch.allclose(shared_BCT.abs().amax(dim=(1, 2)), torch.ones(4))
    assert (shared_BCT.abs().amax(dim=-1) < 1.0).any()


def test_components_may_share_one_deviation(wave_BCT):
    shared_BCT = normalise(wave_BCT, Normalisation(per_component=False))
    assert torch.allclose(shared_BCT.flatten(1).std(dim=1, unbiased=False), torch.ones(4), atol=1e-5)
    assert not torch.allclose(shared_BCT.std(dim=2), torch.ones(4, 3), atol=1e-3)


def test_statistics_come_from_the_samples_that_are_there(wave_BCT):
    gapped_BCT = wave_BCT.clone()
    gapped_BCT[:, :, 200:] = NAN
    result_BCT = normalise(gapped_BCT, Normalisation())
    assert torch.allclose(result_BCT[..., :200], normalise(wave_BCT[..., :200].clone(), Normalisation()))
    assert (result_BCT[..., 200:] == 0).all()


@pytest.mark.parametrize("missing", [NAN, float("inf"), -float("inf")])
def test_infinities_are_missing_too(wave_BCT, missing):
    spoilt_BCT = wave_BCT.clone()
    spoilt_BCT[:, 0, 17] = missing
    result_BCT = normalise(spoilt_BCT, Normalisation())
    assert torch.isfinite(result_BCT).all()
    assert (result_BCT[:, 0, 17] == 0).all()


@pytest.mark.parametrize("rule", RULES)
def test_nothing_gives_zeros(rule):
    assert (normalise(torch.full((2, 3, 50), NAN), rule) == 0).all()


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("level", [0.0, 12345.678, -1.0e7, 3.3e-9])
def test_a_stuck_component_gives_zeros(wave_BCT, rule, level):
    wave_BCT[:, 1] = level
    result_BCT = normalise(wave_BCT, rule)
    assert (result_BCT[:, 1] == 0).all()
    assert torch.isfinite(result_BCT).all()


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("offset", [1e5, -1e6, 1e7])
def test_an_offset_changes_nothing(rule, offset):
    counts_BCT = torch.randint(-500, 500, (2, 3, 3000), generator=torch.Generator().manual_seed(3)).float()
    difference_BCT = normalise(counts_BCT + offset, rule) - normalise(counts_BCT, rule)
    assert difference_BCT.abs().max() < 1e-4


def test_two_missing_components_raise_the_third_by_three(wave_BCT):
    lone_BCT = wave_BCT.clone()
    lone_BCT[:, :2] = NAN
    raised_BCT = normalise(lone_BCT, Normalisation(rescale_missing=True))
    plain_BCT = normalise(lone_BCT, Normalisation(rescale_missing=False))
    assert torch.allclose(raised_BCT, 3.0 * plain_BCT)


def test_a_gap_is_no_missing_component(wave_BCT):
    gapped_BCT = wave_BCT.clone()
    gapped_BCT[:, 0, :300] = NAN
    raised_BCT = normalise(gapped_BCT, Normalisation(rescale_missing=True))
    assert torch.equal(raised_BCT, normalise(gapped_BCT, Normalisation(rescale_missing=False)))


@pytest.mark.parametrize("rule", RULES)
def test_input_is_left_alone_and_windows_do_not_mix(wave_BCT, rule):
    before_BCT = wave_BCT.clone()
    together_BCT = normalise(wave_BCT, rule)
    assert torch.equal(wave_BCT, before_BCT)
    alone_BCT = torch.cat([normalise(wave_BCT[i : i + 1], rule) for i in range(len(wave_BCT))])
    assert torch.allclose(together_BCT, alone_BCT, atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [(("median",), "'std' or 'peak'"), (("std", 2), "0 or 1"), (("std", 0, -1.0), "small number")],
)
def test_rules_that_cannot_be_are_refused(arguments, remedy):
    with pytest.raises(NetworkError, match=remedy):
        Normalisation(*arguments)
