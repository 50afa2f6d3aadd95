"""From packets to picks: cutting, batching, doubling and stopping never show in what comes out.

The network is replaced by arithmetic on the samples, so that curves depend on every sample of a window and
on the window's place, as a real network's do.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rtpick.picking.picker import Picker
from rtpick.settings.schema import BufferSettings, PickingSettings
from rtpick.vocabulary.codes import ChannelId
from rtpick.vocabulary.inventory import Inventory
from rtpick.vocabulary.pick import Latency, Pick, PickStatus
from rtpick.vocabulary.waveform import Clip, Packet, Progress

RATE_HZ = 20.0
START_NS = 1_700_000_003_017_000_000
NOW_NS = 2**62
PICKING = PickingSettings(
    stride_samples=32,
    p_threshold=0.5,
    s_threshold=0.5,
    progress_interval_s=2.0,
    clip_before_s=3,
    clip_after_s=4,
)
BUFFER = BufferSettings(reorder_budget_s=2.0, component_wait_s=2.0)


@dataclass
class ArithmeticEngine:
    """Probabilities from the samples' own variation, uneven from window to window."""

    window_samples: int = 200
    sampling_rate_hz: float = RATE_HZ
    component_order: str = "ENZ"
    phases: tuple[str, ...] = ("P", "S")
    blinding: tuple[int, int] = (0, 0)
    model_version: str = "arithmetic"
    batch_size: int = 8
    batch_age_ns: int = 0

    def start(self, wave_BCT):
        prob_BPT = self.infer(wave_BCT)
        return lambda: prob_BPT

    def infer(self, wave_BCT):
        filled = np.nan_to_num(wave_BCT, nan=0.0)
        height_BT = np.abs(np.diff(filled[:, 2], axis=1, prepend=0.0))
        wide_BT = np.abs(np.diff(filled[:, 0] + filled[:, 1], axis=1, prepend=0.0))
        scale_B1 = 0.6 + 0.4 * np.abs(np.sin(filled[:, 2].sum(axis=1, keepdims=True)))
        prob_BPT = np.stack([height_BT * scale_B1, wide_BT * scale_B1], axis=1)
        return np.clip(prob_BPT, 0, 1).astype(np.float32)


def _recording(seed: int, seconds: int, stations: int):
    """Quiet traces with steps here and there; three components, or one."""
    rng = np.random.default_rng(seed)
    count = int(seconds * RATE_HZ)
    traces = {}
    for number in range(stations):
        for component in "ZNE" if number % 2 == 0 else "Z":
            steps_T = (rng.random(count) < 0.02) * rng.choice([0.55, 0.7, 0.9], count)
            noise_T = rng.normal(0, 0.02, count)
            channel = ChannelId("XX", f"S{number}", "", f"HH{component}")
            traces[channel] = (steps_T + noise_T).astype(np.float32)
    return traces


def _packets(traces, lengths, holes=()):
    """Cut every trace into packets and merge them by their ends; number them by station."""
    packets = []
    for place, (channel, samples_T) in enumerate(traces.items()):
        start, turn = 0, place
        while start < len(samples_T):
            length = lengths[turn % len(lengths)]
            packets.append((start + length, place, channel, start, samples_T[start : start + length]))
            start, turn = start + length, turn + 1
    packets.sort(key=lambda item: item[:2])
    sequences = dict.fromkeys({channel.station_id for channel in traces}, 0)
    numbered = []
    for index, (_, _, channel, start, samples_T) in enumerate(packets):
        if index in holes:
            continue
        sequences[channel.station_id] += 1
        start_ns = START_NS + round(start * 1e9 / RATE_HZ)
        sequence = sequences[channel.station_id]
        numbered.append(Packet(channel, start_ns, RATE_HZ, samples_T, "src", sequence, 0))
    return numbered


def _picker(batch_size=8, progress=()):
    engine = ArithmeticEngine(batch_size=batch_size)
    return Picker(PICKING, BUFFER, engine, inventory=Inventory(), progress=progress)


def _run(picker, packets, every=1, end=True):
    outputs = []
    for number, packet in enumerate(packets):
        picker.add(packet, NOW_NS)
        if number % every == 0:
            outputs += picker.step(NOW_NS)
    return outputs + (picker.flush(NOW_NS) if end else [])


def _picks(outputs, *statuses):
    picks = [item for item in outputs if isinstance(item, Pick) and (not statuses or item.status in statuses)]
    return sorted(
        (replace(pick, latency=Latency()) for pick in picks), key=lambda p: (p.time_ns, p.pick_id, p.revision)
    )


