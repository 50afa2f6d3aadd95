from __future__ import annotations

import pytest
import torch

from rtpick.learning.targets import HALF_WIDTH_SAMPLES, SIGMA_SAMPLES, gaussian_targets, near_arrivals

NAN = float("nan")


def arrivals(p=(NAN,), s=(NAN,)):
    return torch.tensor([[list(p), list(s)]], dtype=torch.float64)


def test_each_sample_sums_to_one_and_is_a_probability():
    target_BPT = gaussian_targets(arrivals((50.0, 55.0), (57.3, NAN)), 200)
    assert torch.allclose(target_BPT.sum(dim=1), torch.ones(1, 200))
    assert (target_BPT >= 0).all()


def test_no_arrival_is_noise():
    target_BPT = gaussian_targets(arrivals(), 100)
    assert (target_BPT[:, 0] == 1).all()


def test_peak_width_and_support():
    p_T = gaussian_targets(arrivals((100.0,)), 300)[0, 1]
    assert p_T.argmax() == 100
    assert p_T[100] == 1
    assert p_T[106].item() == pytest.approx(torch.tensor(-0.5).exp().item())
    assert (p_T > 0).sum() == 2 * HALF_WIDTH_SAMPLES + 1
    assert SIGMA_SAMPLES == 6


def test_a_fraction_of_a_sample_moves_the_centre():
    p_T = gaussian_targets(arrivals((100.4,)), 300)[0, 1]
    centre = (p_T * torch.arange(300)).sum() / p_T.sum()
    assert centre.item() == pytest.approx(100.4, abs=0.05)


def test_phases_keep_their_rows():
    target_BPT = gaussian_targets(arrivals((40.0,), (120.0,)), 200)
    assert target_BPT[0, :, 40].tolist() == [0.0, 1.0, 0.0]
    assert target_BPT[0, :, 120].tolist() == [0.0, 0.0, 1.0]


def test_an_arrival_near_the_end_is_cut_off():
    p_T = gaussian_targets(arrivals((2.0,)), 50)[0, 1]
    assert p_T[2] == 1
    assert (p_T[18:] == 0).all()


def test_shifting_the_arrival_shifts_the_target():
    early_T = gaussian_targets(arrivals((80.0,)), 300)[0, 1]
    late_T = gaussian_targets(arrivals((113.0,)), 300)[0, 1]
    assert torch.equal(early_T.roll(33), late_T)


def test_near_arrivals_marks_both_phases():
    near_B1T = near_arrivals(arrivals((10.0, NAN), (30.0, NAN)), 50, reach_samples=2.0)
    assert near_B1T.shape == (1, 1, 50)
    assert near_B1T[0, 0].nonzero().flatten().tolist() == [8, 9, 10, 11, 12, 28, 29, 30, 31, 32]
