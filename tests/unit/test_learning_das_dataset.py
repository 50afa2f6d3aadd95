"""A sampler of fibers gives the same samples for a seed, and samples that a network can learn from."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from rtpick.learning.das_background import Background, read_backgrounds, spread_background
from rtpick.learning.das_dataset import DasRecipe, DasSample, DasSampler, DasSources
from rtpick.learning.das_station import make_from_station, usable_recordings
from rtpick.learning.dataset import DatasetError, Recording

SHAPE = (32, 768)


def background() -> Background:
    rng = np.random.default_rng(0)
    return Background("hill", rng.standard_normal((12, 300)).astype(np.float32), 5.0)


def recording() -> Recording:
    """A station's record: noise, P at 30 s three times as strong, S at 33 s ten times."""
    rng = np.random.default_rng(1)
    wave_CT = rng.standard_normal((3, 9000)).astype(np.float32)
    wave_CT[:, 3000:] *= 6.0
    wave_CT[:, 3300:] *= 5.0
    return Recording("X.Y", "manual", wave_CT, np.array([3000.0]), np.array([3300.0]))


def sources() -> DasSources:
    return DasSources((background(),), (recording(),), ())


def test_the_same_seed_gives_the_same_samples() -> None:
    one, two = (DasSampler(sources(), 5, SHAPE) for _ in range(2))
    for _ in range(6):
        a, b = one.sample(), two.sample()
        np.testing.assert_array_equal(a.samples_KT, b.samples_KT)
        np.testing.assert_array_equal(a.sample_N, b.sample_N)


def test_a_sample_by_number_does_not_depend_on_those_before() -> None:
    one, two = (DasSampler(sources(), 5, SHAPE) for _ in range(2))
    one.at(0), one.sample()
    np.testing.assert_array_equal(one.at(7).samples_KT, two.at(7).samples_KT)
    assert not np.array_equal(DasSampler(sources(), 6, SHAPE).at(7).samples_KT, two.at(7).samples_KT)


def test_samples_are_finite_levelled_and_of_the_shape_asked_for() -> None:
    sampler = DasSampler(sources(), 0, SHAPE)
    for _ in range(40):
        sample = sampler.sample()
        assert sample.samples_KT.shape == SHAPE
        assert sample.samples_KT.dtype == np.float32
        assert np.isfinite(sample.samples_KT).all()
        assert np.abs(sample.samples_KT.std(axis=1)).max() < 1.01
        if sample.known_KT is not None and len(sample.sample_N):
            at_N = np.round(sample.sample_N).astype(int)
            assert sample.known_KT[sample.channel_N, np.minimum(at_N, SHAPE[1] - 1)].all()


def test_all_kinds_come() -> None:
    recorded = DasSample(np.ones((40, 900), np.float32) + np.arange(900, dtype=np.float32), kind="recorded")
    recipe = DasRecipe(shares={"synthetic": 0.4, "station": 0.3, "noise": 0.1, "recorded": 0.2})
    sampler = DasSampler(DasSources((background(),), (recording(),), (recorded,)), 0, SHAPE, recipe)
    kinds = [sampler.sample().kind for _ in range(120)]
    assert set(kinds) == {"synthetic", "station", "noise", "recorded"}
    assert 0.03 < kinds.count("noise") / len(kinds) < 0.35


def test_kinds_without_a_source_are_left_out() -> None:
    sampler = DasSampler(DasSources(), 0, SHAPE, DasRecipe(patches=1))
    assert {sampler.sample().kind for _ in range(20)} <= {"synthetic", "noise"}


def test_a_station_laid_along_a_cable_brings_its_onsets() -> None:
    found = []
    for seed in range(12):
        sample = make_from_station(np.random.default_rng(seed), recording(), (40, 1500))
        for channel, onset in zip(sample.channel_N[::7], sample.sample_N[::7].astype(int), strict=True):
            row_T = sample.samples_KT[channel]
            found.append(
                row_T[onset : onset + 60].std() / max(row_T[max(onset - 80, 0) : onset - 5].std(), 1e-9)
            )
    assert len(found) > 20
    assert np.median(found) > 1.3


