"""Train a network for fibers for an exact number of steps; stopped at any moment, it goes on where it was.

Shape suffixes: B batch, K fiber channel, T time.

References
----------
Zhu, W. et al. (2023), Seismic arrival-time picking on distributed acoustic sensing data using semi-supervised
learning, Nature Communications 14, 8192, doi:10.1038/s41467-023-43355-3.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from rtpick.learning.das_losses import LossParts, TargetBatch, measure
from rtpick.learning.das_stream import FiberBatch
from rtpick.networks.phasenet_das import PhaseNetDas
from rtpick.vocabulary.errors import RtpickError

# Shares of the samples that are noise, P and S, and of the cells at the middle of an event, roughly.
PRIOR_P = (0.96, 0.02, 0.02)
PRIOR_CENTER = 0.02


class DasTrainingError(RtpickError, ValueError):
    """A training run that cannot be gone on with."""


@dataclass(frozen=True)
class DasTrainSettings:
    """How to train.

    Attributes
    ----------
    steps
        Optimiser steps, exactly.
    learning_rate
        Peak rate, reached after the warm-up; then half a cosine down to a hundredth.
    warmup_steps
        At most a tenth of all steps.
    weight_decay
        Of AdamW, on all parameters.
    gradient_clip
        Largest norm of the gradient.
    ema_decay
        Of the running mean of the weights, which is what ships; it begins when the warm-up ends.
    arrival_weight
        How much more a sample at an onset counts than one of noise.
    center_weight, time_weight
        Of the losses of the event heads. The published weights are 1; in a short run the gradient of the
        times is then some twenty times that of the phases, which wait until it is small.
    bfloat16
        Compute the network in bfloat16; the loss, the weights and their mean stay in float32.
    compiled
        Let torch compile the network first: minutes of waiting and a C++ compiler for half more speed.
    """

    steps: int
    learning_rate: float = 1e-4
    warmup_steps: int = 1000
    weight_decay: float = 0.01
    gradient_clip: float = 1.0
    ema_decay: float = 0.999
    arrival_weight: float = 1.0
    center_weight: float = 1.0
    time_weight: float = 1.0
    bfloat16: bool = True
    compiled: bool = False

    @property
    def warmup(self) -> int:
        """Steps of the warm-up."""
        return min(self.warmup_steps, self.steps // 10)


@dataclass(frozen=True)
class StepReport:
    """What a step cost: its number, the parts of the loss before it, the norm of its gradient, its rate."""

    step: int
    phase: float
    center: float
    event_time: float
    gradient_norm: float
    learning_rate: float


class DasTrainer:
    """The state of a training run: student, mean of its weights, optimiser, step.

    Parameters
    ----------
    student
        Changed in place; its device is where training happens.
    settings
        See `DasTrainSettings`.
    """

    def __init__(self, student: PhaseNetDas, settings: DasTrainSettings) -> None:
        self.student = student.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.answer = torch.compile(self.student) if settings.compiled else self.student
        self.settings = settings
        self.device = next(student.parameters()).device
        self.mean = {name: value.detach().clone() for name, value in student.state_dict().items()}
        self.optimizer = torch.optim.AdamW(
            student.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
        )
        self.step_count = 0

    def step(self, tile_BKT: Tensor, target: TargetBatch) -> StepReport:
        """Take one step on one batch and say what it cost."""
        self.student.train()
        rate = learning_rate(self.step_count, self.settings)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad(set_to_none=True)
        parts = self._measure(tile_BKT.to(self.device), target.to(self.device))
        loss = parts.total(self.settings.center_weight, self.settings.time_weight)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = clip_grad_norm_(self.student.parameters(), self.settings.gradient_clip)
        # A batch whose gradient is no number would poison the weights for good.
        if torch.isfinite(norm):
            self.optimizer.step()
        self.step_count += 1
        self._update_mean()
        return _report(self.step_count, parts, float(norm), rate)

    def run(self, batches: Iterator[FiberBatch], report: Callable[[StepReport], None]) -> None:
        """Train until `settings.steps` steps have been taken.

        Parameters
        ----------
        batches
            From number `step_count` on, see `rtpick.learning.das_stream.open_batches`.
        report
            Hears of each step.
        """
        while self.step_count < self.settings.steps:
            report(self.step(*next(batches)))

    def state(self) -> dict[str, Any]:
        """Return all that is needed to go on: plain tensors and numbers."""
        return {
            "step": self.step_count,
            "settings": asdict(self.settings),
            "student": self.student.state_dict(),
            "mean": self.mean,
            "optimizer": self.optimizer.state_dict(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` returned.

        Raises
        ------
        DasTrainingError
            If it is of another network.
        """
        try:
            self.student.load_state_dict(state["student"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.mean = {name: value.clone().to(self.device) for name, value in state["mean"].items()}
            self.step_count = int(state["step"])
        except (KeyError, RuntimeError, ValueError) as error:
            reason = str(error).partition("\n")[0]
            raise DasTrainingError(
                f"the checkpoint is of another network ({reason}): train in an empty folder"
            ) from None

    def _measure(self, tile_BKT: Tensor, target: TargetBatch) -> LossParts:
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.settings.bfloat16):
            answer = self.answer(tile_BKT)
        return measure(answer, target, self.settings.arrival_weight)

    @torch.no_grad()
    def _update_mean(self) -> None:
        decay = self.settings.ema_decay if self.step_count > self.settings.warmup else 0.0
        for name, value in self.student.state_dict().items():
            self.mean[name].lerp_(value, 1.0 - decay)


def learning_rate(step: int, settings: DasTrainSettings) -> float:
    """Return the rate of a step: a linear rise, then half a cosine down to a hundredth of the peak.

    >>> settings = DasTrainSettings(steps=1000, learning_rate=1.0)
    >>> [round(learning_rate(step, settings), 2) for step in (0, 99, 550, 1000)]
    [0.01, 1.0, 0.51, 0.01]
    """
    if step < settings.warmup:
        return settings.learning_rate * (step + 1) / settings.warmup
    progress = (step - settings.warmup) / max(settings.steps - settings.warmup, 1)
    return settings.learning_rate * (0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * progress)))


@torch.no_grad()
def start_from_prior(network: PhaseNetDas) -> None:
    """Let a random network answer noise, as most samples are, and no event: it need not learn that first."""
    network.backbone.phase_head.weight.mul_(0.1)
    network.get_parameter("backbone.phase_head.bias").copy_(torch.tensor(PRIOR_P).log())
    if network.options.event_heads:
        prior = math.log(PRIOR_CENTER / (1.0 - PRIOR_CENTER))
        network.get_parameter("backbone.event_center_head.1.bias").fill_(prior)


def save_checkpoint(trainer: DasTrainer, path: Path) -> None:
    """Write the whole state of a run; it appears under its name only when it is complete and on disk."""
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        torch.save(trainer.state(), file)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def load_checkpoint(trainer: DasTrainer, path: Path) -> None:
    """Go on from a checkpoint; only tensors and plain values are read."""
    trainer.restore(torch.load(path, map_location=trainer.device, weights_only=True))


def _report(step: int, parts: LossParts, norm: float, rate: float) -> StepReport:
    phase, center, since = (float(part.detach()) for part in (parts.phase, parts.center, parts.event_time))
    return StepReport(step, phase, center, since, norm, rate)
