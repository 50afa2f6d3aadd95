"""Reading with obspy: its warnings kept quiet, its many errors told as one of ours."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rtpick.vocabulary.errors import RtpickError


def read_quietly(
    read: Callable[[Any], Any], source: Any, path: Path, kind: str, refusal: type[RtpickError]
) -> Any:
    """Read a file, or the content of one, with a function of obspy's.

    Parameters
    ----------
    read : callable
        ``obspy.read_events`` and the like.
    source : str or file object
        What it is given.
    path : Path
        For the message.
    kind : str
        What the file should hold.
    refusal : type of RtpickError
        Raised when it cannot be read.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of ids that are unusual, of channels without a depth
        try:
            return read(source)
        except Exception as error:
            reason = str(error) or type(error).__name__
            raise refusal(f"{path}: no {kind} that can be read: {reason}") from error
