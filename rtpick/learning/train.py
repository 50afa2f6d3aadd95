"""Train a network for an exact number of steps, and leave a checkpoint that training can go on from.

Shape suffixes: B batch, C component, P phase (noise first), T time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import clip_grad_norm_

Report = Callable[[int, float, int], None]


@dataclass(frozen=True)
class TrainSettings:
    """How to train.

    Attributes
    ----------
    steps
        Optimiser steps, exactly.
    learning_rate
        Peak rate, reached after `warmup_steps`; then half a cosine down to nothing.
    weight_decay
        Of AdamW, on convolution kernels only.
    gradient_clip
        Largest norm of the gradient.
    ema_decay
        Of the running mean of the weights, which is what ships.
    arrival_weight
        How much more a sample at an arrival counts than one of noise.
    bfloat16
        Compute the network in bfloat16; the loss, the weights and their mean stay in float32.
    compiled
        Let torch compile the network first: a minute's wait and a C++ compiler for about a sixth more speed.
    """

    steps: int
    learning_rate: float = 3e-3
    warmup_steps: int = 200
    weight_decay: float = 1e-3
    gradient_clip: float = 1.0
    ema_decay: float = 0.999
    arrival_weight: float = 10.0
    bfloat16: bool = True
    compiled: bool = False


class Trainer:
    """The state of a training run: student, mean of its weights, optimiser, step.

    Parameters
    ----------
    student
        Takes normalised windows and gives logits. Changed in place.
    settings
        See `TrainSettings`.
    """

    def __init__(self, student: nn.Module, settings: TrainSettings) -> None:
        self.student = student
        self.answer = torch.compile(student) if settings.compiled else student
        self.settings = settings
        self.mean = {name: value.detach().clone() for name, value in student.state_dict().items()}
        self.optimizer = torch.optim.AdamW(_groups(student, settings.weight_decay), lr=settings.learning_rate)
        self.step_count = 0

    def step(self, wave_BCT: Tensor, target_BPT: Tensor) -> float:
        """Take one step on one batch and return the loss before it."""
        self.student.train()
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.step_count, self.settings)
        self.optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.settings.bfloat16):
            logits_BPT = self.answer(wave_BCT)
        loss = soft_loss(logits_BPT.float(), target_BPT, self.settings.arrival_weight)
        loss.backward()  # type: ignore[no-untyped-call]
        clip_grad_norm_(self.student.parameters(), self.settings.gradient_clip)
        self.optimizer.step()
        self.step_count += 1
        self._update_mean()
        return float(loss.detach())

    def run(self, batches: Iterator[tuple[Tensor, Tensor]], report: Report) -> None:
        """Train until `settings.steps` steps have been taken.

        Parameters
        ----------
        batches
            Normalised windows (B, C, T) and target probabilities (B, P, T), without end.
        report
            Hears after each step its number, the loss before it, and the number of windows.
        """
        while self.step_count < self.settings.steps:
            wave_BCT, target_BPT = next(batches)
            loss = self.step(wave_BCT, target_BPT)
            report(self.step_count, loss, len(wave_BCT))

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
        """Go on from what `state` returned."""
        self.step_count = int(state["step"])
        self.student.load_state_dict(state["student"])
        self.mean = {name: value.clone() for name, value in state["mean"].items()}
        self.optimizer.load_state_dict(state["optimizer"])

    @torch.no_grad()
    def _update_mean(self) -> None:
        # Early weights are forgotten fast: the mean's memory grows with the run up to its full length.
        decay = min(self.settings.ema_decay, self.step_count / (self.step_count + 10.0))
        for name, value in self.student.state_dict().items():
            if value.is_floating_point():
                self.mean[name].lerp_(value, 1.0 - decay)
            else:
                self.mean[name].copy_(value)


def soft_loss(logits_BPT: Tensor, target_BPT: Tensor, arrival_weight: float) -> Tensor:
    """Return the mean divergence of the answer from the target, arrivals counting more.

    Zero is reached where the answer equals the target; the target's own entropy is taken off.
    """
    log_answer_BPT = functional.log_softmax(logits_BPT, dim=1)
    log_target_BPT = target_BPT.clamp(min=1e-12).log()
    divergence_BT = (target_BPT * (log_target_BPT - log_answer_BPT)).sum(dim=1)
    weight_BT = 1.0 + (arrival_weight - 1.0) * (1.0 - target_BPT[:, 0])
    return (weight_BT * divergence_BT).mean()


def learning_rate(step: int, settings: TrainSettings) -> float:
    """Return the rate of a step: a linear rise, then half a cosine down to a hundredth of the peak."""
    warmup = min(settings.warmup_steps, settings.steps // 10)
    if step < warmup:
        return settings.learning_rate * (step + 1) / warmup
    progress = (step - warmup) / max(settings.steps - warmup, 1)
    return settings.learning_rate * (0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * progress)))


def save_checkpoint(trainer: Trainer, path: Path) -> None:
    """Write the whole state of a run; it appears under its name only when complete."""
    partial = path.with_suffix(".partial")
    torch.save(trainer.state(), partial)
    partial.replace(path)


def load_checkpoint(trainer: Trainer, path: Path) -> None:
    """Go on from a checkpoint; only tensors and plain values are read."""
    trainer.restore(torch.load(path, map_location="cpu", weights_only=True))


def _groups(student: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    kernels = [p for p in student.parameters() if p.ndim > 1]
    others = [p for p in student.parameters() if p.ndim <= 1]
    return [{"params": kernels, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
