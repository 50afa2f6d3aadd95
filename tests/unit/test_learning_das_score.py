"""Scores on recordings of fibers count what they say."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import torch

from rtpick.learning.das_score import main, score_network, score_onsets
from rtpick.learning.das_whole import (
    FiberRecord,
    fiber_probability,
    pick_record,
    read_record,
    station_probability,
)
from rtpick.learning.dataset import DatasetError
from rtpick.networks import FiberNetwork, FiberNetworkMetadata, PhaseNetDas, load_network
from rtpick.networks.eqnet_options import UNetOptions
from rtpick.networks.phasenet_das import FiberAnswer
from rtpick.networks.phasenet_das_weights import write_fiber_network
from rtpick.picking.fiber_trigger import Peaks
from rtpick.vocabulary.fiber import Quantity

TINY = UNetOptions(stem_width=4, widths=(4, 8), strides=((2, 4), (2, 4)), kernel=(3, 3), attention_heads=1)
METADATA = FiberNetworkMetadata("tiny", "1", (Quantity.STRAIN_RATE,), 100.0, (1.0, 10.0), (16, 256), TINY)


class Spikes(FiberNetwork):
    """Answers P wherever a sample exceeds 5: positive ones P, negative ones S."""

    def __init__(self) -> None:
        super().__init__(PhaseNetDas(TINY), METADATA)

    def forward(self, raw_BKT: torch.Tensor) -> FiberAnswer:
        p, s = (raw_BKT > 5).float(), (raw_BKT < -5).float()
        return FiberAnswer(torch.stack([1 - p - s, p, s], dim=1), None, None, (1, 1))


def write_record(path: Path, samples_KT: np.ndarray, dt_s: float = 0.01) -> None:
    with h5py.File(path, "w") as h5:
        h5["data"] = samples_KT.astype(np.float32)
        h5["data"].attrs["dt_s"] = dt_s


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    quake_KT = np.zeros((6, 1000))
    quake_KT[:4, 300] = 9
    quake_KT[4, 360] = 9
    quake_KT[:2, 700] = -9
    write_record(tmp_path / "quake.h5", quake_KT)
    noise_KT = np.zeros((5, 1200))
    noise_KT[2, 500] = 9
    write_record(tmp_path / "noise_hill.h5", noise_KT)
    rows = ["channel_first,channel_last,phase,arrival_s_from_start"]
    rows += ["0,2,P,3.1", "3,5,P,3.0", "0,5,S,6.8"]
    (tmp_path / "quake_picks.csv").write_text("\n".join(rows) + "\n")
    return tmp_path


def test_a_network_is_scored_by_what_it_picks(folder):
    score = score_network(Spikes(), folder, 0.3, 0.3)
    p, s = score.phases["P"], score.phases["S"]
    assert (p.channels, p.found, p.picks, p.picks_at_onset) == (6, 4, 5, 4)
    assert (s.channels, s.found, s.picks, s.picks_at_onset) == (6, 2, 2, 2)
    assert score.noise_picks == {"noise_hill": 1}
    assert score.noise_rate == pytest.approx(1.0)


def test_two_picks_at_one_onset_are_one_channel():
    peaks = Peaks(np.array([0, 0]), np.array([1, 1]), np.array([290, 310]), np.ones(2, np.float32))
    onsets = pd.DataFrame(
        {"channel_first": [0], "channel_last": [3], "phase": ["P"], "arrival_s_from_start": [3.0]}
    )
    score = score_onsets(peaks, onsets, 100.0, 0.3)["P"]
    assert (score.channels, score.found, score.picks, score.picks_at_onset) == (4, 1, 2, 2)


def test_common_mode_is_subtracted_if_asked():
    wave_KT = np.zeros((5, 600), np.float32)
    wave_KT[:, 300] = 9
    record = FiberRecord("step", wave_KT, 100.0)
    assert len(pick_record(Spikes(), record, 0.3).row_N) == 5
    assert len(pick_record(Spikes(), record, 0.3, common_mode=True).row_N) == 0


def test_records_of_another_rate_are_resampled():
    wave_KT = np.zeros((2, 5000), np.float32)
    wave_KT[0, 2500:2520] = 20
    peaks = pick_record(Spikes(), FiberRecord("fast", wave_KT, 500.0), 0.3)
    assert peaks.row_N.tolist() == [0]
    assert abs(int(peaks.index_N[0]) - 500) <= 3


@pytest.mark.parametrize("sample_count", [40, 256, 700])
def test_every_sample_of_every_channel_has_probabilities(sample_count):
    network = FiberNetwork(PhaseNetDas(TINY), METADATA).eval()
    prob_PKT = fiber_probability(
        network, np.random.default_rng(1).normal(size=(7, sample_count)).astype("f4")
    )
    assert prob_PKT.shape == (3, 7, sample_count)
    assert np.allclose(prob_PKT.sum(axis=0), 1, atol=1e-5)


def test_a_network_for_stations_takes_channels_one_by_one():
    network = load_network("default")
    wave_KT = np.random.default_rng(1).normal(size=(2, 3300)).astype(np.float32)
    both = station_probability(network, wave_KT)
    assert both.shape == (3, 2, 3300)
    assert np.allclose(both[:, 1:], station_probability(network, wave_KT[1:]), atol=1e-5)
    assert station_probability(network, wave_KT[:, :50]).shape == (3, 2, 50)


def test_the_command_prints_and_writes_figures(folder, capsys):
    weights = folder / "tiny.safetensors"
    write_fiber_network(PhaseNetDas(TINY), METADATA, weights)
    figures = folder / "figures.json"
    main(["--data", str(folder), "--network", str(weights), "--json", str(figures)])
    assert "tiny-" in capsys.readouterr().out
    (score,) = json.loads(figures.read_text()).values()
    assert score["phases"]["P"]["channels"] == 6
    assert score["noise_rate"] >= 0


def test_files_that_are_none_are_named(tmp_path):
    with pytest.raises(DatasetError, match=r"no \*_picks.csv"):
        score_network(Spikes(), tmp_path, 0.3, 0.3)
    (tmp_path / "bad.h5").write_bytes(b"nothing")
    with pytest.raises(DatasetError, match=r"bad\.h5"):
        read_record(tmp_path / "bad.h5")
