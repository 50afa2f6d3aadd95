"""Read and write weights; nothing is ever unpickled.

Our own format is a safetensors file with its metadata as JSON of the same stem beside it. Component order and
phases are written into both, so that a file cannot be paired with the wrong sidecar unnoticed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from rtpick.networks.metadata import NetworkMetadata, write_metadata
from rtpick.networks.network import Network, build_architecture
from rtpick.vocabulary.errors import NetworkError, WeightsError

# Bookkeeping of batch normalisation that says nothing about what the network answers.
COUNTERS = "num_batches_tracked"


def fingerprint(state: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 of the weights themselves, whatever file they came in.

    Parameters
    ----------
    state
        Parameters and running statistics by name; batch counters are left out.
    """
    digest = hashlib.sha256()
    for name in sorted(state):
        if name.endswith(COUNTERS):
            continue
        tensor = state[name].detach().cpu().to(torch.float32).contiguous()
        digest.update(f"{name}{tuple(tensor.shape)}".encode())
        digest.update(tensor.numpy().astype("<f4").tobytes())
    return digest.hexdigest()


def read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read the tensors of a file and the text in its header.

    Raises
    ------
    WeightsError
        If the file is missing or damaged.
    """
    if not path.is_file():
        raise WeightsError(f"weights {path} are missing: give the path of a .safetensors file")
    try:
        with safe_open(str(path), framework="pt") as handle:
            # The handle is not a mapping: its names come from keys() alone.
            state = {name: handle.get_tensor(name) for name in list(handle.keys())}
            return state, dict(handle.metadata() or {})
    except (SafetensorError, OSError, ValueError) as error:
        raise WeightsError(f"weights {path} are damaged ({error}): fetch the file again") from None


def write_network(architecture: nn.Module, metadata: NetworkMetadata, path: Path) -> NetworkMetadata:
    """Write weights as float32 safetensors, with the metadata beside them.

    Parameters
    ----------
    architecture
        The module whose parameters and running statistics are written.
    metadata
        Its fingerprint is computed anew.
    path
        Where to write; must end in ``.safetensors``. The JSON gets the same stem.

    Returns
    -------
    NetworkMetadata
        As written, with the weights' fingerprint.
    """
    state = portable_state(architecture)
    written = replace(metadata, weights_sha256=fingerprint(state))
    path.write_bytes(save(state, metadata=written.header))
    write_metadata(written, path.with_suffix(".json"))
    return written


def portable_state(architecture: nn.Module) -> dict[str, Tensor]:
    """Return parameters and running statistics by name: float32, on the CPU, without batch counters."""
    return {
        name: tensor.detach().cpu().to(torch.float32).contiguous()
        for name, tensor in architecture.state_dict().items()
        if not name.endswith(COUNTERS)
    }


def assemble(state: Mapping[str, Tensor], metadata: NetworkMetadata, path: Path) -> Network:
    """Put weights into their architecture, ready to infer.

    Parameters
    ----------
    state
        Parameters and running statistics by the architecture's own names.
    metadata
        Its fingerprint is computed anew.
    path
        The file that they came from, for messages.

    Raises
    ------
    WeightsError
        If names or shapes are not the architecture's.
    """
    try:
        architecture = build_architecture(metadata.architecture, metadata.options)
    except NetworkError as error:
        raise WeightsError(f"{path}: {error}") from None
    check_state(state, architecture, path)
    architecture.load_state_dict(dict(state), strict=False)
    network = Network(architecture, replace(metadata, weights_sha256=fingerprint(state)))
    network.eval()
    network.requires_grad_(False)
    return network


def check_header(header: Mapping[str, str], described: Mapping[str, str], path: Path) -> None:
    """Refuse a sidecar that contradicts the header of its weights.

    Parameters
    ----------
    header
        As the weights' file has it.
    described
        As the sidecar would have it.
    path
        The weights' file, for messages.

    Raises
    ------
    WeightsError
        Naming the field and both values.
    """
    for name, expected in described.items():
        found = header.get(name, expected)
        if found != expected:
            raise WeightsError(
                f"{path} was written with {name} {found!r}, but the JSON beside it says {expected!r}: "
                "the two do not belong together, fetch both again"
            )


def check_fingerprint(state: Mapping[str, Tensor], expected: str, path: Path) -> None:
    """Refuse weights that are not those that the metadata describes."""
    if fingerprint(state) != expected:
        raise WeightsError(
            f"{path} does not hold the weights that its JSON describes (weights_sha256 differs): "
            "fetch both again"
        )


def check_state(state: Mapping[str, Tensor], architecture: nn.Module, path: Path) -> None:
    """Refuse tensors whose names or shapes are not the architecture's, or that are not finite.

    Raises
    ------
    WeightsError
        Naming the first tensor that is wrong.
    """
    wanted = {k: v.shape for k, v in architecture.state_dict().items() if not k.endswith(COUNTERS)}
    found = {k: v.shape for k, v in state.items() if not k.endswith(COUNTERS)}
    remedy = f"{path} does not fit the architecture: name the architecture that it was trained with"
    if missing := sorted(wanted.keys() - found.keys()):
        raise WeightsError(f"{remedy} (no tensor {missing[0]!r}, {len(missing)} missing in all)")
    if unknown := sorted(found.keys() - wanted.keys()):
        raise WeightsError(f"{remedy} (unknown tensor {unknown[0]!r}, {len(unknown)} unknown in all)")
    for name, shape in wanted.items():
        if found[name] != shape:
            raise WeightsError(f"{remedy} ({name} is {tuple(found[name])}, not {tuple(shape)})")
        if not torch.isfinite(state[name]).all():
            raise WeightsError(f"{path} is damaged ({name} is not finite): fetch the file again")
