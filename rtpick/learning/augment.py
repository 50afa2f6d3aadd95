"""Change windows in ways that a seismologist's picks would survive.

Shape suffixes: B batch, C component (E, N, Z), T time, F frequency. Every function takes raw float32 windows
with NaN where a sample is missing, and gives new ones; every draw comes from the generator it is given.
"""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor

SAMPLING_RATE_HZ = 100.0


def draw(n: int, low: float, high: float, generator: Generator) -> Tensor:
    """Draw `n` numbers uniformly from [low, high)."""
    return low + (high - low) * torch.rand(n, generator=generator)


def chosen(n: int, probability: float, generator: Generator) -> Tensor:
    """Draw `n` booleans, true with this probability."""
    return torch.rand(n, generator=generator) < probability


def flip_polarity(wave_BCT: Tensor, probability: float, generator: Generator) -> Tensor:
    """Reverse the ground motion of some windows, all components together."""
    sign_B = 1.0 - 2.0 * chosen(len(wave_BCT), probability, generator).float()
    return wave_BCT * sign_B[:, None, None]


def rotate_horizontals(wave_BCT: Tensor, probability: float, generator: Generator) -> Tensor:
    """Turn the horizontal components of some windows by any angle about the vertical."""
    angle_B = draw(len(wave_BCT), 0.0, 2.0 * math.pi, generator)
    angle_B = torch.where(chosen(len(wave_BCT), probability, generator), angle_B, 0.0)
    cosine_B1, sine_B1 = angle_B.cos()[:, None], angle_B.sin()[:, None]
    east_BT, north_BT, up_BT = wave_BCT.unbind(dim=1)
    # Windows that are not turned are kept as they are: 0 * NaN would spread a missing horizontal.
    turned_BCT = torch.stack(
        [cosine_B1 * east_BT + sine_B1 * north_BT, cosine_B1 * north_BT - sine_B1 * east_BT, up_BT], dim=1
    )
    return torch.where((angle_B != 0.0)[:, None, None], turned_BCT, wave_BCT)


def drop_components(wave_BCT: Tensor, vertical_only: float, one_less: float, generator: Generator) -> Tensor:
    """Lose both horizontals of some windows, and one component of some others."""
    n = len(wave_BCT)
    fate_B = torch.rand(n, generator=generator)
    lost_B = torch.randint(0, wave_BCT.shape[1], (n,), generator=generator)
    lone_BC = (fate_B < vertical_only)[:, None] & torch.tensor([True, True, False])
    fewer_B = (fate_B >= vertical_only) & (fate_B < vertical_only + one_less)
    fewer_BC = fewer_B[:, None] & (lost_B[:, None] == torch.arange(wave_BCT.shape[1]))
    return torch.where((lone_BC | fewer_BC).unsqueeze(-1), torch.nan, wave_BCT)


def cut_gap(wave_BCT: Tensor, longest_samples: int, generator: Generator) -> Tensor:
    """Take a stretch out of all components of each window, as a lost packet does."""
    n, _, n_samples = wave_BCT.shape
    first_B1 = torch.randint(0, n_samples, (n, 1), generator=generator)
    length_B1 = torch.randint(1, longest_samples, (n, 1), generator=generator)
    time_T = torch.arange(n_samples)
    gone_BT = (time_T >= first_B1) & (time_T < first_B1 + length_B1)
    return torch.where(gone_BT[:, None, :], torch.nan, wave_BCT)


def limit_band(wave_BCT: Tensor, probability: float, generator: Generator) -> Tensor:
    """Pass only a random band of some windows, as other sensors, sampling rates and operators' filters do.

    The low corner is log-uniform from 0.05 to 2 Hz and the high one from 8 to 45 Hz. The
    filter has zero phase, so that onsets stay where they are.
    """
    picked_B = chosen(len(wave_BCT), probability, generator)
    n = int(picked_B.sum())
    if n == 0:
        return wave_BCT
    low_B1 = draw(n, math.log(0.05), math.log(2.0), generator).exp()[:, None]
    high_B1 = draw(n, math.log(8.0), math.log(45.0), generator).exp()[:, None]
    frequency_F = torch.fft.rfftfreq(wave_BCT.shape[-1], 1.0 / SAMPLING_RATE_HZ)
    lowpass_BF = (1.0 + (frequency_F / high_B1) ** 8).rsqrt()
    highpass_BF = 1.0 - (1.0 + (frequency_F / low_B1) ** 4).rsqrt()
    result_BCT = wave_BCT.clone()
    result_BCT[picked_B] = _filter(wave_BCT[picked_B], lowpass_BF * highpass_BF)
    return result_BCT


def add_noise(wave_BCT: Tensor, noise_BCT: Tensor, snr_B: Tensor) -> Tensor:
    """Add noise so that the windows' largest sample stands `snr_B` standard deviations above it.

    Parameters
    ----------
    wave_BCT, noise_BCT
        Windows of the same shape; a sample of noise that is missing adds nothing.
    snr_B
        Peak over standard deviation wanted; infinity leaves a window as it is.
    """
    known_BCT = torch.nan_to_num(noise_BCT - noise_BCT.nanmean(dim=-1, keepdim=True))
    spread_B = known_BCT.flatten(1).std(dim=1).clamp(min=1e-20)
    gain_B = peak(wave_BCT) / spread_B / snr_B
    return wave_BCT + gain_B[:, None, None] * known_BCT


def superpose(wave_BCT: Tensor, second_BCT: Tensor, ratio_B: Tensor) -> Tensor:
    """Add a second recording with `ratio_B` times the peak of the first; 0 leaves a window as it is."""
    gain_B = ratio_B * peak(wave_BCT) / peak(second_BCT).clamp(min=1e-20)
    known_BCT = torch.nan_to_num(second_BCT - second_BCT.nanmean(dim=-1, keepdim=True))
    return wave_BCT + gain_B[:, None, None] * known_BCT


def peak(wave_BCT: Tensor) -> Tensor:
    """Return the largest absolute departure from the component's mean, (B,), 0 where all is missing."""
    centred_BCT = wave_BCT - wave_BCT.nanmean(dim=-1, keepdim=True)
    return torch.nan_to_num(centred_BCT).abs().flatten(1).amax(dim=1)


def _filter(wave_BCT: Tensor, gain_BF: Tensor) -> Tensor:
    missing_BCT = wave_BCT.isnan()
    known_BCT = torch.nan_to_num(wave_BCT - wave_BCT.nanmean(dim=-1, keepdim=True))
    spectrum_BCF = torch.fft.rfft(known_BCT) * gain_BF[:, None, :]
    filtered_BCT = torch.fft.irfft(spectrum_BCF, n=wave_BCT.shape[-1])
    return torch.where(missing_BCT, torch.nan, filtered_BCT)
