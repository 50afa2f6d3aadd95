"""PhaseNet of 2019: a one-dimensional U-Net that gives each sample its phase.

Shape suffixes: B batch, C component or feature, T time, P phase.

The parameter names are those of the reference checkpoint (``down.0.stride_conv.weight`` and so on), so that
published weights load without renaming.

References
----------
Zhu, W. and Beroza, G. C. (2019), PhaseNet: a deep-neural-network-based seismic arrival-time picking method,
Geophysical Journal International 216(1), 261-273, doi:10.1093/gji/ggy423.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

N_COMPONENTS = 3
N_PHASES = 3
FILTERS = (8, 16, 32, 64, 128)
KERNEL = 7
STRIDE = 4
# The network was first trained with this epsilon; torch's own default would move every probability.
BATCH_NORM_EPSILON = 1e-3


class ConvBlock(nn.Module):
    """Convolve at full rate, normalise the batch, rectify; the length stays as it is."""

    def __init__(self, n_in: int, n_out: int, *, bias: bool = False) -> None:
        super().__init__()
        self.conv = nn.Conv1d(n_in, n_out, KERNEL, padding=KERNEL // 2, bias=bias)
        self.bn = nn.BatchNorm1d(n_out, eps=BATCH_NORM_EPSILON)

    def forward(self, wave_BCT: Tensor) -> Tensor:
        """Return features of the same length, (B, n_out, T)."""
        return torch.relu(self.bn(self.conv(wave_BCT)))


class DownBlock(nn.Module):
    """One level of the encoder: features at this rate, and the same thinned by four for the next level."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(n_in, n_out, KERNEL, padding=KERNEL // 2, bias=False)
        self.bn = nn.BatchNorm1d(n_out, eps=BATCH_NORM_EPSILON)
        self.stride_conv = nn.Conv1d(n_out, n_out, KERNEL, stride=STRIDE, bias=False)
        self.stride_bn = nn.BatchNorm1d(n_out, eps=BATCH_NORM_EPSILON)

    def forward(self, wave_BCT: Tensor) -> tuple[Tensor, Tensor]:
        """Return features at this rate, (B, n_out, T), and at the next, (B, n_out, ceil(T / 4))."""
        skip_BCT = torch.relu(self.bn(self.conv(wave_BCT)))
        padded_BCT = functional.pad(skip_BCT, stride_padding(skip_BCT.shape[-1]))
        return skip_BCT, torch.relu(self.stride_bn(self.stride_conv(padded_BCT)))


class UpBlock(nn.Module):
    """One level of the decoder: refine by four, lay beside the encoder's features, and convolve."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.deconv = nn.ConvTranspose1d(n_in, n_out, KERNEL, stride=STRIDE, padding=1, bias=False)
        self.deconv_bn = nn.BatchNorm1d(n_out, eps=BATCH_NORM_EPSILON)
        self.conv = nn.Conv1d(2 * n_out, n_out, KERNEL, padding=KERNEL // 2, bias=False)
        self.bn = nn.BatchNorm1d(n_out, eps=BATCH_NORM_EPSILON)

    def forward(self, coarse_BCT: Tensor, skip_BCT: Tensor) -> Tensor:
        """Return features at the rate of `skip_BCT`."""
        fine_BCT = self.refine(coarse_BCT, skip_BCT.shape[-1])
        return torch.relu(self.bn(self.conv(torch.cat([skip_BCT, fine_BCT], dim=1))))

    def refine(self, coarse_BCT: Tensor, n_samples: int) -> Tensor:
        """Return features four times as dense, cropped to `n_samples`."""
        # The transposed convolution has already dropped one sample on each side; one more goes on the right.
        n_fine = STRIDE * coarse_BCT.shape[-1]
        fine_BCT = torch.relu(self.deconv_bn(self.deconv(coarse_BCT)[..., :n_fine]))
        left = (n_fine - n_samples) // 2
        return fine_BCT[..., left : left + n_samples]


class OutputLayer(nn.Module):
    """Weigh the features of each sample into one logit per phase."""

    def __init__(self, n_in: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(n_in, N_PHASES, 1)

    def forward(self, features_BCT: Tensor) -> Tensor:
        """Return logits (B, P, T)."""
        logits_BPT: Tensor = self.conv(features_BCT)
        return logits_BPT


class PhaseNet(nn.Module):
    """Give each sample of normalised waveforms a logit per phase.

    Notes
    -----
    Any length runs, but paddings and crops depend on it: the geometry of the 3000-sample training windows
    recurs only for lengths of 184 modulo 256 (184, 3000, 3256, ...). Other lengths shift the decoder
    against the encoder and bias the picks, 3001 for example by 20 to 30 ms.
    """

    def __init__(self) -> None:
        super().__init__()
        widths = (FILTERS[0], *FILTERS)
        self.input = ConvBlock(N_COMPONENTS, FILTERS[0], bias=True)
        self.down = nn.ModuleList(_encoder(widths))
        self.up = nn.ModuleList(UpBlock(wide, narrow) for narrow, wide in pairwise(FILTERS))
        self.output = OutputLayer(FILTERS[0])

    def forward(self, wave_BCT: Tensor) -> Tensor:
        """Compute logits.

        Parameters
        ----------
        wave_BCT
            Normalised waveforms, (B, 3, T), floating point, no NaN.

        Returns
        -------
        Tensor
            Logits (B, 3, T); output sample i belongs to input sample i.
        """
        features_BCT = self.input(wave_BCT)
        skips = []
        for level in self.down[:-1]:
            skip_BCT, features_BCT = level(features_BCT)
            skips.append(skip_BCT)
        features_BCT = self.down[-1](features_BCT)
        for level, skip_BCT in zip(reversed(self.up), reversed(skips), strict=True):
            features_BCT = level(features_BCT, skip_BCT)
        logits_BPT: Tensor = self.output(features_BCT)
        return logits_BPT


def stride_padding(n_samples: int) -> tuple[int, int]:
    """Return the zeros to put before and after `n_samples` so that a stride-4 convolution gives ceil(n/4).

    The odd zero goes to the right.

    >>> [stride_padding(n) for n in (3000, 750, 188, 47)]
    [(1, 2), (2, 3), (1, 2), (2, 2)]
    """
    n_out = -(-n_samples // STRIDE)
    total = max((n_out - 1) * STRIDE + KERNEL - n_samples, 0)
    return total // 2, total - total // 2


def _encoder(widths: tuple[int, ...]) -> list[nn.Module]:
    *upper, bottom = pairwise(widths)
    return [*(DownBlock(*pair) for pair in upper), ConvBlock(*bottom)]
