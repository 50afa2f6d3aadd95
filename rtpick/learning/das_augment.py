"""Change a fiber's sample in ways that leave its picks on their onsets.

Every function gives a new sample; every draw comes from the generator it is given. Shape suffixes: K
fiber channel, T
time, N picks, G groups of picks (a phase of an event).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rtpick.learning.das_sample import DasSample, FloatKT, no_channels, no_times

# Nearer than this to an end too little of an onset is seen to ask for it.
MARGIN = 30
HIDDEN_AROUND = 60
# A label is a bell of this half width.
REACH = 25
SNR_WINDOW = 300
# An onset that is less of a rise than this is buried.
BURIED_RATIO, BURIED_CHANNELS = 1.15, 32


def crop(sample: DasSample, first_channel: int, first_sample: int, shape: tuple[int, int]) -> DasSample:
    """Cut channels and samples out; onsets at the very edge become unknown, those outside are forgotten.

    Examples
    --------
    >>> pick = np.array([2]), np.array(["P"]), np.array([250.0]), np.array([0])
    >>> part = crop(DasSample(np.zeros((4, 500), np.float32), *pick), 1, 100, (2, 300))
    >>> part.channel_N.tolist(), part.sample_N.tolist()
    ([1], [150.0])
    """
    rows = slice(first_channel, first_channel + shape[0])
    columns = slice(first_sample, first_sample + shape[1])
    channel_N, sample_N = sample.channel_N - first_channel, sample.sample_N - first_sample
    on_rows_N = (channel_N >= 0) & (channel_N < shape[0])
    inside_N = on_rows_N & (sample_N >= MARGIN) & (sample_N < shape[1] - MARGIN)
    near_N = on_rows_N & ~inside_N & (sample_N > -REACH) & (sample_N < shape[1] + REACH)
    known_KT = None if sample.known_KT is None else sample.known_KT[rows, columns].copy()
    if near_N.any():
        known_KT = np.ones(shape, np.bool_) if known_KT is None else known_KT
        _mark(known_KT, channel_N[near_N], sample_N[near_N], HIDDEN_AROUND, False)
        _mark(known_KT, channel_N[inside_N], sample_N[inside_N], REACH, True)
    return replace(
        _chosen(sample, inside_N),
        samples_KT=sample.samples_KT[rows, columns],
        channel_N=channel_N[inside_N],
        sample_N=sample_N[inside_N],
        known_KT=known_KT,
    )


def fit(sample: DasSample, shape: tuple[int, int]) -> DasSample:
    """Mirror what is too small at its far ends until it has at least this shape; nothing is known there.

    Examples
    --------
    >>> fit(DasSample(np.zeros((3, 100), np.float32)), (4, 120)).samples_KT.shape
    (4, 120)
    """
    missing = [max(0, wanted - there) for wanted, there in zip(shape, sample.samples_KT.shape, strict=True)]
    if not any(missing):
        return sample
    widths = ((0, missing[0]), (0, missing[1]))
    known_KT = np.ones(sample.samples_KT.shape, np.bool_) if sample.known_KT is None else sample.known_KT
    # Mirrored picks run backwards in time: they are no onsets, and their channels only double.
    known_KT = np.pad(known_KT, widths, constant_values=sample.is_noise)
    return replace(sample, samples_KT=np.pad(sample.samples_KT, widths, mode="reflect"), known_KT=known_KT)


def stretch(sample: DasSample, time_factor: float, space_factor: float) -> DasSample:
    """Resample in time and along the cable, linearly; more samples, or more channels, where a factor
    exceeds 1.

    Examples
    --------
    >>> pick = np.array([1]), np.array(["S"]), np.array([40.0]), np.array([0])
    >>> longer = stretch(DasSample(np.zeros((4, 100), np.float32), *pick), 2.0, 1.0)
    >>> longer.samples_KT.shape, longer.sample_N.tolist()
    ((4, 199), [80.0])
    """
    channel_count, sample_count = sample.samples_KT.shape
    row_K = _places(channel_count, space_factor)
    column_T = _places(sample_count, time_factor)
    samples_KT = _between_rows(_between_columns(sample.samples_KT, column_T), row_K)
    known_KT = sample.known_KT
    if known_KT is not None:
        known_KT = known_KT[np.round(row_K).astype(np.int64)][:, np.round(column_T).astype(np.int64)]
    moved = _move_picks(sample, row_K, time_factor, len(column_T))
    return replace(
        moved,
        samples_KT=samples_KT,
        known_KT=known_KT,
        sampling_rate_hz=sample.sampling_rate_hz * time_factor,
        channel_spacing_m=sample.channel_spacing_m / space_factor,
    )


def flip_channels(sample: DasSample) -> DasSample:
    """Read the cable from its other end.

    Examples
    --------
    >>> flip_channels(DasSample(np.array([[1.0], [2.0]], np.float32))).samples_KT[:, 0].tolist()
    [2.0, 1.0]
    """
    known_KT = None if sample.known_KT is None else sample.known_KT[::-1]
    last = len(sample.samples_KT) - 1
    return replace(
        sample, samples_KT=sample.samples_KT[::-1], channel_N=last - sample.channel_N, known_KT=known_KT
    )


def flip_polarity(sample: DasSample) -> DasSample:
    """Call stretching shortening.

    Examples
    --------
    >>> float(flip_polarity(DasSample(np.ones((1, 1), np.float32))).samples_KT[0, 0])
    -1.0
    """
    return replace(sample, samples_KT=-sample.samples_KT)


def stack(sample: DasSample, second: DasSample, ratio: float) -> DasSample:
    """Add `ratio` times a second sample of the same shape, whose earthquakes are others.

    Examples
    --------
    >>> one = DasSample(np.ones((2, 3), np.float32))
    >>> float(stack(one, one, 0.5).samples_KT[0, 0])
    1.5
    """
    offset = int(sample.event_N.max(initial=-1)) + 1
    stacked = replace(
        sample,
        samples_KT=sample.samples_KT + np.float32(ratio) * second.samples_KT,
        channel_N=np.concatenate([sample.channel_N, second.channel_N]),
        phase_N=np.concatenate([sample.phase_N, second.phase_N]),
        sample_N=np.concatenate([sample.sample_N, second.sample_N]),
        event_N=np.concatenate([sample.event_N, second.event_N + offset]),
        known_KT=_both_known(sample.known_KT, second.known_KT),
    )
    if stacked.known_KT is not None:
        # What is unknown of one may lie on an onset of the other.
        _mark(stacked.known_KT, stacked.channel_N, stacked.sample_N, REACH, True)
    return stacked


def stack_ratio(rng: np.random.Generator, first: DasSample, second: DasSample) -> float:
    """Draw how strongly to add a second sample so that the onsets of both stay above the noise; 0 where
    it cannot be.

    With S and N the strengths behind and before the onsets, S1/(N1 + r N2) and r S2/(N1 + r N2) are to
    be at least 1.
    """
    signal_1, noise_1 = strength_at_picks(first)
    signal_2, noise_2 = strength_at_picks(second)
    if min(signal_1, signal_2) <= 0 or signal_2 <= noise_2 or signal_1 <= noise_1:
        return 0.0
    lowest, highest = noise_1 / (signal_2 - noise_2), (signal_1 - noise_1) / max(noise_2, 1e-12)
    return float(rng.uniform(lowest, min(highest, 10.0 * lowest))) if lowest < highest else 0.0


def stack_noise(rng: np.random.Generator, sample: DasSample, noise_KT: FloatKT) -> DasSample:
    """Add noise until the onsets stand 1 to 5 times above it; a sample that is already worse stays as it
    is.
    """
    signal, before = strength_at_picks(sample)
    spread = float(noise_KT.std())
    ratio = (signal / rng.uniform(1.0, 5.0) - before) / max(spread, 1e-12) if signal > 0 else 0.0
    if ratio <= 0:
        return sample
    return replace(sample, samples_KT=sample.samples_KT + np.float32(ratio) * noise_KT)


def forget_buried(sample: DasSample) -> DasSample:
    """Call onsets unknown where, in a group of 32 channels, the trace is no stronger behind them than before.

    For samples to which something was added: what was an onset may have drowned.
    """
    kept_N = np.ones(len(sample.sample_N), np.bool_)
    groups = np.stack([sample.event_N, sample.phase_N == "P", sample.channel_N // BURIED_CHANNELS], axis=1)
    for group in np.unique(groups, axis=0):
        members = np.flatnonzero((groups == group).all(axis=1))
        kept_N[members] = _rise(sample, members) >= BURIED_RATIO
    if kept_N.all():
        return sample
    known_KT = (
        np.ones(sample.samples_KT.shape, np.bool_) if sample.known_KT is None else sample.known_KT.copy()
    )
    gone, kept = _chosen(sample, ~kept_N), _chosen(sample, kept_N)
    _mark(known_KT, gone.channel_N, gone.sample_N, HIDDEN_AROUND, False)
    _mark(known_KT, kept.channel_N, kept.sample_N, REACH, True)
    return replace(kept, known_KT=known_KT)


def _rise(sample: DasSample, members: NDArray[np.int64]) -> float:
    """Return how much stronger, in the median, the second behind onsets is than the two before; slow or
    fast.
    """
    ratios = []
    for row in members[:: max(1, len(members) // 8)]:
        onset = int(sample.sample_N[row])
        row_T = sample.samples_KT[sample.channel_N[row]]
        before_T, behind_T = row_T[max(onset - 200, 0) : onset], row_T[onset : onset + 100]
        if len(before_T) < 10 or len(behind_T) < 10:
            continue
        slow = behind_T.std() / max(float(before_T.std()), 1e-12)
        fast = np.diff(behind_T).std() / max(float(np.diff(before_T).std()), 1e-12)
        ratios.append(max(float(slow), float(fast)))
    return float(np.median(ratios)) if ratios else np.inf


def strength_at_picks(sample: DasSample) -> tuple[float, float]:
    """Return the median spread of the three seconds behind the picks, and before them; 0 without picks."""
    chosen_N = np.arange(len(sample.sample_N))[:: max(1, len(sample.sample_N) // 200)]
    behind, before = [], []
    for channel, onset in zip(
        sample.channel_N[chosen_N], sample.sample_N[chosen_N].astype(np.int64), strict=True
    ):
        row_T = sample.samples_KT[channel]
        behind.append(float(row_T[onset : onset + SNR_WINDOW].std()))
        before.append(float(row_T[max(onset - SNR_WINDOW, 0) : max(onset, 1)].std()))
    return (float(np.median(behind)), float(np.median(before))) if behind else (0.0, 0.0)


def mask_time(rng: np.random.Generator, sample: DasSample) -> DasSample:
    """Set 32 to 256 samples of all channels to 0, at least five seconds away from picks; where there is room.

    Examples
    --------
    >>> masked = mask_time(np.random.default_rng(0), DasSample(np.ones((2, 1000), np.float32)))
    >>> bool(32 <= (masked.samples_KT[0] == 0).sum() <= 256)
    True
    """
    sample_count, length = sample.samples_KT.shape[1], int(rng.integers(32, 257))
    if length >= sample_count:
        return sample
    free_T = np.ones(sample_count, np.bool_)
    for onset in np.unique(sample.sample_N.astype(np.int64) // 100) * 100:
        free_T[max(onset - 500, 0) : onset + 600] = False
    clear_T = np.convolve(free_T, np.ones(length), mode="valid") > length - 0.5
    starts = np.flatnonzero(clear_T)
    if len(starts) == 0:
        return sample
    start = int(rng.choice(starts))
    samples_KT = sample.samples_KT.copy()
    samples_KT[:, start : start + length] = 0.0
    return replace(sample, samples_KT=samples_KT)


def remove_common_mode(sample: DasSample) -> DasSample:
    """Subtract at each instant the median over channels, as is done before picking.

    Examples
    --------
    >>> common = DasSample(np.full((3, 2), 5.0, np.float32))
    >>> float(abs(remove_common_mode(common).samples_KT).max())
    0.0
    """
    alive_K = np.asarray(sample.samples_KT.any(axis=1))
    if not alive_K.any():
        return sample
    middle_T = np.median(sample.samples_KT[alive_K], axis=0)
    return replace(sample, samples_KT=sample.samples_KT - alive_K[:, None].astype(np.float32) * middle_T)


def normalise(sample: DasSample) -> DasSample:
    """Remove each channel's mean and divide by its spread; what is missing, or dead, becomes 0.

    Examples
    --------
    >>> normalise(DasSample(np.array([[1.0, 3.0]], np.float32))).samples_KT.tolist()
    [[-1.0, 1.0]]
    """
    known_KT = np.nan_to_num(sample.samples_KT)
    centred_KT = known_KT - known_KT.mean(axis=1, keepdims=True)
    spread_K1 = np.maximum(centred_KT.std(axis=1, keepdims=True), np.float32(1e-10))
    return replace(sample, samples_KT=centred_KT / spread_K1)


def _mark(
    known_KT: NDArray[np.bool_],
    channel_N: NDArray[np.int64],
    sample_N: NDArray[np.float64],
    reach: int,
    known: bool,
) -> None:
    for channel, onset in zip(channel_N, sample_N.astype(np.int64), strict=True):
        known_KT[channel, max(onset - reach, 0) : max(onset + reach + 1, 0)] = known


def _chosen(sample: DasSample, chosen_N: NDArray[np.bool_]) -> DasSample:
    return replace(
        sample,
        channel_N=sample.channel_N[chosen_N],
        phase_N=sample.phase_N[chosen_N],
        sample_N=sample.sample_N[chosen_N],
        event_N=sample.event_N[chosen_N],
        known_KT=None,
        samples_KT=sample.samples_KT,
    )


def _both_known(
    first_KT: NDArray[np.bool_] | None, second_KT: NDArray[np.bool_] | None
) -> NDArray[np.bool_] | None:
    if first_KT is None or second_KT is None:
        only_KT = second_KT if first_KT is None else first_KT
        return None if only_KT is None else only_KT.copy()
    return first_KT & second_KT


def _places(count: int, factor: float) -> NDArray[np.float64]:
    """Return where, on the old grid, each place of the new grid lies."""
    places: NDArray[np.float64] = np.arange(int((count - 1) * factor) + 1) / factor
    return np.minimum(places, count - 1)


def _between_columns(wave_KT: FloatKT, column_T: NDArray[np.float64]) -> FloatKT:
    if np.array_equal(column_T, np.arange(wave_KT.shape[1])):
        return wave_KT
    left_T = np.minimum(column_T.astype(np.int64), wave_KT.shape[1] - 2)
    share_T = (column_T - left_T).astype(np.float32)
    left_KT = wave_KT[:, left_T]
    between_KT: FloatKT = left_KT + share_T * (wave_KT[:, left_T + 1] - left_KT)
    return between_KT


def _between_rows(wave_KT: FloatKT, row_K: NDArray[np.float64]) -> FloatKT:
    if np.array_equal(row_K, np.arange(len(wave_KT))):
        return wave_KT
    upper_K = np.minimum(row_K.astype(np.int64), len(wave_KT) - 2)
    share_K1 = (row_K - upper_K).astype(np.float32)[:, None]
    upper_KT = wave_KT[upper_K]
    between_KT: FloatKT = upper_KT + share_K1 * (wave_KT[upper_K + 1] - upper_KT)
    return between_KT


def _move_picks(
    sample: DasSample, row_K: NDArray[np.float64], time_factor: float, sample_count: int
) -> DasSample:
    """Give each new channel the onset between those of its old neighbours, where both have one."""
    old_count = len(sample.samples_KT)
    upper_K = np.minimum(row_K.astype(np.int64), max(old_count - 2, 0))
    share_K = row_K - upper_K
    lower_K = np.where(share_K > 0, np.minimum(upper_K + 1, old_count - 1), upper_K)
    upper_K = np.where(share_K == 1, lower_K, upper_K)
    parts: list[tuple[NDArray[np.int64], NDArray[np.float64], str, int]] = []
    for event, phase in sorted(set(zip(sample.event_N.tolist(), sample.phase_N.tolist(), strict=True))):
        group_N = (sample.event_N == event) & (sample.phase_N == phase)
        onset_K = np.full(old_count, np.nan)
        onset_K[sample.channel_N[group_N]] = sample.sample_N[group_N]
        moved_K = time_factor * (onset_K[upper_K] + share_K * (onset_K[lower_K] - onset_K[upper_K]))
        rows = np.flatnonzero(moved_K < sample_count)
        parts.append((rows, moved_K[rows], phase, event))
    counts = [len(rows) for rows, *_ in parts]
    return replace(
        sample,
        samples_KT=np.empty((len(row_K), sample_count), np.float32),
        known_KT=None,
        channel_N=np.concatenate([no_channels(), *(part[0] for part in parts)]),
        sample_N=np.concatenate([no_times(), *(part[1] for part in parts)]),
        phase_N=np.repeat(np.array([part[2] for part in parts], "U1"), counts),
        event_N=np.repeat(np.array([part[3] for part in parts], np.int64), counts),
    )
