"""Lay overlapping windows of probability onto one curve.

Arrays: P phase, T time, C component. Indices are grid indices at the network's rate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from rtpick.numeric.compiled import compiled_brief
from rtpick.vocabulary.waveform import Float32Array

Stacking = Literal["mean", "max"]
BoolArray = npt.NDArray[np.bool_]
ALL: BoolArray = np.empty(0, np.bool_)


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """The stack of the windows so far, from `start_index` on.

    Parameters
    ----------
    start_index : int
        Grid index of the first sample.
    stack_PT : ndarray of float32, shape (P, T)
        Sum of the probabilities, or their maximum.
    count_T : ndarray of float32, shape (T,)
        How many windows speak of the sample; 0 where none does.
    stacking : {"mean", "max"}
    """

    start_index: int
    stack_PT: Float32Array
    count_T: Float32Array
    stacking: Stacking

    @property
    def end_index(self) -> int:
        """Grid index just after the last sample."""
        return self.start_index + len(self.count_T)


def empty_curve(start_index: int, phase_count: int, stacking: Stacking) -> Curve:
    """Begin a curve that no window has spoken of.

    Examples
    --------
    >>> empty_curve(256, 2, "mean").end_index
    256
    """
    nothing_PT = np.zeros((phase_count, 0), np.float32)
    return Curve(start_index, nothing_PT, nothing_PT[0], stacking)


def stack_window(
    curve: Curve,
    start_index: int,
    prob_PT: Float32Array,
    keep_from: int,
    usable_T: BoolArray | None = None,
    blinding: tuple[int, int] = (0, 0),
) -> Curve:
    """Add one window's probabilities to the curve.

    Parameters
    ----------
    curve : Curve
        Not modified.
    start_index : int
        Grid index of the window's first sample.
    prob_PT : ndarray of float32, shape (P, T)
        Row for row the phases of the curve.
    keep_from : int
        Samples before this index are let go.
    usable_T : ndarray of bool, shape (T,), optional
        False where the window must not be believed.
    blinding : tuple of int
        Samples at the window's left and right edge that are not stacked.

    Returns
    -------
    Curve
        From the later of `keep_from` and the old start.

    Notes
    -----
    A sample that no window covers (before the first window, inside a gap) has a count of 0.

    Examples
    --------
    >>> window_PT = np.ones((2, 4), np.float32)
    >>> curve = stack_window(empty_curve(0, 2, "mean"), 0, window_PT, keep_from=0)
    >>> curve = stack_window(curve, 2, window_PT / 2, keep_from=1)
    >>> curve.start_index, curve_probability(curve, 0, 1, 7).tolist()
    (1, [1.0, 0.75, 0.75, 0.5, 0.5, nan])
    """
    first = start_index + blinding[0]
    stack_PT, count_T = _lay(
        curve.stack_PT,
        curve.count_T,
        max(curve.start_index, keep_from) - curve.start_index,
        first - curve.start_index,
        prob_PT[:, blinding[0] : prob_PT.shape[1] - blinding[1]],
        ALL if usable_T is None else usable_T[blinding[0] : len(usable_T) - blinding[1]],
        curve.stacking == "max",
    )
    return Curve(max(curve.start_index, keep_from), stack_PT, count_T, curve.stacking)


def curve_probability(curve: Curve, row: int, start_index: int, stop_index: int) -> Float32Array:
    """Read one phase's probabilities in a span off the curve.

    Parameters
    ----------
    curve : Curve
        Not modified.
    row : int
        The phase.
    start_index, stop_index : int
        Half-open span; it may reach beyond the curve.

    Returns
    -------
    ndarray of float32, shape (stop_index - start_index,)
        NaN where no window speaks.

    Examples
    --------
    >>> curve_probability(empty_curve(0, 1, "max"), 0, 0, 2).tolist()
    [nan, nan]
    """
    first = max(start_index, curve.start_index)
    last = max(min(stop_index, curve.end_index), first)
    inside = slice(first - curve.start_index, last - curve.start_index)
    prob_T = np.full(stop_index - start_index, np.nan, np.float32)
    count_T = curve.count_T[inside]
    divisor_T = count_T if curve.stacking == "mean" else np.float32(1)
    target_T = prob_T[first - start_index : last - start_index]
    np.divide(curve.stack_PT[row, inside], divisor_T, out=target_T, where=count_T > 0)
    return prob_T


def usable_samples(samples_CT: Float32Array, guard: int) -> BoolArray | None:
    """Mark the samples of a window that no gap spoils.

    Parameters
    ----------
    samples_CT : ndarray of float32, shape (C, T)
        NaN where missing.
    guard : int
        Samples to either side of the edge of a gap, of any component, that are not to be believed.

    Returns
    -------
    ndarray of bool, shape (T,), or None
        None where every sample may be used.

    Notes
    -----
    A component that is missing from the whole window has no edge and spoils nothing; where no component is
    present there is nothing to believe.

    Examples
    --------
    >>> samples_CT = np.ones((2, 8), np.float32)
    >>> usable_samples(samples_CT, 1) is None
    True
    >>> samples_CT[0, 5:] = np.nan
    >>> usable_samples(samples_CT, 1).astype(int).tolist()
    [1, 1, 1, 1, 0, 0, 1, 1]
    >>> samples_CT[1, 2:] = np.nan
    >>> usable_samples(samples_CT, 1).astype(int).tolist()
    [1, 0, 0, 1, 0, 0, 0, 0]
    """
    valid_CT: BoolArray = ~np.isnan(samples_CT)
    if (valid_CT.all(axis=1) | ~valid_CT.any(axis=1)).all() and valid_CT.any():
        return None
    usable_T: BoolArray = np.asarray(valid_CT.any(axis=0))
    edge_CE = valid_CT[:, 1:] != valid_CT[:, :-1]
    for edge in np.flatnonzero(edge_CE.any(axis=0)) + 1:
        usable_T[max(edge - guard, 0) : edge + guard] = False
    return usable_T


@compiled_brief
def _lay(
    stack_PT: Float32Array,
    count_T: Float32Array,
    keep: int,
    first: int,
    prob_PT: Float32Array,
    usable_T: BoolArray,
    highest: bool,
) -> tuple[Float32Array, Float32Array]:
    """Copy the curve from sample `keep` on, and lay a window over it from sample `first` on.

    `usable_T` is empty where all may be used.
    """
    end = max(first + prob_PT.shape[1], len(count_T))
    moved_PT = np.zeros((len(stack_PT), end - keep), np.float32)
    moved_T = np.zeros(end - keep, np.float32)
    for i in range(keep, len(count_T)):
        moved_T[i - keep] = count_T[i]
    for row in range(len(stack_PT)):
        for i in range(keep, len(count_T)):
            moved_PT[row, i - keep] = stack_PT[row, i]
    skip = max(keep - first, 0)
    for row in range(len(stack_PT)):
        for i in range(skip, prob_PT.shape[1]):
            if len(usable_T) == 0 or usable_T[i]:
                old, new = moved_PT[row, first - keep + i], prob_PT[row, i]
                moved_PT[row, first - keep + i] = max(old, new) if highest else old + new
    for i in range(skip, prob_PT.shape[1]):
        if len(usable_T) == 0 or usable_T[i]:
            moved_T[first - keep + i] += 1
    return moved_PT, moved_T
