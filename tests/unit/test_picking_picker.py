from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from rtpick.picking.picker import Picker
from rtpick.settings.schema import BufferSettings, PickingSettings, StationThresholds
from rtpick.vocabulary.codes import ChannelId, StationId
from rtpick.vocabulary.inventory import Channel, Inventory, Station
from rtpick.vocabulary.pick import Pick, PickStatus
from rtpick.vocabulary.time import NS_PER_S
from rtpick.vocabulary.waveform import Clip, Gap, GapCause, Packet

RATE_HZ = 100.0
START_NS = 1_700_000_000 * NS_PER_S
NOW_NS = 2**62
ONSETS_S = (40.0, 80.0)


@dataclass
class SpikeEngine:
    """P where the vertical jumps, S where the horizontals do, with the usual shape."""

    window_samples: int = 3000
    sampling_rate_hz: float = RATE_HZ
    component_order: str = "ENZ"
    phases: tuple[str, ...] = ("P", "S")
    blinding: tuple[int, int] = (0, 0)
    model_version: str = "spikes"
    batch_size: int = 16
    batch_age_ns: int = 0

    def start(self, wave_BCT):
        prob_BPT = self.infer(wave_BCT)
        return lambda: prob_BPT

    def infer(self, wave_BCT):
        steps_BCT = np.abs(np.diff(np.nan_to_num(wave_BCT), axis=2, prepend=0.0))
        steps_BCT[:, :, 0] = 0
        heights_BPT = np.stack([steps_BCT[:, 2], steps_BCT[:, 0]], axis=1) / 1000
        shape_T = np.exp(-(np.arange(-20, 21) ** 2) / 72)
        prob = np.apply_along_axis(np.convolve, 2, np.minimum(heights_BPT, 1), shape_T, "same")
        return np.clip(prob, 0, 1).astype(np.float32)


def make_picker(inventory=None, buffer=None, **changes):
    settings = PickingSettings(**changes), buffer or BufferSettings()
    return Picker(*settings, SpikeEngine(), inventory=inventory or Inventory())


def make_packets(station="S1", components="ZNE", seconds=150, height=900.0, missing_s=()):
    """One-second packets; at the onsets the vertical, and two seconds later the horizontals, ring."""
    count = int(seconds * RATE_HZ)
    t_T = np.arange(count) / RATE_HZ
    packets = []
    rng = np.random.default_rng(7)
    traces = {}
    for component in components:
        delay_s = 0.0 if component == "Z" else 2.0
        samples_T = rng.normal(0, 2, count)
        for onset_s in ONSETS_S:
            tail_T = t_T - onset_s - delay_s
            samples_T += height * (tail_T >= -1e-9) * np.exp(-np.clip(tail_T, 0, None) / 2)
        traces[component] = np.round(samples_T).astype(np.int32)
    for second in range(seconds):
        for component, samples_T in traces.items():
            if any(a <= second < b for a, b in missing_s):
                continue
            channel = ChannelId("XX", station, "", f"HH{component}")
            part = samples_T[second * 100 : second * 100 + 100]
            packets.append(Packet(channel, START_NS + second * NS_PER_S, RATE_HZ, part, "src", second, 0))
    return packets


def run(picker, packets, flush=True):
    outputs = []
    for packet in packets:
        picker.add(packet, NOW_NS)
        outputs += picker.step(NOW_NS)
    return outputs + (picker.flush(NOW_NS) if flush else [])


def finals(outputs):
    return [item for item in outputs if isinstance(item, Pick) and item.status is PickStatus.FINAL]


def onset_s(pick):
    return (pick.time_ns - START_NS) / NS_PER_S


def test_p_and_s_are_reported_with_what_the_samples_say():
    picks = finals(run(make_picker(), make_packets()))
    assert [(pick.phase_hint, onset_s(pick)) for pick in picks] == [
        ("P", 40.0),
        ("S", 42.0),
        ("P", 80.0),
        ("S", 82.0),
    ]
    first_p, first_s = picks[:2]
    assert str(first_p.channel) == "XX.S1..HHZ"
    assert str(first_s.channel) in ("XX.S1..HHN", "XX.S1..HHE")
    assert first_p.amplitude == pytest.approx(900, abs=10)
    assert first_p.amplitude_unit == "counts"
    assert first_p.snr > 100
    assert first_p.uncertainty_s == pytest.approx(0.06, abs=0.01)
    assert first_p.coverage == 1.0
    assert first_p.model_version == "spikes"


def test_a_pick_is_preliminary_half_a_second_after_its_onset_and_keeps_its_name():
    picker, seen = make_picker(stride_samples=32), []
    for packet in make_packets(seconds=100):
        picker.add(packet, NOW_NS)
        for item in picker.step(NOW_NS):
            if isinstance(item, Pick) and item.phase_hint == "P" and onset_s(item) == 40.0:
                seen.append((item, (packet.end_ns - START_NS) / NS_PER_S))
    statuses = [pick.status for pick, _ in seen]
    assert statuses[0] is PickStatus.PRELIMINARY
    assert statuses[-1] is PickStatus.FINAL
    assert len({pick.pick_id for pick, _ in seen}) == 1
    assert [pick.revision for pick, _ in seen] == list(range(len(seen)))
    assert 40.5 <= seen[0][1] <= 47.0
    assert 70.0 <= seen[-1][1] <= 80.0


def test_each_final_pick_has_its_clip_right_behind_it():
    outputs = run(make_picker(clip_before_s=4, clip_after_s=6), make_packets())
    for place, item in enumerate(outputs):
        if isinstance(item, Pick) and item.status is PickStatus.FINAL:
            clip = outputs[place + 1]
            assert isinstance(clip, Clip)
            assert clip.pick_id == item.pick_id
            assert clip.start_ns == item.time_ns - 4 * NS_PER_S
            assert clip.samples_CT.shape == (3, 1000)
            assert np.isfinite(clip.samples_CT).all()


