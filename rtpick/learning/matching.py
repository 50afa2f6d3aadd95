"""Compare picks with an analyst's labels: who found what, how far off, and what was found besides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Times = Sequence[float] | NDArray[np.float64]


@dataclass(frozen=True)
class Tally:
    """What became of the picks and labels of one phase.

    Attributes
    ----------
    found, false, missed
        Labels that a pick matches, picks that match none, labels without a pick.
    residuals_s
        Pick minus label of the matched pairs, seconds.
    """

    found: int = 0
    false: int = 0
    missed: int = 0
    residuals_s: tuple[float, ...] = ()

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.found + other.found,
            self.false + other.false,
            self.missed + other.missed,
            self.residuals_s + other.residuals_s,
        )

    @property
    def precision(self) -> float:
        """Share of the picks that match a label; NaN without picks."""
        return _ratio(self.found, self.found + self.false)

    @property
    def recall(self) -> float:
        """Share of the labels that a pick matches; NaN without labels."""
        return _ratio(self.found, self.found + self.missed)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; NaN where there is nothing to compare."""
        return _ratio(2 * self.found, 2 * self.found + self.false + self.missed)


def tally(pick_s: Times, label_s: Times, tolerance_s: float) -> Tally:
    """Match picks and labels of one phase in one window, nearest pair first, each at most once.

    Parameters
    ----------
    pick_s, label_s
        Times in seconds from any common origin.
    tolerance_s
        Largest distance of a match, inclusive.

    >>> outcome = tally([1.02, 5.0], [1.0, 9.0], tolerance_s=0.1)
    >>> outcome.found, outcome.false, outcome.missed
    (1, 1, 1)
    """
    pick, label = np.asarray(pick_s, dtype=float), np.asarray(label_s, dtype=float)
    offset = pick[:, None] - label[None, :]
    pairs: list[tuple[int, int]] = []
    for flat in np.argsort(np.abs(offset), axis=None, kind="stable"):
        i, j = divmod(int(flat), len(label))
        # The tolerance is a round number of samples: rounding must not decide at its edge.
        if abs(offset[i, j]) > tolerance_s + 1e-9:
            break
        if all(i != a and j != b for a, b in pairs):
            pairs.append((i, j))
    residuals_s = tuple(float(offset[pair]) for pair in pairs)
    return Tally(len(pairs), len(pick) - len(pairs), len(label) - len(pairs), residuals_s)


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
