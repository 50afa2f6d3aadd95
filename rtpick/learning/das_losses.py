"""How far a network for fibers is from its targets.

Shape suffixes: B batch, P phase, K fiber channel, T time.

Each part is a divergence that is zero where the answer is the target, averaged over what is known. All is
computed in float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from rtpick.learning.das_targets import FiberTargets
from rtpick.networks.eqnet_unet import EVENT_TIME_SCALE, UNetAnswer


@dataclass(frozen=True)
class TargetBatch:
    """Targets of a batch of tiles as tensors, see `FiberTargets`."""

    phase_BPKT: Tensor
    phase_mask_BKT: Tensor
    center_BKT: Tensor
    center_mask_BKT: Tensor
    event_time_BKT: Tensor
    event_time_mask_BKT: Tensor

    def to(self, device: torch.device | str) -> TargetBatch:
        """Move everything to a device."""
        return TargetBatch(*(tensor.to(device, non_blocking=True) for tensor in vars(self).values()))


@dataclass(frozen=True)
class LossParts:
    """Losses of a batch; a part of which nothing is known, or that the network does not answer, is zero."""

    phase: Tensor
    center: Tensor
    event_time: Tensor

    def total(self, center_weight: float = 1.0, time_weight: float = 1.0) -> Tensor:
        """Add the parts up."""
        return self.phase + center_weight * self.center + time_weight * self.event_time


def stack_targets(tiles: Sequence[FiberTargets]) -> TargetBatch:
    """Lay the targets of several tiles into a batch."""

    def stack(arrays: Sequence[NDArray[np.float32]]) -> Tensor:
        return torch.from_numpy(np.stack(arrays))

    return TargetBatch(
        stack([tile.phase_PKT for tile in tiles]),
        stack([tile.phase_mask_KT for tile in tiles]),
        stack([tile.center_KT for tile in tiles]),
        stack([tile.center_mask_KT for tile in tiles]),
        stack([tile.event_time_KT for tile in tiles]),
        stack([tile.event_time_mask_KT for tile in tiles]),
    )


def measure(answer: UNetAnswer, target: TargetBatch, arrival_weight: float = 1.0) -> LossParts:
    """Compute all parts of the loss of a batch.

    Parameters
    ----------
    answer
        Of the network, logits at full rate and events on their own grid.
    target
        Phases at full rate, events on a grid of their own; where it is not the network's, the answer is
        interpolated.
    arrival_weight
        How much more a sample at the top of a bump counts than one of noise.
    """
    phase = phase_loss(answer.phase_BPKT, target.phase_BPKT, target.phase_mask_BKT, arrival_weight)
    if answer.event_center_BKT is None or answer.event_time_BKT is None:
        return LossParts(phase, torch.zeros_like(phase), torch.zeros_like(phase))
    center = center_loss(answer.event_center_BKT, target.center_BKT, target.center_mask_BKT)
    since = event_time_loss(answer.event_time_BKT, target.event_time_BKT, target.event_time_mask_BKT)
    return LossParts(phase, center, since)


def phase_loss(
    logits_BPKT: Tensor, target_BPKT: Tensor, mask_BKT: Tensor, arrival_weight: float = 1.0
) -> Tensor:
    """Return the mean divergence (nats) of the answered phases from the target.

    >>> target_BPKT = torch.tensor([[[[0.5]], [[0.5]], [[0.0]]]])
    >>> float(phase_loss(torch.tensor([[[[0.0]], [[0.0]], [[-1e9]]]]), target_BPKT, torch.ones(1, 1, 1)))
    0.0
    """
    log_answer_BPKT = functional.log_softmax(_resize(logits_BPKT.float(), target_BPKT.shape[-2:]), dim=1)
    divergence_BKT = (torch.xlogy(target_BPKT, target_BPKT) - target_BPKT * log_answer_BPKT).sum(dim=1)
    weight_BKT = 1.0 + (arrival_weight - 1.0) * (1.0 - target_BPKT[:, 0])
    return (mask_BKT * weight_BKT * divergence_BKT).sum() / mask_BKT.sum().clamp(min=1.0)


def center_loss(logits_BKT: Tensor, target_BKT: Tensor, mask_BKT: Tensor) -> Tensor:
    """Return the mean divergence (nats) of the answered middles of events from the target."""
    logits_BKT = _resize(logits_BKT.float().unsqueeze(1), target_BKT.shape[-2:])[:, 0]
    cross_BKT = functional.binary_cross_entropy_with_logits(logits_BKT, target_BKT, reduction="none")
    rest_BKT = (1.0 - target_BKT).clamp(min=0.0)
    entropy_BKT = -torch.xlogy(target_BKT, target_BKT) - torch.xlogy(rest_BKT, rest_BKT)
    return (mask_BKT * (cross_BKT - entropy_BKT)).sum() / mask_BKT.sum().clamp(min=1.0)


def event_time_loss(time_BKT: Tensor, target_BKT: Tensor, mask_BKT: Tensor) -> Tensor:
    """Return the mean distance from the target in thousands of samples."""
    time_BKT = _resize(time_BKT.float().unsqueeze(1), target_BKT.shape[-2:])[:, 0]
    distance = (mask_BKT * (time_BKT - target_BKT).abs()).sum()
    return distance / mask_BKT.sum().clamp(min=1.0) / EVENT_TIME_SCALE


def _resize(answer_BPKT: Tensor, shape: torch.Size) -> Tensor:
    if answer_BPKT.shape[-2:] == shape:
        return answer_BPKT
    return functional.interpolate(answer_BPKT, tuple(shape), mode="bilinear", align_corners=False)
