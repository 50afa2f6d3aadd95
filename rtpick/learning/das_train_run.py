"""Train a network for fibers from the command line: ``python -m rtpick.learning.das_train_run --help``.

Started again with the same folder, it goes on from the last checkpoint.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from rtpick.learning.das_background import read_backgrounds
from rtpick.learning.das_dataset import DasSources
from rtpick.learning.das_recorded import read_front
from rtpick.learning.das_station import usable_recordings
from rtpick.learning.das_stream import SampledBatches, open_batches
from rtpick.learning.das_train import (
    DasTrainer,
    DasTrainingError,
    DasTrainSettings,
    StepReport,
    load_checkpoint,
    save_checkpoint,
    start_from_prior,
)
from rtpick.learning.dataset import read_windows
from rtpick.networks import load_fiber_network
from rtpick.networks.eqnet_options import DAS, DAS_PLUS, DAS_SMALL
from rtpick.networks.phasenet_das import PhaseNetDas
from rtpick.networks.phasenet_das_metadata import FiberNetworkMetadata
from rtpick.networks.phasenet_das_weights import write_fiber_network
from rtpick.vocabulary.fiber import Quantity

SIZES = {"small": DAS_SMALL, "das": DAS, "plus": DAS_PLUS}
CHECKPOINT = "checkpoint.pt"
LOG = "log.jsonl"

METADATA = FiberNetworkMetadata(
    name="das",
    version="1",
    quantities=(Quantity.STRAIN_RATE, Quantity.PHASE_RATE),
    sampling_rate_hz=100.0,
    channel_spacing_range_m=(1.0, 50.0),
    tile_shape=(128, 3072),
    licence="Apache-2.0",
    description="PhaseNet-DAS, trained by rtpick from random weights on made-up fibers; see MODEL_CARD.md.",
)


def main(arguments: list[str] | None = None) -> None:
    """Train, and write checkpoint, log, and the mean weights as a network."""
    options = _parse(arguments)
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    options.out.mkdir(parents=True, exist_ok=True)
    student = PhaseNetDas(SIZES[options.size]).to(options.device)
    begin(student, options.start_from)
    trainer = DasTrainer(student, _settings(options))
    if (options.out / CHECKPOINT).exists():
        load_checkpoint(trainer, options.out / CHECKPOINT)
    draw = SampledBatches(read_sources(options), tuple(options.tile), options.batch_size, options.seed)
    stride = student.options.event_reduction
    batches = open_batches(draw, stride, trainer.step_count, options.steps, options.workers)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns) as progress:
        trainer.run(batches, make_report(trainer, options, progress))
    save(trainer, options)


def begin(student: PhaseNetDas, weights: Path | None) -> None:
    """Take the weights of another network of the same shape, or random ones that answer noise."""
    if weights is None:
        start_from_prior(student)
        return
    other = load_fiber_network(weights)
    if other.architecture.options != student.options:
        raise DasTrainingError(f"{weights} has another shape than what is to be trained: leave it out")
    student.load_state_dict(other.architecture.state_dict())


def read_sources(options: argparse.Namespace) -> DasSources:
    """Read the recordings that are hidden in, or laid along, made-up fibers."""
    backgrounds = (
        read_backgrounds(options.backgrounds, leave_out=options.leave_out) if options.backgrounds else []
    )
    stations = usable_recordings(read_windows(options.windows, "train")) if options.windows else []
    fronts = [read_front(path, options.difference_channels) for path in options.fronts]
    counts = f"{len(backgrounds)} backgrounds, {len(stations)} station recordings, {len(fronts)} fronts"
    print(counts, flush=True)
    return DasSources(tuple(backgrounds), tuple(stations), tuple(fronts))


def make_report(
    trainer: DasTrainer, options: argparse.Namespace, progress: Progress
) -> Callable[[StepReport], None]:
    """Move the bar, append to the log, and save now and then."""
    task = progress.add_task("training", total=options.steps, completed=trainer.step_count)
    window: list[StepReport] = []
    samples = options.tile[0] * options.tile[1] * options.batch_size
    last = time.monotonic()

    def report(step: StepReport) -> None:
        nonlocal last
        window.append(step)
        progress.update(task, completed=step.step, description=f"loss {step.phase:.4f}")
        if step.step % options.report_every == 0:
            now = time.monotonic()
            write_line(options.out / LOG, window, samples * len(window) / (now - last))
            window.clear()
            last = now
        if step.step % options.save_every == 0:
            save(trainer, options)

    return report


def write_line(path: Path, window: list[StepReport], samples_per_s: float) -> None:
    """Append the mean of some steps to the log, a JSON object a line."""
    rows = [asdict(step) for step in window]
    line = {name: sum(row[name] for row in rows) / len(rows) for name in rows[0]}
    line |= {"step": window[-1].step, "samples_per_s": round(samples_per_s)}
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def save(trainer: DasTrainer, options: argparse.Namespace) -> None:
    """Write the checkpoint, and the mean weights as a network that `load_fiber_network` reads."""
    save_checkpoint(trainer, options.out / CHECKPOINT)
    export(trainer, options.out / f"das-{options.size}.safetensors", tuple(options.tile))


def export(trainer: DasTrainer, path: Path, tile_shape: tuple[int, int]) -> None:
    """Write the mean weights of a run with their metadata."""
    network = PhaseNetDas(trainer.student.options)
    network.load_state_dict(trainer.mean)
    write_fiber_network(network, replace(METADATA, name=path.stem, tile_shape=tile_shape), path)


def _settings(options: argparse.Namespace) -> DasTrainSettings:
    return DasTrainSettings(
        options.steps,
        learning_rate=options.learning_rate,
        warmup_steps=options.warmup_steps,
        arrival_weight=options.arrival_weight,
        time_weight=options.time_weight,
        bfloat16=not options.float32,
        compiled=options.compiled,
    )


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m rtpick.learning.das_train_run", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for weights, checkpoint and log")
    parser.add_argument("--steps", type=int, required=True, help="optimiser steps, exactly")
    parser.add_argument("--size", choices=SIZES, default="small", help="of the network")
    parser.add_argument("--tile", type=int, nargs=2, default=(128, 3072), help="channels and samples")
    parser.add_argument("--batch-size", type=int, default=4, help="tiles a step")
    parser.add_argument("--backgrounds", type=Path, help="folder of noise*.h5 of real fibers")
    parser.add_argument("--leave-out", nargs="*", default=[], help="names of backgrounds not to read")
    parser.add_argument("--windows", type=Path, help="labelled station windows in SeisBench's layout")
    parser.add_argument("--fronts", type=Path, nargs="*", default=[], help="fibers' records of earthquakes")
    parser.add_argument("--difference-channels", type=int, default=0, help="that make strain of such records")
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--warmup-steps", type=int, default=500)
    parser.add_argument("--arrival-weight", type=float, default=1.0, help="of onsets against noise")
    parser.add_argument("--time-weight", type=float, default=0.03, help="of the times of events")
    parser.add_argument("--start-from", type=Path, help="weights of a network of the same shape")
    parser.add_argument("--seed", type=int, default=1337)
    parser.add_argument("--threads", type=int, default=1, help="of the training itself")
    parser.add_argument("--workers", type=int, default=0, help="processes that make batches ahead")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--float32", action="store_true", help="compute in float32 instead of bfloat16")
    parser.add_argument("--compiled", action="store_true", help="compile the network first")
    parser.add_argument("--report-every", type=int, default=20, help="steps a line of the log")
    parser.add_argument("--save-every", type=int, default=100, help="steps a checkpoint")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
