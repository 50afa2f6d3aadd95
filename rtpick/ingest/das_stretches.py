"""Coordinates cut where they jump."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt


class Stretch(NamedTuple):
    """Elements `first` to `behind` (exclusive) of a coordinate, evenly spaced from `start` on."""

    first: int
    behind: int
    start: float | int
    step: float


def stretches(values_N: npt.NDArray[Any]) -> Iterator[Stretch]:
    """Cut a coordinate where two neighbours are not one step apart, to half a step.

    Parameters
    ----------
    values_N : ndarray, shape (N,)
        Times in ns (int64) or distances in m (float64).

    Yields
    ------
    Stretch
        With a step of the whole coordinate where a stretch has one element only.

    Examples
    --------
    >>> [stretch[:3] for stretch in stretches(np.array([0, 10, 20, 70, 80]))]
    [(0, 3, 0), (3, 5, 70)]
    """
    steps = np.diff(values_N)
    usual = float(np.median(steps)) if len(steps) else 0.0
    cuts = np.flatnonzero(np.abs(steps - usual) > abs(usual) / 2) + 1
    edges = [0, *(int(cut) for cut in cuts), len(values_N)]
    for first, behind in pairwise(edges):
        last = behind - 1
        step = float(values_N[last] - values_N[first]) / (last - first) if last > first else usual
        yield Stretch(first, behind, values_N[first].item(), step)
