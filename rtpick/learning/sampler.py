"""Draw batches of augmented windows: so many from analysts' events, so many from noise, and so on.

Shape suffixes: B batch, C component, A arrival, T time; 2 for the phases P and S.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rtpick.learning import augment
from rtpick.learning.crops import Batch, Crop, cut, draw_start, draw_stretch
from rtpick.learning.dataset import DatasetError, Recording

N_SAMPLES = 3000
SHARES = {
    "manual": 0.36,
    "automatic": 0.10,
    "noise": 0.16,
    "synthetic": 0.06,
    "continuous": 0.12,
    "active": 0.20,
}
# Share of recorded noise in what is added to windows; the rest is synthetic.
RECORDED_NOISE = 0.7


@dataclass(frozen=True)
class Recipe:
    """How windows are drawn and how much they are changed; every probability is per window.

    Attributes
    ----------
    shares
        Share of each pool of recordings in a batch.
    trust
        How far clean analysts' picks are to be believed against the teacher, 0 to 1.
    """

    shares: Mapping[str, float] = field(default_factory=lambda: dict(SHARES))
    stretch: float = 0.3
    superpose: float = 0.25
    noise: float = 0.45
    flip: float = 0.5
    rotate: float = 0.4
    limit_band: float = 0.3
    vertical_only: float = 0.2
    one_less: float = 0.05
    trust: float = 0.5


class Sampler:
    """Endless source of batches; the same seed and recordings give the same batches.

    Parameters
    ----------
    pools
        Recordings by pool name; pools that the recipe does not name are not used, and empty ones give
        their share to the others.
    recipe
        See `Recipe`.
    seed
        Of both generators.
    """

    def __init__(self, pools: Mapping[str, list[Recording]], recipe: Recipe, seed: int) -> None:
        self.recipe = recipe
        self.pools = {name: pool for name, pool in pools.items() if pool}
        self.names = [name for name in recipe.shares if name in self.pools or name == "synthetic"]
        if not self.pools:
            raise DatasetError("there is nothing to learn from: every pool of recordings is empty")
        shares = np.array([recipe.shares[name] for name in self.names])
        self.shares = shares / shares.sum()
        self.weights = {name: _weights(pool) for name, pool in self.pools.items()}
        self.rng = np.random.default_rng(seed)
        self.generator = torch.Generator().manual_seed(seed)

    def draw(self, n: int) -> Batch:
        """Draw the next `n` windows, augmented."""
        origin = [self.names[i] for i in self.rng.choice(len(self.names), size=n, p=self.shares)]
        wave_BCT, arrival_B2A = _stack([self._crop(name) for name in origin])
        quiet_B = torch.tensor([name in ("noise", "synthetic") for name in origin])
        manual_B = torch.tensor([name == "manual" for name in origin])
        wave_BCT, arrival_B2A, alone_B = self._superpose(wave_BCT, arrival_B2A, manual_B)
        wave_BCT, clean_B = self._add_noise(wave_BCT)
        trust_B = self.recipe.trust * (manual_B & alone_B & clean_B).float()
        return Batch(self._disguise(wave_BCT), arrival_B2A, trust_B, quiet_B)

    def _crop(self, name: str) -> Crop:
        if name == "synthetic":
            return Crop(_coloured_noise(self.rng), np.full((2, 2), np.nan))
        recording = self.pools[name][self.rng.choice(len(self.pools[name]), p=self.weights[name])]
        stretch = draw_stretch(self.recipe.stretch, self.rng)
        return cut(recording, draw_start(recording, N_SAMPLES, stretch, self.rng), N_SAMPLES, stretch)

    def _superpose(
        self, wave_BCT: Tensor, arrival_B2A: Tensor, manual_B: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        doubled_B = manual_B & augment.chosen(len(wave_BCT), self.recipe.superpose, self.generator)
        if not doubled_B.any():
            return wave_BCT, arrival_B2A, ~doubled_B
        second_BCT, later_B2A = _stack([self._crop("manual") for _ in range(int(doubled_B.sum()))])
        ratio_B = augment.draw(len(second_BCT), np.log(0.2), np.log(5.0), self.generator).exp()
        wave_BCT[doubled_B] = augment.superpose(wave_BCT[doubled_B], second_BCT, ratio_B)
        # One slot for each event's arrival.
        arrival_B2A[doubled_B, :, 1] = later_B2A[:, :, 0]
        return wave_BCT, arrival_B2A, ~doubled_B

    def _add_noise(self, wave_BCT: Tensor) -> tuple[Tensor, Tensor]:
        noisy_B = augment.chosen(len(wave_BCT), self.recipe.noise, self.generator)
        n = int(noisy_B.sum())
        if n == 0:
            return wave_BCT, ~noisy_B
        recorded_share = RECORDED_NOISE if "noise" in self.pools else 0.0
        sources = ["noise" if self.rng.random() < recorded_share else "synthetic" for _ in range(n)]
        noise_BCT, _ = _stack([self._crop(name) for name in sources])
        snr_B = augment.draw(n, np.log(2.0), np.log(60.0), self.generator).exp()
        wave_BCT[noisy_B] = augment.add_noise(wave_BCT[noisy_B], noise_BCT, snr_B)
        return wave_BCT, ~noisy_B

    def _disguise(self, wave_BCT: Tensor) -> Tensor:
        recipe, generator = self.recipe, self.generator
        wave_BCT = augment.rotate_horizontals(wave_BCT, recipe.rotate, generator)
        wave_BCT = augment.limit_band(wave_BCT, recipe.limit_band, generator)
        wave_BCT = augment.flip_polarity(wave_BCT, recipe.flip, generator)
        return augment.drop_components(wave_BCT, recipe.vertical_only, recipe.one_less, generator)


def lengthen(recording: Recording) -> Recording:
    """Follow a noise recording by its own reverse, so that windows longer than the record can be cut."""
    mirrored_CT = np.concatenate([recording.samples_CT, recording.samples_CT[:, ::-1]], axis=1)
    return Recording(recording.name, recording.kind, mirrored_CT)


def _weights(pool: list[Recording]) -> NDArray[np.float64]:
    """Weigh recordings by the root of their length: long ones show more, but must not crowd out the rest."""
    root = np.sqrt([r.samples_CT.shape[1] for r in pool])
    weights: NDArray[np.float64] = root / root.sum()
    return weights


def _stack(crops: list[Crop]) -> tuple[Tensor, Tensor]:
    wave_BCT = torch.from_numpy(np.stack([crop.samples_CT for crop in crops]))
    return wave_BCT, torch.from_numpy(np.stack([crop.arrival_2A for crop in crops]))


def _coloured_noise(rng: np.random.Generator) -> NDArray[np.float32]:
    """Make noise that falls with a random power of frequency, with a spike or a step now and then."""
    amplitude_F = np.arange(1, N_SAMPLES // 2 + 2, dtype=np.float32) ** -rng.uniform(0.0, 1.5)
    spectrum_CF = rng.standard_normal((3, 2 * len(amplitude_F)), dtype=np.float32).view(np.complex64)
    noise_CT = np.fft.irfft(amplitude_F * spectrum_CF, n=N_SAMPLES).astype(np.float32)
    where, height = rng.integers(N_SAMPLES), rng.uniform(3.0, 30.0) * noise_CT.std()
    disturbance = rng.random()
    if disturbance < 0.15:
        noise_CT[:, where] += height
    elif disturbance < 0.3:
        noise_CT[:, where:] += 0.1 * height
    return noise_CT
