"""Made-up records of fibers follow the physics they claim, and their picks lie where the waves begin."""

from __future__ import annotations

import numpy as np
import pytest

from rtpick.learning import das_synthetic_transients as transients
from rtpick.learning.das_synthetic import make_noise, make_synthetic
from rtpick.learning.das_synthetic_cable import LONGEST_CABLE_M, Cable, draw_cable
from rtpick.learning.das_synthetic_event import axial_strain, make_event
from rtpick.learning.das_synthetic_field import (
    gauge_power,
    place_pulse,
    random_field,
    surface_wave_power,
    wavenumbers,
)
from rtpick.learning.das_synthetic_noise import dead_channels, instrument_noise
from rtpick.learning.das_synthetic_rays import Hypocentre, Medium, arrive, draw_hypocentre, draw_medium
from rtpick.learning.das_synthetic_source import PAUSE_SAMPLES, draw_source, make_pulse
from rtpick.learning.das_synthetic_surface import surface_train
from rtpick.learning.das_synthetic_visible import MARGIN, hide_around, local_ratio

SHAPE = (48, 1024)


def straight(channel_count: int, spacing_m: float) -> Cable:
    north_m_K = spacing_m * np.arange(channel_count)
    return Cable(np.zeros(channel_count), north_m_K, np.zeros(channel_count), spacing_m, 10.0)


def bare(channel_count: int, gradient_per_s: float) -> Medium:
    return Medium(5.0, gradient_per_s, 1.73, 40.0, np.zeros(channel_count), 1.0, 0.5)


def test_the_same_seed_gives_the_same_sample() -> None:
    one, two = (make_synthetic(np.random.default_rng(4), SHAPE) for _ in range(2))
    np.testing.assert_array_equal(one.samples_KT, two.samples_KT)
    np.testing.assert_array_equal(one.known_KT, two.known_KT)
    np.testing.assert_array_equal(one.sample_N, two.sample_N)


def test_samples_are_finite_and_picks_are_known() -> None:
    for seed in range(30):
        sample = make_synthetic(np.random.default_rng(seed), SHAPE)
        assert np.isfinite(sample.samples_KT).all()
        assert sample.known_KT is not None
        assert sample.known_KT[sample.channel_N, sample.sample_N.astype(int)].all()
        keys = zip(sample.event_N, sample.phase_N, sample.channel_N, strict=True)
        onset = dict(zip(keys, sample.sample_N, strict=True))
        for (event, phase, channel), time in onset.items():
            assert phase == "P" or time > onset.get((event, "P", channel), -np.inf)


def test_s_follows_p_by_the_lags_that_were_asked_for() -> None:
    lags = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        cable, medium = draw_cable(rng, 16), draw_medium(rng, 16)
        hypocentre = draw_hypocentre(rng, medium, cable)
        lags.append(np.median(np.subtract(*(arrive(medium, hypocentre, cable, x).first_s_K for x in "SP"))))
    assert 0.25 < min(lags) < 0.6
    assert 20.0 < max(lags) < 45.0


def test_a_ray_in_a_gradient_takes_as_long_as_its_eikonal_says() -> None:
    """Without a gradient it takes as long as along a straight line; with one, going deeper is quicker."""
    cable = straight(3, 20_000.0)
    source = Hypocentre(0.0, -30.0, 8.0)
    far_km_K = np.hypot(30.0 + cable.north_m_K / 1000, 8.0)
    time_s_K = arrive(bare(3, 1e-6), source, cable, "P").first_s_K
    np.testing.assert_allclose(time_s_K, far_km_K / 5.0, rtol=1e-4)
    bent = arrive(bare(3, 0.05), source, cable, "P")
    assert (bent.first_s_K < time_s_K).all()
    # Two channels a little apart differ by the slowness times their distance.
    near = straight(2, 1.0)
    pair = arrive(bare(2, 0.05), source, near, "S")
    np.testing.assert_allclose(np.diff(pair.first_s_K) * 1000, pair.slowness_s_km_K[0], rtol=1e-4)


def test_a_head_wave_comes_first_far_away_only() -> None:
    arrival = arrive(bare(2, 0.002), Hypocentre(0.0, -400.0, 10.0), straight(2, 10.0), "P")
    assert (arrival.first_s_K < arrival.direct_s_K - 1.0).all()
    np.testing.assert_allclose(arrival.slowness_s_km_K, 1 / 8.0)
    near = arrive(bare(2, 0.002), Hypocentre(0.0, -40.0, 10.0), straight(2, 10.0), "P")
    np.testing.assert_array_equal(near.first_s_K, near.direct_s_K)


