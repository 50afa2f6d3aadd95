"""P-S pairs of a cable's channels, their origin times counted in bins, and the events at the peaks.

The batch association of PhaseNet-DAS workshops, row by row. Its known limits (channels without a
pair are lost, a quadratic cannot follow a bent cable, events within the peak distance are one) are
what `rtpick.association.fiber_associate` is for.

Arrays: N pick, Q pair, H bin, E event.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rtpick.vocabulary.errors import PickTableError

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
NONE = -1
_FEWEST_FOR_MOVEOUT = 10
_MOVEOUT_SAMPLES = 3


@dataclass(frozen=True, slots=True)
class HistogramOptions:
    """How pairs are made and counted; the defaults are those of PyPI's phasenet 0.2.5.

    Parameters
    ----------
    vp_vs : float
    min_ps_dt_s, max_ps_dt_s : float
        A pair's S lags its P by at least the one and by less than the other.
    bin_size_s : float
    minimum_peak_height : int
        Pairs in a bin.
    minimum_peak_distance : int
        Bins; within it the highest peak stands.
    origin_window_s : float or None
        How far a linked pair's origin time may lie from the peak's median; None takes `bin_size_s`.
    moveout_window_s : float or None
        Residual to a quadratic moveout of the midpoints (RANSAC); None asks for no moveout.
    """

    vp_vs: float = 1.73
    min_ps_dt_s: float = 0.0
    max_ps_dt_s: float = 20.0
    bin_size_s: float = 1.0
    minimum_peak_height: int = 5
    minimum_peak_distance: int = 5
    origin_window_s: float | None = None
    moveout_window_s: float | None = None

    @property
    def link_s(self) -> float:
        """How far a linked pair may lie from the peak's median."""
        return self.bin_size_s if self.origin_window_s is None else self.origin_window_s


@dataclass(frozen=True, slots=True, eq=False)
class ChannelPicks:
    """Picks of one window of a cable, in the order of their table.

    Parameters
    ----------
    channel_N, index_N : ndarray of int64
        Channel, and sample since the window's begin.
    is_p_N : ndarray of bool
        S where false.
    score_N : ndarray of float64
    """

    channel_N: IntArray
    index_N: IntArray
    is_p_N: BoolArray
    score_N: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """What may be P and S of one event on one channel; a row of the picks, or -1 where that is missing."""

    p_row_Q: IntArray
    s_row_Q: IntArray
    origin_s_Q: FloatArray
    weight_Q: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class HistogramResult:
    """Events by time, and what the workshop's table says of every pick.

    Parameters
    ----------
    origin_s_E : ndarray of float64
        Middle of each event's bin.
    origin_id_N : ndarray of int64
        Event of each pick, -1 for none.
    origin_index_N, center_N, interval_N : ndarray of float64
        In samples: origin, middle between P and S, and S less P; NaN where a pick has no partner.
    pairs : Pairs
    count_H : ndarray of int64
        Pairs by bin.
    """

    origin_s_E: FloatArray
    origin_id_N: IntArray
    origin_index_N: FloatArray
    center_N: FloatArray
    interval_N: FloatArray
    pairs: Pairs
    count_H: IntArray


