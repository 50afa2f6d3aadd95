"""Draw numbers that span orders of magnitude."""

from __future__ import annotations

import numpy as np


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw a number evenly in its logarithm.

    Examples
    --------
    >>> 1.0 <= log_uniform(np.random.default_rng(0), 1.0, 10.0) <= 10.0
    True
    """
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))
