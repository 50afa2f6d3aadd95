"""Networks as engines for the tiles of fibers, and recordings picked from files."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import torch

from rtpick.networks import load_network
from rtpick.networks.eqnet_options import UNetOptions
from rtpick.networks.phasenet_das import FiberNetwork, PhaseNetDas
from rtpick.networks.phasenet_das_metadata import FiberNetworkMetadata
from rtpick.pick_fiber_files import COLUMNS, pick_fiber_files, write_fiber_picks
from rtpick.picking.engine_fiber import FiberNetworkEngine
from rtpick.picking.engine_fiber_single import SingleChannelEngine
from rtpick.picking.fiber_picker import FiberPicker
from rtpick.settings.fiber import FiberBufferSettings, FiberPickingSettings, FiberSettings
from rtpick.settings.schema import EngineSettings
from rtpick.vocabulary.errors import NetworkError, SettingsError
from rtpick.vocabulary.fiber import DasBlock, FiberEventHints, FiberLayout, FiberPicks, Quantity

PLAIN = EngineSettings(device="cpu", backend="torch", threads=1)
OPTIONS = UNetOptions(
    stem_width=4, widths=(4, 8, 8), strides=((2, 4), (4, 4), (4, 4)), kernel=(3, 5), event_heads=True
)


def _network(common_mode=False):
    torch.manual_seed(5)
    metadata = FiberNetworkMetadata(
        "tiny", "1", (Quantity.STRAIN_RATE,), 100.0, (1.0, 20.0), (64, 512), OPTIONS, common_mode
    )
    network = FiberNetwork(PhaseNetDas(OPTIONS), metadata).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(1.5)
    return network


def _tiles(count=3):
    tiles_BKT = np.random.default_rng(0).normal(0, 1e-9, (count, 64, 512)).astype(np.float32)
    tiles_BKT[0, 3, 100:200] = np.nan
    tiles_BKT[1, 5] = np.nan
    return tiles_BKT


@pytest.mark.parametrize("backend", ["torch", pytest.param("openvino", marks=pytest.mark.slow)])
def test_the_engine_says_what_the_network_says_whatever_the_batch(backend):
    network, tiles_BKT = _network(), _tiles()
    settings = PLAIN.model_copy(update={"backend": backend, "precision": "float32"})
    engine = FiberNetworkEngine(network, settings)
    assert engine.description == f"{backend} cpu float32"
    together = engine.infer(tiles_BKT)
    with torch.inference_mode():
        expected = network(torch.from_numpy(tiles_BKT))
    assert np.allclose(together.prob_BPKT, expected.probability_BPKT[:, 1:].numpy(), atol=1e-3)
    assert together.center_BJU is not None
    assert np.allclose(together.center_BJU, expected.center_probability_BKT.numpy(), atol=1e-3)
    for place in range(3):
        alone = engine.infer(tiles_BKT[place : place + 1])
        assert alone.prob_BPKT.tobytes() == together.prob_BPKT[place : place + 1].tobytes()
        assert alone.travel_BJU.tobytes() == together.travel_BJU[place : place + 1].tobytes()
    assert not together.prob_BPKT[0, :, 3, 100:200].any()


def test_reduced_precision_says_nearly_the_same():
    half = FiberNetworkEngine(_network(), PLAIN.model_copy(update={"precision": "bfloat16"}))
    whole = FiberNetworkEngine(_network(), PLAIN)
    assert half.description == "torch cpu bfloat16"
    difference = np.abs(half.infer(_tiles()).prob_BPKT - whole.infer(_tiles()).prob_BPKT)
    assert 0 < difference.mean() < 0.05


def test_the_engine_hands_on_what_the_network_wants():
    engine = FiberNetworkEngine(_network(common_mode=True), PLAIN)
    assert (engine.geometry.channels, engine.geometry.samples) == (64, 512)
    assert (engine.common_mode, engine.event_step) == ("median", (2, 4))
    assert FiberNetworkEngine(_network(), PLAIN).common_mode == "steps"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_graphs_on_a_gpu_say_what_the_cpu_says_in_batches_of_any_size():
    on_gpu = FiberNetworkEngine(_network(), EngineSettings(device="cuda", precision="float32"))
    on_gpu.warm_up()
    expected = FiberNetworkEngine(_network(), PLAIN).infer(_tiles(5))
    for count in (1, 3, 5):
        answer = on_gpu.infer(_tiles(5)[:count])
        assert np.allclose(answer.prob_BPKT, expected.prob_BPKT[:count], atol=1e-3)
        assert np.allclose(answer.center_BJU, expected.center_BJU[:count], atol=1e-3)


def _run_tiny(lengths):
    settings = FiberSettings(
        buffer=FiberBufferSettings(memory_s=30),
        picking=FiberPickingSettings(
            p_threshold=0.35, s_threshold=0.35, hint_threshold=0.35, amplitude_p_s=1, amplitude_s_s=1
        ),
    )
    samples_KT = np.random.default_rng(1).normal(0, 1e-9, (70, 1400)).astype(np.float32)
    picker = FiberPicker(settings, FiberNetworkEngine(_network(), PLAIN), lossless=True)
    layout, outputs, start, turn = FiberLayout("a", 0, 70, 4.0, 100.0), [], 0, 0
    while start < 1400:
        end = start + lengths[turn % len(lengths)]
        picker.add(DasBlock(layout, start * 10**7, samples_KT[:, start:end]), 2**62)
        outputs += picker.step(2**62)
        start, turn = end, turn + 1
    outputs += picker.flush(2**62)
    picks = [item for item in outputs if isinstance(item, FiberPicks)]
    hints = [item for item in outputs if isinstance(item, FiberEventHints)]
    columns = [np.concatenate([getattr(p, name) for p in picks]) for name in ("time_ns_N", "probability_N")]
    return columns, np.concatenate([item.origin_ns_N for item in hints])


def test_a_real_network_gives_equal_bits_however_blocks_were_cut():
    (times, heights), origins = _run_tiny([100])
    (other_times, other_heights), other_origins = _run_tiny([37, 211])
    assert len(times) > 10
    assert len(origins) > 10
    assert times.tobytes() == other_times.tobytes()
    assert heights.tobytes() == other_heights.tobytes()
    assert origins.tobytes() == other_origins.tobytes()


def test_a_station_s_network_sees_every_channel_as_a_vertical_component():
    network = load_network("default")
    engine = SingleChannelEngine(network, PLAIN)
    tiles_BKT = np.random.default_rng(0).normal(size=(1, 3, 3000)).astype(np.float32)
    tiles_BKT[0, 1] = np.nan
    wave_BCT = np.full((1, 3, 3000), np.nan, np.float32)
    wave_BCT[0, network.component_order.index("Z")] = tiles_BKT[0, 2]
    with torch.inference_mode():
        expected_BPT = network(torch.from_numpy(wave_BCT)).numpy()
    answer = engine.infer(tiles_BKT)
    assert np.allclose(answer.prob_BPKT[0, :, 2], expected_BPT[0, 1:], atol=1e-4)
    assert not answer.prob_BPKT[0, :, 1].any()


def _write(path: Path, samples_KT, begin="2020-01-01T00:00:00Z", **attributes):
    with h5py.File(path, "w") as file:
        data = file.create_dataset("data", data=samples_KT)
        data.attrs.update(
            {"begin_time": begin, "dt_s": 0.01, "dx_m": 1.0, "unit": "strain rate", **attributes}
        )


@pytest.fixture
def porotomo(shared: Path, tmp_path: Path) -> Path:
    with h5py.File(shared / "data" / "das" / "porotomo_brady_20160321_hawthorne.h5") as file:
        data = file["data"]
        _write(tmp_path / "brady.h5", data[150:166], str(data.attrs["begin_time"]), start_channel=2650)
    return tmp_path / "brady.h5"


def test_the_recording_of_an_earthquake_gives_a_table_of_its_onsets(porotomo, shared, tmp_path):
    weights = str(shared / "data" / "weights" / "phasenet_ncedc_2019.safetensors")
    settings = FiberSettings(picking=FiberPickingSettings(weights=weights))
    summary = pick_fiber_files([porotomo], tmp_path / "picks.parquet", settings, engine=PLAIN)
    table = pd.read_parquet(tmp_path / "picks.parquet")
    assert tuple(table.columns) == COLUMNS
    assert len(table) == summary.pick_count > 20
    assert set(table["event_id"]) == {"brady"}
    assert table["channel_index"].between(0, 15).all()
    onset = table["phase_index"] * table["dt_s"]
    for phase, onset_s in (("P", 8.22), ("S", 28.18)):
        near = table[(table["phase_type"] == phase) & ((onset - onset_s).abs() < 0.3)]
        assert near["channel_index"].nunique() >= 10
    first = table.sort_values("phase_index").iloc[0]
    begin = pd.Timestamp("2016-03-21T07:37:30.532309Z")
    offset = (pd.Timestamp(first["phase_time"]) - begin).total_seconds() - first["phase_index"] * 0.01
    assert abs(offset) < 0.006
    write_fiber_picks(tmp_path / "picks.csv", table)
    assert pd.read_csv(tmp_path / "picks.csv")["phase_time"].tolist() == table["phase_time"].tolist()


@pytest.mark.slow
def test_files_that_follow_one_another_are_one_recording(porotomo, shared, tmp_path):
    weights = str(shared / "data" / "weights" / "phasenet_ncedc_2019.safetensors")
    settings = FiberSettings(picking=FiberPickingSettings(weights=weights))
    pick_fiber_files([porotomo], tmp_path / "whole.csv", settings, engine=PLAIN)
    with h5py.File(porotomo) as file:
        samples_KT = file["data"][()]
    porotomo.unlink()
    _write(tmp_path / "a.h5", samples_KT[:, :2300], "2016-03-21T07:37:30.532309Z", start_channel=2650)
    _write(tmp_path / "b.h5", samples_KT[:, 2300:], "2016-03-21T07:37:53.532309Z", start_channel=2650)
    pick_fiber_files([tmp_path], tmp_path / "parts.csv", settings, engine=PLAIN)
    whole, parts = pd.read_csv(tmp_path / "whole.csv"), pd.read_csv(tmp_path / "parts.csv")
    same = ["channel_index", "phase_time", "phase_type", "phase_score", "phase_amplitude"]
    assert set(parts["event_id"]) == {"a", "b"}
    order = ["channel_index", "phase_time", "phase_type"]
    left, right = (t[same].sort_values(order, ignore_index=True) for t in (whole, parts))
    pd.testing.assert_frame_equal(left, right)


def test_a_recording_much_shorter_than_a_tile_is_picked_too(tmp_path):
    samples_KT = np.random.default_rng(0).normal(0, 1, (8, 500)).astype(np.float32)
    samples_KT[:, 250:] *= 30
    _write(tmp_path / "short.h5", samples_KT)
    settings = FiberSettings(picking=FiberPickingSettings(p_threshold=0.05, s_threshold=0.05))
    assert pick_fiber_files([tmp_path], tmp_path / "picks.csv", settings, engine=PLAIN).pick_count > 0
    table = pd.read_csv(tmp_path / "picks.csv")
    assert ((table["phase_index"] - 250).abs() < 30).any()


def test_samples_of_an_unknown_kind_are_refused_until_they_are_declared(tmp_path):
    _write(tmp_path / "odd.h5", np.zeros((8, 500), np.float32), unit="as distributed")
    with pytest.raises(NetworkError, match="delivers counts"):
        pick_fiber_files([tmp_path], tmp_path / "picks.csv", engine=PLAIN)
    declared = {"quantity": Quantity.STRAIN_RATE, "unit": "1/s"}
    assert pick_fiber_files([tmp_path], tmp_path / "picks.csv", engine=PLAIN, **declared).pick_count == 0
    assert tuple(pd.read_csv(tmp_path / "picks.csv").columns) == COLUMNS


def test_a_table_of_an_unknown_kind_is_refused_before_the_work(tmp_path):
    with pytest.raises(SettingsError, match=r"\.parquet or \.csv"):
        pick_fiber_files([tmp_path], tmp_path / "picks.txt")
