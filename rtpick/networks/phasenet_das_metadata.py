"""What a network for fibers is, what it wants and what it answers: the JSON that lies beside its weights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from rtpick.networks.eqnet_options import DAS, UNetOptions, parse_options
from rtpick.networks.preprocess import Normalisation
from rtpick.vocabulary.errors import NetworkError, WeightsError
from rtpick.vocabulary.fiber import FiberLayout, Quantity
from rtpick.vocabulary.model_version import ModelVersion

ARCHITECTURE = "phasenet_das"
PHASES = ("N", "P", "S")
# The mean of each channel goes, and its standard deviation becomes one.
PER_CHANNEL = Normalisation("std", 0, 0.0, True, False)


@dataclass(frozen=True)
class FiberNetworkMetadata:
    """A network's contract with whoever feeds it from a fiber.

    Attributes
    ----------
    name
        Short name; with the weights' fingerprint it makes the model version.
    version
        Version of the weights under this name.
    quantities
        What the samples measured in training; nothing else is taken.
    sampling_rate_hz
        The rate at which samples must come.
    channel_spacing_range_m
        Smallest and largest spacing of neighbouring channels in training.
    tile_shape
        (channels, samples) of the tiles that it was trained on.
    options
        Shape of the network; with event heads it is of the kind Plus.
    common_mode
        Whether the median over channels was subtracted from each sample in training.
    architecture
        Always ``phasenet_das``.
    phases
        The order of the output's phases.
    normalisation
        How each channel of a tile is scaled, inside the network.
    licence
        Licence of the weights (SPDX identifier where there is one).
    description
        A sentence or two for people.
    weights_sha256
        Fingerprint of the weights, see `rtpick.networks.weights.fingerprint`.

    Raises
    ------
    NetworkError
        If a field cannot be.
    """

    name: str
    version: str
    quantities: tuple[Quantity, ...]
    sampling_rate_hz: float
    channel_spacing_range_m: tuple[float, float]
    tile_shape: tuple[int, int]
    options: UNetOptions = DAS
    common_mode: bool = False
    architecture: str = ARCHITECTURE
    phases: tuple[str, ...] = PHASES
    normalisation: Normalisation = PER_CHANNEL
    licence: str = "unknown"
    description: str = ""
    weights_sha256: str = field(default="0" * 64)

    def __post_init__(self) -> None:
        if self.architecture != ARCHITECTURE or self.options.n_components != 1:
            raise NetworkError(f"architecture {self.architecture!r} is none for fibers: use {ARCHITECTURE!r}")
        if self.phases != PHASES or not self.quantities:
            raise NetworkError(f"phases must be {', '.join(PHASES)}, and at least one quantity must be named")
        if not 0 < self.sampling_rate_hz < 1e6:
            raise NetworkError(f"sampling_rate_hz is {self.sampling_rate_hz!r}: give a positive rate in Hz")
        if not 0 < self.channel_spacing_range_m[0] <= self.channel_spacing_range_m[1]:
            raise NetworkError(
                f"channel_spacing_range_m is {self.channel_spacing_range_m!r}: give two lengths, rising"
            )
        if min(self.tile_shape) < 1:
            raise NetworkError(f"tile_shape is {self.tile_shape!r}: give channels and samples")

    @property
    def model_version(self) -> str:
        """Name and fingerprint, for example ``das-small-1a2b3c4d``."""
        return str(ModelVersion(self.name, self.weights_sha256))

    @property
    def header(self) -> dict[str, str]:
        """What the weights' own file repeats: it cannot be paired with other metadata unnoticed."""
        return {
            "architecture": self.architecture,
            "phases": "".join(self.phases),
            "quantities": " ".join(self.quantities),
        }

    def check_layout(self, layout: FiberLayout) -> None:
        """Refuse a fiber whose samples are not of the kind that the network was trained on.

        Rate and spacing are not looked at: resampling and decimation can mend them.

        Raises
        ------
        NetworkError
            Naming the fiber, its quantity and those that the network takes.
        """
        if layout.quantity not in self.quantities:
            raise NetworkError(
                f"fiber {layout.fiber!r} delivers {layout.quantity}, but network {self.name!r} was trained "
                f"on {', '.join(self.quantities)}: declare a conversion, or choose another network"
            )


def write_fiber_metadata(metadata: FiberNetworkMetadata, path: Path) -> None:
    """Write the metadata as JSON."""
    path.write_text(json.dumps(asdict(metadata), indent=2) + "\n", encoding="utf-8")


def parse_fiber_metadata(content: Mapping[str, Any], path: Path) -> FiberNetworkMetadata:
    """Build the metadata from a JSON object; nothing may be missing and nothing unknown.

    Raises
    ------
    WeightsError
        Naming the file and the field.
    """
    known = {f.name for f in fields(FiberNetworkMetadata)}
    if wrong := sorted(content.keys() ^ known):
        raise WeightsError(f"{path} lacks or does not know {', '.join(wrong)}: correct it or update rtpick")
    try:
        least_m, most_m = content["channel_spacing_range_m"]
        channels, samples = content["tile_shape"]
        return FiberNetworkMetadata(
            **{
                **content,
                "quantities": tuple(Quantity(name) for name in content["quantities"]),
                "channel_spacing_range_m": (float(least_m), float(most_m)),
                "tile_shape": (int(channels), int(samples)),
                "options": parse_options(content["options"]),
                "phases": tuple(content["phases"]),
                "normalisation": Normalisation(**content["normalisation"]),
            }
        )
    except (NetworkError, AttributeError, TypeError, ValueError) as error:
        raise WeightsError(f"{path}: {error}; correct the file or fetch it again") from None
