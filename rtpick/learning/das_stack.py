"""Lay one fiber's sample, or noise, over another, and forget what drowns.

Every function gives a new sample; every draw comes from the generator it is given. Shape suffixes: K
fiber channel,
T time, N picks.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rtpick.learning.das_augment import HIDDEN_AROUND, REACH
from rtpick.learning.das_sample import DasSample, FloatKT, choose_picks, mark_known

SNR_WINDOW = 300
# An onset that is less of a rise than this is buried.
BURIED_RATIO, BURIED_CHANNELS = 1.15, 32


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
        mark_known(stacked.known_KT, stacked.channel_N, stacked.sample_N, REACH, True)
    return stacked


def stack_ratio(rng: np.random.Generator, first: DasSample, second: DasSample) -> float:
    """Draw how strongly to add a second sample so that both stay above the noise; 0 if it cannot be.

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
    """Add noise until onsets stand 1 to 5 times above it; what is already worse stays as it is."""
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
    gone, kept = choose_picks(sample, ~kept_N), choose_picks(sample, kept_N)
    mark_known(known_KT, gone.channel_N, gone.sample_N, HIDDEN_AROUND, False)
    mark_known(known_KT, kept.channel_N, kept.sample_N, REACH, True)
    return replace(kept, known_KT=known_KT)


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


def _rise(sample: DasSample, members: NDArray[np.int64]) -> float:
    """Return how much stronger the second behind onsets is than the two before, slow or fast."""
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


def _both_known(
    first_KT: NDArray[np.bool_] | None, second_KT: NDArray[np.bool_] | None
) -> NDArray[np.bool_] | None:
    if first_KT is None or second_KT is None:
        only_KT = second_KT if first_KT is None else first_KT
        return None if only_KT is None else only_KT.copy()
    return first_KT & second_KT
