"""Parts of the two-dimensional U-Nets: convolutions with a norm before them, and changes of resolution.

Shape suffixes: B batch, C feature, K fiber channel or station, T time.

The names of parameters are those of the published checkpoints. Written from a description
of the architecture.

References
----------
Zhu, W. et al. (2023), Seismic arrival-time picking on distributed acoustic sensing data using semi-supervised
learning, Nature Communications 14, 8192, doi:10.1038/s41467-023-43355-3.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from rtpick.networks.eqnet_options import Pair

SMALLEST_NORM = 1e-12


def convolution(n_in: int, n_out: int, kernel: Pair) -> nn.Conv2d:
    """Build a convolution that keeps the size: zeros beyond the edges."""
    return nn.Conv2d(n_in, n_out, kernel, padding=(kernel[0] // 2, kernel[1] // 2))


class FeatureNorm(nn.Module):
    """Bring the features of each sample to the same root mean square, then weigh them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(width, 1, 1))

    def forward(self, features_BCKT: Tensor) -> Tensor:
        """Return features of the same shape."""
        norm_B1KT = torch.linalg.vector_norm(features_BCKT, dim=1, keepdim=True)
        # One division a sample instead of one a feature: half the time of a small network goes here.
        inverse_B1KT = self.gamma.shape[0] ** 0.5 / norm_B1KT.clamp(min=SMALLEST_NORM)
        # Autocast forms the norm in float32, which must not make all that follows float32.
        normed_BCKT: Tensor = features_BCKT * inverse_B1KT.to(features_BCKT.dtype)
        return normed_BCKT * self.gamma.to(features_BCKT.dtype)


class NormedConvolution(nn.Module):
    """Norm, SiLU, convolution."""

    def __init__(self, n_in: int, n_out: int, kernel: Pair) -> None:
        super().__init__()
        self.norm = FeatureNorm(n_in)
        self.project = convolution(n_in, n_out, kernel)

    def forward(self, features_BCKT: Tensor) -> Tensor:
        """Return features (B, n_out, K, T)."""
        result_BCKT: Tensor = self.project(functional.silu(self.norm(features_BCKT)))
        return result_BCKT


class Residual(nn.Module):
    """Two convolutions beside a straight way."""

    def __init__(self, n_in: int, n_out: int, kernel: Pair) -> None:
        super().__init__()
        self.block1 = NormedConvolution(n_in, n_out, kernel)
        self.block2 = NormedConvolution(n_out, n_out, kernel)
        self.res_conv = nn.Conv2d(n_in, n_out, 1) if n_in != n_out else nn.Identity()

    def forward(self, features_BCKT: Tensor) -> Tensor:
        """Return features (B, n_out, K, T)."""
        straight_BCKT: Tensor = self.res_conv(features_BCKT)
        bent_BCKT: Tensor = self.block2(self.block1(features_BCKT))
        return bent_BCKT + straight_BCKT


class SpaceToDepth(nn.Module):
    """Move each cell of `stride` samples into the features: nothing is lost, the grid gets coarser."""

    def __init__(self, stride: Pair) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, features_BCKT: Tensor) -> Tensor:
        """Return (B, C * stride, K / stride, T / stride); the feature is the slowest of its three indices."""
        across, along = self.stride
        if across == along:
            return functional.pixel_unshuffle(features_BCKT, across)
        n_batch, n_features, n_channels, n_samples = features_BCKT.shape
        cells = features_BCKT.reshape(
            n_batch, n_features, n_channels // across, across, n_samples // along, along
        )
        return cells.permute(0, 1, 3, 5, 2, 4).flatten(1, 3)


class DepthToSpace(nn.Module):
    """Undo `SpaceToDepth`."""

    def __init__(self, stride: Pair) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, features_BCKT: Tensor) -> Tensor:
        """Return (B, C / stride, K * stride, T * stride)."""
        across, along = self.stride
        if across == along:
            return functional.pixel_shuffle(features_BCKT, across)
        n_batch, n_features, n_channels, n_samples = features_BCKT.shape
        n_out = n_features // (across * along)
        cells = features_BCKT.reshape(n_batch, n_out, across, along, n_channels, n_samples)
        fine_BCKT = cells.permute(0, 1, 4, 2, 5, 3)
        return fine_BCKT.reshape(n_batch, n_out, n_channels * across, n_samples * along)


class Downsample(nn.Sequential):
    """Thin the grid by `stride` and mix what came together."""

    def __init__(self, n_in: int, n_out: int, stride: Pair) -> None:
        super().__init__(SpaceToDepth(stride), nn.Conv2d(n_in * stride[0] * stride[1], n_out, 1))


class Upsample(nn.Module):
    """Refine the grid by `stride`."""

    def __init__(self, n_in: int, n_out: int, stride: Pair) -> None:
        super().__init__()
        project = nn.Conv2d(n_in, n_out * stride[0] * stride[1], 1)
        self.net = nn.Sequential(project, nn.SiLU(), DepthToSpace(stride))

    def forward(self, features_BCKT: Tensor) -> Tensor:
        """Return features (B, n_out, K * stride, T * stride)."""
        fine_BCKT: Tensor = self.net(features_BCKT)
        return fine_BCKT
