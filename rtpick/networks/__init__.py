"""Networks that pick phases, their weights, and the one preprocessing that live and training share."""

from rtpick.networks.load import load_network
from rtpick.networks.metadata import NetworkMetadata
from rtpick.networks.network import Network

__all__ = ["Network", "NetworkMetadata", "load_network"]