def test_only_long_recordings_with_an_analysts_p_and_s_are_laid_along_cables() -> None:
    good = recording()
    short = Recording("short", "manual", good.samples_CT[:, :4000], good.p_samples, good.s_samples)
    machine = Recording("machine", "automatic", good.samples_CT, good.p_samples, good.s_samples)
    lone = Recording("lone", "manual", good.samples_CT, good.p_samples)
    assert usable_recordings([good, short, machine, lone]) == [good]


def write_noise(path: Path, wave_KT: np.ndarray, interval_s: float = 0.01) -> None:
    with h5py.File(path, "w") as h5:
        data = h5.create_dataset("data", data=wave_KT)
        data.attrs["dt_s"], data.attrs["dx_m"] = interval_s, 2.0


def test_backgrounds_are_read_without_those_left_out_and_only_where_quiet(tmp_path: Path) -> None:
    wave_KT = np.random.default_rng(0).standard_normal((5, 2000)).astype(np.float32)
    wave_KT[3] = 7.0
    wave_KT[:, 1000:] *= 50.0
    for name in ("noise_one", "noise_two"):
        write_noise(tmp_path / f"{name}.h5", wave_KT, 0.005)
    read = read_backgrounds(tmp_path, leave_out=["noise_two"], quiet_s={"noise_one": (0.0, 4.0)})
    assert [(one.name, one.samples_KT.shape) for one in read] == [("noise_one", (4, 400))]
    assert read[0].samples_KT.std() < 2.0


def test_an_earthquake_among_noise_is_not_taken_for_noise(tmp_path: Path) -> None:
    wave_KT = np.random.default_rng(0).standard_normal((5, 2000)).astype(np.float32)
    wave_KT[:, 1500:1700] *= 6.0
    write_noise(tmp_path / "noise_one.h5", wave_KT)
    (read,) = read_backgrounds(tmp_path)
    assert read.samples_KT.shape == (5, 1450)
    assert read.samples_KT.std() < 1.1


def test_the_reference_noise_that_holds_an_earthquake_is_cut_before_it(shared: Path) -> None:
    """P comes at 2.4 to 3.1 s there."""
    lengths_s = {one.name: one.samples_KT.shape[1] / 100 for one in read_backgrounds(shared / "data" / "das")}
    assert lengths_s["noise_optodas_20231027"] <= 2.3
    assert lengths_s["noise_brady_20160308"] == 10.0


def test_a_folder_without_noise_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="another folder"):
        read_backgrounds(tmp_path)
    (tmp_path / "noise_bad.h5").write_bytes(b"no")
    with pytest.raises(DatasetError, match="dt_s"):
        read_backgrounds(tmp_path)


def test_spread_noise_keeps_the_records_spectrum() -> None:
    rng = np.random.default_rng(0)
    time_T = np.arange(1000) / 100.0
    line_KT = np.sin(2 * np.pi * 12.0 * time_T + rng.uniform(0, 6, (20, 1))) + 0.1 * rng.standard_normal(
        (20, 1000)
    )
    record = Background("line", line_KT.astype(np.float32), 5.0)
    peaks = []
    for seed in range(10):
        spread_KT = spread_background(np.random.default_rng(seed), record, (64, 2048))
        power_F = (np.abs(np.fft.rfft(spread_KT, axis=1)) ** 2).mean(axis=0)
        peaks.append(np.fft.rfftfreq(2048, 0.01)[power_F.argmax()])
    # Stretching by half to twice moves the line, one time in two.
    assert all(5.5 < peak < 25.0 for peak in peaks)
    assert sum(abs(peak - 12.0) < 0.3 for peak in peaks) >= 3
