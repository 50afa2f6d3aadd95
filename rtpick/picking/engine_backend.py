"""What a backend is, and which one is taken.

Arrays: B batch, C component, P phase, T time.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Protocol

import torch

from rtpick.networks.network import Network
from rtpick.settings.schema import EngineSettings
from rtpick.vocabulary.errors import NetworkError, SettingsError
from rtpick.vocabulary.waveform import Float32Array

PHASES = ("P", "S")
# On a CPU larger batches fall out of the cache and are slower; a GPU wants them large.
OPENVINO_BUCKETS = (1, 4, 16)
# Torch's CPU kernels differ in the last bit from one batch size to another, so there is only one.
TORCH_BUCKETS = (8,)
CUDA_BUCKETS = (1, 8, 32, 128, 512)


Promise = Callable[[], Float32Array]
"""Waits for the result and gives it; to be called once."""


class Backend(Protocol):
    """Computes probabilities for batches of a few fixed sizes, so that every shape is compiled once."""

    buckets: tuple[int, ...]
    precision: str
    name: str

    def start(self, wave_BCT: Float32Array) -> Promise:
        """Begin to turn raw samples into probabilities (B, P, T); B is one of `buckets`.

        `wave_BCT` must stay as it is until the promise has been kept.

        Raises
        ------
        MemoryError
            If the device has no room for so many windows.
        """


def build_backend(network: Network, settings: EngineSettings) -> Backend:
    """Make the backend that the settings name, or the best that is there.

    Raises
    ------
    SettingsError
        If a named backend, device or precision is not to be had on this machine.
    """
    device = choose_device(settings)
    if choose_backend(settings, device) == "openvino":
        from rtpick.picking.engine_openvino import OpenVinoBackend

        return OpenVinoBackend(network, settings, phase_rows(network))
    from rtpick.picking.engine_torch import TorchBackend

    return TorchBackend(network, settings, device, phase_rows(network))


def choose_device(settings: EngineSettings) -> str:
    """Settle ``auto`` to a CUDA device where there is one."""
    if settings.device.startswith("cuda") and not torch.cuda.is_available():
        raise SettingsError(f"engine.device {settings.device}: torch finds no CUDA device; use cpu or auto")
    if settings.device == "auto":
        return "cuda" if torch.cuda.is_available() and settings.backend != "openvino" else "cpu"
    return settings.device


def choose_backend(settings: EngineSettings, device: str) -> str:
    """Settle ``auto``: OpenVINO on a CPU where it is installed, else torch."""
    present = find_spec("openvino") is not None
    if settings.backend == "openvino" and not present:
        raise SettingsError("engine.backend openvino is not installed: pip install 'rtpick[openvino]'")
    if settings.backend == "openvino" and device != "cpu":
        raise SettingsError(f"engine.backend openvino does not run on {device}: set engine.device to cpu")
    if settings.backend == "auto":
        return "openvino" if present and device == "cpu" else "torch"
    return settings.backend


def phase_rows(network: Network) -> list[int]:
    """Rows of P and S in the network's output."""
    missing = [phase for phase in PHASES if phase not in network.phases]
    if missing:
        raise NetworkError(f"the network gives {network.phases}, not {missing}: use one that picks P and S")
    return [network.phases.index(phase) for phase in PHASES]


def fit_buckets(buckets: tuple[int, ...], batch_size: int) -> tuple[int, ...]:
    """Leave out the sizes that the settings forbid.

    Examples
    --------
    >>> fit_buckets((1, 4, 16), 10), fit_buckets((8,), 2)
    ((1, 4), (2,))
    """
    return tuple(size for size in buckets if size <= batch_size) or (batch_size,)