def test_a_fiber_feels_p_along_it_and_s_at_half_a_right_angle() -> None:
    turned = np.deg2rad(np.array([0.0, 45.0, 90.0]))
    level = np.ones(3)
    np.testing.assert_allclose(axial_strain("P", level, turned, 0.0), [1.0, 0.5, 0.0], atol=1e-12)
    np.testing.assert_allclose(axial_strain("S", level, turned, np.pi / 2), [0.0, 0.5, 0.0], atol=1e-12)
    steep = np.full(3, 1e-9)
    assert np.abs(axial_strain("P", steep, turned, 0.0)).max() < 1e-12


@pytest.mark.parametrize("seed", range(12))
def test_pulses_begin_at_their_onset(seed: int) -> None:
    rng = np.random.default_rng(seed)
    source = draw_source(rng, 5.0)
    for phase in "PS":
        pulse_OT = make_pulse(rng, source, phase, 8.0)
        early = np.abs(pulse_OT[0, : PAUSE_SAMPLES - 2]).max()
        soon = np.abs(pulse_OT[0, PAUSE_SAMPLES - 2 : PAUSE_SAMPLES + 3]).max()
        assert early < 0.05
        assert soon > 0.03


def test_a_pulse_moves_by_parts_of_a_sample() -> None:
    pulse_OT = make_pulse(np.random.default_rng(1), draw_source(np.random.default_rng(1), 30.0), "S", 50.0)
    field_KT = np.zeros((8, 900), np.float32)
    place_pulse(field_KT, pulse_OT, 300.0 + np.arange(8) / 8, np.ones(8))
    center_K = (np.abs(field_KT) ** 2 * np.arange(900)).sum(axis=1) / (np.abs(field_KT) ** 2).sum(axis=1)
    np.testing.assert_allclose(np.diff(center_K), 1 / 8, atol=0.02)


@pytest.mark.parametrize("seed", range(8))
def test_an_earthquake_is_silent_before_its_onsets(seed: int) -> None:
    rng = np.random.default_rng(seed)
    event = make_event(rng, draw_cable(rng, 32), draw_medium(rng, 32), 2048)
    for wave_KT, onset_K in ((event.p_KT, event.p_onset_K), (event.s_KT, event.s_onset_K)):
        peak_K = np.abs(wave_KT).max(axis=1)
        for channel, onset in enumerate(onset_K.astype(int)):
            before_T = wave_KT[channel, : max(min(onset - PAUSE_SAMPLES, 2048), 0)]
            assert np.abs(before_T).max(initial=0.0) <= 1e-3 * peak_K[channel]


def test_slow_waves_travel_at_the_speed_they_are_given() -> None:
    """The ridge of the power lies at frequency over wavenumber between 150 and 1500 m/s."""
    wavenumber_K1, frequency_1F = wavenumbers((256, 1024), 5.0)
    for seed in range(10):
        power_KF = surface_wave_power(np.random.default_rng(seed), wavenumber_K1, frequency_1F)
        column = 60
        ridge = wavenumber_K1[power_KF[:128, column].argmax(), 0]
        assert 140.0 < frequency_1F[0, column] / ridge < 1700.0


def test_surface_waves_run_slowly_from_the_epicentre_and_never_before_s() -> None:
    cable = straight(80, 20.0)
    speeds_m_s = []
    for seed in range(10):
        s_onset_K = 100.0 + 100.0 * (2000.0 + cable.north_m_K) / 2500.0
        train_KT = surface_train(
            np.random.default_rng(seed), cable, Hypocentre(0.0, -2.0, 0.5), 100.0, s_onset_K, 4000
        )
        assert not any(
            row_T[: int(onset) - 15].any() for row_T, onset in zip(train_KT, s_onset_K, strict=True)
        )
        centre_K = (train_KT**2 @ np.arange(4000)) / (train_KT**2).sum(axis=1)
        speeds_m_s.append(2000.0 / np.polyfit(np.arange(80), centre_K, 1)[0])
    assert 150.0 < min(speeds_m_s) < max(speeds_m_s) < 3500.0


def test_a_gauge_averages_what_is_shorter_than_it() -> None:
    wavenumber_K1, _ = wavenumbers((200, 64), 1.0)
    left_K = gauge_power(wavenumber_K1, 10.0)[:, 0]
    assert left_K[0] == 1.0
    assert left_K[20] < 1e-6
    assert left_K[50] < 0.02


def test_random_fields_have_the_power_they_are_given() -> None:
    _, frequency_1F = wavenumbers((64, 1024), 1.0)
    power_KF = np.repeat((frequency_1F < 10.0).astype(np.float32), 64, axis=0)
    field_KT = random_field(np.random.default_rng(0), power_KF, 1024)
    spectrum_F = (np.abs(np.fft.rfft(field_KT, axis=1)) ** 2).mean(axis=0)
    assert spectrum_F[120:].sum() < 1e-6 * spectrum_F.sum()


