"""Whatever is done to a fiber's sample, its picks stay on their onsets."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtpick.learning import das_augment, das_stack
from rtpick.learning.das_sample import DasSample, DasSampleError

CHANNELS, SAMPLES = 40, 1200
SLOW = settings(max_examples=40, deadline=None)


def ramps(seed: int = 0) -> DasSample:
    """Two slanting fronts: nothing before the first, a ramp behind it, a steeper one behind the second."""
    rng = np.random.default_rng(seed)
    channel_K = np.arange(CHANNELS)
    p_K = rng.uniform(200, 500) + rng.uniform(-3, 3) * channel_K
    s_K = p_K + rng.uniform(150, 300) + rng.uniform(-1, 1) * channel_K
    time_T = np.arange(SAMPLES)[None, :]
    wave_KT = np.maximum(time_T - p_K[:, None], 0) + 5.0 * np.maximum(time_T - s_K[:, None], 0)
    return DasSample(
        samples_KT=wave_KT.astype(np.float32),
        channel_N=np.concatenate([channel_K, channel_K]),
        phase_N=np.repeat(["P", "S"], CHANNELS),
        sample_N=np.concatenate([p_K, s_K]),
        event_N=np.zeros(2 * CHANNELS, np.int64),
        known_KT=np.ones((CHANNELS, SAMPLES), np.bool_),
    )


def kinks_off_picks(sample: DasSample) -> list[float]:
    """Distance of each pick to the kink of its channel near it, in samples."""
    off = []
    for channel, onset in zip(sample.channel_N, sample.sample_N, strict=True):
        row_T = sample.samples_KT[channel].astype(np.float64)
        second_T = np.abs(np.diff(row_T, 2))
        first = max(int(onset) - 12, 0)
        weight_T = second_T[first : int(onset) + 12]
        kink = first + 1 + float(np.sum(weight_T * np.arange(len(weight_T))) / weight_T.sum())
        off.append(abs(kink - onset))
    return off


CHANGES: dict[str, Callable[[np.random.Generator, DasSample], DasSample]] = {
    "crop": lambda rng, s: das_augment.crop(s, int(rng.integers(10)), int(rng.integers(300)), (25, 800)),
    "fit": lambda rng, s: das_augment.fit(s, (60, 1500)),
    "stretch": lambda rng, s: das_augment.stretch(s, rng.uniform(0.6, 3.0), rng.uniform(0.3, 3.0)),
    "flip": lambda rng, s: das_augment.flip_channels(s),
    "polarity": lambda rng, s: das_augment.flip_polarity(s),
    "mask": das_augment.mask_time,
    "normalise": lambda rng, s: das_augment.normalise(s),
}


@pytest.mark.parametrize("name", CHANGES)
@SLOW
@given(seed=st.integers(0, 10_000))
def test_a_pick_stays_on_its_onset(name: str, seed: int) -> None:
    before = ramps(seed)
    after = CHANGES[name](np.random.default_rng(seed), before)
    assert len(after.sample_N) > 0
    assert max(kinks_off_picks(after)) < 1.0


@SLOW
@given(seed=st.integers(0, 10_000))
def test_a_chain_of_changes_keeps_picks_on_onsets(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sample = ramps(seed)
    for name in rng.choice(list(CHANGES), size=4, replace=False):
        sample = CHANGES[str(name)](rng, das_augment.fit(sample, (CHANNELS, SAMPLES)))
    assert kinks_off_picks(sample) == [] or max(kinks_off_picks(sample)) < 1.5


@SLOW
@given(seed=st.integers(0, 10_000))
def test_stretching_back_and_forth_gives_the_picks_again(seed: int) -> None:
    before = ramps(seed)
    after = das_augment.stretch(das_augment.stretch(before, 2.0, 2.0), 0.5, 0.5)
    assert after.channel_N.tolist() == before.channel_N.tolist()
    np.testing.assert_allclose(after.sample_N, before.sample_N, atol=1e-6)
    np.testing.assert_allclose(after.samples_KT, before.samples_KT, rtol=1e-4, atol=1e-3)


def test_inputs_are_left_alone() -> None:
    before, again = ramps(), ramps()
    for change in CHANGES.values():
        change(np.random.default_rng(0), before)
    np.testing.assert_array_equal(before.samples_KT, again.samples_KT)
    np.testing.assert_array_equal(before.known_KT, again.known_KT)


def test_onsets_at_the_edge_become_unknown_and_those_outside_are_forgotten() -> None:
    pick = np.array([0, 1, 2]), np.array(["P"] * 3), np.array([105.0, 300.0, 90.0]), np.zeros(3, np.int64)
    part = das_augment.crop(DasSample(np.ones((3, 1000), np.float32), *pick), 0, 100, (3, 600))
    assert part.channel_N.tolist() == [1]
    assert part.known_KT is not None
    assert not part.known_KT[0, :60].any()
    assert part.known_KT[1].all()
    assert not part.known_KT[2, :40].any()


def test_a_gap_among_picks_stays_a_gap() -> None:
    rows = np.array([0, 1, 2, 6, 7])
    pick = rows, np.array(["P"] * 5), 50.0 + rows, np.zeros(5, np.int64)
    wide = das_augment.stretch(DasSample(np.zeros((8, 200), np.float32), *pick), 1.0, 3.0)
    assert wide.channel_N.tolist() == [*range(7), *range(18, 22)]


def test_stacking_keeps_earthquakes_apart_and_both_above_noise() -> None:
    rng = np.random.default_rng(3)
    noise_KT = rng.standard_normal((CHANNELS, SAMPLES)).astype(np.float32)
    one, two = (das_augment.normalise(ramps(seed)) for seed in (1, 2))
    ratio = das_stack.stack_ratio(rng, one, two)
    both = das_stack.stack(one, two, ratio)
    assert ratio > 0
    assert sorted(set(both.event_N.tolist())) == [0, 1]
    assert len(both.sample_N) == len(one.sample_N) + len(two.sample_N)
    noisy = das_stack.stack_noise(rng, one, noise_KT)
    signal, before = das_stack.strength_at_picks(noisy)
    assert 0.9 < signal / before < 6.0


def test_an_onset_that_drowned_is_asked_for_no_more() -> None:
    rng = np.random.default_rng(0)
    wave_KT = 0.1 * rng.standard_normal((64, 1000)).astype(np.float32)
    wave_KT[:, 500:] += 0.5 * rng.standard_normal((64, 500)).astype(np.float32)
    rows = np.arange(64)
    pick = rows, np.repeat(["P"], 64), np.full(64, 500.0), np.zeros(64, np.int64)
    clear = DasSample(wave_KT, *pick)
    assert das_stack.forget_buried(clear) is clear
    louder_KT = wave_KT.copy()
    louder_KT[:32] += 20.0 * rng.standard_normal((32, 1000)).astype(np.float32)
    half = das_stack.forget_buried(DasSample(louder_KT, *pick))
    assert half.channel_N.tolist() == list(range(32, 64))
    assert half.known_KT is not None
    assert not half.known_KT[:32, 450:550].any()
    assert half.known_KT[32:].all()


def test_masking_spares_five_seconds_around_picks() -> None:
    rng = np.random.default_rng(0)
    pick = np.array([0]), np.array(["S"]), np.array([700.0]), np.array([0])
    for _ in range(20):
        masked = das_augment.mask_time(rng, DasSample(np.ones((2, 3000), np.float32), *pick))
        assert 32 <= int((masked.samples_KT[1] == 0).sum()) <= 256
        assert masked.samples_KT[:, 200:1200].all()


def test_common_mode_goes_and_dead_channels_stay_dead() -> None:
    rng = np.random.default_rng(0)
    own_KT = 0.1 * rng.standard_normal((30, 500)).astype(np.float32)
    wave_KT = own_KT + np.sin(np.arange(500) / 7.0).astype(np.float32)
    wave_KT[4] = 0.0
    left = das_augment.remove_common_mode(DasSample(wave_KT))
    assert float(left.samples_KT.std()) < 0.12
    assert not left.samples_KT[4].any()


def test_arrays_that_do_not_belong_together_are_refused() -> None:
    with pytest.raises(DasSampleError, match="entries"):
        DasSample(np.zeros((2, 10), np.float32), channel_N=np.array([1]))
    with pytest.raises(DasSampleError, match="outside"):
        DasSample(
            np.zeros((2, 10), np.float32), np.array([2]), np.array(["P"]), np.array([1.0]), np.array([0])
        )