def _clips(outputs):
    return {
        clip.pick_id: (clip.start_ns, clip.samples_CT.tobytes()) for clip in outputs if isinstance(clip, Clip)
    }


lengths = st.lists(st.integers(5, 90), min_size=1, max_size=4)


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 999),
    cut=lengths,
    batch_size=st.integers(1, 40),
    every=st.integers(1, 30),
    doubled=st.integers(2, 9),
)
def test_cutting_batching_and_doubling_never_show(seed, cut, batch_size, every, doubled):
    traces = _recording(seed, 90, 3)
    plain = _run(_picker(), _packets(traces, [40]))
    cut_packets = enumerate(_packets(traces, cut))
    packets = [packet for n, packet in cut_packets for _ in range(1 + (n % doubled == 0))]
    other = _run(_picker(batch_size), packets, every)
    assert len(_picks(plain, PickStatus.FINAL)) > 0
    assert _picks(other) == _picks(plain)
    assert _clips(other) == _clips(plain)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 999),
    cut=lengths,
    stop=st.floats(0.1, 0.99),
    every=st.integers(1, 12),
    holes=st.frozensets(st.integers(20, 200), max_size=12),
)
# A component that lags by more than is waited for, and comes before its instrument's windows are inferred.
@example(seed=0, cut=[81], stop=0.5, every=3, holes=frozenset({20, 21, 23}))
def test_a_stop_at_any_point_loses_nothing_and_doubles_nothing(seed, cut, stop, every, holes):
    packets = _packets(_recording(seed, 120, 3), cut, holes)
    whole = _run(_picker(), packets)
    stopped_at = int(len(packets) * stop)
    before = _run(_picker(), packets[:stopped_at], every, end=False)
    committed = {item.station: item for item in before if isinstance(item, Progress)}
    done = _committed(before)
    after = _run(_picker(progress=tuple(committed.values())), _redelivered(packets, committed))
    finals = _picks(whole, PickStatus.FINAL)
    union = {pick.pick_id: pick for pick in _picks(done + after, PickStatus.FINAL)}
    assert sorted(union.values(), key=lambda p: (p.time_ns, p.pick_id)) == finals
    settled_ns = {station: item.settled_ns for station, item in committed.items()}
    repeated = [p for p in _picks(after) if p.time_ns < settled_ns.get(p.station_id, 0)]
    assert repeated == []
    assert {pick_id: clip for pick_id, clip in (_clips(done) | _clips(after)).items()} == _clips(whole)


def test_windows_that_wait_for_a_batch_are_inferred_before_the_rings_forget_them():
    packets = _packets(_recording(1, 1500, 1), [40])
    patient = ArithmeticEngine(batch_size=4096, batch_age_ns=10**15)
    other = _run(Picker(PICKING, BUFFER, patient, inventory=Inventory()), packets)
    plain = _run(_picker(), packets)
    assert len(_picks(plain, PickStatus.FINAL)) > 0
    assert _picks(other, PickStatus.FINAL) == _picks(plain, PickStatus.FINAL)
    assert _clips(other) == _clips(plain)


def test_the_end_of_a_stream_drops_nothing():
    packets = _packets(_recording(2, 90, 3), [5])  # each completes two windows at most, the end 15
    few = PICKING.model_copy(update={"waiting_windows": 2})
    patient = ArithmeticEngine(batch_size=1, batch_age_ns=0)
    ended = _run(Picker(few, BUFFER, patient, inventory=Inventory()), packets)
    assert _picks(ended, PickStatus.FINAL) == _picks(_run(_picker(), packets), PickStatus.FINAL)


def _committed(outputs):
    """What a crash leaves on disk: all up to the last progress."""
    last = max((n for n, item in enumerate(outputs) if isinstance(item, Progress)), default=-1)
    return outputs[: last + 1]


def _redelivered(packets, committed):
    """The source resumes each station behind the sequence of its progress."""
    known = {station: item.sequence for station, item in committed.items()}
    return [p for p in packets if (p.sequence or 0) > known.get(p.channel.station_id, 0)]


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 999), cut=lengths)
def test_progress_only_moves_forward_and_stays_within_reach(seed, cut):
    outputs = _run(_picker(), _packets(_recording(seed, 120, 2), cut))
    last: dict = {}
    for item in outputs:
        if isinstance(item, Progress):
            before = last.get(item.station)
            assert before is None or (item.sequence, item.settled_ns) >= (before.sequence, before.settled_ns)
            assert item.packet_start_ns < item.settled_ns
            last[item.station] = item
    end_ns = START_NS + 120 * 10**9
    assert len(last) == 2
    assert all(end_ns - item.packet_start_ns < 40 * 10**9 for item in last.values())
