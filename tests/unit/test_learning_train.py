"""The loop on tiny synthetic data: it learns, it repeats exactly, it goes on from where it stopped."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from rtpick.learning.dataset import Recording
from rtpick.learning.sampler import Recipe, Sampler
from rtpick.learning.stream import make_example
from rtpick.learning.targets import gaussian_targets
from rtpick.learning.train import (
    Trainer,
    TrainSettings,
    learning_rate,
    load_checkpoint,
    save_checkpoint,
    soft_loss,
)
from rtpick.learning.train_default import METADATA, random_student
from rtpick.networks import Network, load_network


def synthetic_event(seed: int) -> Recording:
    rng = np.random.default_rng(seed)
    samples_CT = rng.standard_normal((3, 4000)).astype(np.float32)
    decay_T = np.exp(-np.arange(1500) / 300.0)
    samples_CT[2, 1500:3000] += 20 * decay_T * rng.standard_normal(1500)
    samples_CT[:2, 1900:3400] += 30 * decay_T * rng.standard_normal((2, 1500))
    return Recording(f"event{seed}", "manual", samples_CT, np.array([1500.0]), np.array([1900.0]))


@pytest.fixture(scope="module")
def teacher():
    return load_network("default")


@pytest.fixture(scope="module")
def example():
    """One batch of four short windows with an arrival each."""
    generator = torch.Generator().manual_seed(0)
    wave_BCT = torch.randn(4, 3, 440, generator=generator)
    arrival_B2A = torch.tensor([[[100.0], [200.0]]]).repeat(4, 1, 1)
    for row in wave_BCT:
        row[2, 100:200] += 8 * torch.randn(100, generator=generator)
        row[:2, 200:300] += 8 * torch.randn(100, generator=generator)
    return wave_BCT, gaussian_targets(arrival_B2A, 440)


def make_trainer(steps: int = 5, *, bfloat16: bool = False) -> Trainer:
    torch.manual_seed(3)
    return Trainer(random_student(), TrainSettings(steps, warmup_steps=2, bfloat16=bfloat16))


def losses_of(trainer: Trainer, batches) -> list[float]:
    losses: list[float] = []
    trainer.run(batches, lambda step, loss, n_windows: losses.append(loss))
    return losses


def test_loss_falls_on_one_batch(example):
    losses = losses_of(make_trainer(30), itertools.repeat(example))
    assert len(losses) == 30
    assert losses[-1] < 0.5 * losses[0]


def test_five_steps_repeat_exactly(teacher):
    def run() -> dict[str, torch.Tensor]:
        pools = {"manual": [synthetic_event(seed) for seed in range(3)]}
        sampler = Sampler(pools, Recipe(), seed=8)
        batches = (make_example(sampler, 4, teacher, teacher.probabilities) for _ in itertools.count())
        trainer = make_trainer(bfloat16=True)
        trainer.run(batches, lambda *_: None)
        assert trainer.step_count == 5
        return trainer.mean

    first, second = run(), run()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_checkpoint_goes_on_as_if_never_stopped(example, tmp_path):
    whole = make_trainer(6)
    whole.run(itertools.repeat(example), lambda *_: None)

    part = make_trainer(6)
    for _ in range(3):
        part.step(*example)
    save_checkpoint(part, tmp_path / "checkpoint.pt")
    resumed = make_trainer(6)
    load_checkpoint(resumed, tmp_path / "checkpoint.pt")
    assert resumed.step_count == 3
    resumed.run(itertools.repeat(example), lambda *_: None)

    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.pt"]
    for name, value in whole.student.state_dict().items():
        assert torch.allclose(value, resumed.student.state_dict()[name], atol=1e-6), name
    assert all(torch.allclose(whole.mean[name], resumed.mean[name], atol=1e-6) for name in whole.mean)


def test_loss_is_nothing_where_the_answer_is_right(example):
    target_BPT = 0.98 * example[1] + 0.02 / 3
    assert soft_loss(target_BPT.log(), target_BPT, 10.0).abs() < 1e-5
    assert soft_loss(torch.zeros_like(target_BPT), target_BPT, 10.0) > 0.1


def test_arrivals_count_more():
    missed_BPT = torch.zeros(1, 3, 10)
    missed_BPT[:, 0] = 5.0
    noise_BPT = torch.zeros(1, 3, 10)
    noise_BPT[:, 0] = 1.0
    arrival_BPT = noise_BPT.clone()
    arrival_BPT[0, :, 4] = torch.tensor([0.0, 1.0, 0.0])
    plain = soft_loss(missed_BPT, arrival_BPT, 1.0) - soft_loss(missed_BPT, noise_BPT, 1.0)
    heavy = soft_loss(missed_BPT, arrival_BPT, 10.0) - soft_loss(missed_BPT, noise_BPT, 10.0)
    # The noise sample that the arrival replaced counted once in both.
    assert 9 * plain < heavy < 11 * plain


def test_rate_rises_then_falls_to_a_hundredth():
    settings = TrainSettings(1000, learning_rate=1.0, warmup_steps=50)
    rates = [learning_rate(step, settings) for step in range(1000)]
    assert rates[0] == pytest.approx(0.02)
    assert max(rates) == pytest.approx(1.0, abs=1e-3)
    assert rates.index(max(rates)) in (49, 50)
    assert rates[-1] == pytest.approx(0.01, abs=1e-3)
    assert all(a >= b for a, b in itertools.pairwise(rates[50:]))


def test_a_new_student_answers_noise():
    torch.manual_seed(0)
    network = Network(random_student(), METADATA).eval()
    prob_BPT = network(torch.randn(2, 3, 3000))
    assert prob_BPT[:, 0].mean() > 0.8
