"""PhaseNet v1 and PhaseNet-Plus: the newer U-Net, for the three components of a station.

Shape suffixes: B batch, C component, T time, P phase (noise, P, S).
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from rtpick.networks.eqnet_options import STATION, UNetOptions
from rtpick.networks.eqnet_unet import UNet


class StationUNet(nn.Module):
    """Give each sample of normalised waveforms a logit per phase.

    Notes
    -----
    Any length runs: zeros are laid after the last sample up to the next multiple of 256, and their answers
    are cut off again. Stations are taken one by one; several at once, positions and the other heads go
    through `backbone`.
    """

    def __init__(self, options: UNetOptions = STATION) -> None:
        super().__init__()
        self.options = options
        self.backbone = UNet(options)

    def forward(self, wave_BCT: Tensor) -> Tensor:
        """Compute logits (B, P, T) from normalised waveforms (B, C, T) without NaN."""
        n_samples = wave_BCT.shape[-1]
        padding = -n_samples % self.options.reduction[1]
        padded_BC1T = functional.pad(wave_BCT, (0, padding)).unsqueeze(2)
        logits_BPT: Tensor = self.backbone(padded_BC1T).phase_BPKT[:, :, 0, :n_samples]
        return logits_BPT
