"""An endless stream of training batches, made beside the training itself in a process of its own.

Shape suffixes: B batch, C component, P phase (noise, P, S), T time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from rtpick.learning import augment
from rtpick.learning.continuous import read_continuous
from rtpick.learning.dataset import Recording, read_windows
from rtpick.learning.distil import Teacher, blend_targets, find_active, teacher_of
from rtpick.learning.sampler import Recipe, Sampler, lengthen
from rtpick.networks import Network, load_network

GAP_PROBABILITY = 0.1
LONGEST_GAP_SAMPLES = 1500
PREFETCHED_BATCHES = 16

Example = tuple[Tensor, Tensor]
"""Normalised windows (B, C, T) and their target probabilities (B, P, T)."""


@dataclass(frozen=True)
class Sources:
    """Where batches come from.

    Attributes
    ----------
    windows
        Folder of labelled windows in SeisBench's layout; only its training split is read.
    continuous
        Folder whose sub-folders hold continuous miniSEED.
    held_out
        Names of sub-folders of `continuous` that are not read.
    teacher
        Weights of the network to learn from.
    batch_size
        Windows a batch.
    seed
        The same seed gives the same batches.
    """

    windows: Path
    continuous: Path
    held_out: tuple[str, ...]
    teacher: Path
    batch_size: int
    seed: int


class BatchStream(IterableDataset[Example]):
    """Endless batches from the sources; everything is read when iteration begins."""

    def __init__(self, sources: Sources) -> None:
        super().__init__()
        self.sources = sources

    def __iter__(self) -> Iterator[Example]:
        torch.set_num_threads(1)
        network = load_network(self.sources.teacher)
        teacher = teacher_of(network)
        pools = gather_pools(self.sources, network, teacher)
        print(", ".join(f"{len(pool)} {name}" for name, pool in pools.items()), flush=True)
        sampler = Sampler(pools, Recipe(), self.sources.seed)
        while True:
            yield make_example(sampler, self.sources.batch_size, network, teacher)


def open_stream(sources: Sources) -> Iterator[Example]:
    """Start a process that makes batches ahead of their use, in a fixed order.

    One process and no more: the order of draws is what a seed means. It ends with the iterator.
    """
    loader = DataLoader(
        BatchStream(sources), batch_size=None, num_workers=1, prefetch_factor=PREFETCHED_BATCHES
    )
    return iter(loader)


def gather_pools(sources: Sources, network: Network, teacher: Teacher) -> dict[str, list[Recording]]:
    """Read the training split and the continuous recordings, and sort them into the sampler's pools."""
    labelled = read_windows(sources.windows, "train")
    recordings = read_continuous(sources.continuous, sources.held_out)
    return {
        "manual": [r for r in labelled if r.kind == "manual"],
        "automatic": [forget_arrivals(r) for r in labelled if r.kind == "automatic"],
        "noise": [lengthen(r) for r in labelled if r.kind == "noise"],
        "continuous": recordings,
        "active": find_active(recordings, network, teacher),
    }


def forget_arrivals(recording: Recording) -> Recording:
    """Drop a machine's picks: windows are cut anywhere, and the teacher says what they show."""
    return Recording(recording.name, recording.kind, recording.samples_CT)


def make_example(sampler: Sampler, n: int, network: Network, teacher: Teacher) -> Example:
    """Draw windows, ask the teacher, and cut gaps into some of what the student will see."""
    batch = sampler.draw(n)
    wave_BCT = network.normalise(batch.wave_BCT)
    target_BPT = blend_targets(batch, teacher(wave_BCT))
    # The teacher sees the window whole; the student must not take the edges of a gap for onsets.
    gapped_B = augment.chosen(n, GAP_PROBABILITY, sampler.generator)
    gapped_BCT = batch.wave_BCT
    gapped_BCT[gapped_B] = augment.cut_gap(gapped_BCT[gapped_B], LONGEST_GAP_SAMPLES, sampler.generator)
    wave_BCT[gapped_B] = network.normalise(gapped_BCT[gapped_B])
    return wave_BCT, network.silence_missing(target_BPT, gapped_BCT)
