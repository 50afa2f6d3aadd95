"""PhaseNet-DAS: phases on all channels of a fiber at once, and with the Plus heads the events behind them.

Shape suffixes: B batch, K fiber channel, T time, P phase (noise, P, S).

References
----------
Zhu, W. et al. (2023), Seismic arrival-time picking on distributed acoustic sensing data using semi-supervised
learning, Nature Communications 14, 8192, doi:10.1038/s41467-023-43355-3.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from rtpick.networks.eqnet_options import UNetOptions
from rtpick.networks.eqnet_unet import UNet, UNetAnswer
from rtpick.networks.phasenet_das_metadata import FiberNetworkMetadata
from rtpick.networks.preprocess import normalise
from rtpick.vocabulary.errors import NetworkError


@dataclass(frozen=True)
class FiberAnswer:
    """What a network says of a batch of tiles.

    Attributes
    ----------
    probability_BPKT
        Of each phase at each sample, float32; they sum to one.
    center_probability_BKT
        That the middle between P and S of an event is here, on a coarse grid whose cell (i, j) belongs to
        channel ``i * event_stride[0]`` and sample ``j * event_stride[1]``; None without event heads.
    event_time_BKT
        Samples that have passed since the origin, on the same grid.
    event_stride
        (channels, samples) of the coarse grid.
    """

    probability_BPKT: Tensor
    center_probability_BKT: Tensor | None
    event_time_BKT: Tensor | None
    event_stride: tuple[int, int]


class PhaseNetDas(nn.Module):
    """Give each sample of normalised tiles a logit per phase, and each cell of a coarse grid its event.

    Notes
    -----
    Tiles of any size run: zeros are laid after the last channel and sample up to the next multiple of
    ``options.reduction``, and their answers are cut off again.
    """

    def __init__(self, options: UNetOptions) -> None:
        super().__init__()
        self.options = options
        self.backbone = UNet(options)

    def forward(self, tile_BKT: Tensor) -> UNetAnswer:
        """Compute logits from normalised tiles (B, K, T) without NaN."""
        n_channels, n_samples = tile_BKT.shape[-2:]
        padded_B1KT = functional.pad(tile_BKT, self._padding(n_channels, n_samples)).unsqueeze(1)
        answer = self.backbone(padded_B1KT.contiguous(memory_format=torch.channels_last))
        phase_BPKT = answer.phase_BPKT[..., :n_channels, :n_samples]
        if answer.event_center_BKT is None:
            return UNetAnswer(phase_BPKT)
        across, along = self.options.event_reduction
        cells = (slice(None), slice(-(-n_channels // across)), slice(-(-n_samples // along)))
        return UNetAnswer(phase_BPKT, answer.event_center_BKT[cells], answer.event_time_BKT[cells])

    def _padding(self, n_channels: int, n_samples: int) -> tuple[int, int, int, int]:
        across, along = self.options.reduction
        return 0, -n_samples % along, 0, -n_channels % across


class FiberNetwork(nn.Module):
    """Turn raw tiles of a fiber into the probability of each phase at each sample.

    Parameters
    ----------
    architecture
        Takes normalised tiles (B, K, T).
    metadata
        The network's contract: quantities, rate, spacing, normalisation.

    Attributes
    ----------
    architecture, metadata
        As given.
    phases
        For example ``("N", "P", "S")``.
    model_version
        For example ``"das-small-1a2b3c4d"``.

    Notes
    -----
    ``net(raw_BKT)`` is all that most callers need. A backend that computes in reduced precision keeps
    `normalise` in float32 and gives the logits, as float32, to `answer`.
    """

    def __init__(self, architecture: PhaseNetDas, metadata: FiberNetworkMetadata) -> None:
        super().__init__()
        # Convolutions of few features are two to three times faster where features lie side by side.
        self.architecture = architecture.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.metadata = metadata
        self.phases = metadata.phases
        self.model_version = metadata.model_version

    def forward(self, raw_BKT: Tensor) -> FiberAnswer:
        """Compute probabilities from raw samples.

        Parameters
        ----------
        raw_BKT
            Samples of neighbouring channels in any unit, float32, NaN where one is missing.

        Raises
        ------
        NetworkError
            If the shape or the type is another.
        """
        _check_input(raw_BKT)
        return self.answer(self.architecture(self.normalise(raw_BKT)), raw_BKT)

    def normalise(self, raw_BKT: Tensor) -> Tensor:
        """Scale each channel of each tile as the metadata says, (B, K, T) float32 without NaN."""
        return normalise(raw_BKT, self.metadata.normalisation)

    def answer(self, logits: UNetAnswer, raw_BKT: Tensor) -> FiberAnswer:
        """Turn logits into probabilities; noise is certain at missing samples."""
        probability_BPKT = torch.softmax(logits.phase_BPKT.float(), dim=1)
        present_B1KT = torch.isfinite(raw_BKT).unsqueeze(1)
        certain = torch.tensor([float(phase == "N") for phase in self.phases], device=raw_BKT.device)
        probability_BPKT = torch.where(present_B1KT, probability_BPKT, certain[:, None, None])
        stride = self.architecture.options.event_reduction
        if logits.event_center_BKT is None or logits.event_time_BKT is None:
            return FiberAnswer(probability_BPKT, None, None, stride)
        center_BKT = torch.sigmoid(logits.event_center_BKT.float())
        return FiberAnswer(probability_BPKT, center_BKT, logits.event_time_BKT.float(), stride)


def _check_input(raw_BKT: Tensor) -> None:
    if raw_BKT.ndim != 3 or min(raw_BKT.shape) < 1:
        raise NetworkError(f"tiles have shape {tuple(raw_BKT.shape)}: give (batch, channels, samples)")
    if raw_BKT.dtype != torch.float32:
        raise NetworkError(f"tiles are {raw_BKT.dtype}: convert them to float32, missing samples as NaN")
