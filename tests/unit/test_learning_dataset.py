"""Readers of training data, on small files made here."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import obspy
import pandas as pd
import pytest

from rtpick.learning.continuous import read_continuous
from rtpick.learning.dataset import DatasetError, read_windows
from rtpick.learning.resample import resample_rate
from rtpick.learning.score import cut_windows, label_table, pick_windows, score_picks
from rtpick.networks import load_network

ROW = {
    "trace_name": "bucket0",
    "source_id": "quake",
    "split": "train",
    "trace_category": "earthquake_local",
    "trace_sampling_rate_hz": 200.0,
    "trace_components_present": "ZNE",
    "trace_p_arrival_sample": 1000.5,
    "trace_s_arrival_sample": 1400.0,
    "trace_p_status": "manual",
}


@pytest.fixture(name="folder")
def make_folder(tmp_path: Path) -> Path:
    rows = [
        ROW,
        ROW | {"trace_name": "b1", "trace_components_present": "Z", "trace_sampling_rate_hz": 100.0},
        ROW | {"trace_name": "b2", "trace_p_status": "automatic", "trace_s_arrival_sample": np.nan},
        ROW
        | {
            "trace_name": "b3",
            "trace_category": "noise",
            "trace_p_arrival_sample": np.nan,
            "trace_s_arrival_sample": np.nan,
        },
        ROW | {"trace_name": "b4", "split": "test"},
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "metadata.csv", index=False)
    with h5py.File(tmp_path / "waveforms.hdf5", "w") as h5:
        for row in rows:
            # Z holds 1, N holds 2, E holds 3, all on a slope that the rate's change must keep.
            level = np.array([[1.0], [2.0], [3.0]], dtype=np.float32) * np.hanning(4000)
            h5[f"data/{row['trace_name']}"] = level.astype(np.float32)
    return tmp_path


def test_windows_arrive_at_one_rate_and_order(folder):
    first, lone, automatic, noise = read_windows(folder, "train")
    assert [r.kind for r in (first, lone, automatic, noise)] == ["manual", "manual", "automatic", "noise"]
    assert first.samples_CT.shape == (3, 2000)
    # The filter rings a little at the ends of a recording.
    assert np.ptp(first.samples_CT, axis=1) == pytest.approx([3.0, 2.0, 1.0], rel=5e-2)
    assert (first.p_samples.tolist(), first.s_samples.tolist()) == ([500.25], [700.0])
    assert len(automatic.s_samples) == 0
    assert len(noise.p_samples) == 0


def test_absent_components_are_missing(folder):
    lone = read_windows(folder, "train")[1]
    assert np.isnan(lone.samples_CT[:2]).all()
    assert np.isfinite(lone.samples_CT[2]).all()
    assert lone.p_samples.tolist() == [1000.5]


def test_splits_do_not_mix(folder):
    assert [r.name for r in read_windows(folder, "test")] == ["quake.b4"]
    with pytest.raises(DatasetError, match="no rows of split 'dev'"):
        read_windows(folder, "dev")


@pytest.mark.parametrize("lost", ["metadata.csv", "waveforms.hdf5"])
def test_missing_files_are_named(folder, lost):
    (folder / lost).unlink()
    with pytest.raises(DatasetError, match=lost):
        read_windows(folder, "train")


def write_trace(path: Path, channel: str, rate_hz: float, start: float, samples: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    header = {
        "network": "XX",
        "station": "AAA",
        "channel": channel,
        "sampling_rate": rate_hz,
        "starttime": obspy.UTCDateTime(2020, 1, 1) + start,
    }
    obspy.Trace(samples.astype(np.int32), header).write(str(path), format="MSEED")


def test_continuous_components_meet_on_one_grid(tmp_path):
    ramp = np.arange(2000)
    write_trace(tmp_path / "a" / "z.mseed", "HHZ", 100.0, 0.0, ramp)
    write_trace(tmp_path / "a" / "1.mseed", "HH1", 100.0, 5.0, ramp)
    (recording,) = read_continuous(tmp_path)
    assert recording.kind == "continuous"
    assert recording.samples_CT.shape == (3, 2500)
    assert np.isnan(recording.samples_CT[0]).all()
    assert np.isnan(recording.samples_CT[1, :500]).all()
    assert recording.samples_CT[1, 500:].tolist() == (ramp - ramp.mean()).tolist()
    assert np.isnan(recording.samples_CT[2, 2000:]).all()


def test_fast_recordings_come_slowed_too(tmp_path):
    write_trace(tmp_path / "a" / "z.mseed", "GHZ", 500.0, 0.0, np.arange(10_000))
    resampled, slowed = read_continuous(tmp_path)
    assert resampled.samples_CT.shape == (3, 2000)
    assert slowed.samples_CT.shape == (3, 10_000)
    assert slowed.name == f"{resampled.name}.slowed"


def test_held_out_folders_are_not_read(tmp_path):
    write_trace(tmp_path / "a" / "z.mseed", "HHZ", 100.0, 0.0, np.arange(2000))
    write_trace(tmp_path / "b" / "z.mseed", "HHZ", 100.0, 0.0, np.arange(2000))
    assert [r.name.split(".")[0] for r in read_continuous(tmp_path, held_out=["a"])] == ["b"]
    with pytest.raises(DatasetError, match="no miniSEED"):
        read_continuous(tmp_path, held_out=["a", "b"])


@pytest.mark.parametrize("from_hz", [20.0, 50.0, 200.0, 1000.0])
def test_a_slow_wave_survives_resampling_in_place(from_hz):
    seconds_T = np.arange(int(30 * from_hz)) / from_hz
    wave_CT = np.sin(2 * np.pi * 1.5 * seconds_T)[None].astype(np.float32) + 5e6
    result_T = resample_rate(wave_CT, from_hz, 100.0)[0]
    expected_T = np.sin(2 * np.pi * 1.5 * np.arange(len(result_T)) / 100.0)
    inside = slice(200, -200)
    # float32 has steps of half a unit at this offset: no more can be asked for than the input holds.
    assert np.abs(result_T - result_T[inside].mean() - expected_T)[inside].max() < 0.4


def test_resampling_keeps_gaps():
    wave_CT = np.ones((1, 4000), dtype=np.float32)
    wave_CT[0, 1000:1200] = np.nan
    missing_T = np.isnan(resample_rate(wave_CT, 200.0, 100.0)[0])
    assert missing_T.nonzero()[0].tolist() == list(range(500, 600))


def test_scoring_cuts_the_same_windows_for_every_network(folder):
    recordings = read_windows(folder, "train")
    one, other = (cut_windows(recordings, 3, 3000, seed=5) for _ in range(2))
    assert len(one) == 2 * 3 + 1
    for a, b in zip(one, other, strict=True):
        assert np.array_equal(a.crop.samples_CT, b.crop.samples_CT, equal_nan=True)
        assert a.noise or np.isfinite(a.crop.arrival_2A[:, 0]).all()


def test_perfect_picks_score_one(folder):
    windows = cut_windows(read_windows(folder, "train"), 3, 3000, seed=5)
    labels = label_table(windows)
    perfect = labels[labels["phase_type"] != ""].assign(phase_score=1.0)
    scores = score_picks(perfect, windows, tolerance_s=0.1)
    assert [scores.tallies[phase].f1 for phase in "PS"] == [1.0, 1.0]
    assert (scores.noise_windows, scores.noise_picks) == (1, 0)
    noisy = pd.concat([perfect, perfect.iloc[:1].assign(record="quake.b3")])
    assert score_picks(noisy, windows, tolerance_s=0.1).noise_picks == 1


def test_a_network_can_be_scored(folder):
    windows = cut_windows(read_windows(folder, "train"), 1, 3000, seed=5)
    picks = pick_windows(load_network("default"), windows, threshold=0.01)
    assert list(picks.columns) == ["record", "phase_type", "phase_time", "phase_score"]
    assert set(picks["phase_type"]) <= {"P", "S"}
