from __future__ import annotations

import pytest
import torch

from rtpick.learning import augment

NAN = float("nan")


@pytest.fixture(name="generator")
def make_generator():
    return torch.Generator().manual_seed(2)


@pytest.fixture(name="wave_BCT")
def make_wave():
    wave_BCT = 10.0 * torch.randn(40, 3, 512, generator=torch.Generator().manual_seed(1))
    wave_BCT[:5, 0] = NAN
    wave_BCT[5:10, :, 100:150] = NAN
    return wave_BCT


def same(a, b):
    return torch.allclose(a, b, atol=1e-4, equal_nan=True)


def test_flip_changes_only_signs(wave_BCT, generator):
    flipped_BCT = augment.flip_polarity(wave_BCT, 0.5, generator)
    same_B = torch.tensor([same(a, b) for a, b in zip(flipped_BCT, wave_BCT, strict=True)])
    negated_B = torch.tensor([same(a, -b) for a, b in zip(flipped_BCT, wave_BCT, strict=True)])
    assert (same_B ^ negated_B).all()
    assert 5 < negated_B.sum() < 35
    assert same(augment.flip_polarity(wave_BCT, 1.0, generator), -wave_BCT)


def test_rotation_keeps_horizontal_energy_and_the_vertical(wave_BCT, generator):
    wave_BCT = wave_BCT[10:]
    turned_BCT = augment.rotate_horizontals(wave_BCT, 1.0, generator)
    assert same(turned_BCT[:, 2], wave_BCT[:, 2])
    assert same(turned_BCT[:, :2].square().sum(dim=1), wave_BCT[:, :2].square().sum(dim=1))
    assert not same(turned_BCT[:, 0], wave_BCT[:, 0])


def test_windows_that_are_not_turned_stay_as_they_are(wave_BCT, generator):
    assert torch.equal(
        augment.rotate_horizontals(wave_BCT, 0.0, generator).nan_to_num(7.0), wave_BCT.nan_to_num(7.0)
    )


def test_drop_leaves_the_vertical_or_takes_one(wave_BCT, generator):
    lone_BCT = augment.drop_components(wave_BCT, 1.0, 0.0, generator)
    assert lone_BCT[:, :2].isnan().all()
    assert same(lone_BCT[:, 2], wave_BCT[:, 2])
    fewer_BCT = augment.drop_components(wave_BCT[10:], 0.0, 1.0, generator)
    assert (fewer_BCT.isnan().all(dim=-1).sum(dim=1) == 1).all()


def test_a_gap_is_one_run_in_all_components(generator):
    gapped_BCT = augment.cut_gap(torch.ones(30, 3, 400), 90, generator)
    gone_BT = gapped_BCT.isnan().all(dim=1)
    assert torch.equal(gone_BT, gapped_BCT.isnan().any(dim=1))
    assert (gone_BT.sum(dim=1) <= 90).all()
    assert (gone_BT.int().diff(dim=1).abs().sum(dim=1) <= 2).all()


def test_band_limits_keep_the_onset_and_what_is_missing(generator):
    wave_BCT = torch.zeros(8, 3, 1000)
    wave_BCT[:, :, 400] = 1.0
    wave_BCT[:, 0, :100] = NAN
    filtered_BCT = augment.limit_band(wave_BCT, 1.0, generator)
    assert torch.equal(filtered_BCT.isnan(), wave_BCT.isnan())
    assert (filtered_BCT.nan_to_num().argmax(dim=-1) == 400).all()


def test_band_limits_take_the_high_frequencies(generator):
    time_T = torch.arange(2000) / 100.0
    wave_BCT = torch.sin(2 * torch.pi * 49.0 * time_T).expand(6, 3, 2000)
    kept = augment.limit_band(wave_BCT, 1.0, generator).abs().amax(dim=-1)
    assert (kept < 0.75).all()


def test_nothing_chosen_changes_nothing(wave_BCT, generator):
    assert augment.limit_band(wave_BCT, 0.0, generator) is wave_BCT


def test_noise_arrives_at_the_drawn_ratio(wave_BCT):
    noise_BCT = torch.randn(40, 3, 512, generator=torch.Generator().manual_seed(9)) + 50.0
    snr_B = torch.full((40,), 8.0)
    noisy_BCT = augment.add_noise(wave_BCT, noise_BCT, snr_B)
    added_BCT = (noisy_BCT - wave_BCT)[10:]
    ratio_B = augment.peak(wave_BCT)[10:] / added_BCT.flatten(1).std(dim=1)
    assert torch.allclose(ratio_B, snr_B[10:], rtol=1e-2)
    assert torch.equal(noisy_BCT.isnan(), wave_BCT.isnan())


def test_infinite_ratio_adds_nothing(wave_BCT):
    noisy_BCT = augment.add_noise(wave_BCT, torch.randn(40, 3, 512), torch.full((40,), torch.inf))
    assert same(noisy_BCT, wave_BCT)


def test_superposition_scales_by_peaks(wave_BCT):
    first_BCT, second_BCT = wave_BCT[10:25], wave_BCT[25:40]
    sum_BCT = augment.superpose(first_BCT, second_BCT, torch.full((15,), 0.5))
    assert torch.allclose(augment.peak(sum_BCT - first_BCT), 0.5 * augment.peak(first_BCT), rtol=1e-3)


def test_superposing_nothing_changes_nothing(wave_BCT):
    silence_BCT = torch.full_like(wave_BCT, NAN)
    assert same(augment.superpose(wave_BCT, silence_BCT, torch.ones(40)), wave_BCT)


def test_every_draw_repeats_under_its_seed(wave_BCT):
    def chain(seed):
        generator = torch.Generator().manual_seed(seed)
        changed_BCT = augment.flip_polarity(wave_BCT, 0.5, generator)
        changed_BCT = augment.rotate_horizontals(changed_BCT, 0.5, generator)
        return augment.limit_band(changed_BCT, 0.5, generator).nan_to_num()

    assert torch.equal(chain(5), chain(5))
    assert not torch.equal(chain(5), chain(6))
