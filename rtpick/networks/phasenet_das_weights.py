"""Write and assemble the weights of networks for fibers: safetensors with JSON of the same stem beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from safetensors.torch import save
from torch import Tensor

from rtpick.networks.phasenet_das import FiberNetwork, PhaseNetDas
from rtpick.networks.phasenet_das_metadata import FiberNetworkMetadata, write_fiber_metadata
from rtpick.networks.weights import check_state, fingerprint, portable_state


def write_fiber_network(
    architecture: PhaseNetDas, metadata: FiberNetworkMetadata, path: Path
) -> FiberNetworkMetadata:
    """Write weights as float32 safetensors, with the metadata beside them.

    Parameters
    ----------
    architecture
        The module whose parameters are written.
    metadata
        Its fingerprint and options are taken from the module.
    path
        Where to write; must end in ``.safetensors``. The JSON gets the same stem.

    Returns
    -------
    FiberNetworkMetadata
        As written.
    """
    state = portable_state(architecture)
    written = replace(metadata, weights_sha256=fingerprint(state), options=architecture.options)
    path.write_bytes(save(state, metadata=written.header))
    write_fiber_metadata(written, path.with_suffix(".json"))
    return written


def assemble_fiber(state: Mapping[str, Tensor], metadata: FiberNetworkMetadata, path: Path) -> FiberNetwork:
    """Put weights into their architecture, ready to infer.

    Raises
    ------
    WeightsError
        If names or shapes are not the architecture's.
    """
    architecture = PhaseNetDas(metadata.options)
    check_state(state, architecture, path)
    architecture.load_state_dict(dict(state))
    network = FiberNetwork(architecture, replace(metadata, weights_sha256=fingerprint(state)))
    network.eval()
    network.requires_grad_(False)
    return network
