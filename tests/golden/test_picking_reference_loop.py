"""The batched, stitched, tracked picks against the simplest loop there is, on recorded earthquakes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rtpick.buffer.stage import Buffer
from rtpick.ingest.archive_replay import index_archive, iterate_packets
from rtpick.networks import load_network
from rtpick.picking.engine import Engine
from rtpick.picking.picker import Picker
from rtpick.picking.trigger import find_peaks
from rtpick.settings.schema import BufferSettings, EngineSettings, PickingSettings
from rtpick.vocabulary.errors import SettingsError
from rtpick.vocabulary.inventory import Inventory
from rtpick.vocabulary.pick import Pick, PickStatus
from rtpick.vocabulary.time import SampleGrid, parse_utc
from rtpick.vocabulary.waveform import Packet

NOW_NS = 2**62
RECORDING = "continuous/unterhaching_bw_20100527/waveforms"
THRESHOLD = 0.2
STRIDE = 256
GUARD = 50


@pytest.fixture(scope="module")
def network(shared):
    return load_network(shared / "data" / "weights" / "phasenet_ncedc_2019.safetensors")


@pytest.fixture(scope="module")
def packets(shared):
    items = list(iterate_packets(index_archive([shared / "data" / RECORDING])))
    assert all(isinstance(item, Packet) for item in items)
    return items


@pytest.fixture(scope="module")
def reference(network, packets):
    """One window at a time through the network, added up sample by sample, peaks of the whole curve."""
    buffer = Buffer(
        BufferSettings(),
        component_order=network.component_order,
        sampling_rate_hz=100.0,
        window_samples=3000,
        stride_samples=STRIDE,
    )
    for packet in packets:
        buffer.add(packet, NOW_NS)
    sums: dict = {}
    for window in buffer.flush():
        prob_PT = _forward(network, window.samples_CT)
        usable_T = _usable(window.samples_CT)
        table = sums.setdefault(window.instrument, (window.phase_ns, {}))[1]
        for t in np.flatnonzero(usable_T):
            total_P, count = table.get(window.start_index + int(t), (np.zeros(2, np.float32), 0))
            table[window.start_index + int(t)] = (total_P + prob_PT[:, t], count + 1)
    return sorted(pick for name, (phase_ns, table) in sums.items() for pick in _peaks(name, phase_ns, table))


def _forward(network, samples_CT):
    # One thread: on a busy machine several wait for one another on so small a task.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.inference_mode():
        prob_PT = network(torch.from_numpy(samples_CT)[None])[0].numpy()[1:]
    torch.set_num_threads(threads)
    return prob_PT


def _usable(samples_CT):
    """Samples with data that are not within half a second of where a component's data begin or end."""
    valid_CT = ~np.isnan(samples_CT)
    usable_T = valid_CT.any(axis=0)
    for row_T in valid_CT:
        for edge in range(1, len(row_T)):
            if row_T[edge] != row_T[edge - 1]:
                usable_T[max(edge - GUARD, 0) : edge + GUARD] = False
    return usable_T


def _peaks(instrument, phase_ns, table):
    first, last = min(table), max(table)
    curve_PT = np.full((2, last - first + 1), np.nan, np.float32)
    for index, (total_P, count) in table.items():
        curve_PT[:, index - first] = total_P / count
    grid = SampleGrid(100.0)
    for phase, prob_T in zip("PS", curve_PT, strict=True):
        for place in find_peaks(prob_T, THRESHOLD, 50):
            yield str(instrument), phase, grid.time_ns(first + int(place)) + phase_ns, float(prob_T[place])


def _finals(network, packets, engine_settings, batch_size=32):
    settings = engine_settings.model_copy(update={"batch_size": batch_size})
    picking = PickingSettings(p_threshold=THRESHOLD, s_threshold=THRESHOLD, stride_samples=STRIDE)
    picker = Picker(picking, BufferSettings(), Engine(network, settings), inventory=Inventory())
    outputs = []
    for packet in packets:
        picker.add(packet, NOW_NS)
        outputs += picker.step(NOW_NS)
    outputs += picker.flush(NOW_NS)
    finals = [item for item in outputs if isinstance(item, Pick) and item.status is PickStatus.FINAL]
    return sorted((str(p.channel.instrument_id), p.phase_hint, p.time_ns, p.probability) for p in finals)


@pytest.mark.parametrize("backend", ["torch", "openvino"])
def test_batches_and_stitching_give_what_the_simple_loop_gives(network, packets, reference, backend):
    if backend == "openvino":
        pytest.importorskip("openvino")
    found = _finals(network, packets, EngineSettings(backend=backend, device="cpu", precision="float32"))
    assert [pick[:3] for pick in found] == [pick[:3] for pick in reference]
    assert [pick[3] for pick in found] == pytest.approx([pick[3] for pick in reference], abs=2e-6)


def test_the_default_backend_picks_the_same_samples_in_float32(network, packets, reference):
    found = _finals(network, packets, EngineSettings(device="cpu", precision="float32"))
    assert [pick[:3] for pick in found] == [pick[:3] for pick in reference]


@pytest.mark.hardware
def test_bfloat16_keeps_the_clear_picks(network, packets, reference):
    """Within three samples and 0.03, where the probability is at least a half."""
    pytest.importorskip("openvino")
    try:
        found = _finals(network, packets, EngineSettings(backend="openvino", precision="bfloat16"))
    except SettingsError:
        pytest.skip("this processor does not compute in bfloat16")
    clear = [pick for pick in reference if pick[3] >= 0.5]
    assert clear
    for name, phase, time_ns, probability in clear:
        near = [p for p in found if p[:2] == (name, phase) and abs(p[2] - time_ns) <= 30_000_001]
        assert [p[3] for p in near] == pytest.approx([probability], abs=0.03)


def test_the_batch_size_does_not_change_a_bit(network, packets):
    settings = EngineSettings(device="cpu")
    assert _finals(network, packets, settings, 1) == _finals(network, packets, settings, 100)


def test_the_two_events_are_picked_at_every_station(network, packets):
    found = _finals(network, packets, EngineSettings(device="cpu"))

    def count(phase, start, end):
        inside = [p for p in found if p[1] == phase and parse_utc(start) <= p[2] < parse_utc(end)]
        assert len({name for name, *_ in inside}) == len(inside)
        return len(inside)

    assert count("P", "2010-05-27T16:24:32", "2010-05-27T16:24:35") == 4
    assert count("S", "2010-05-27T16:24:33", "2010-05-27T16:24:37") >= 3
    assert count("P", "2010-05-27T16:27:30", "2010-05-27T16:27:32") >= 3
    assert count("S", "2010-05-27T16:27:31", "2010-05-27T16:27:34") >= 2
