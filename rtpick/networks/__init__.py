"""Networks that pick phases, their weights, and the one preprocessing that live and training share."""

from rtpick.networks.load import load_any_network, load_fiber_network, load_network
from rtpick.networks.metadata import NetworkMetadata
from rtpick.networks.network import Network
from rtpick.networks.phasenet_das import FiberAnswer, FiberNetwork, PhaseNetDas
from rtpick.networks.phasenet_das_metadata import FiberNetworkMetadata

__all__ = [
    "FiberAnswer",
    "FiberNetwork",
    "FiberNetworkMetadata",
    "Network",
    "NetworkMetadata",
    "PhaseNetDas",
    "load_any_network",
    "load_fiber_network",
    "load_network",
]
