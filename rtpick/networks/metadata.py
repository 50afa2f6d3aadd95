"""What a network is, what it wants and what it answers: the JSON that lies beside its weights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from rtpick.networks.eqnet_options import UNetOptions, parse_options
from rtpick.networks.preprocess import Normalisation
from rtpick.vocabulary.errors import NetworkError, WeightsError
from rtpick.vocabulary.model_version import ModelVersion

COMPONENTS = "ENZ"
PHASES = ("N", "P", "S")


@dataclass(frozen=True)
class NetworkMetadata:
    """A network's contract with whoever feeds it.

    Attributes
    ----------
    name
        Short name; with the weights' fingerprint it makes the model version.
    architecture
        The module that the weights belong to, for example ``phasenet``.
    version
        Version of the weights under this name.
    component_order
        The order of the input's components, a permutation of ``ENZ``.
    phases
        The order of the output's phases, a permutation of N (noise), P, S.
    sampling_rate_hz
        The rate at which samples must come.
    window_samples
        Length of the windows that the network was trained on.
    quantity
        What the samples measured in training: ``velocity``, ``counts`` ...
    normalisation
        How the input is scaled, inside the network.
    blinding_samples
        Samples at the left and the right end of a window whose probabilities should not be used.
    licence
        Licence of the weights (SPDX identifier where there is one).
    description
        A sentence or two for people.
    weights_sha256
        Fingerprint of the weights, see `rtpick.networks.weights.fingerprint`.
    options
        Shape of a ``phasenet_v1``; None for an architecture that has but one.

    Raises
    ------
    NetworkError
        If a field cannot be.
    """

    name: str
    architecture: str
    version: str
    component_order: str
    phases: tuple[str, ...]
    sampling_rate_hz: float
    window_samples: int
    quantity: str
    normalisation: Normalisation
    blinding_samples: tuple[int, int] = (0, 0)
    licence: str = "unknown"
    description: str = ""
    weights_sha256: str = field(default="0" * 64)
    options: UNetOptions | None = None

    def __post_init__(self) -> None:
        _check_order("component_order", self.component_order, COMPONENTS)
        _check_order("phases", "".join(self.phases), "".join(PHASES))
        if not 0 < self.sampling_rate_hz < 1e6:
            raise NetworkError(f"sampling_rate_hz is {self.sampling_rate_hz!r}: give a positive rate in Hz")
        if self.window_samples < 1:
            raise NetworkError(f"window_samples is {self.window_samples!r}: give a positive number")
        if min(self.blinding_samples) < 0 or sum(self.blinding_samples) >= self.window_samples:
            raise NetworkError(
                f"blinding_samples {self.blinding_samples!r} leave nothing of {self.window_samples} samples: "
                "give two small numbers, left and right"
            )

    @property
    def model_version(self) -> str:
        """Name and fingerprint, for example ``default-1a2b3c4d``."""
        return str(ModelVersion(self.name, self.weights_sha256))

    @property
    def header(self) -> dict[str, str]:
        """What the weights' own file repeats: it cannot be paired with other metadata unnoticed."""
        return {
            "architecture": self.architecture,
            "component_order": self.component_order,
            "phases": "".join(self.phases),
        }


def write_metadata(metadata: NetworkMetadata, path: Path) -> None:
    """Write the metadata as JSON."""
    path.write_text(json.dumps(asdict(metadata), indent=2) + "\n", encoding="utf-8")


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises
    ------
    WeightsError
        If the file is missing or is not a JSON object.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise WeightsError(f"{path} is missing: weights need their metadata beside them") from None
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path} is not readable JSON ({error}): fetch the file again") from None
    if not isinstance(content, dict):
        raise WeightsError(f"{path} holds {type(content).__name__}: it must be a JSON object")
    return content


def parse_metadata(content: Mapping[str, Any], path: Path) -> NetworkMetadata:
    """Build the metadata from a JSON object; nothing may be missing but the options, and nothing unknown.

    Raises
    ------
    WeightsError
        Naming the file and the field.
    """
    content = {"options": None, **content}
    _check_keys(content, NetworkMetadata, f"{path}")
    rule = content["normalisation"]
    if not isinstance(rule, Mapping):
        raise WeightsError(f"{path}: normalisation must be a JSON object")
    _check_keys(rule, Normalisation, f"{path}: normalisation")
    try:
        left, right = content["blinding_samples"]
        return NetworkMetadata(
            **{
                **content,
                "phases": tuple(content["phases"]),
                "blinding_samples": (int(left), int(right)),
                "normalisation": Normalisation(**rule),
                "options": None if content["options"] is None else parse_options(content["options"]),
            }
        )
    except (NetworkError, AttributeError, TypeError, ValueError) as error:
        raise WeightsError(f"{path}: {error}; correct the file or fetch it again") from None


def _check_order(name: str, given: str, allowed: str) -> None:
    if sorted(given) != sorted(allowed):
        raise NetworkError(f"{name} is {given!r}: it must name each of {', '.join(allowed)} once")


def _check_keys(content: Mapping[str, Any], kind: type[NetworkMetadata | Normalisation], where: str) -> None:
    known = {f.name for f in fields(kind)}
    unknown, missing = sorted(content.keys() - known), sorted(known - content.keys())
    if unknown:
        raise WeightsError(f"{where} has unknown keys {', '.join(unknown)}: remove them or update rtpick")
    if missing:
        raise WeightsError(f"{where} lacks {', '.join(missing)}: add them or fetch the file again")
