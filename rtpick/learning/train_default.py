"""Train the network that ships: ``python -m rtpick.learning.train_default --help``.

Random weights learn from a teacher's probabilities over augmented windows and continuous recordings, and from
analysts' picks where there are any.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from rtpick.learning import augment
from rtpick.learning.continuous import read_continuous
from rtpick.learning.dataset import Recording, read_windows
from rtpick.learning.distil import Teacher, blend_targets, find_active, teacher_of
from rtpick.learning.sampler import Recipe, Sampler, lengthen
from rtpick.learning.train import Supply, Trainer, TrainSettings, load_checkpoint, save_checkpoint
from rtpick.networks import Network, NetworkMetadata, load_network
from rtpick.networks.network import build_architecture
from rtpick.networks.preprocess import Normalisation
from rtpick.networks.weights import write_network

HELD_OUT = ("unterhaching_bw_20100527",)
REPORT_EVERY = 100
SAVE_EVERY = 1000
GAP_PROBABILITY = 0.1
LONGEST_GAP_SAMPLES = 1500

METADATA = NetworkMetadata(
    name="default",
    architecture="phasenet",
    version="1",
    component_order="ENZ",
    phases=("N", "P", "S"),
    sampling_rate_hz=100.0,
    window_samples=3000,
    quantity="counts",
    normalisation=Normalisation("std", 0, 0.0, True, True),
    blinding_samples=(0, 0),
    licence="Apache-2.0",
    description="PhaseNet's architecture, trained by rtpick from random weights; see MODEL_CARD.md.",
)


def main(arguments: list[str] | None = None) -> None:
    """Train, and write weights, metadata and checkpoint."""
    options = _parse(arguments)
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    options.out.mkdir(parents=True, exist_ok=True)
    teacher_network = load_network(options.teacher)
    teacher = teacher_of(teacher_network)
    pools = gather_pools(options.windows, options.continuous, teacher_network, teacher)
    print({name: len(pool) for name, pool in pools.items()}, flush=True)
    supply = make_supply(Sampler(pools, Recipe(), options.seed), teacher_network, teacher)
    settings = TrainSettings(options.steps, options.batch_size, bfloat16=not options.float32)
    trainer = Trainer(build_architecture(METADATA.architecture), settings)
    if options.resume:
        load_checkpoint(trainer, options.resume)
    trainer.run(supply, make_report(trainer, options.out))
    save(trainer, options.out)


def gather_pools(
    windows: Path, continuous: Path, teacher_network: Network, teacher: Teacher
) -> dict[str, list[Recording]]:
    """Read the training split and the continuous recordings, and sort them into the sampler's pools."""
    labelled = read_windows(windows, "train")
    recordings = read_continuous(continuous, held_out=HELD_OUT)
    return {
        "manual": [r for r in labelled if r.kind == "manual"],
        "automatic": [replace_arrivals(r) for r in labelled if r.kind == "automatic"],
        "noise": [lengthen(r) for r in labelled if r.kind == "noise"],
        "continuous": recordings,
        "active": find_active(recordings, teacher_network, teacher),
    }


def replace_arrivals(recording: Recording) -> Recording:
    """Forget a machine's picks: windows are cut anywhere, and the teacher says what they show."""
    return Recording(recording.name, recording.kind, recording.samples_CT)


def make_supply(sampler: Sampler, teacher_network: Network, teacher: Teacher) -> Supply:
    """Chain sampling, teaching and gaps into a source of inputs and targets."""

    def supply(n: int) -> tuple[Tensor, Tensor]:
        batch = sampler.draw(n)
        wave_BCT = teacher_network.normalise(batch.wave_BCT)
        target_BPT = blend_targets(batch, teacher(wave_BCT))
        # The teacher sees the window whole; the student must not take the edges of a gap for onsets.
        gapped_B = augment.chosen(n, GAP_PROBABILITY, sampler.generator)
        gapped_BCT = batch.wave_BCT
        gapped_BCT[gapped_B] = augment.cut_gap(gapped_BCT[gapped_B], LONGEST_GAP_SAMPLES, sampler.generator)
        wave_BCT[gapped_B] = teacher_network.normalise(gapped_BCT[gapped_B])
        return wave_BCT, teacher_network.silence_missing(target_BPT, gapped_BCT)

    return supply


def make_report(trainer: Trainer, out: Path) -> Callable[[int, float], None]:
    """Print the running loss and the pace, and save now and then."""
    started, losses = time.monotonic(), []

    def report(step: int, loss: float) -> None:
        losses.append(loss)
        if step % REPORT_EVERY == 0:
            pace = len(losses) * trainer.settings.batch_size / (time.monotonic() - started)
            recent = sum(losses[-REPORT_EVERY:]) / len(losses[-REPORT_EVERY:])
            print(f"step {step}/{trainer.settings.steps} loss {recent:.5f} {pace:.0f} windows/s", flush=True)
        if step % SAVE_EVERY == 0:
            save(trainer, out)

    return report


def save(trainer: Trainer, out: Path) -> None:
    """Write the checkpoint, and the mean weights as a network that `load_network` reads."""
    save_checkpoint(trainer, out / "checkpoint.pt")
    network = build_architecture(METADATA.architecture)
    network.load_state_dict(trainer.mean)
    write_network(network, METADATA, out / "default.safetensors")


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m rtpick.learning.train_default", description=__doc__)
    parser.add_argument("--windows", type=Path, required=True, help="labelled windows in SeisBench's layout")
    parser.add_argument("--continuous", type=Path, required=True, help="folder of folders of miniSEED")
    parser.add_argument("--teacher", type=Path, required=True, help="weights of the network to learn from")
    parser.add_argument("--steps", type=int, required=True, help="optimiser steps, exactly")
    parser.add_argument("--out", type=Path, required=True, help="folder for weights and checkpoint")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--float32", action="store_true", help="compute in float32 instead of bfloat16")
    parser.add_argument("--resume", type=Path, help="checkpoint to go on from")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
