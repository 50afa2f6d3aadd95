"""What is done to a fiber's samples before tiles are cut."""

from __future__ import annotations

import itertools
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtpick.buffer.fiber_common_mode import remove_common_mode
from rtpick.buffer.fiber_decimate import design_spatial_filter, thin_channels
from rtpick.buffer.fiber_front import FiberFront
from rtpick.buffer.fiber_health import ChannelHealth, Health
from rtpick.buffer.fiber_intake import Stretch
from rtpick.buffer.fiber_quantity import converted_layout
from rtpick.buffer.fiber_resample import StreamingResampler
from rtpick.buffer.fiber_tiles import TileGeometry, tile_rows
from rtpick.buffer.lock import fresh_lock
from rtpick.buffer.resample import convert, design_conversion
from rtpick.picking.fiber_trigger import find_fiber_peaks
from rtpick.settings.fiber import FiberBufferSettings, FiberConversionSettings, FiberOverrides
from rtpick.vocabulary.errors import SettingsError
from rtpick.vocabulary.fiber import FiberLayout, Quantity

LAYOUT = FiberLayout("cable", 0, 120, 2.0, 200.0)
RATE = Fraction(200)


def _front(layout=LAYOUT, overrides=None, output_rate=100, **more):
    settings = FiberBufferSettings(memory_s=60, health_cell_s=1.0, **more)
    lock = fresh_lock(Fraction(round(layout.sampling_rate_hz)), 0)
    return FiberFront(layout, lock, Fraction(output_rate), settings, overrides or FiberOverrides())


def _feed(front, samples_KT, cuts, first=0):
    edges = [0, *sorted(cuts), samples_KT.shape[1]]
    lock = fresh_lock(RATE, 0)
    for start, end in itertools.pairwise(edges):
        for _ in front.add(Stretch(0, front.native_layout, lock, first + start, samples_KT[:, start:end])):
            pass
    return front.ring.read(front.ring.first, front.ring.head)


cuts = st.sets(st.integers(1, 1999), max_size=9)


@settings(max_examples=15, deadline=None)
@given(cuts=cuts, step=st.sampled_from([1, 4]), mode=st.sampled_from(["off", "steps", "median"]))
def test_how_samples_were_cut_never_shows_in_what_tiles_are_cut_from(cuts, step, mode):
    rng = np.random.default_rng(len(cuts))
    samples_KT = rng.normal(0, 100, (120, 2000)).astype(np.int16)
    samples_KT[7, 500:] = 0
    samples_KT[9] *= 90
    more = {"channel_decimation": step, "common_mode": mode}
    whole, cut = _feed(_front(**more), samples_KT, []), _feed(_front(**more), samples_KT, cuts)
    assert whole.tobytes() == cut.tobytes()
    assert np.isfinite(whole).any()


@pytest.mark.parametrize(("input_hz", "output_hz"), [(200, 100), (125, 100), (50, 100), (3218, 100)])
def test_every_channel_is_resampled_as_a_station_s_channel_is(input_hz, output_hz):
    rates = Fraction(input_hz), Fraction(output_hz)
    samples_KT = np.random.default_rng(0).normal(size=(6, 12 * input_hz)).astype(np.float32)
    resampler, first = StreamingResampler(6, *rates), 7 * input_hz
    start, out_KT = resampler.add(first, samples_KT)
    conversion = design_conversion(*rates)
    need = conversion.inputs_needed(start, start + out_KT.shape[1])
    assert need[0] >= first
    for k in range(6):
        expected = convert(conversion, samples_KT[k, need[0] - first :], start, start + out_KT.shape[1])
        assert np.allclose(out_KT[k], expected, atol=1e-6)


def test_resampling_never_reaches_across_a_gap():
    resampler = StreamingResampler(1, Fraction(200), Fraction(100))
    resampler.add(0, np.ones((1, 1000), np.float32))
    start, out_KT = resampler.add(1001, np.full((1, 1000), 5, np.float32))
    assert start * 2 >= 1001 + 57
    assert np.allclose(out_KT, 5, atol=1e-5)


def test_thinning_keeps_long_waves_takes_short_ones_and_leaves_out_bad_channels():
    x_K = np.arange(400)
    spatial = design_spatial_filter(400, 4)
    long_KT = np.sin(2 * np.pi * x_K / 80)[:, None].astype(np.float32)
    short_KT = np.sin(2 * np.pi * x_K / 4.4)[:, None].astype(np.float32)
    inside = slice(5, -5)
    assert np.allclose(thin_channels(spatial, long_KT)[inside], long_KT[spatial.rows_J][inside], atol=0.03)
    assert np.abs(thin_channels(spatial, short_KT)[inside]).max() < 0.02
    spoilt_KT = long_KT.copy()
    spoilt_KT[201] = np.nan
    assert np.allclose(thin_channels(spatial, spoilt_KT)[inside], long_KT[spatial.rows_J][inside], atol=0.1)
    thinned = spatial.layout(LAYOUT)
    assert (thinned.channel_spacing_m, thinned.channel_step, thinned.first_channel) == (8.0, 4, 1)


def _health(samples_KT, overrides=None, memory=None, cells=range(6)):
    layout = replace(LAYOUT, channel_count=len(samples_KT))
    health = ChannelHealth(layout, FiberBufferSettings(), overrides or FiberOverrides(), 200, memory)
    for cell in cells:
        health.add(200 * cell, samples_KT[:, 200 * cell : 200 * (cell + 1)])
    return health


