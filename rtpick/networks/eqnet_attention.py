"""Attention over all cells of a coarse grid, with one key and value for all heads.

Shape suffixes: B batch, H head, N token (a cell of the grid), D feature.

References
----------
Shazeer, N. (2019), Fast transformer decoding: one write-head is all you need, arXiv:1911.02150.
Su, J. et al. (2021), RoFormer: enhanced transformer with rotary position embedding, arXiv:2104.09864.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

HEAD_WIDTH = 32
LOGIT_SCALE = 8.0
# Of the 32 features of a head: how many turn with x, with y and with time.
ROPE_WIDTHS = (12, 12, 8)


class GainNorm(nn.Module):
    """Layer norm over the last axis, with a gain and no bias."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.g = nn.Parameter(torch.ones(width))

    def forward(self, tokens_BND: Tensor) -> Tensor:
        """Return tokens of the same shape."""
        epsilon = 1e-5 if tokens_BND.dtype == torch.float32 else 1e-3
        variance_BN1 = tokens_BND.var(dim=-1, unbiased=False, keepdim=True)
        centred_BND = tokens_BND - tokens_BND.mean(dim=-1, keepdim=True)
        return centred_BND * (variance_BN1 + epsilon).rsqrt() * self.g


class Attention(nn.Module):
    """Let each token gather from all tokens, or from nothing: a learned null is always on offer."""

    def __init__(self, width: int, n_heads: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.norm = GainNorm(width)
        self.null_kv = nn.Parameter(torch.randn(2, HEAD_WIDTH))
        self.to_q = nn.Linear(width, n_heads * HEAD_WIDTH, bias=False)
        self.to_kv = nn.Linear(width, 2 * HEAD_WIDTH, bias=False)
        self.q_scale = nn.Parameter(torch.ones(HEAD_WIDTH))
        self.k_scale = nn.Parameter(torch.ones(HEAD_WIDTH))
        self.to_out = nn.Sequential(nn.Linear(n_heads * HEAD_WIDTH, width, bias=False), GainNorm(width))

    def forward(self, tokens_BND: Tensor, angle_BND: Tensor | None, allowed_BNN: Tensor | None) -> Tensor:
        """Return what each token gathered, (B, N, D)."""
        normed_BND = self.norm(tokens_BND)
        query_BNHD = self.to_q(normed_BND).unflatten(-1, (self.n_heads, HEAD_WIDTH))
        key_BND, value_BND = self.to_kv(normed_BND).chunk(2, dim=-1)
        if angle_BND is not None:
            query_BNHD = rotate(query_BNHD, angle_BND.unsqueeze(2))
            key_BND = rotate(key_BND, angle_BND)
        key_BND, value_BND = self._prepend_null(key_BND, 0), self._prepend_null(value_BND, 1)
        query_BNHD = functional.normalize(query_BNHD, dim=-1) * self.q_scale
        key_BND = functional.normalize(key_BND, dim=-1) * self.k_scale
        logit_BHNM = torch.einsum("bnhd,bmd->bhnm", query_BNHD, key_BND) * LOGIT_SCALE
        if allowed_BNN is not None:
            logit_BHNM = _hide(logit_BHNM, allowed_BNN)
        share_BHNM = logit_BHNM.float().softmax(dim=-1).to(value_BND.dtype)
        gathered_BNHD = torch.einsum("bhnm,bmd->bnhd", share_BHNM, value_BND)
        result_BND: Tensor = self.to_out(gathered_BNHD.flatten(2))
        return result_BND

    def _prepend_null(self, tokens_BND: Tensor, row: int) -> Tensor:
        null_B1D = self.null_kv[row].to(tokens_BND.dtype).expand(len(tokens_BND), 1, HEAD_WIDTH)
        return torch.cat([null_B1D, tokens_BND], dim=1)


class Transformer(nn.Module):
    """One layer of attention and one of mixing over the cells of a grid."""

    def __init__(self, width: int, n_heads: int) -> None:
        super().__init__()
        mix = nn.Sequential(
            GainNorm(width),
            nn.Linear(width, 2 * width, bias=False),
            nn.GELU(),
            GainNorm(2 * width),
            nn.Linear(2 * width, width, bias=False),
        )
        self.layers = nn.ModuleList([nn.ModuleList([Attention(width, n_heads), mix])])

    def forward(
        self, features_BCKT: Tensor, angle_BND: Tensor | None = None, allowed_BNN: Tensor | None = None
    ) -> Tensor:
        """Return features of the same shape.

        Parameters
        ----------
        features_BCKT
            The grid; its cells become tokens, time fastest.
        angle_BND
            See `rotary_angles`; None for attention without positions.
        allowed_BNN
            Whom each token may look at; None for all.
        """
        tokens_BND = features_BCKT.flatten(2).transpose(1, 2)
        for layer in self.layers:
            attention, mix = layer.children()
            tokens_BND = tokens_BND + attention(tokens_BND, angle_BND, allowed_BNN)
            tokens_BND = tokens_BND + mix(tokens_BND)
        return tokens_BND.transpose(1, 2).reshape(features_BCKT.shape)


def rotary_angles(position_BN3: Tensor, periods: tuple[float, float, float]) -> Tensor:
    """Say how far each pair of a head's features turns at a token's place.

    Parameters
    ----------
    position_BN3
        x and y in km, time in s.
    periods
        Scale of the slowest pair of each axis, in its unit; the fastest turns by one radian per unit.

    Returns
    -------
    Tensor
        Angles (B, N, 16) in radians. The product of two turned tokens depends on the difference of their
        places only.
    """
    angles = []
    for axis, (width, period) in enumerate(zip(ROPE_WIDTHS, periods, strict=True)):
        exponent_D = torch.arange(width // 2, device=position_BN3.device, dtype=torch.float32) / (width // 2)
        angles.append(position_BN3[..., axis, None] * period**-exponent_D)
    return torch.cat(angles, dim=-1)


def rotate(feature_BND: Tensor, angle_BND: Tensor) -> Tensor:
    """Turn the pairs (i, i + D/2) of the features by their angles."""
    first, second = feature_BND.chunk(2, dim=-1)
    cos, sin = angle_BND.cos().to(first.dtype), angle_BND.sin().to(first.dtype)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)


def same_event(event_BN: Tensor) -> Tensor:
    """Let tokens look at tokens of their own event only, (B, N, N) boolean."""
    return event_BN.unsqueeze(-1) == event_BN.unsqueeze(-2)


def _hide(logit_BHNM: Tensor, allowed_BNN: Tensor) -> Tensor:
    with_null_BNM = functional.pad(allowed_BNN, (1, 0), value=True)
    return logit_BHNM.masked_fill(~with_null_BNM.unsqueeze(1), -torch.finfo(logit_BHNM.dtype).max)
