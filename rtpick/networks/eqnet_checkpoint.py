"""Read checkpoints that EQNet's training leaves (``model_50000.pth``), without running anything in them.

Such a file holds tensors, numbers, texts and one object, the command line as an `argparse.Namespace`. That
class and nothing else is allowed; a file that names any other is refused.

References
----------
Zhu, W. et al. (2023), Nature Communications 14, 8192, doi:10.1038/s41467-023-43355-3.
"""

from __future__ import annotations

import argparse
import pickle
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rtpick.networks.eqnet_options import DAS, STATION, UNetOptions
from rtpick.networks.metadata import COMPONENTS, PHASES, NetworkMetadata
from rtpick.networks.network import Network
from rtpick.networks.phasenet_das import FiberNetwork
from rtpick.networks.phasenet_das_metadata import FiberNetworkMetadata
from rtpick.networks.phasenet_das_weights import assemble_fiber
from rtpick.networks.preprocess import Normalisation
from rtpick.networks.weights import assemble
from rtpick.vocabulary.errors import NetworkError, WeightsError
from rtpick.vocabulary.fiber import Quantity

CHECKPOINT_SUFFIX = ".pth"
PREFIXES = ("module.", "_orig_mod.", "backbone.")
# The mean of the weights over training comes first, then the last weights.
STATES = ("model_ema_weights", "model_ema", "model")
FAMILIES = {(1, 7, 7): DAS, (3, 1, 7): STATION}
SAMPLING_RATE_HZ = 100.0
WINDOW_SAMPLES = 4096
TILE_SHAPE = (2048, 4096)
# The range of public cables times the resampling in training.
SPACING_RANGE_M = (1.0, 30.0)


def read_checkpoint(path: Path) -> Network | FiberNetwork:
    """Read a checkpoint of PhaseNet v1, PhaseNet-Plus, PhaseNet-DAS or PhaseNet-DAS-Plus.

    Parameters
    ----------
    path
        A file ``.pth``, or a plain state dictionary saved as such.

    Returns
    -------
    Network or FiberNetwork
        Whichever the weights are for. The mean weights are taken where the file has them.

    Raises
    ------
    WeightsError
        If the file is missing or damaged, names a class beyond the one that is allowed, or is of another
        architecture.
    """
    content = _read_plain(path)
    state = _choose_state(content, path)
    try:
        options = _infer_options(state, content.get("model_config", {}))
    except (NetworkError, AttributeError, KeyError, TypeError, ValueError, IndexError) as error:
        raise WeightsError(
            f"{path} is of no architecture that rtpick reads ({error}): use other weights"
        ) from None
    if options.n_components == 1:
        return assemble_fiber(state, _fiber_metadata(options, path), path)
    return assemble(state, _station_metadata(options, path), path)


def _read_plain(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise WeightsError(f"weights {path} are missing: give the path of a checkpoint")
    try:
        with torch.serialization.safe_globals([argparse.Namespace]):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        # Bytes that are no checkpoint make torch's reader stumble in ways that it does not list.
        raise WeightsError(
            f"{path} cannot be read safely as a checkpoint ({_reason(error)}): use another"
        ) from None
    if not isinstance(content, dict):
        raise WeightsError(f"{path} holds {type(content).__name__}, not a checkpoint: use another")
    return content


def _reason(error: Exception) -> str:
    """Say in one line what is wrong; torch's own words advise to read such a file unsafely."""
    if forbidden := re.search(r"GLOBAL (\S+)", str(error)):
        return f"it names {forbidden[1]}, which is neither a tensor nor a plain value"
    if isinstance(error, pickle.UnpicklingError):
        return "it is damaged, or holds more than tensors and plain values"
    return str(error).partition("\n")[0] or type(error).__name__


def _choose_state(content: Mapping[str, Any], path: Path) -> dict[str, Tensor]:
    found = next((content[name] for name in STATES if content.get(name) is not None), content)
    if not isinstance(found, Mapping):
        raise WeightsError(f"the weights in {path} are no state dictionary: use another checkpoint")
    state = {_rename(name): value for name, value in found.items() if name != "n_averaged"}
    if not state or not all(isinstance(value, Tensor) for value in state.values()):
        raise WeightsError(
            f"the weights in {path} are no state dictionary of tensors: use another checkpoint"
        )
    return state


def _rename(name: str) -> str:
    """Strip what parallel training and compilation put before a name."""
    stripped = name
    while stripped.startswith(PREFIXES):
        stripped = stripped.partition(".")[2]
    return f"backbone.{stripped}"


def _infer_options(state: Mapping[str, Tensor], config: Mapping[str, Any]) -> UNetOptions:
    """Take the family from the shapes and the switches from the configuration."""
    if config.get("rope_base_nx") is not None:
        raise NetworkError("it wants rotary positions of stations, which a single station does not have")
    _, n_components, across, along = state["backbone.init_conv.weight"].shape
    family = FAMILIES.get((n_components, across, along))
    if family is None:
        raise NetworkError(f"its first kernel is {across} x {along} over {n_components} components")
    moving_norm = config.get("moving_norm")
    return replace(
        family,
        attend_at_middle=bool(config.get("attend_at_middle", _has(state, "mid_attn"))),
        log_scale=bool(config.get("log_scale", False)),
        moving_norm=None if not moving_norm else (int(moving_norm[0]), int(moving_norm[1])),
        event_heads=_has(state, "event_center_head"),
        polarity_head=_has(state, "polarity_head"),
    )


def _has(state: Mapping[str, Tensor], module: str) -> bool:
    return any(name.startswith(f"backbone.{module}.") for name in state)


def _fiber_metadata(options: UNetOptions, path: Path) -> FiberNetworkMetadata:
    return FiberNetworkMetadata(
        name=path.stem,
        version="",
        quantities=(Quantity.STRAIN_RATE,),
        sampling_rate_hz=SAMPLING_RATE_HZ,
        channel_spacing_range_m=SPACING_RANGE_M,
        tile_shape=TILE_SHAPE,
        options=options,
        common_mode=True,
        description="PhaseNet-DAS, read from a checkpoint of EQNet's training",
    )


def _station_metadata(options: UNetOptions, path: Path) -> NetworkMetadata:
    return NetworkMetadata(
        name=path.stem,
        architecture="phasenet_v1",
        version="",
        component_order=COMPONENTS,
        phases=PHASES,
        sampling_rate_hz=SAMPLING_RATE_HZ,
        window_samples=WINDOW_SAMPLES,
        quantity="velocity",
        normalisation=Normalisation("std", 0, 0.0, True, False),
        description="PhaseNet v1, read from a checkpoint of EQNet's training",
        options=options,
    )
