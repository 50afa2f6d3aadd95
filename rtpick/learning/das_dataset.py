"""Endless samples of fibers to learn from, made up and recorded, always the same for a seed.

Shape suffixes: K fiber channel, T time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from rtpick.learning import das_augment, das_stack
from rtpick.learning.das_background import Background, spread_background
from rtpick.learning.das_sample import DasSample, FloatKT
from rtpick.learning.das_station import make_from_station
from rtpick.learning.das_synthetic import make_noise, make_synthetic
from rtpick.learning.das_synthetic_cable import draw_cable
from rtpick.learning.dataset import Recording

__all__ = ["DasRecipe", "DasSample", "DasSampler", "DasSources"]

SHARES = {"synthetic": 0.70, "station": 0.16, "noise": 0.10, "recorded": 0.04}


@dataclass(frozen=True, slots=True)
class DasSources:
    """What was recorded; all of it may be missing, then everything is made up.

    Attributes
    ----------
    backgrounds
        Noise of cables.
    stations
        Labelled recordings of stations, see `das_station.usable_recordings`.
    recorded
        Labelled records of cables.
    """

    backgrounds: tuple[Background, ...] = ()
    stations: tuple[Recording, ...] = ()
    recorded: tuple[DasSample, ...] = ()


@dataclass(frozen=True, slots=True)
class DasRecipe:
    """How samples are mixed and changed; each probability is per sample.

    Attributes
    ----------
    shares
        Of each kind of wavefield; a kind without a source gives its share to the rest.
    recorded_background
        Of wavefields hidden in recorded noise rather than made-up noise.
    patches
        Samples cut from one wavefield.
    """

    shares: Mapping[str, float] = field(default_factory=lambda: dict(SHARES))
    recorded_background: float = 0.35
    patches: int = 4
    stretch_time: float = 0.25
    stretch_space: float = 0.25
    self_stack: float = 0.15
    noise_stack: float = 0.25
    flip: float = 0.5
    mask: float = 0.2
    common_mode: float = 0.5


class DasSampler:
    """Endless source of samples of one shape.

    Parameters
    ----------
    sources
        What was recorded.
    seed
        The same seed and sources give the same samples.
    shape
        Channels and samples at 100 Hz.
    recipe
        How samples are mixed and changed.

    Examples
    --------
    >>> sampler = DasSampler(DasSources(), seed=0, shape=(32, 512))
    >>> sampler.sample().samples_KT.shape
    (32, 512)
    """

    def __init__(
        self,
        sources: DasSources,
        seed: int,
        shape: tuple[int, int] = (512, 3072),
        recipe: DasRecipe | None = None,
    ) -> None:
        self.sources = sources
        self.shape = shape
        self.recipe = recipe or DasRecipe()
        self._seed = seed
        self._rng = np.random.default_rng(seed)
        self._waiting: list[DasSample] = []

    def sample(self, rng: np.random.Generator | None = None) -> DasSample:
        """Draw a sample.

        Parameters
        ----------
        rng
            Where it is given the sample is a wavefield of its own; otherwise samples come in the
            sampler's own
            order, `patches` of them from one wavefield.

        Returns
        -------
        DasSample
            Of the sampler's shape, each channel without mean and of unit spread.
        """
        if rng is not None:
            return self._finish(rng, self._wavefield(rng))
        if not self._waiting:
            wavefield = self._wavefield(self._rng)
            self._waiting = [self._finish(self._rng, wavefield) for _ in range(self.recipe.patches)]
        return self._waiting.pop()

    def at(self, index: int) -> DasSample:
        """Draw the sample of this number, whatever was drawn before: for several readers of one seed."""
        return self.sample(np.random.default_rng([self._seed, index]))

    def __iter__(self) -> Iterator[DasSample]:
        while True:
            yield self.sample()

    def _wavefield(self, rng: np.random.Generator) -> DasSample:
        """Make or choose a wavefield somewhat larger than a sample."""
        kind = self._draw_kind(rng)
        shape = (int(1.25 * self.shape[0]), int(1.25 * self.shape[1]))
        if kind == "recorded":
            return self.sources.recorded[rng.integers(len(self.sources.recorded))]
        if kind == "noise":
            return self._noise(rng, shape)
        background_KT = self._background(rng, shape)
        if kind == "station":
            recording = self.sources.stations[rng.integers(len(self.sources.stations))]
            return make_from_station(rng, recording, shape, background_KT)
        return make_synthetic(rng, shape, background_KT=background_KT)

    def _draw_kind(self, rng: np.random.Generator) -> str:
        there = {"synthetic": True, "noise": True}
        there |= {"station": bool(self.sources.stations), "recorded": bool(self.sources.recorded)}
        share = {kind: share for kind, share in self.recipe.shares.items() if there[kind]}
        total = sum(share.values())
        return str(rng.choice(list(share), p=[one / total for one in share.values()]))

    def _background(self, rng: np.random.Generator, shape: tuple[int, int]) -> FloatKT | None:
        if not self.sources.backgrounds or rng.random() >= self.recipe.recorded_background:
            return None
        return self._spread(rng, shape)

    def _spread(self, rng: np.random.Generator, shape: tuple[int, int]) -> FloatKT:
        background = self.sources.backgrounds[rng.integers(len(self.sources.backgrounds))]
        return spread_background(rng, background, shape)

    def _noise(self, rng: np.random.Generator, shape: tuple[int, int]) -> DasSample:
        if self.sources.backgrounds and rng.random() < 0.5:
            return DasSample(self._spread(rng, shape), kind="noise")
        cable = draw_cable(rng, shape[0])
        noise_KT = make_noise(rng, cable, shape[1])
        return DasSample(noise_KT, channel_spacing_m=cable.channel_spacing_m, kind="noise")

    def _finish(self, rng: np.random.Generator, wavefield: DasSample) -> DasSample:
        """Cut a sample out of a wavefield and change it."""
        recipe = self.recipe
        sample = self._stack_another(rng, self._cut(rng, wavefield), wavefield)
        if not sample.is_noise and rng.random() < recipe.noise_stack:
            louder = das_stack.stack_noise(rng, sample, self._noise(rng, self.shape).samples_KT)
            sample = das_stack.forget_buried(louder)
        if rng.random() < recipe.flip:
            sample = das_augment.flip_channels(sample)
        if rng.random() < 0.5:
            sample = das_augment.flip_polarity(sample)
        if rng.random() < recipe.common_mode:
            # Waves that reach all channels at once go with it.
            sample = das_stack.forget_buried(das_augment.remove_common_mode(sample))
        sample = das_augment.normalise(sample)
        return das_augment.mask_time(rng, sample) if rng.random() < recipe.mask else sample

    def _cut(self, rng: np.random.Generator, wavefield: DasSample) -> DasSample:
        """Cut at a random place, stretched or not, around a pick where there is one."""
        time_factor = _draw_factor(rng, self.recipe.stretch_time)
        space_factor = _draw_factor(rng, self.recipe.stretch_space)
        wanted = (_source_length(self.shape[0], space_factor), _source_length(self.shape[1], time_factor))
        wavefield = das_augment.fit(wavefield, wanted)
        first_channel, first_sample = _draw_corner(rng, wavefield, wanted)
        part = das_augment.crop(wavefield, first_channel, first_sample, wanted)
        if time_factor != 1.0 or space_factor != 1.0:
            part = das_augment.stretch(part, time_factor, space_factor)
        return das_augment.crop(part, 0, 0, self.shape)

    def _stack_another(self, rng: np.random.Generator, sample: DasSample, wavefield: DasSample) -> DasSample:
        if sample.is_noise or rng.random() >= self.recipe.self_stack:
            return sample
        second = self._cut(rng, wavefield)
        ratio = das_stack.stack_ratio(rng, sample, second)
        if ratio <= 0:
            return sample
        return das_stack.forget_buried(das_stack.stack(sample, second, ratio))


def _draw_factor(rng: np.random.Generator, probability: float) -> float:
    return float(rng.uniform(0.3, 3.0)) if rng.random() < probability else 1.0


def _source_length(wanted: int, factor: float) -> int:
    """Return how many rows or columns become at least the wanted number by stretching."""
    return wanted if factor == 1.0 else int(np.ceil((wanted - 1) / factor)) + 2


def _draw_corner(rng: np.random.Generator, wavefield: DasSample, shape: tuple[int, int]) -> tuple[int, int]:
    """Choose where to cut: anywhere along the cable, and with a random pick anywhere within."""
    room_K, room_T = (there - cut for there, cut in zip(wavefield.samples_KT.shape, shape, strict=True))
    if wavefield.is_noise:
        return int(rng.integers(room_K + 1)), int(rng.integers(room_T + 1))
    pick = int(rng.integers(len(wavefield.sample_N)))
    corner_K = int(wavefield.channel_N[pick]) - int(rng.integers(shape[0]))
    corner_T = int(wavefield.sample_N[pick]) - int(rng.integers(shape[1]))
    return int(np.clip(corner_K, 0, room_K)), int(np.clip(corner_T, 0, room_T))
