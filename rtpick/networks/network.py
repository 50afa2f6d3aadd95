"""A network that takes raw samples: normalisation, architecture and softmax in one module.

Shape suffixes: B batch, C component, T time, P phase.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rtpick.networks.eqnet_options import UNetOptions
from rtpick.networks.eqnet_station import StationUNet
from rtpick.networks.metadata import NetworkMetadata
from rtpick.networks.phasenet import PhaseNet
from rtpick.networks.preprocess import normalise
from rtpick.vocabulary.errors import NetworkError

ARCHITECTURES: dict[str, type[PhaseNet] | type[StationUNet]] = {
    "phasenet": PhaseNet,
    "phasenet_v1": StationUNet,
}


class Network(nn.Module):
    """Turn raw waveforms into the probability of each phase at each sample.

    Parameters
    ----------
    architecture
        Takes normalised waveforms (B, C, T) and gives logits (B, P, T).
    metadata
        The network's contract: component order, phases, rate, normalisation.

    Attributes
    ----------
    architecture
        The trained module itself.
    metadata
        As given.
    component_order
        For example ``"ENZ"``.
    phases
        For example ``("N", "P", "S")``.
    model_version
        For example ``"default-1a2b3c4d"``.

    Notes
    -----
    ``net(wave_BCT)`` is all that most callers need. A backend that computes in reduced precision keeps
    `normalise` in float32 and gives its result to `probabilities`: raw counts do not survive a short
    mantissa.
    """

    def __init__(self, architecture: nn.Module, metadata: NetworkMetadata) -> None:
        super().__init__()
        self.architecture = architecture
        self.metadata = metadata
        self.component_order = metadata.component_order
        self.phases = metadata.phases
        self.model_version = metadata.model_version

    def forward(self, wave_BCT: Tensor) -> Tensor:
        """Compute probabilities from raw samples.

        Parameters
        ----------
        wave_BCT
            Samples in any unit, (B, 3, T) float32, components in `component_order`, NaN where one is missing.

        Returns
        -------
        Tensor
            (B, P, T) float32 in the order of `phases`; each sample sums to one. Where no
            component has a sample, noise is certain.

        Raises
        ------
        NetworkError
            If the shape or the type is another.
        """
        _check_input(wave_BCT, len(self.component_order))
        probability_BPT = self.probabilities(self.normalise(wave_BCT))
        return self.silence_missing(probability_BPT, wave_BCT)

    def normalise(self, wave_BCT: Tensor) -> Tensor:
        """Scale raw samples as the metadata says, (B, C, T) float32 without NaN."""
        return normalise(wave_BCT, self.metadata.normalisation)

    def probabilities(self, normalised_BCT: Tensor) -> Tensor:
        """Compute probabilities (B, P, T) from samples that are normalised already."""
        return torch.softmax(self.architecture(normalised_BCT), dim=1)

    def silence_missing(self, probability_BPT: Tensor, wave_BCT: Tensor) -> Tensor:
        """Make noise certain at the samples of which no component is there."""
        present_B1T = torch.isfinite(wave_BCT).any(dim=1, keepdim=True)
        certain_P = torch.tensor([float(phase == "N") for phase in self.phases], device=wave_BCT.device)
        return torch.where(present_B1T, probability_BPT, certain_P[None, :, None])


def build_architecture(name: str, options: UNetOptions | None = None) -> nn.Module:
    """Build the module of this name, randomly initialised.

    Parameters
    ----------
    name
        ``phasenet`` or ``phasenet_v1``.
    options
        Shape of a ``phasenet_v1``, None for its own.

    Raises
    ------
    NetworkError
        If there is no such architecture, or it takes no options.
    """
    if name not in ARCHITECTURES:
        raise NetworkError(f"architecture {name!r} is unknown: rtpick has {', '.join(sorted(ARCHITECTURES))}")
    architecture = ARCHITECTURES[name]
    if options is None:
        return architecture()
    if architecture is not StationUNet:
        raise NetworkError(f"architecture {name!r} has but one shape: leave its options out")
    return StationUNet(options)


def _check_input(wave_BCT: Tensor, n_components: int) -> None:
    if wave_BCT.ndim != 3 or wave_BCT.shape[1] != n_components or wave_BCT.shape[2] < 1:
        raise NetworkError(
            f"waveforms have shape {tuple(wave_BCT.shape)}: give (batch, {n_components}, samples)"
        )
    if wave_BCT.dtype != torch.float32:
        raise NetworkError(f"waveforms are {wave_BCT.dtype}: convert them to float32, missing samples as NaN")