def _troubled():
    rng = np.random.default_rng(1)
    samples_KT = rng.normal(0, 10, (60, 1200)).astype(np.float32)
    samples_KT[3] = 17.0
    samples_KT[20] *= 100
    samples_KT[30] = np.clip(samples_KT[30] * 100, -200, 200)
    return samples_KT


def test_dead_noisy_and_saturated_channels_are_learnt_and_an_earthquake_makes_none_bad():
    samples_KT = _troubled()
    assert {k: Health(h).name for k, h in enumerate(_health(samples_KT).health_K) if h} == {
        3: "DEAD",
        20: "NOISY",
        30: "SATURATED",
    }
    quake_KT = np.random.default_rng(2).normal(0, 10, (60, 1200)).astype(np.float32)
    quake_KT[:, 400:] *= 1000
    assert not _health(quake_KT).is_bad.any()


def test_the_map_waits_for_three_cells_and_can_be_overruled():
    samples_KT = _troubled()
    assert not _health(samples_KT, cells=range(3)).is_bad.any()
    overrides = FiberOverrides(bad_channels=("5", "10-11"), good_channels=("20",))
    assert np.flatnonzero(_health(samples_KT, overrides).is_bad).tolist() == [3, 5, 10, 11, 30]
    assert np.flatnonzero(_health(samples_KT, overrides, cells=range(1)).is_bad).tolist() == [5, 10, 11]


def test_what_was_learnt_survives_a_restart():
    samples_KT = _troubled()
    before = _health(samples_KT)
    after = _health(samples_KT, memory=before.memory, cells=range(5, 6))
    assert after.health_K.tolist() == before.health_K.tolist()


def test_a_channel_that_recovers_is_used_again():
    samples_KT = np.concatenate([_troubled()] + [_troubled()[40:50].repeat(6, axis=0)] * 2, axis=1)
    assert not _health(samples_KT, cells=range(18)).is_bad.any()


def test_an_interrogator_step_goes_and_a_broadside_wave_stays():
    rng = np.random.default_rng(3)
    wave_KT = rng.normal(0, 1, (120, 1)) * np.sin(np.arange(200) / 9) + rng.normal(2, 2, (120, 200))
    wave_KT = wave_KT.astype(np.float32)
    step_KT = wave_KT.copy()
    step_KT[:, 100:103] += 500
    cleaned = remove_common_mode(step_KT, "steps")
    assert np.abs(cleaned[:, 100:103] - wave_KT[:, 100:103]).max() < 8
    assert np.abs(remove_common_mode(wave_KT, "steps") - wave_KT).max() < 1
    assert np.allclose(np.median(remove_common_mode(step_KT, "median"), axis=0), 0, atol=1e-3)


def test_strain_becomes_strain_rate_only_by_differentiation():
    strain = replace(LAYOUT, quantity=Quantity.STRAIN, unit="1")
    declared = FiberConversionSettings.model_validate({"quantity": "strain_rate", "differentiate": True})
    front = _front(
        strain, FiberOverrides(conversion=declared), 200, common_mode="off", learn_bad_channels=False
    )
    ramp_KT = np.tile(np.arange(1000, dtype=np.float32), (120, 1))
    out_KT = _feed(front, ramp_KT, [333])
    assert np.allclose(out_KT[:, 1:], 200.0)
    assert front.layout.quantity is Quantity.STRAIN_RATE
    with pytest.raises(SettingsError, match="differentiate: true"):
        converted_layout(strain, FiberConversionSettings.model_validate({"quantity": "strain_rate"}))
    with pytest.raises(SettingsError, match="only strain to strain_rate"):
        converted_layout(LAYOUT, declared)


@given(count=st.integers(1, 9000), shift=st.sampled_from([0, 16, 112]), overlap=st.integers(0, 200))
def test_tiles_cover_every_channel_and_overlap_as_asked(count, shift, overlap):
    geometry = TileGeometry(256, 1024, 512, overlap_channels=overlap)
    rows = tile_rows(count, geometry, shift)
    assert rows[0] == -shift
    assert rows[-1] + 256 >= count
    assert all((row + shift) % 16 == 0 for row in rows)
    assert all(after - before <= 256 - overlap // 16 * 16 for before, after in itertools.pairwise(rows))


def _is_peak(prob_T, t, threshold, half):
    around = prob_T[max(t - half, 0) : t + half + 1]
    known = not (np.isnan(prob_T[t - 1]) or np.isnan(prob_T[t + 1]))
    earlier = prob_T[max(t - half, 0) : t]
    highest = prob_T[t] > threshold and prob_T[t] == np.nanmax(around)
    return known and highest and not (earlier == prob_T[t]).any()


def _peaks_by_definition(prob_T, threshold, half):
    return [t for t in range(1, len(prob_T) - 1) if _is_peak(prob_T, t, threshold, half)]


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), half=st.integers(1, 9), missing=st.integers(0, 6))
def test_peaks_are_what_their_definition_says(seed, half, missing):
    rng = np.random.default_rng(seed)
    prob_T = rng.choice(np.float32([0, 0.2, 0.4, 0.6, 0.8]), 60)
    prob_T[rng.integers(0, 60, missing)] = np.nan
    peaks = find_fiber_peaks(prob_T[None, None], np.float32([0.3]), half, 0, 60)
    assert peaks.index_N.tolist() == _peaks_by_definition(prob_T, np.float32(0.3), half)
