"""Bring raw samples to the scale that a network was trained on: one function for live and training.

Shape suffixes: B batch, C component, T time; 1 an axis that has been reduced.

A missing sample is NaN (an infinity counts as missing too). Means and scales come from the samples that are
there, and what is missing becomes zero, which is the mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from rtpick.vocabulary.errors import NetworkError


@dataclass(frozen=True)
class Normalisation:
    """How a network wants its input scaled.

    Attributes
    ----------
    kind
        ``"std"`` divides by the standard deviation, ``"peak"`` by the largest absolute value.
    ddof
        0 for the population's standard deviation, 1 for the unbiased one.
    epsilon
        Added to the divisor; with 0 a flat component is left at zero.
    per_component
        Whether each component has its own divisor, or the window's components share one.
    rescale_missing
        Whether windows with one or two flat or missing components are raised by 3/2 or 3, so that their total
        amplitude is that of three components.

    Raises
    ------
    NetworkError
        If a field is out of its range.
    """

    kind: Literal["std", "peak"] = "std"
    ddof: int = 0
    epsilon: float = 0.0
    per_component: bool = True
    rescale_missing: bool = True

    def __post_init__(self) -> None:
        if self.kind not in ("std", "peak"):
            raise NetworkError(f"normalisation kind {self.kind!r} is unknown: use 'std' or 'peak'")
        if self.ddof not in (0, 1):
            raise NetworkError(f"normalisation ddof is {self.ddof!r}: use 0 or 1")
        if not 0.0 <= self.epsilon < 1.0:
            raise NetworkError(f"normalisation epsilon is {self.epsilon!r}: use a small number in [0, 1)")


def normalise(raw_BCT: Tensor, normalisation: Normalisation) -> Tensor:
    """Remove the mean of each component and divide by its scale.

    Parameters
    ----------
    raw_BCT
        Samples in any unit, (B, C, T) float32, NaN where a sample is missing. Not modified.
    normalisation
        The network's own rule.

    Returns
    -------
    Tensor
        (B, C, T) float32 without NaN; zero where a sample is missing or the component is flat.

    Notes
    -----
    The largest sample of each component is subtracted before the mean is formed. A digitiser's offset of 1e7
    counts therefore costs no precision, and a component stuck at a constant becomes exactly zero.
    """
    # An infinity or NaN minus itself is NaN: one pass where torch.isfinite takes several.
    valid_BCT = (raw_BCT - raw_BCT) == 0
    n_valid_BC1 = valid_BCT.to(raw_BCT.dtype).sum(dim=-1, keepdim=True)
    centred_BCT = _centre(raw_BCT, valid_BCT, n_valid_BC1)
    scale_B_1 = _scale(centred_BCT, n_valid_BC1, normalisation)
    factor_B_1 = torch.where(scale_B_1 > 0, 1.0 / (scale_B_1 + normalisation.epsilon), 1.0)
    if normalisation.rescale_missing:
        factor_B_1 = factor_B_1 * _raise_sparse(centred_BCT, scale_B_1)
    return centred_BCT * factor_B_1


def _centre(raw_BCT: Tensor, valid_BCT: Tensor, n_valid_BC1: Tensor) -> Tensor:
    lowest = torch.finfo(raw_BCT.dtype).min
    anchor_BC1 = torch.where(valid_BCT, raw_BCT, lowest).amax(dim=-1, keepdim=True)
    near_BCT = torch.where(valid_BCT, raw_BCT - anchor_BC1, 0.0)
    mean_BC1 = near_BCT.sum(dim=-1, keepdim=True) / n_valid_BC1.clamp(min=1.0)
    return torch.where(valid_BCT, near_BCT - mean_BC1, 0.0)


def _scale(centred_BCT: Tensor, n_valid_BC1: Tensor, normalisation: Normalisation) -> Tensor:
    dims = [2] if normalisation.per_component else [1, 2]
    if normalisation.kind == "peak":
        return centred_BCT.abs().amax(dim=dims, keepdim=True)
    n_valid = n_valid_BC1 if normalisation.per_component else n_valid_BC1.sum(dim=1, keepdim=True)
    freedom = (n_valid - normalisation.ddof).clamp(min=1.0)
    norm: Tensor = torch.linalg.vector_norm(centred_BCT, dim=dims, keepdim=True)
    return norm / freedom.sqrt()


def _raise_sparse(centred_BCT: Tensor, scale_B_1: Tensor) -> Tensor:
    n_components = centred_BCT.shape[1]
    own_scale = scale_B_1.shape[1] == n_components
    spread_BC1 = scale_B_1 if own_scale else centred_BCT.abs().amax(dim=-1, keepdim=True)
    n_alive_B11 = (spread_BC1 > 0).to(centred_BCT.dtype).sum(dim=1, keepdim=True)
    return n_components / n_alive_B11.clamp(min=1.0)
