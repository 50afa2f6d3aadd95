"""Compiling the arithmetic that runs for every pick."""

from rtpick.numeric.compiled import compiled

__all__ = ["compiled"]
