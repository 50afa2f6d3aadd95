from __future__ import annotations

import numpy as np
import pytest
import torch

from rtpick.learning.crops import Batch
from rtpick.learning.dataset import DatasetError, Recording
from rtpick.learning.distil import blend_targets, find_active
from rtpick.learning.sampler import Recipe, Sampler
from rtpick.learning.targets import gaussian_targets

NAN = float("nan")


def recording(kind, *, arrivals=False, seed=0, n_samples=6000):
    samples_CT = np.random.default_rng(seed).standard_normal((3, n_samples)).astype(np.float32)
    samples_CT[:, 3000:] *= 10.0
    p, s = (np.array([3000.0]), np.array([3100.0])) if arrivals else (np.empty(0), np.empty(0))
    return Recording(f"{kind}{seed}", kind, samples_CT, p, s)


@pytest.fixture(name="pools")
def make_pools():
    return {
        "manual": [recording("manual", arrivals=True, seed=seed) for seed in range(3)],
        "noise": [recording("noise", seed=9)],
        "active": [],
    }


def test_batches_repeat_under_their_seed(pools):
    one, other = (Sampler(pools, Recipe(), seed=4).draw(16) for _ in range(2))
    assert torch.equal(one.wave_BCT.nan_to_num(0.5), other.wave_BCT.nan_to_num(0.5))
    assert torch.equal(one.arrival_B2A.nan_to_num(0.5), other.arrival_B2A.nan_to_num(0.5))
    third = Sampler(pools, Recipe(), seed=5).draw(16)
    assert not torch.equal(one.wave_BCT.nan_to_num(0.5), third.wave_BCT.nan_to_num(0.5))


def test_recordings_are_not_touched(pools):
    before = [r.samples_CT.copy() for r in pools["manual"]]
    Sampler(pools, Recipe(), seed=1).draw(32)
    assert all(np.array_equal(r.samples_CT, b) for r, b in zip(pools["manual"], before, strict=True))


def test_labels_stay_on_the_onsets(pools):
    plain = Recipe(
        shares={"manual": 1.0}, stretch=0.0, superpose=0.0, noise=0.0, limit_band=0.0, vertical_only=0.0
    )
    batch = Sampler(pools, plain, seed=2).draw(24)
    assert (batch.trust_B == plain.trust).all()
    for wave_CT, arrival_2A in zip(batch.wave_BCT, batch.arrival_B2A, strict=True):
        onset = int(arrival_2A[0].nan_to_num(1e9).min())
        if 100 < onset < 2900:
            assert wave_CT[2, onset : onset + 80].std() > 3 * wave_CT[2, onset - 80 : onset].std()


def test_doubled_and_noisy_windows_are_not_trusted(pools):
    doubled = Sampler(pools, Recipe(shares={"manual": 1.0}, superpose=1.0), seed=2).draw(8)
    noisy = Sampler(pools, Recipe(shares={"manual": 1.0}, noise=1.0), seed=2).draw(8)
    assert (doubled.trust_B == 0).all()
    assert (noisy.trust_B == 0).all()
    assert (torch.isfinite(doubled.arrival_B2A[:, 0]).sum(dim=1) >= 1).any()


def test_noise_is_quiet_and_events_are_not(pools):
    assert Sampler(pools, Recipe(shares={"noise": 0.5, "synthetic": 0.5}), seed=1).draw(8).quiet_B.all()
    assert not Sampler(pools, Recipe(shares={"manual": 1.0}), seed=1).draw(8).quiet_B.any()


def test_nothing_to_learn_from_is_an_error():
    with pytest.raises(DatasetError, match="every pool of recordings is empty"):
        Sampler({"manual": []}, Recipe(), seed=1)


def make_batch(trust, quiet):
    arrival_B2A = torch.tensor([[[100.0], [NAN]]])
    return Batch(torch.zeros(1, 3, 400), arrival_B2A, torch.tensor([trust]), torch.tensor([quiet]))


def test_full_trust_overrules_the_teacher_near_the_arrival_only():
    teacher_BPT = gaussian_targets(torch.tensor([[[120.0, 300.0], [NAN, NAN]]]), 400)
    target_BPT = blend_targets(make_batch(1.0, False), teacher_BPT)
    assert target_BPT[0, 1, 100] == 1
    assert target_BPT[0, 1, 120] < 0.01
    assert target_BPT[0, 1, 300] == 1


def test_no_trust_leaves_the_teacher_alone():
    teacher_BPT = torch.softmax(torch.randn(1, 3, 400), dim=1)
    assert torch.allclose(blend_targets(make_batch(0.0, False), teacher_BPT), teacher_BPT, atol=1e-6)


def test_quiet_windows_get_little_of_what_the_teacher_sees():
    teacher_BPT = gaussian_targets(torch.tensor([[[300.0], [NAN]]]), 400)
    target_BPT = blend_targets(make_batch(0.0, True), teacher_BPT)
    assert target_BPT[0, 1, 300] < 0.3
    assert torch.allclose(target_BPT.sum(dim=1), torch.ones(1, 400))


class LoudNetwork:
    """Stands in for a network that normalises nothing."""

    class metadata:  # noqa: N801
        window_samples = 3000

    @staticmethod
    def normalise(wave_BCT):
        return wave_BCT


def test_active_recordings_carry_the_teachers_arrivals():
    def teacher(wave_BCT):
        loud_B = wave_BCT.nan_to_num().abs().amax(dim=(1, 2)) > 15
        prob_BPT = torch.zeros(len(wave_BCT), 3, 3000)
        prob_BPT[loud_B, 1, 40] = 0.9
        return prob_BPT

    loud = recording("continuous", seed=1)
    still = Recording("still", "continuous", np.zeros((3, 6000), np.float32))
    found = find_active([loud, still], LoudNetwork(), teacher)
    assert [r.name for r in found] == [loud.name]
    assert found[0].p_samples.tolist() == [1540.0, 3040.0]
    assert len(found[0].s_samples) == 0
