"""Choose the engine that fits a network for fibers, of whichever kind it is."""

from __future__ import annotations

from rtpick.networks.load import load_any_network
from rtpick.networks.network import Network
from rtpick.picking.engine_fiber import FiberNetworkEngine
from rtpick.picking.engine_fiber_single import SingleChannelEngine
from rtpick.settings.schema import EngineSettings


def build_fiber_engine(weights: str, settings: EngineSettings) -> FiberNetworkEngine | SingleChannelEngine:
    """Load a network and make it ready for the tiles of fibers.

    Parameters
    ----------
    weights : str
        A network's name or path: one for fibers, or one for stations, which sees each channel for itself.
    settings : EngineSettings

    Raises
    ------
    WeightsError
        If the weights cannot be used.
    SettingsError
        If the device or precision asked for is not to be had.
    """
    network = load_any_network(weights)
    if isinstance(network, Network):
        return SingleChannelEngine(network, settings)
    return FiberNetworkEngine(network, settings)
