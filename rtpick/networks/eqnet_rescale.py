"""What a U-Net may do with its input before the first convolution.

Shape suffixes: B batch, C component, K fiber channel or station, T time; 1 an axis that has been reduced.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from rtpick.networks.eqnet_options import UNetOptions


def rescale(wave_BCKT: Tensor, options: UNetOptions) -> Tensor:
    """Level and compress samples as the options say, by default not at all."""
    if options.moving_norm is not None:
        wave_BCKT = moving_normalise(wave_BCKT, *options.moving_norm)
    if options.log_scale:
        wave_BCKT = wave_BCKT.sign() * wave_BCKT.abs().log1p()
    return wave_BCKT


def moving_normalise(wave_BCKT: Tensor, length: int, stride: int) -> Tensor:
    """Subtract a moving mean and divide by a moving mean size, both taken every `stride` samples.

    The size is common to all components; where it is nothing, the samples stay as they are.
    """
    centred_BCKT = wave_BCKT - _moving_mean(wave_BCKT, length, stride)
    size_B1KT = _moving_mean(centred_BCKT.abs(), length, stride).mean(dim=1, keepdim=True)
    return centred_BCKT / torch.where(size_B1KT == 0, 1.0, size_B1KT)


def _moving_mean(wave_BCKT: Tensor, length: int, stride: int) -> Tensor:
    padding = length - stride
    padded = functional.pad(wave_BCKT, (padding // 2, padding - padding // 2, 0, 0), mode="reflect")
    coarse_BCKT = functional.avg_pool2d(padded, (1, length), (1, stride))
    fine_BCKT = functional.interpolate(
        coarse_BCKT, scale_factor=(1, stride), mode="bilinear", align_corners=False
    )
    return fine_BCKT[..., : wave_BCKT.shape[-1]]