def test_a_vertical_only_station_says_so():
    picks = finals(run(make_picker(), make_packets(components="Z")))
    assert [pick.phase_hint for pick in picks] == ["P", "P"]
    assert all(pick.coverage == pytest.approx(1 / 3) for pick in picks)


def test_amplitudes_are_velocities_where_the_inventory_knows_all_sensitivities():
    codes = [ChannelId("XX", "S1", "", f"HH{component}") for component in "ZNE"]
    channels = tuple(Channel(code, RATE_HZ, sensitivity=1e9, input_unit="M/S") for code in codes)
    station = StationId("XX", "S1")
    known = Inventory({station: Station(station, 0.0, 0.0, channels=channels)})
    partly = Inventory({station: Station(station, 0.0, 0.0, channels=channels[:1])})
    in_velocity = finals(run(make_picker(known), make_packets()))[0]
    in_counts = finals(run(make_picker(partly), make_packets()))[0]
    assert in_velocity.amplitude_unit == "m/s"
    assert in_velocity.amplitude == pytest.approx(in_counts.amplitude * 1e-9)
    assert in_counts.amplitude_unit == "counts"


def test_thresholds_of_a_station_come_before_those_of_the_network():
    own = {"XX.S1": StationThresholds(p=0.95)}
    picks = finals(run(make_picker(station_thresholds=own), make_packets()))
    assert [pick.phase_hint for pick in picks] == ["S", "S"]
    other = finals(run(make_picker(station_thresholds=own), make_packets(station="S2")))
    assert [pick.phase_hint for pick in other] == ["P", "S", "P", "S"]


def test_new_thresholds_apply_to_what_comes_next():
    picker = make_picker()
    packets = make_packets()
    outputs = run(picker, packets[: 3 * 75], flush=False)
    picker.retune(PickingSettings(p_threshold=0.99))
    picks = finals(outputs + run(picker, packets[3 * 75 :]))
    assert [(pick.phase_hint, onset_s(pick)) for pick in picks] == [("P", 40.0), ("S", 42.0), ("S", 82.0)]


def test_a_gap_spoils_only_its_surroundings():
    packets = make_packets(missing_s=[(60, 64)])
    picks = finals(run(make_picker(), packets))
    assert [onset_s(pick) for pick in picks] == [40.0, 42.0, 80.0, 82.0]


def test_the_steps_at_the_edges_of_a_gap_are_not_picked():
    packets = [
        Packet(p.channel, p.start_ns, RATE_HZ, p.samples + np.int32(5000), "src", p.sequence, 0)
        for p in make_packets(missing_s=[(60, 64)], height=0.0)
    ]
    assert finals(run(make_picker(), packets)) == []


def test_the_oldest_windows_are_dropped_and_told_when_too_many_wait():
    rings = BufferSettings(length_s=600.0)  # long enough that they do not press
    picker = make_picker(buffer=rings, waiting_windows=256, stride_samples=32)
    notes = [note for packet in make_packets(seconds=150) for note in picker.add(packet, NOW_NS)]
    gaps = [note for note in notes if isinstance(note, Gap) and note.cause is GapCause.OVERLOAD]
    assert picker.waiting_count == 256
    assert gaps
    assert all(gap.end_ns - gap.start_ns == 320_000_000 for gap in gaps)
    assert [gap.start_ns for gap in gaps] == sorted(gap.start_ns for gap in gaps)
    assert onset_s(finals(picker.flush(NOW_NS))[-1]) == 82.0


def test_windows_wait_for_a_batch_or_for_their_age():
    picker = make_picker()
    picker.engine.batch_age_ns, picker.engine.batch_size = NS_PER_S, 64
    packets = make_packets(seconds=70)
    for packet in packets:
        picker.add(packet, NOW_NS)
    waiting = picker.waiting_count
    assert 0 < waiting < 64
    assert picker.step(NOW_NS + NS_PER_S - 1) == []
    assert picker.waiting_count == waiting
    assert any(isinstance(item, Pick) for item in picker.step(NOW_NS + NS_PER_S))
    assert picker.waiting_count == 0


def test_an_instrument_that_falls_silent_is_ended_while_others_go_on():
    buffer = BufferSettings(station_silence_s=60)
    dead = make_packets(station="DEAD", seconds=44)
    alive = make_packets(station="LIVE", seconds=290)
    picker = make_picker(buffer=buffer)
    merged = sorted(dead + alive, key=lambda packet: packet.end_ns)
    outputs = run(picker, merged, flush=False)
    ended = [pick for pick in finals(outputs) if pick.channel.station == "DEAD"]
    assert [(pick.phase_hint, onset_s(pick)) for pick in ended] == [("P", 40.0), ("S", 42.0)]


def test_latency_is_split_into_stages():
    picker = make_picker()
    picker.engine.batch_age_ns = 0
    stamps = []
    for packet in make_packets(seconds=60):
        received_ns = packet.end_ns + 2 * NS_PER_S
        fresh = Packet(
            packet.channel, packet.start_ns, RATE_HZ, packet.samples, "src", packet.sequence, received_ns
        )
        picker.add(fresh, received_ns + NS_PER_S)
        stamps += [i for i in picker.step(received_ns + 3 * NS_PER_S) if isinstance(i, Pick)]
    latency = stamps[0].latency
    assert 2.0 <= latency.network_s <= 4.0
    assert latency.buffer_s == pytest.approx(1.0)
    assert latency.batch_s == pytest.approx(2.0)
