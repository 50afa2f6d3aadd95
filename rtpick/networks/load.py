"""Find a network by name or path and make it ready: the one public way to a network."""

from __future__ import annotations

import importlib.resources
from pathlib import Path
from typing import Any

from rtpick.networks.eqnet_checkpoint import CHECKPOINT_SUFFIX, read_checkpoint
from rtpick.networks.metadata import NetworkMetadata, parse_metadata, read_json
from rtpick.networks.network import Network
from rtpick.networks.phasenet_das import FiberNetwork
from rtpick.networks.phasenet_das_metadata import ARCHITECTURE as FIBER_ARCHITECTURE
from rtpick.networks.phasenet_das_metadata import parse_fiber_metadata
from rtpick.networks.phasenet_das_weights import assemble_fiber
from rtpick.networks.preprocess import Normalisation
from rtpick.networks.seisbench import is_seisbench_file, read_seisbench
from rtpick.networks.weights import assemble, check_fingerprint, check_header, read_safetensors
from rtpick.vocabulary.errors import NetworkError, WeightsError

SHIPPED = "shipped"


def load_network(name_or_path: str | Path = "default") -> Network:
    """Load a network for stations, in inference mode, on the CPU.

    Parameters
    ----------
    name_or_path
        ``"default"`` for the network that ships with rtpick; or the path of a ``.safetensors`` file with its
        JSON beside it (rtpick's own, or the reference PhaseNet's); or one of SeisBench's pair ``NAME.pt.v1``,
        ``NAME.json.v1``; or a checkpoint ``.pth`` of EQNet's training.

    Returns
    -------
    Network
        ``net(wave_BCT)`` takes raw float32 samples in ``net.component_order`` and gives
        probabilities (B, P, T) in the order of ``net.phases``.

    Raises
    ------
    WeightsError
        If a file is missing, damaged, does not fit or is for fibers; the message names it and what to do.

    Examples
    --------
    >>> import torch
    >>> net = load_network("default")
    >>> net.component_order, net.phases
    ('ENZ', ('N', 'P', 'S'))
    >>> net(torch.randn(2, 3, 3000)).shape
    torch.Size([2, 3, 3000])
    """
    network = load_any_network(name_or_path)
    if isinstance(network, FiberNetwork):
        raise WeightsError(f"{name_or_path} is a network for fibers: a station needs another")
    return network


def load_fiber_network(name_or_path: str | Path) -> FiberNetwork:
    """Load a network for fibers, in inference mode, on the CPU.

    Parameters
    ----------
    name_or_path
        The name of a network that ships with rtpick; or the path of a ``.safetensors`` file with its JSON
        beside it; or a checkpoint ``.pth`` of EQNet's training.

    Returns
    -------
    FiberNetwork
        ``net(raw_BKT)`` takes raw float32 samples and gives a `FiberAnswer`.

    Raises
    ------
    WeightsError
        If a file is missing, damaged, does not fit or is for stations; the message names it and what to do.
    """
    network = load_any_network(name_or_path)
    if isinstance(network, Network):
        raise WeightsError(f"{name_or_path} is a network for stations: a fiber needs another")
    return network


def load_any_network(name_or_path: str | Path) -> Network | FiberNetwork:
    """Load a network of either kind; see `load_network` and `load_fiber_network`."""
    if str(name_or_path) in shipped_names():
        with importlib.resources.as_file(importlib.resources.files(__package__) / SHIPPED) as folder:
            return _load_safetensors(folder / f"{name_or_path}.safetensors")
    path = Path(name_or_path)
    if path.suffix == CHECKPOINT_SUFFIX:
        return read_checkpoint(path)
    if is_seisbench_file(path):
        return read_seisbench(path)
    if path.suffix == ".safetensors":
        return _load_safetensors(path)
    raise WeightsError(
        f"{name_or_path} is no network: give one of {', '.join(shipped_names())}, "
        "or the path of a .safetensors, SeisBench .pt.v1 or EQNet .pth file"
    )


def shipped_names() -> list[str]:
    """List the networks that come with the package."""
    folder = importlib.resources.files(__package__) / SHIPPED
    files = [item.name for item in folder.iterdir()]
    return sorted(name.removesuffix(".safetensors") for name in files if name.endswith(".safetensors"))


def _load_safetensors(path: Path) -> Network | FiberNetwork:
    state, header = read_safetensors(path)
    json_path = path.with_suffix(".json")
    content = read_json(json_path)
    if isinstance(content.get("architecture"), dict):
        return assemble(state, _reference_metadata(content, json_path), path)
    if content.get("architecture") == FIBER_ARCHITECTURE:
        fiber_metadata = parse_fiber_metadata(content, json_path)
        check_header(header, fiber_metadata.header, path)
        check_fingerprint(state, fiber_metadata.weights_sha256, path)
        return assemble_fiber(state, fiber_metadata, path)
    metadata = parse_metadata(content, json_path)
    check_header(header, metadata.header, path)
    check_fingerprint(state, metadata.weights_sha256, path)
    return assemble(state, metadata, path)


def _reference_metadata(content: dict[str, Any], path: Path) -> NetworkMetadata:
    """Translate the description that comes with the reference checkpoint of PhaseNet."""
    try:
        source = content["input"]
        return NetworkMetadata(
            name=content["name"],
            architecture="phasenet",
            version="2019",
            component_order="".join(source["channels"]),
            phases=tuple(name[0].upper() for name in content["output"]["classes"]),
            sampling_rate_hz=float(source["sampling_rate_hz"]),
            window_samples=int(source["window_samples"]),
            quantity="velocity",
            normalisation=Normalisation("std", 0, 0.0, True, True),
            licence=content["licence"],
            description="PhaseNet as published by Zhu and Beroza (2019)",
        )
    except (KeyError, TypeError, ValueError, NetworkError) as error:
        raise WeightsError(f"{path} describes no PhaseNet checkpoint ({error}): fetch it again") from None
