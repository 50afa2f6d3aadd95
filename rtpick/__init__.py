"""rtpick: real-time seismic phase picking, association and learning."""

__version__ = "0.1.0"