def associate_by_histogram(
    picks: ChannelPicks, sample_count: int, dt_s: float, options: HistogramOptions, pairs: Pairs | None = None
) -> HistogramResult:
    """Find the events of one window of a cable.

    Parameters
    ----------
    picks : ChannelPicks
    sample_count : int
        Length of the window.
    dt_s : float
        Sampling interval.
    options : HistogramOptions
    pairs : Pairs or None
        As `pair_by_event_heads` makes them; None pairs neighbouring P and S.

    Raises
    ------
    PickTableError
        If a moveout is asked for and scikit-learn is missing.

    Examples
    --------
    >>> channel = np.repeat(np.arange(20), 2)
    >>> index = np.where(np.arange(40) % 2 == 0, 1000, 1365) + channel
    >>> picks = ChannelPicks(channel, index, np.arange(40) % 2 == 0, np.ones(40))
    >>> result = associate_by_histogram(picks, 4000, 0.01, HistogramOptions())
    >>> result.origin_s_E.tolist(), set(result.origin_id_N.tolist())
    ([5.5], {0})
    """
    pairs = pair_neighbours(picks, dt_s, options) if pairs is None else pairs
    edges = np.arange(0, sample_count * dt_s + options.bin_size_s, options.bin_size_s)
    count_H, _ = np.histogram(pairs.origin_s_Q, edges)
    centres = 0.5 * (edges[:-1] + edges[1:])
    peaks = find_peaks(count_H, options.minimum_peak_height, options.minimum_peak_distance)
    origin_id_N = np.full(len(picks.index_N), NONE, np.int64)
    for event, peak in enumerate(peaks):
        for q in _linked(picks, pairs, float(centres[peak]), dt_s, options):
            for row in (pairs.p_row_Q[q], pairs.s_row_Q[q]):
                if row >= 0 and origin_id_N[row] == NONE:  # the earliest event keeps a contested pick
                    origin_id_N[row] = event
    origin_index_N, center_N, interval_N = _columns(picks, pairs, dt_s)
    mine = origin_id_N >= 0
    origin_index_N[mine] = centres[peaks][origin_id_N[mine]] / dt_s
    return HistogramResult(centres[peaks], origin_id_N, origin_index_N, center_N, interval_N, pairs, count_H)


def pair_neighbours(picks: ChannelPicks, dt_s: float, options: HistogramOptions) -> Pairs:
    """Pair each P with the very next pick of its channel, if that is an S soon enough.

    Notes
    -----
    A false pick between P and S breaks the pair. Channels come in the order in which the table first
    names them: the random choices of the moveout's fit depend on it.
    """
    order = _by_channel(picks)
    i, j = order[:-1], order[1:]
    lag_s = picks.index_N[j] * dt_s - picks.index_N[i] * dt_s
    good = (picks.channel_N[i] == picks.channel_N[j]) & picks.is_p_N[i] & ~picks.is_p_N[j]
    good &= (lag_s < options.max_ps_dt_s) & (lag_s >= options.min_ps_dt_s)
    i, j = i[good], j[good]
    p_s, s_s = picks.index_N[i] * dt_s, picks.index_N[j] * dt_s
    stretch = options.vp_vs + 1, options.vp_vs - 1
    origin_s = (p_s + s_s) / 2 - (s_s - p_s) / 2 * stretch[0] / stretch[1]
    return Pairs(i, j, origin_s, (picks.score_N[i] + picks.score_N[j]) / 2.0)


def _by_channel(picks: ChannelPicks) -> IntArray:
    """Order rows by channel (as first named), time, and place in the table."""
    _, first, member = np.unique(picks.channel_N, return_index=True, return_inverse=True)
    return np.lexsort((picks.index_N, first[member])).astype(np.int64)


def pair_by_event_heads(
    picks: ChannelPicks, channel_D: IntArray, center_D: FloatArray, shift_D: FloatArray, score_D: FloatArray,
    dt_s: float, options: HistogramOptions,
) -> Pairs:  # fmt: skip
    """Pair the best P and S about what event heads detected; one phase is enough.

    Parameters
    ----------
    channel_D, center_D, shift_D, score_D : ndarray
        Of each detection: channel, sample of the middle between P and S, samples from origin to there,
        and score.
    """
    order = _by_channel(picks)
    ratio = 2.0 * (options.vp_vs - 1.0) / (options.vp_vs + 1.0)
    rows: list[tuple[int, int, float, float]] = []
    for channel, center, shift, score in zip(channel_D, center_D, shift_D, score_D, strict=True):
        mine = order[picks.channel_N[order] == channel]
        lag = abs(shift) * ratio
        p = _best(picks, mine, True, center - 1.5 * lag, center - 0.2 * lag)
        s = _best(picks, mine, False, center + 0.2 * lag, center + 1.5 * lag)
        best = max(picks.score_N[p] if p >= 0 else 0.0, picks.score_N[s] if s >= 0 else 0.0)
        if p >= 0 or s >= 0:
            rows.append((p, s, (center - shift) * dt_s, best * score))
    table = np.array(rows, np.float64).reshape(-1, 4)
    return Pairs(table[:, 0].astype(np.int64), table[:, 1].astype(np.int64), table[:, 2], table[:, 3])


