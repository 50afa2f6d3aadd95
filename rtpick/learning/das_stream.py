"""Batches of fiber tiles and their targets, each a function of its number alone.

Shape suffixes: B batch, K fiber channel, T time.

As batch 1,000 is the same whoever asks for it, training that was stopped goes on exactly where it was, and
any number of processes may make batches ahead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from rtpick.learning.das_dataset import DasRecipe, DasSampler, DasSources
from rtpick.learning.das_losses import TargetBatch, stack_targets
from rtpick.learning.das_sample import DasSample
from rtpick.learning.das_targets import (
    FiberTargets,
    group_events,
    hold_where_known,
    make_targets,
    thin_events,
)
from rtpick.networks.phasenet_das_metadata import PER_CHANNEL
from rtpick.networks.preprocess import normalise

PREFETCHED_BATCHES = 4

DrawBatch = Callable[[int], Sequence[DasSample]]
"""Draw the samples of the batch of a number."""
FiberBatch = tuple[Tensor, TargetBatch]
"""Normalised tiles (B, K, T) and their targets."""


@dataclass(frozen=True)
class SampledBatches:
    """Draws batches from a sampler of one seed; a batch has a few patches of each of its wavefields.

    Attributes
    ----------
    sources
        What was recorded.
    shape
        (channels, samples) of a tile.
    batch_size
        Tiles a batch.
    seed
        The same seed gives the same batches.
    patches
        Tiles cut from one wavefield.
    """

    sources: DasSources
    shape: tuple[int, int]
    batch_size: int
    seed: int
    patches: int = 2

    def __call__(self, number: int) -> list[DasSample]:
        """Draw the samples of batch `number`."""
        seed = int(np.random.SeedSequence([self.seed, number]).generate_state(1)[0])
        recipe = replace(DasRecipe(), patches=self.patches)
        return list(islice(DasSampler(self.sources, seed, self.shape, recipe), self.batch_size))


class _NumberedBatches(Dataset[FiberBatch]):
    def __init__(self, draw: DrawBatch, stride: tuple[int, int]) -> None:
        self.draw = draw
        self.stride = stride

    def __getitem__(self, number: int) -> FiberBatch:
        return make_batch(self.draw(number), self.stride)


def open_batches(
    draw: DrawBatch, stride: tuple[int, int], first: int, stop: int, workers: int = 0
) -> Iterator[FiberBatch]:
    """Give the batches `first` to `stop`, in order.

    Parameters
    ----------
    draw
        Where samples come from.
    stride
        Grid of the network's event heads.
    first, stop
        Numbers, half open.
    workers
        Processes that make batches ahead; 0 makes each when it is asked for.
    """
    ahead = PREFETCHED_BATCHES if workers else None
    batches = _NumberedBatches(draw, stride)
    loader: DataLoader[FiberBatch] = DataLoader(
        batches, batch_size=None, sampler=range(first, stop), num_workers=workers, prefetch_factor=ahead
    )
    return iter(loader)


def make_batch(samples: Sequence[DasSample], stride: tuple[int, int]) -> FiberBatch:
    """Scale tiles as they will be live, and lay out what is to be answered."""
    raw_BKT = torch.from_numpy(np.stack([sample.samples_KT for sample in samples]))
    return normalise(raw_BKT, PER_CHANNEL), stack_targets([targets_of(sample, stride) for sample in samples])


def targets_of(sample: DasSample, stride: tuple[int, int]) -> FiberTargets:
    """Lay out the targets of a sample, events on the grid of `stride`; only what is known is asked for."""
    events = group_events(sample.channel_N, sample.phase_N, sample.sample_N, sample.event_N)
    targets = make_targets(events, *sample.samples_KT.shape)
    return thin_events(hold_where_known(targets, events, sample.known_KT), stride)
