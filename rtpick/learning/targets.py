"""What a network should answer: smooth bumps at the arrivals, noise elsewhere.

Shape suffixes: B batch, P phase (noise, P, S), A arrival, T time. Arrivals come as (B, 2, A): P then S, in
samples from the window's start, NaN where there is none.

References
----------
Zhu, W. and Beroza, G. C. (2019), Geophysical Journal International 216(1), 261-273, doi:10.1093/gji/ggy423.
"""

from __future__ import annotations

import torch
from torch import Tensor

SIGMA_SAMPLES = 6.0
HALF_WIDTH_SAMPLES = 15.0


def gaussian_targets(arrival_B2A: Tensor, n_samples: int, sigma_samples: float = SIGMA_SAMPLES) -> Tensor:
    """Lay a Gaussian over each arrival and give noise the rest.

    Parameters
    ----------
    arrival_B2A
        Arrivals of P and S in samples, fractions allowed, NaN for none.
    n_samples
        Length of the window.
    sigma_samples
        Width of the Gaussian; it is cut 15 samples from its centre.

    Returns
    -------
    Tensor
        (B, 3, T) float32 in the order noise, P, S; each sample sums to one.

    Notes
    -----
    Arrivals of one phase that overlap do not add up: the nearer one counts. Where P and S together
    exceed one, both are scaled down.

    >>> target_BPT = gaussian_targets(torch.tensor([[[2.0], [float("nan")]]]), 5, sigma_samples=1.0)
    >>> [round(p, 2) for p in target_BPT[0, 1].tolist()]
    [0.14, 0.61, 1.0, 0.61, 0.14]
    """
    time_T = torch.arange(n_samples, dtype=torch.float32)
    distance_B2AT = (time_T - arrival_B2A.float().unsqueeze(-1)).abs()
    bump_B2AT = torch.exp(-0.5 * (distance_B2AT / sigma_samples) ** 2)
    # A comparison with NaN is false, so an absent arrival leaves no bump.
    bump_B2AT = torch.where(distance_B2AT <= HALF_WIDTH_SAMPLES, bump_B2AT, 0.0)
    phase_B2T = bump_B2AT.amax(dim=2)
    phase_B2T = phase_B2T / phase_B2T.sum(dim=1, keepdim=True).clamp(min=1.0)
    return torch.cat([1.0 - phase_B2T.sum(dim=1, keepdim=True), phase_B2T], dim=1)


def near_arrivals(arrival_B2A: Tensor, n_samples: int, reach_samples: float) -> Tensor:
    """Mark the samples within `reach_samples` of any arrival, (B, 1, T) boolean."""
    time_T = torch.arange(n_samples, dtype=torch.float32)
    distance_B2AT = (time_T - arrival_B2A.float().unsqueeze(-1)).abs()
    return (distance_B2AT <= reach_samples).flatten(1, 2).any(dim=1, keepdim=True)