def _best(picks: ChannelPicks, mine: IntArray, is_p: bool, begin: float, end: float) -> int:
    index = picks.index_N[mine]
    inside = mine[(picks.is_p_N[mine] == is_p) & (index >= begin) & (index <= end)]
    inside = inside[picks.score_N[inside] > 0]
    return int(inside[np.argmax(picks.score_N[inside])]) if len(inside) else NONE


def find_peaks(count_H: IntArray, minimum_height: int, minimum_distance: int) -> IntArray:
    """Find local maxima: the rising edge of a plateau, the highest within a distance.

    Notes
    -----
    The first and the last bin are none. Of equal heights the later one stands.

    Examples
    --------
    >>> find_peaks(np.array([0, 7, 7, 0, 9, 0, 0, 0, 5, 0]), 5, 3).tolist()
    [4, 8]
    """
    if len(count_H) < 3:
        return np.zeros(0, np.int64)
    step = np.diff(count_H)
    found = np.flatnonzero((step[1:] <= 0) & (step[:-1] > 0)) + 1
    found = found[count_H[found] >= minimum_height]
    free, kept = np.ones(len(count_H), bool), []
    for peak in found[np.argsort(count_H[found])[::-1]]:
        if free[peak]:
            kept.append(peak)
            free[max(peak - minimum_distance, 0) : peak + minimum_distance + 1] = False
    return np.sort(np.array(kept, np.int64))


def _linked(
    picks: ChannelPicks, pairs: Pairs, centre_s: float, dt_s: float, options: HistogramOptions
) -> IntArray:
    """Return the pairs of an event, those that have both phases first."""
    origin_s_Q = pairs.origin_s_Q
    near_s = origin_s_Q[np.abs(origin_s_Q - centre_s) <= options.bin_size_s]
    if not len(near_s):
        return np.zeros(0, np.int64)
    mine = np.flatnonzero(np.abs(origin_s_Q - float(np.median(near_s))) <= options.link_s)
    if options.moveout_window_s is None:
        return mine
    is_full = (pairs.p_row_Q[mine] >= 0) & (pairs.s_row_Q[mine] >= 0)
    full, single = mine[is_full], mine[~is_full]
    if len(full) >= _FEWEST_FOR_MOVEOUT:
        p, s = pairs.p_row_Q[full], pairs.s_row_Q[full]
        middle_s = (picks.index_N[p] + picks.index_N[s]) / 2 * dt_s
        full = full[_fits_quadratic(picks.channel_N[p], middle_s, options.moveout_window_s)]
    return np.concatenate((full, single))


def _fits_quadratic(channel_Q: IntArray, middle_s_Q: FloatArray, threshold_s: float) -> BoolArray:
    """Tell which midpoints lie on the quadratic that most of them lie on; all, if there is none."""
    try:
        from sklearn.linear_model import LinearRegression, RANSACRegressor
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import PolynomialFeatures
    except ImportError as error:
        raise PickTableError(
            "a moveout window needs scikit-learn: pip install 'rtpick[das]', or leave the window out"
        ) from error
    fit = RANSACRegressor(
        estimator=make_pipeline(PolynomialFeatures(2), LinearRegression()),
        residual_threshold=threshold_s, min_samples=_MOVEOUT_SAMPLES, random_state=0,
    )  # fmt: skip
    try:
        fit.fit(channel_Q.reshape(-1, 1), middle_s_Q)
    except ValueError:  # no quadratic has an inlier
        return np.ones(len(channel_Q), bool)
    return np.asarray(fit.inlier_mask_, bool)


def _columns(picks: ChannelPicks, pairs: Pairs, dt_s: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Say of each paired pick, in samples, what its own pair says."""
    origin, center, interval = (np.full(len(picks.index_N), np.nan) for _ in range(3))
    full = (pairs.p_row_Q >= 0) & (pairs.s_row_Q >= 0)
    p, s = pairs.p_row_Q[full], pairs.s_row_Q[full]
    for rows in (s, p):
        origin[rows] = np.round(pairs.origin_s_Q[full] / dt_s)
        center[rows] = (picks.index_N[p] + picks.index_N[s]) / 2
        interval[rows] = picks.index_N[s] - picks.index_N[p]
    return origin, center, interval
