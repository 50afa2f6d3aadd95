"""The command line."""

from rtpick.cli.core import app, main

__all__ = ["app", "main"]
