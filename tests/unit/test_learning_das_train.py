"""Training of networks for fibers: it learns, it goes on where it was, it survives what is not a number."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch

from rtpick.learning import das_train_run
from rtpick.learning.das_sample import DasSample
from rtpick.learning.das_stream import make_batch, open_batches
from rtpick.learning.das_train import (
    DasTrainer,
    DasTrainingError,
    DasTrainSettings,
    learning_rate,
    load_checkpoint,
    save_checkpoint,
    start_from_prior,
)
from rtpick.networks import PhaseNetDas, load_fiber_network
from rtpick.networks.eqnet_options import UNetOptions

TINY = UNetOptions(
    stem_width=4, widths=(8, 16), strides=((4, 4), (4, 8)), kernel=(3, 5), attention_heads=1, event_heads=True
)
STRIDE = TINY.event_reduction
CHANNELS, SAMPLES = 32, 512


def draw_sample(rng: np.random.Generator) -> DasSample:
    """A P that rings fast and an S that rings slowly, a little later on each channel, in faint noise."""
    wave_KT = 0.1 * rng.standard_normal((CHANNELS, SAMPLES)).astype(np.float32)
    channel_K, time_T = np.arange(CHANNELS), np.arange(SAMPLES)
    p_K = rng.uniform(60, 160) + rng.uniform(0, 1) * channel_K
    s_K = p_K + rng.uniform(120, 220)
    for onset_K, period in ((p_K, 4.0), (s_K, 16.0)):
        since_KT = time_T - onset_K[:, None]
        ring_KT = np.sin(2 * np.pi * since_KT / period) * np.exp(-since_KT / 60)
        wave_KT += np.where(since_KT >= 0, ring_KT, 0).astype(np.float32)
    return DasSample(
        wave_KT,
        np.tile(channel_K, 2),
        np.repeat(["P", "S"], CHANNELS),
        np.concatenate([p_K, s_K]),
        np.zeros(2 * CHANNELS, np.int64),
    )


def draw_batch(number: int) -> list[DasSample]:
    rng = np.random.default_rng([7, number])
    return [draw_sample(rng) for _ in range(2)]


def new_trainer(**changes: object) -> DasTrainer:
    torch.manual_seed(1)
    student = PhaseNetDas(TINY)
    start_from_prior(student)
    settings = DasTrainSettings(**{"steps": 12, "learning_rate": 3e-3, "bfloat16": False, **changes})
    return DasTrainer(student, settings)


def batches_from(trainer: DasTrainer):
    return open_batches(draw_batch, STRIDE, trainer.step_count, trainer.settings.steps)


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


def test_training_stopped_and_resumed_is_training_undisturbed(tmp_path):
    straight = new_trainer()
    straight.run(batches_from(straight), lambda _: None)
    first = new_trainer()
    for _, batch in zip(range(5), batches_from(first), strict=False):
        first.step(*batch)
    save_checkpoint(first, tmp_path / "checkpoint.pt")
    second = new_trainer()
    load_checkpoint(second, tmp_path / "checkpoint.pt")
    second.run(batches_from(second), lambda _: None)
    assert second.step_count == straight.step_count == 12
    assert same(second.student.state_dict(), straight.student.state_dict())
    assert same(second.mean, straight.mean)
    assert list(tmp_path.iterdir()) == [tmp_path / "checkpoint.pt"]


def test_processes_that_make_batches_ahead_change_nothing():
    alone = list(open_batches(draw_batch, STRIDE, 3, 6))
    ahead = list(open_batches(draw_batch, STRIDE, 3, 6, workers=2))
    for (tile, target), (other_tile, other_target) in zip(alone, ahead, strict=True):
        assert torch.equal(tile, other_tile)
        assert same(vars(target), vars(other_target))


@pytest.mark.slow
def test_a_small_network_learns_to_pick_and_to_find_the_event():
    trainer = new_trainer(steps=250, warmup_steps=20, ema_decay=0.98, arrival_weight=3.0)
    reports = []
    trainer.run(batches_from(trainer), reports.append)
    assert reports[-1].phase < 0.4 * reports[0].phase
    trainer.student.load_state_dict(trainer.mean)
    sample = draw_sample(np.random.default_rng(99))
    tile_BKT, _ = make_batch([sample], STRIDE)
    with torch.inference_mode():
        probability_PKT = torch.softmax(trainer.student.eval()(tile_BKT).phase_BPKT, dim=1)[0]
    for row, phase in ((1, "P"), (2, "S")):
        onset_K = sample.sample_N[sample.phase_N == phase]
        found_K = probability_PKT[row].argmax(dim=-1).numpy()
        assert np.median(np.abs(found_K - onset_K)) < 5


def test_bfloat16_trains_too():
    trainer = new_trainer(steps=2, bfloat16=True)
    reports = []
    trainer.run(batches_from(trainer), reports.append)
    assert all(math.isfinite(value) for report in reports for value in asdict(report).values())
    assert next(trainer.student.parameters()).dtype == torch.float32


def test_a_batch_that_is_no_number_leaves_the_weights_alone():
    trainer = new_trainer()
    before = {name: value.clone() for name, value in trainer.student.state_dict().items()}
    tile_BKT, target = make_batch(draw_batch(0), STRIDE)
    trainer.step(tile_BKT * torch.nan, target)
    assert same(before, trainer.student.state_dict())
    assert trainer.step_count == 1


def test_a_random_network_answers_noise():
    trainer = new_trainer()
    tile_BKT, _ = make_batch(draw_batch(0), STRIDE)
    with torch.inference_mode():
        answer = trainer.student(tile_BKT)
    assert float(torch.softmax(answer.phase_BPKT, dim=1)[:, 0].mean()) > 0.8


def test_the_mean_follows_the_weights_until_the_warm_up_ends():
    trainer = new_trainer(steps=100)
    batches = batches_from(trainer)
    for _ in range(10):
        trainer.step(*next(batches))
    assert same(trainer.mean, trainer.student.state_dict())
    trainer.step(*next(batches))
    assert not same(trainer.mean, trainer.student.state_dict())


def test_the_rate_rises_and_falls():
    settings = DasTrainSettings(steps=200, learning_rate=1.0)
    rates = [learning_rate(step, settings) for step in range(200)]
    assert np.argmax(rates) in (19, 20)
    assert rates[0] == pytest.approx(0.05)
    assert rates[-1] == pytest.approx(0.01, abs=2e-3)


def test_a_checkpoint_of_another_network_is_refused(tmp_path):
    save_checkpoint(new_trainer(), tmp_path / "checkpoint.pt")
    other = DasTrainer(PhaseNetDas(UNetOptions(stem_width=4)), DasTrainSettings(steps=3))
    with pytest.raises(DasTrainingError, match="train in an empty folder"):
        load_checkpoint(other, tmp_path / "checkpoint.pt")


def test_the_command_trains_logs_saves_and_goes_on(tmp_path: Path, monkeypatch):
    monkeypatch.setitem(das_train_run.SIZES, "small", TINY)
    common = ["--out", str(tmp_path), "--tile", "32", "256", "--batch-size", "1", "--float32"]
    often = ["--report-every", "1", "--save-every", "1"]
    das_train_run.main([*common, *often, "--steps", "2"])
    first = load_fiber_network(tmp_path / "das-small.safetensors").model_version
    das_train_run.main([*common, *often, "--steps", "3"])
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3]
    assert load_fiber_network(tmp_path / "das-small.safetensors").model_version != first


def test_training_begins_with_the_weights_of_another_network_if_asked(tmp_path: Path, monkeypatch):
    monkeypatch.setitem(das_train_run.SIZES, "small", TINY)
    common = ["--tile", "32", "256", "--batch-size", "1", "--float32", "--steps"]
    das_train_run.main(["--out", str(tmp_path / "a"), *common, "1"])
    weights = tmp_path / "a" / "das-small.safetensors"
    das_train_run.main(["--out", str(tmp_path / "b"), *common, "0", "--start-from", str(weights)])
    begun = load_fiber_network(tmp_path / "b" / "das-small.safetensors")
    assert begun.metadata.weights_sha256 == load_fiber_network(weights).metadata.weights_sha256
    monkeypatch.setitem(das_train_run.SIZES, "small", UNetOptions(stem_width=4))
    with pytest.raises(DasTrainingError, match="another shape"):
        das_train_run.main(["--out", str(tmp_path / "c"), *common, "0", "--start-from", str(weights)])
