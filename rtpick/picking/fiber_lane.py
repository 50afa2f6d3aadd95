"""From what tiles say to final peaks: one sheet of a fiber, decided as far as no later tile can speak of it.

P plane, K fiber channel, T time, N peaks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from rtpick.picking.fiber_stack import ALL, BoolArray, TaperedStack
from rtpick.picking.fiber_trigger import NO_PEAKS, Peaks, find_fiber_peaks
from rtpick.vocabulary.waveform import Float32Array


@dataclass(frozen=True, slots=True, eq=False)
class LaneRule:
    """How a sheet is read.

    Parameters
    ----------
    threshold_P : ndarray of float32
        Of the planes in which peaks are sought; further planes are only read off at the peaks.
    half_window : int
        Samples to either side that a peak must exceed.
    lead, spoken : int
        Which samples of a tile are spoken of.
    weight_K, weight_T : ndarray of float32
        What each row and each spoken sample of a tile counts.
    """

    threshold_P: Float32Array
    half_window: int
    lead: int
    spoken: int
    weight_K: Float32Array
    weight_T: Float32Array


class FiberLane:
    """The sheet of one fiber, at full resolution or on the coarser grid of the event heads.

    Parameters
    ----------
    rule : LaneRule
    plane_count, channel_count : int
    start : int
        First index that any tile speaks of.

    Notes
    -----
    Peaks wait here until `take` is told that nothing more is expected before them.
    """

    def __init__(self, rule: LaneRule, plane_count: int, channel_count: int, start: int) -> None:
        self.decided = start
        self.end = start
        self._rule = rule
        margin = 2 * rule.half_window + 1
        self._stack = TaperedStack(plane_count, channel_count, rule.spoken + margin, start - rule.half_window)
        self._found: list[tuple[Peaks, Float32Array]] = []

    def retune(self, threshold_P: Float32Array) -> None:
        """Take over new thresholds for what is not decided yet."""
        self._rule = replace(self._rule, threshold_P=threshold_P)

    def add(self, values_PKT: Float32Array, row: int, start: int, usable_KT: BoolArray = ALL) -> None:
        """Add a tile; every earlier one is in already.

        Parameters
        ----------
        values_PKT : ndarray of float32
            All samples of the tile.
        row, start : int
            Its place.
        usable_KT : ndarray of bool, optional
            Which of its samples may be believed.
        """
        rule = self._rule
        first = start + rule.lead
        self.advance(first)
        inside = slice(rule.lead, rule.lead + rule.spoken)
        usable_KT = usable_KT[:, inside] if usable_KT.size else ALL
        spoken_PKT = values_PKT[:, :, inside]
        self._stack.add(spoken_PKT, row, first, rule.weight_K, rule.weight_T, usable_KT)
        self.end = max(self.end, first + rule.spoken)

    def advance(self, final: int) -> None:
        """Decide the peaks before `final`, which no later tile speaks of, less half a window."""
        half = self._rule.half_window
        until = final - half
        if until <= self.decided:
            return
        seen = min(final, max(self._stack.end, self.decided) + half)
        mean_PKT = self._stack.mean(self.decided - half, seen)
        threshold_P = self._rule.threshold_P
        sought_PKT = mean_PKT[: len(threshold_P)]
        peaks = find_fiber_peaks(sought_PKT, threshold_P, half, half, min(until, seen) - self.decided + half)
        if len(peaks.index_N):
            others_PN = mean_PKT[len(threshold_P) :, peaks.row_N, peaks.index_N]
            shifted = peaks._replace(index_N=peaks.index_N + self.decided - half)
            self._found.append((shifted, others_PN))
        self.decided = until
        self._stack.move_to(until - half)

    def finish(self) -> None:
        """Decide everything: no tile comes any more."""
        self.advance(self.end + 2 * self._rule.half_window + 1)

    def take(self, before: int) -> tuple[Peaks, Float32Array, Peaks]:
        """Hand over the peaks before an index.

        Returns
        -------
        peaks : Peaks
            By time, channel and phase.
        others_PN : ndarray of float32
            What the further planes say there.
        waiting : Peaks
            Those that are known and stay, by the same order.
        """
        if not self._found:
            return NO_PEAKS, np.empty((0, 0), np.float32), NO_PEAKS
        peaks, others_PN = _joined(self._found)
        order = np.lexsort((peaks.phase_N, peaks.row_N, peaks.index_N))
        peaks, others_PN = peaks.take(order), others_PN[:, order]
        ready_N = peaks.index_N < before
        waiting = peaks.take(~ready_N)
        self._found = [(waiting, others_PN[:, ~ready_N])] if len(waiting.index_N) else []
        return peaks.take(ready_N), others_PN[:, ready_N], waiting


def _joined(found: list[tuple[Peaks, Float32Array]]) -> tuple[Peaks, Float32Array]:
    peaks = Peaks(
        np.concatenate([part.phase_N for part, _ in found]),
        np.concatenate([part.row_N for part, _ in found]),
        np.concatenate([part.index_N for part, _ in found]),
        np.concatenate([part.height_N for part, _ in found]),
    )
    return peaks, np.concatenate([others_PN for _, others_PN in found], axis=1)
