"""Change a fiber's sample in ways that leave its picks on their onsets.

Every function gives a new sample; every draw comes from the generator it is given. Shape suffixes: K
fiber channel, T
time, N picks, G groups of picks (a phase of an event).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rtpick.learning.das_sample import (
    DasSample,
    FloatKT,
    choose_picks,
    mark_known,
    no_channels,
    no_times,
)

# Nearer than this to an end too little of an onset is seen to ask for it.
MARGIN = 30
HIDDEN_AROUND = 60
# A label is a bell of this half width.
REACH = 25


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
        mark_known(known_KT, channel_N[near_N], sample_N[near_N], HIDDEN_AROUND, False)
        mark_known(known_KT, channel_N[inside_N], sample_N[inside_N], REACH, True)
    return replace(
        choose_picks(sample, inside_N),
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
    """Resample in time and along the cable, linearly; where a factor exceeds 1 there will be more.

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
