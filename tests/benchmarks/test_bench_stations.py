"""The benchmark measures what it says; its figures are never judged here."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from structlog.stdlib import get_logger

from rtpick.bench.feed import Pace
from rtpick.bench.latency import Arrivals, Quantiles, weigh_paced
from rtpick.bench.ours import OurSettings, run_ours
from rtpick.bench.publication import first_told
from rtpick.bench.reference import read_reference
from rtpick.bench.stations import bench_station_network
from rtpick.bench.synthetic_network import (
    START_NS,
    SyntheticNetwork,
    build_network,
    group_by_channel,
    list_stations,
    select_stations,
)
from rtpick.bench.waveforms import draw_station
from rtpick.ingest.miniseed import decode_record
from rtpick.networks import load_network
from rtpick.settings.schema import BufferSettings, EngineSettings, PickingSettings
from rtpick.vocabulary.time import to_ns

STATIONS, SECONDS, STRIDE, REPEAT_S = 3, 90.0, 256, 1.0
FULL_WINDOWS = (9000 - 3000) // STRIDE + 1
PARTIAL_WINDOWS = 2 * (3000 * 7 // 10 // STRIDE + 1)  # at either end, with 30 % of their samples or more


@pytest.fixture(scope="module")
def network() -> SyntheticNetwork:
    return build_network(read_reference(), STATIONS, SECONDS, REPEAT_S)


@pytest.fixture(scope="module")
def settings() -> OurSettings:
    return OurSettings(PickingSettings(), EngineSettings(), BufferSettings())


def test_the_records_hold_the_samples_that_were_drawn(network: SyntheticNetwork) -> None:
    chance = np.random.default_rng(1)
    drawn_CT = draw_station(read_reference(), 9000, REPEAT_S, chance)
    for row, component in enumerate("ZNE"):
        own = [r for r in network.records if str(r.channel) == f"XX.S0001..HH{component}"]
        packets = [decode_record(r.content, source="", sequence=None, received_ns=0) for r in own]
        assert packets[0].start_ns == START_NS
        assert all(a.end_ns == b.start_ns for a, b in pairwise(packets))
        assert [packet.end_ns for packet in packets] == [record.end_ns for record in own]
        np.testing.assert_array_equal(np.concatenate([p.samples for p in packets]), drawn_CT[row])


def test_records_come_by_their_ends_and_stations_are_interleaved(network: SyntheticNetwork) -> None:
    ends = [record.end_ns for record in network.records]
    assert ends == sorted(ends)
    first_half = network.records[: len(network.records) // 2]
    assert len({record.channel for record in first_half}) == 3 * STATIONS


def test_a_station_does_not_depend_on_how_many_there_are(network: SyntheticNetwork) -> None:
    alone = build_network(read_reference(), 1, SECONDS, REPEAT_S)
    chosen = select_stations(network, 1)
    assert group_by_channel(chosen.records) == group_by_channel(alone.records)
    assert len(list_stations(network)) == STATIONS


def test_figures_are_there_and_agree_with_the_windows_that_can_be(tmp_path: Path) -> None:
    path = tmp_path / "figures.json"
    figures = bench_station_network(
        STATIONS, SECONDS, STRIDE, repeat_s=REPEAT_S, peer_stations=2, json_path=path
    )
    ours = figures.ours.throughput
    assert FULL_WINDOWS * STATIONS <= ours.windows <= (FULL_WINDOWS + PARTIAL_WINDOWS) * STATIONS
    assert ours.picks >= STATIONS
    assert set(figures.ours.shares) == {"ingest", "pick", "archive"}
    assert figures.ours.residency.peak >= figures.ours.residency.before
    content = json.loads(path.read_text())
    assert content["ours"]["windows_per_s"] == pytest.approx(ours.windows_per_s)
    assert len(content["peers"]) + len(content["absent"]) >= 2


def test_peers_get_the_same_waveforms_and_find_as_many_picks(
    network: SyntheticNetwork, settings: OurSettings
) -> None:
    pytest.importorskip("seisbench")
    from rtpick.bench.seisbench_peer import ClassifySetting, measure_classify

    weights = load_network()
    ours = run_ours(weights, network, settings, get_logger())
    theirs = measure_classify(weights, network, [ClassifySetting(3001 - STRIDE, 32)], 1)
    assert isinstance(theirs, list)
    assert theirs[0].windows == STATIONS * (-(-(9000 - 3001) // STRIDE) + 1)
    assert 0.7 * theirs[0].picks <= ours.picks <= 1.4 * theirs[0].picks


def test_the_peers_network_is_ours() -> None:
    pytest.importorskip("seisbench")
    from rtpick.bench.seisbench_peer import translate_network

    weights = load_network()
    wave_BCT = torch.randn(2, 3, 3001, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        torch.testing.assert_close(
            translate_network(weights)(wave_BCT), weights.probabilities(wave_BCT), atol=1e-5, rtol=0
        )


def test_slipstream_runs_on_our_weights_without_a_download(network: SyntheticNetwork) -> None:
    pytest.importorskip("rapid")
    from rtpick.bench.rapid_peer import SlipstreamSetting, measure_slipstream

    result = measure_slipstream(load_network(), network, [SlipstreamSetting(0, 32, "fp32")], 1)
    assert isinstance(result, list)
    assert result[0].windows == STATIONS * 3
    assert result[0].picks >= STATIONS


def test_a_missing_peer_is_told(monkeypatch: pytest.MonkeyPatch, network: SyntheticNetwork) -> None:
    from rtpick.bench import rapid_peer, seisbench_peer
    from rtpick.bench.measurement import Absent

    monkeypatch.setattr(seisbench_peer, "find_spec", lambda name: None)
    monkeypatch.setattr(rapid_peer, "find_spec", lambda name: None)
    weights = load_network()
    for absent in (
        seisbench_peer.measure_classify(weights, network, [], 1),
        rapid_peer.measure_slipstream(weights, network, [], 1),
    ):
        assert isinstance(absent, Absent)
        assert absent.remedy.startswith("pip install")


def test_a_paced_run_holds_records_until_they_fall_due(settings: OurSettings) -> None:
    paced_s, history_s = 6.0, 64.0
    waveforms = build_network(read_reference(), 2, history_s + paced_s, REPEAT_S)
    from_ns = START_NS + to_ns(history_s)
    outcome = run_ours(load_network(), waveforms, settings, get_logger(), Pace(from_ns))
    due_ns = np.array([record.end_ns for record in waveforms.records]) + outcome.feed.real_offset_ns
    late = np.array([record.end_ns > from_ns for record in waveforms.records])
    assert late.sum() > 2
    assert (outcome.feed.arrived_ns[late] >= due_ns[late] - to_ns(0.01)).all()
    assert np.ptp(outcome.feed.arrived_ns[~late]) < to_ns(paced_s + 60)
    told = first_told(outcome.publications, 0)
    assert all(item.told_ns >= outcome.births[item.pick.pick_id].completed_ns for item in told)
    figures = weigh_paced(outcome, waveforms, from_ns, STRIDE, 2)
    assert figures.window_to_publication.count <= len(told)


def test_arrivals_find_the_packet_that_holds_a_sample(network: SyntheticNetwork) -> None:
    record = network.records[len(network.records) // 2]
    arrivals = Arrivals(network.records, np.arange(len(network.records)))
    number = network.records.index(record)
    assert arrivals.at(record.channel, record.end_ns - 1) == number
    assert arrivals.at(record.channel, record.end_ns) > number


def test_quantiles_of_nothing_are_not_numbers() -> None:
    assert np.isnan(Quantiles.of([]).p50_s)
    assert Quantiles.of([1.0, 2.0, 3.0]) == Quantiles(3, 2.0, 2.9, 3.0)