def test_a_stronger_earthquake_is_picked_on_more_channels() -> None:
    rng = np.random.default_rng(0)
    noise_KT = rng.standard_normal((64, 1500)).astype(np.float32)
    shape_T = np.where(np.arange(1500) >= 700, np.exp(-(np.arange(1500) - 700) / 300.0), 0.0)
    wave_KT = (shape_T * rng.standard_normal((64, 1500)) * np.linspace(0, 3, 64)[:, None]).astype(np.float32)
    ratio_K = local_ratio(wave_KT, noise_KT, np.full(64, 700.0))
    assert ratio_K[:8].max() < 0.5
    assert ratio_K[-8:].min() > 1.3
    assert np.corrcoef(ratio_K, np.arange(64))[0, 1] > 0.95
    np.testing.assert_allclose(local_ratio(3 * wave_KT, 3 * noise_KT, np.full(64, 700.0)), ratio_K, rtol=1e-3)


def test_onsets_at_the_ends_are_never_asked_for() -> None:
    wave_KT = np.random.default_rng(0).standard_normal((4, 500)).astype(np.float32)
    onset_K = np.array([MARGIN - 1.0, MARGIN + 1.0, 500.0 - MARGIN, -20.0])
    assert (local_ratio(100 * wave_KT, wave_KT, onset_K) > 0).tolist() == [False, True, False, False]


def test_hidden_onsets_are_hidden_where_they_are_and_nowhere_else() -> None:
    known_KT = np.ones((3, 600), np.bool_)
    hide_around(known_KT, np.array([300.0, -500.0, 590.0]), np.array([True, True, True]))
    assert not known_KT[0, 245:495].any()
    assert known_KT[0, :240].all()
    assert known_KT[1].all()
    assert not known_KT[2, 535:].any()


def test_cables_are_no_longer_than_fifty_kilometres() -> None:
    for seed in range(50):
        cable = draw_cable(np.random.default_rng(seed), 2048)
        step_m_K = np.hypot(np.diff(cable.east_m_K), np.diff(cable.north_m_K))
        np.testing.assert_allclose(step_m_K, cable.channel_spacing_m, rtol=1e-6)
        assert cable.distances_m[-1] <= LONGEST_CABLE_M


def test_noise_has_no_picks_and_unit_spread_before_disturbances() -> None:
    rng = np.random.default_rng(2)
    noise_KT = instrument_noise(rng, straight(64, 5.0), 1024)
    assert 0.3 < np.median(noise_KT.std(axis=1)) < 3.0
    sample = make_synthetic(rng, SHAPE, event_count=0)
    assert sample.is_noise
    assert sample.kind == "noise"
    assert make_noise(rng, straight(16, 5.0), 512).shape == (16, 512)


def test_a_vehicle_is_where_its_speed_takes_it() -> None:
    cable = straight(100, 10.0)
    for seed in range(5):
        field_KT = np.zeros((100, 6000), np.float32)
        transients.add_vehicle(np.random.default_rng(seed), cable, field_KT)
        loud_K = np.flatnonzero(np.abs(field_KT).max(axis=1) > 0.5 * np.abs(field_KT).max())
        peak_K = np.abs(field_KT[loud_K]).argmax(axis=1)
        inside = (peak_K > 400) & (peak_K < 5600)
        if inside.sum() > 20:
            speed_m_s = 1000.0 / np.median(np.diff(peak_K[inside]) / np.diff(loud_K[inside]))
            assert 3.0 < abs(speed_m_s) < 50.0


def test_a_laser_step_is_everywhere_at_once() -> None:
    field_KT = np.zeros((50, 2000), np.float32)
    transients.add_step(np.random.default_rng(0), straight(50, 10.0), field_KT)
    loud_K = np.abs(field_KT).max(axis=1) > 0.2 * np.abs(field_KT).max()
    first_K = (np.abs(field_KT) > 0.05 * np.abs(field_KT).max()).argmax(axis=1)
    assert np.ptp(first_K[loud_K]) <= 2


def test_dead_channels_are_flat_and_never_picked() -> None:
    for seed in range(25):
        sample = make_synthetic(np.random.default_rng(seed), (40, 400))
        dead = np.flatnonzero(~sample.samples_KT.any(axis=1))
        assert not set(dead.tolist()) & set(sample.channel_N.tolist())
    assert any(dead_channels(np.random.default_rng(seed), 100).any() for seed in range(20))
