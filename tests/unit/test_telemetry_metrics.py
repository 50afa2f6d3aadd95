"""Metrics: what happened is what Prometheus reads; labels stay bounded."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from prometheus_client import CollectorRegistry, generate_latest

from rtpick.telemetry import metrics as metrics_module
from rtpick.telemetry.catalogue import CATALOGUE, Kind, manual_page
from rtpick.telemetry.metrics import Metrics
from rtpick.vocabulary.codes import ChannelId, StationId
from rtpick.vocabulary.event import Event, EventStatus, Origin
from rtpick.vocabulary.fiber import (
    DasBlock,
    FiberGap,
    FiberLayout,
    FiberPicks,
    FiberProgress,
    FiberRejectCause,
    FiberRejection,
)
from rtpick.vocabulary.fiber_event import FiberCurve, FiberEvent
from rtpick.vocabulary.pick import Latency, Pick, PickStatus
from rtpick.vocabulary.waveform import Gap, GapCause, Packet, RejectCause, Rejection

T0_NS = 1_274_977_471_800_000_000
NS = 1_000_000_000
UH1 = ChannelId("BW", "UH1", "", "SHZ")
PICK = Pick("p0", UH1, "P", T0_NS, 0.9, 0.05, 12.5, 8.0, 1.0, "m", PickStatus.FINAL, 2)
ORIGIN = Origin(T0_NS, 48.05, 11.64, 4.8, 0.1, 0.5, 1.0, False, 0.08, 120.0, 0.02)

LAYOUT = FiberLayout("north", 0, 4, 8.0, 100.0)
NUMBERS, TIMES = np.arange(2), np.full(2, T0_NS)
FIBER_PICKS = FiberPicks(
    "north", NUMBERS, np.array(["P", "S"]), TIMES, np.ones(2, np.float32), np.ones(2, np.float32)
)
FIBER_EVENT = FiberEvent(
    "e", "north", 0, EventStatus.NEW, T0_NS, 1.0, NUMBERS, FIBER_PICKS.phase_N, TIMES,
    np.zeros(2, np.float32), FiberCurve(NUMBERS, TIMES, TIMES),
)  # fmt: skip


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def metrics(registry: CollectorRegistry) -> Metrics:
    return Metrics(registry)


def make_packet(station: str = "UH1", start_ns: int = T0_NS) -> Packet:
    channel = ChannelId("BW", station, "", "SHZ")
    return Packet(channel, start_ns, 100.0, np.zeros(200), "ring", 1, received_ns=start_ns + 5 * NS)


def test_packets_and_the_age_of_data(registry: CollectorRegistry, metrics: Metrics) -> None:
    metrics.record_packet(make_packet(start_ns=T0_NS + 60 * NS))
    metrics.record_packet(make_packet())
    labels = {"network": "BW", "station": "UH1"}
    assert registry.get_sample_value("rtpick_packets_total", {**labels, "source": "ring"}) == 2
    assert registry.get_sample_value("rtpick_samples_total", {**labels, "source": "ring"}) == 400
    newest_s = registry.get_sample_value("rtpick_station_data_time_seconds", labels)
    assert newest_s == pytest.approx(T0_NS / NS + 62)
    assert registry.get_sample_value("rtpick_station_latency_seconds", labels) == pytest.approx(3.0)
    metrics.forget_stations([StationId("BW", "UH1")])
    assert registry.get_sample_value("rtpick_station_latency_seconds", labels) is None


def test_rejections_and_gaps_by_cause(registry: CollectorRegistry, metrics: Metrics) -> None:
    metrics.record_rejection(Rejection(UH1, RejectCause.SPIKE, 30))
    metrics.record_rejection(Rejection(None, RejectCause.OVERLOAD, 100))
    metrics.record_gap(Gap(UH1, T0_NS, T0_NS + 3 * NS, GapCause.CORRUPT))
    assert registry.get_sample_value("rtpick_rejected_packets_total", {"cause": "spike"}) == 1
    assert registry.get_sample_value("rtpick_rejected_samples_total", {"cause": "spike"}) == 30
    assert registry.get_sample_value("rtpick_overload_dropped_total") == 1
    labels = {"network": "BW", "station": "UH1", "cause": "corrupt"}
    assert registry.get_sample_value("rtpick_gaps_total", labels) == 1
    assert registry.get_sample_value("rtpick_gap_seconds_total", labels) == 3.0


def test_a_source_is_in_one_state(registry: CollectorRegistry, metrics: Metrics) -> None:
    for state in ("connecting", "connected", "disconnected", "connected"):
        metrics.record_source_state("ring", state)
    states = {
        state: registry.get_sample_value("rtpick_source_state", {"source": "ring", "state": state})
        for state in ("connecting", "connected", "disconnected")
    }
    assert states == {"connecting": 0, "connected": 1, "disconnected": 0}
    assert registry.get_sample_value("rtpick_source_reconnects_total", {"source": "ring"}) == 1


def test_picks_events_and_latency(registry: CollectorRegistry, metrics: Metrics) -> None:
    event = Event("e1", 4, EventStatus.FINAL, ORIGIN, ())
    metrics.record_pick(PICK)
    metrics.record_pick(dataclasses.replace(PICK, status=PickStatus.PRELIMINARY))
    metrics.record_event(event)
    metrics.record_pick_latency(Latency(9.0, 1.0, 0.5, 0.25), 0.125)
    labels = {"phase": "P", "status": "final"}
    assert registry.get_sample_value("rtpick_picks_total", labels) == 1
    assert registry.get_sample_value("rtpick_pick_revisions_sum") == 2
    assert registry.get_sample_value("rtpick_event_revisions_sum") == 4
    sums = {
        stage: registry.get_sample_value("rtpick_stage_latency_seconds_sum", {"stage": stage})
        for stage in ("network", "buffer", "batch", "compute", "publish", "total")
    }
    assert sums == {
        "network": 9.0, "buffer": 1.0, "batch": 0.5, "compute": 0.25, "publish": 0.125, "total": 1.875,
    }  # fmt: skip


def test_the_model_in_use_is_one(registry: CollectorRegistry, metrics: Metrics) -> None:
    metrics.record_model("old-1")
    metrics.record_model("new-2")
    assert registry.get_sample_value("rtpick_model_info", {"model_version": "old-1"}) is None
    assert registry.get_sample_value("rtpick_model_info", {"model_version": "new-2"}) == 1


def test_invented_stations_do_not_fill_the_memory(
    registry: CollectorRegistry, metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics_module, "MAXIMUM_STATIONS", 3)
    for number in range(10):
        metrics.record_packet(make_packet(f"X{number}"))
    labels = {"network": "other", "station": "other", "source": "ring"}
    assert registry.get_sample_value("rtpick_packets_total", labels) == 7
    assert generate_latest(registry).decode().count("rtpick_packets_total{") == 4


def test_every_metric_can_be_recorded(registry: CollectorRegistry, metrics: Metrics) -> None:
    """What the catalogue promises, some method delivers."""
    metrics.record_packet(make_packet())
    metrics.record_rejection(Rejection(UH1, RejectCause.OVERLOAD, 30))
    metrics.record_gap(Gap(UH1, T0_NS, T0_NS + NS, GapCause.CORRUPT))
    metrics.record_source_state("ring", "disconnected")
    metrics.record_source_incident("ring", "ring_reset")
    metrics.record_silent_channels("ring", 2)
    metrics.record_batch(7)
    metrics.record_pick(PICK)
    metrics.record_set_aside("late", 2)
    metrics.record_event(Event("e1", 4, EventStatus.FINAL, ORIGIN, ()))
    metrics.record_stage("associate", 0.1)
    metrics.record_block(DasBlock(LAYOUT, T0_NS, np.ones((4, 200)), received_ns=T0_NS + 3 * NS))
    metrics.record_fiber_gap(FiberGap("north", T0_NS, T0_NS + NS, GapCause.OVERLOAD, 400, 1))
    metrics.record_fiber_rejection(FiberRejection("north", FiberRejectCause.CORRUPT))
    metrics.record_fiber_picks(FIBER_PICKS, T0_NS + 2 * NS)
    metrics.record_fiber_settled(FiberProgress("ring", "north", T0_NS))
    metrics.record_fiber_event(FIBER_EVENT)
    metrics.record_tiles(4, 0.1)
    metrics.record_waiting_tiles(3)
    metrics.record_commit(0.01)
    metrics.record_commit_failure("full")
    metrics.record_pruned("pick", 7)
    metrics.record_publish_failure("csv")
    metrics.record_waiting("csv", 3)
    metrics.record_given_up("csv", 2)
    metrics.record_queue("ingest->pick", 3, 100)
    metrics.record_beat("pick", 0.5)
    metrics.record_model("m-1")
    metrics.record_version("0.1")
    moved = {sample.name for family in registry.collect() for sample in family.samples if sample.value != 0}
    suffix = {Kind.HISTOGRAM: "_count", Kind.COUNTER: "", Kind.GAUGE: ""}
    expected = {family.name + suffix[family.kind] for family in CATALOGUE}
    assert expected - moved == set()
    assert registry.get_sample_value("process_start_time_seconds") is not None


def test_names_follow_the_rule() -> None:
    units = ("seconds", "items", "windows", "tiles", "state", "info", "revisions", "channels")
    for family in CATALOGUE:
        if family.kind is Kind.COUNTER:
            assert family.name.endswith("_total")
        else:
            assert family.name.endswith(units)
        assert set(family.labels) <= {
            "network", "station", "stage", "cause", "source", "phase", "status", "state", "edge", "worker",
            "model_version", "version", "sink", "table", "fiber",
        }  # fmt: skip
        assert f"`{family.name}`" in manual_page()
