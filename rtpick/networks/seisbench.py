"""Read PhaseNet weights in the layout of SeisBench: a ``.pt`` and a ``.json`` with a version at the end.

The network computes in its own geometry, at 3000 samples by default. To get SeisBench's probabilities,
give it SeisBench's windows of 3001 samples with zeros where samples are missing.

References
----------
Woollam, J. et al. (2022), SeisBench: a toolbox for machine learning in seismology, Seismological Research
Letters 93(3), 1695-1709, doi:10.1785/0220210324.
"""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rtpick.networks.metadata import NetworkMetadata, read_json
from rtpick.networks.network import Network
from rtpick.networks.phasenet import FILTERS
from rtpick.networks.preprocess import Normalisation
from rtpick.networks.weights import assemble
from rtpick.vocabulary.errors import NetworkError, WeightsError

WEIGHTS_SUFFIX = re.compile(r"\.(pt|json)(\.v[\w.]+)?$")
EPSILON = 1e-10
_DOWN_PARTS = ("conv", "bn", "stride_conv", "stride_bn")
_UP_PARTS = ("deconv", "deconv_bn", "conv", "bn")
_STEM = {"inc": "input.conv", "in_bn": "input.bn", "out": "output.conv"}


def is_seisbench_file(path: Path) -> bool:
    """Tell whether a path names one of SeisBench's two files."""
    return WEIGHTS_SUFFIX.search(path.name) is not None


def read_seisbench(path: Path) -> Network:
    """Read a pair of SeisBench's files.

    Parameters
    ----------
    path
        Either of the two, for example ``original.pt.v1``.

    Raises
    ------
    WeightsError
        If a file is missing, is damaged, holds more than tensors, or asks for what PhaseNet here does not do.
    """
    weights_path, json_path = (
        path.with_name(WEIGHTS_SUFFIX.sub(rf".{kind}\2", path.name)) for kind in ("pt", "json")
    )
    metadata = _to_metadata(read_json(json_path), json_path)
    state = {_rename(key, weights_path): value for key, value in _read_tensors(weights_path).items()}
    return assemble(state, metadata, weights_path)


def _read_tensors(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise WeightsError(f"weights {path} are missing: they belong beside their JSON")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WeightsError(f"weights {path} are no plain tensors ({reason}): fetch them again") from None
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise WeightsError(f"weights {path} hold more than tensors: export the state dictionary alone")
    return state


def _rename(key: str, path: Path) -> str:
    """Translate SeisBench's parameter name into the reference's."""
    module, _, parameter = key.rpartition(".")
    if module in _STEM:
        return f"{_STEM[module]}.{parameter}"
    match = re.fullmatch(r"(down|up)_branch\.(\d)\.(\d)", module)
    if match is None or not int(match[3]) < 4:
        raise WeightsError(f"{path} holds {key!r}, which PhaseNet does not have: give PhaseNet's file")
    level, part = int(match[2]), int(match[3])
    if match[1] == "down":
        return f"down.{level}.{_DOWN_PARTS[part]}.{parameter}"
    return f"up.{len(FILTERS) - 2 - level}.{_UP_PARTS[part]}.{parameter}"


def _to_metadata(content: dict[str, Any], path: Path) -> NetworkMetadata:
    arguments = content.get("model_args")
    if not isinstance(arguments, dict):
        raise WeightsError(f"{path} has no 'model_args': it is not the JSON of a SeisBench model")
    _refuse_unsupported(arguments, path)
    blinding = content.get("default_args", {}).get("blinding", (0, 0))
    try:
        return NetworkMetadata(
            name=re.sub(r"\.json.*$", "", path.name),
            architecture="phasenet",
            version=path.name.rpartition(".v")[2] if ".v" in path.name else "",
            component_order=arguments.get("component_order", "ZNE"),
            phases=tuple(arguments.get("phases", "PSN")),
            sampling_rate_hz=float(arguments.get("sampling_rate", 100)),
            window_samples=3000,
            quantity="velocity",
            normalisation=Normalisation(arguments.get("norm", "std"), 1, EPSILON, True, False),
            blinding_samples=(int(blinding[0]), int(blinding[1])),
            description=str(content.get("docstring", "")).strip(),
        )
    except (NetworkError, TypeError, ValueError) as error:
        raise WeightsError(f"{path}: {error}") from None


def _refuse_unsupported(arguments: dict[str, Any], path: Path) -> None:
    for name in ("norm_detrend", "filter_args", "filter_kwargs"):
        if arguments.get(name):
            raise WeightsError(f"{path} asks for {name}, which PhaseNet here does not do: use other weights")
