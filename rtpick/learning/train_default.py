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
from torch import nn

from rtpick.learning.stream import Sources, open_stream
from rtpick.learning.train import Trainer, TrainSettings, load_checkpoint, save_checkpoint
from rtpick.networks import NetworkMetadata
from rtpick.networks.network import build_architecture
from rtpick.networks.preprocess import Normalisation
from rtpick.networks.weights import write_network

# The demonstration is judged on this recording.
HELD_OUT = ("unterhaching_bw_20100527",)
# Shares of the samples that are noise, P and S, roughly.
PRIOR_P = (0.98, 0.01, 0.01)
REPORT_EVERY = 100
SAVE_EVERY = 500

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
    batches = open_stream(
        Sources(
            options.windows, options.continuous, HELD_OUT, options.teacher, options.batch_size, options.seed
        )
    )
    settings = TrainSettings(options.steps, bfloat16=not options.float32, compiled=options.compiled)
    trainer = Trainer(random_student(), settings)
    if options.resume:
        load_checkpoint(trainer, options.resume)
    trainer.run(batches, make_report(trainer, options.out))
    save(trainer, options.out)


def random_student() -> nn.Module:
    """Build the network with random weights that answers noise, as most samples are.

    Left to itself, the last layer first learns to say noise wherever anything stirs, and what remains
    for P is the absence of all features, a blind alley that training takes long to leave.
    """
    student = build_architecture(METADATA.architecture)
    with torch.no_grad():
        student.get_parameter("output.conv.bias").copy_(torch.tensor(PRIOR_P).log())
    return student


def make_report(trainer: Trainer, out: Path) -> Callable[[int, float, int], None]:
    """Print the running loss and the pace, and save now and then."""
    losses: list[float] = []
    seen = 0
    last = time.monotonic()

    def report(step: int, loss: float, n_windows: int) -> None:
        nonlocal seen, last
        losses.append(loss)
        seen += n_windows
        if len(losses) == REPORT_EVERY:
            now = time.monotonic()
            mean, pace = sum(losses) / len(losses), seen / (now - last)
            print(f"step {step}/{trainer.settings.steps} loss {mean:.5f} {pace:.0f} windows/s", flush=True)
            losses.clear()
            seen, last = 0, now
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
    parser.add_argument("--threads", type=int, default=1, help="of the student; one more makes batches")
    parser.add_argument("--float32", action="store_true", help="compute in float32 instead of bfloat16")
    parser.add_argument("--compiled", action="store_true", help="compile the network first")
    parser.add_argument("--resume", type=Path, help="checkpoint to go on from")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
