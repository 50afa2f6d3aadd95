"""PhaseNet rearranged for vector units: its full-rate level works on blocks of four samples.

Shape suffixes: B batch, C feature, T time, N block of time, P phase; O output feature, K tap of a kernel.

At the full rate PhaseNet has eight features, which leave most of a wide vector unit idle, and copies of them
are what costs. Here four neighbouring samples of a feature count as four features at a quarter of the rate.
Batch normalisation is folded into the weights, and a convolution over features laid side by side is the sum
of two convolutions. The arithmetic is PhaseNet's; only the order of summation differs.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from rtpick.networks.phasenet import N_PHASES, STRIDE, DownBlock, PhaseNet, UpBlock

BLOCK = STRIDE  # so that the strided layers between the full rate and the next need no stride


class BlockedPhaseNet(nn.Module):
    """PhaseNet for windows of a whole number of blocks.

    Parameters
    ----------
    plain : PhaseNet
        The network to compute; its weights are copied.
    """

    def __init__(self, plain: PhaseNet) -> None:
        super().__init__()
        top_down, top_up = cast(DownBlock, plain.down[0]), cast(UpBlock, plain.up[0])
        weight_OCK, bias_O = fold_norm(plain.input.conv, plain.input.bn)
        reach = weight_OCK.shape[-1] // 2
        self.input = make_convolution(gather_blocks(weight_OCK), bias_O, stride=BLOCK, padding=reach)
        weight_OCK, bias_O = fold_norm(top_down.conv, top_down.bn)
        self.top = make_convolution(block_features(weight_OCK), bias_O)
        weight_OCK, bias_O = fold_norm(top_down.stride_conv, top_down.stride_bn)
        self.thin = make_convolution(block_thinning(weight_OCK), bias_O)
        self.down = nn.ModuleList(plain.down[1:])
        self.up = nn.ModuleList(SplitUp(cast(UpBlock, block)) for block in plain.up[1:])
        weight_OCK, bias_O = fold_norm(top_up.deconv, top_up.deconv_bn)
        self.refine = make_convolution(block_refinement(weight_OCK), bias_O)
        weight_OCK, bias_O = fold_norm(top_up.conv, top_up.bn)
        skip_OCK, fine_OCK = weight_OCK.chunk(2, dim=1)
        self.top_skip = make_convolution(block_features(skip_OCK), bias_O)
        self.top_fine = make_convolution(block_features(fine_OCK))
        self.output = make_convolution(block_features(plain.output.conv.weight), plain.output.conv.bias)

    def forward(self, wave_BCT: Tensor) -> Tensor:
        """Compute logits (B, P, 4, N): sample 4 n + s of the window stands at [..., s, n]."""
        skip_BCN = torch.relu(self.top(torch.relu(self.input(wave_BCT))))
        features_BCT = torch.relu(self.thin(skip_BCN))
        skips = []
        for level in self.down[:-1]:
            level_skip_BCT, features_BCT = level(features_BCT)
            skips.append(level_skip_BCT)
        features_BCT = self.down[-1](features_BCT)
        for level, level_skip_BCT in zip(reversed(self.up), reversed(skips), strict=True):
            features_BCT = level(features_BCT, level_skip_BCT)
        fine_BCN = torch.relu(self.refine(features_BCT))
        features_BCN = torch.relu(self.top_skip(skip_BCN) + self.top_fine(fine_BCN))
        logits_BCN: Tensor = self.output(features_BCN)
        # The batch is left open: whoever traces this with one window runs it with many.
        return logits_BCN.reshape(-1, N_PHASES, BLOCK, logits_BCN.shape[-1])


class SplitUp(nn.Module):
    """A level of the decoder that does not lay encoder and decoder side by side."""

    def __init__(self, plain: UpBlock) -> None:
        super().__init__()
        self.plain = plain
        weight_OCK, bias_O = fold_norm(plain.conv, plain.bn)
        skip_OCK, fine_OCK = weight_OCK.chunk(2, dim=1)
        self.skip, self.fine = make_convolution(skip_OCK, bias_O), make_convolution(fine_OCK)

    def forward(self, coarse_BCT: Tensor, skip_BCT: Tensor) -> Tensor:
        """Return features at the rate of `skip_BCT`."""
        fine_BCT = self.plain.refine(coarse_BCT, skip_BCT.shape[-1])
        return torch.relu(self.skip(skip_BCT) + self.fine(fine_BCT))


def fold_norm(conv: nn.Conv1d | nn.ConvTranspose1d, norm: nn.BatchNorm1d) -> tuple[Tensor, Tensor]:
    """Make one of a convolution and the batch normalisation behind it: weight (O, C, K), bias (O)."""
    mean_O, variance_O = norm.get_buffer("running_mean"), norm.get_buffer("running_var")
    scale_O = norm.weight / torch.sqrt(variance_O + norm.eps)
    bias_O = norm.bias - scale_O * (mean_O if conv.bias is None else mean_O - conv.bias)
    weight_OCK = conv.weight.transpose(0, 1) if isinstance(conv, nn.ConvTranspose1d) else conv.weight
    return weight_OCK * scale_O[:, None, None], bias_O


def make_convolution(
    weight_OCK: Tensor, bias_O: Tensor | None = None, *, stride: int = 1, padding: int | None = None
) -> nn.Conv1d:
    """Build a convolution with these weights; a bias a feature goes to every sample of its block."""
    n_out, n_in, taps = weight_OCK.shape
    around = taps // 2 if padding is None else padding
    conv = nn.Conv1d(n_in, n_out, taps, stride, around, bias=bias_O is not None)
    with torch.no_grad():
        conv.weight.copy_(weight_OCK)
        if bias_O is not None and conv.bias is not None:
            conv.bias.copy_(bias_O.repeat_interleave(n_out // len(bias_O)))
    return conv


def gather_blocks(weight_OCK: Tensor) -> Tensor:
    """Turn a kernel over samples into one of stride four that makes blocks of its outputs.

    Examples
    --------
    >>> gather_blocks(torch.ones(8, 3, 7)).shape
    torch.Size([32, 3, 10])
    """
    n_out, n_in, taps = weight_OCK.shape
    blocked = weight_OCK.new_zeros(n_out, BLOCK, n_in, taps + BLOCK - 1)
    for to in range(BLOCK):
        blocked[:, to, :, to : to + taps] = weight_OCK
    return blocked.reshape(n_out * BLOCK, n_in, -1)


def block_features(weight_OCK: Tensor) -> Tensor:
    """Turn a centred kernel over samples into one over blocks.

    Examples
    --------
    >>> block_features(torch.ones(8, 3, 7)).shape
    torch.Size([32, 12, 3])
    """
    n_out, n_in, taps = weight_OCK.shape
    reach = 1 if taps > 1 else 0
    blocked = weight_OCK.new_zeros(n_out, BLOCK, n_in, BLOCK, 2 * reach + 1)
    for to in range(BLOCK):
        for source in range(-reach * BLOCK, (reach + 1) * BLOCK):
            tap = source - to + taps // 2
            if 0 <= tap < taps:
                blocked[:, to, :, source % BLOCK, source // BLOCK + reach] = weight_OCK[:, :, tap]
    return blocked.reshape(n_out * BLOCK, n_in * BLOCK, -1)


def block_thinning(weight_OCK: Tensor) -> Tensor:
    """Turn a kernel that keeps every fourth sample into one over blocks; one zero stands before the first.

    Examples
    --------
    >>> block_thinning(torch.ones(8, 8, 7)).shape
    torch.Size([8, 32, 3])
    """
    n_out, n_in, taps = weight_OCK.shape
    blocked = weight_OCK.new_zeros(n_out, n_in, BLOCK, 3)
    for tap in range(taps):
        source = tap - 1
        blocked[:, :, source % BLOCK, source // BLOCK + 1] = weight_OCK[:, :, tap]
    return blocked.reshape(n_out, n_in * BLOCK, 3)


def block_refinement(weight_OCK: Tensor) -> Tensor:
    """Turn the kernel of a transposed convolution by four into one whose outputs are blocks.

    Examples
    --------
    >>> block_refinement(torch.ones(8, 16, 7)).shape
    torch.Size([32, 16, 3])
    """
    n_out, n_in, taps = weight_OCK.shape
    blocked = weight_OCK.new_zeros(n_out, BLOCK, n_in, 3)
    for tap in range(taps):
        to = tap - 1
        blocked[:, to % BLOCK, :, 1 - to // BLOCK] = weight_OCK[:, :, tap]
    return blocked.reshape(n_out * BLOCK, n_in, 3)
