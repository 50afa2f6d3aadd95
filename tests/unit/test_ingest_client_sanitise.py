"""What cannot be is set aside by cause; what only looks wild, as earthquakes do, passes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rtpick.ingest.miniseed import UnusableRecordError, decode_record, iterate_records, read_records
from rtpick.ingest.sanitise import SanitiseLimits, sanitise_packet
from rtpick.vocabulary.codes import ChannelId
from rtpick.vocabulary.time import NS_PER_S, parse_utc
from rtpick.vocabulary.waveform import Packet, RejectCause, Rejection

NOW_NS = parse_utc("2026-11-21T12:00:00Z")
DAY_NS = 86_400 * NS_PER_S


def packet_of(samples, dtype=np.int32, **changes) -> Packet:
    packet = Packet(ChannelId.parse("BW.UH1..SHZ"), NOW_NS - 10 * NS_PER_S, 100.0, np.array(samples, dtype))
    return replace(packet, **changes)


def cause_of(packet: Packet) -> RejectCause | None:
    before = packet.samples.copy()
    judged = sanitise_packet(packet, NOW_NS)
    np.testing.assert_array_equal(packet.samples, before)
    if isinstance(judged, Rejection):
        assert judged.channel == packet.channel
        assert judged.sample_count == len(packet.samples)
        return judged.cause
    assert judged is packet
    return None


def test_an_ordinary_packet_passes_as_it_is():
    assert cause_of(packet_of(range(100))) is None


@pytest.mark.parametrize("rate_hz", [0.001, 1e6])
def test_impossible_rates(rate_hz):
    assert cause_of(packet_of(range(100), sampling_rate_hz=rate_hz)) is RejectCause.RATE


@pytest.mark.parametrize(
    "start_ns", [-1, parse_utc("1900-01-01"), NOW_NS + 2 * DAY_NS, parse_utc("2199-12-31")]
)
def test_impossible_dates(start_ns):
    assert cause_of(packet_of(range(100), start_ns=start_ns)) is RejectCause.DATE


@pytest.mark.parametrize("start_ns", [0, parse_utc("2010-05-27"), NOW_NS + 3600 * NS_PER_S])
def test_old_data_and_clocks_somewhat_ahead_are_left_to_the_buffer(start_ns):
    assert cause_of(packet_of(range(100), start_ns=start_ns)) is None


def test_limits_are_the_callers():
    limits = SanitiseLimits(maximum_rate_hz=50.0)
    assert isinstance(sanitise_packet(packet_of(range(9)), NOW_NS, limits), Rejection)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_corrupt(value):
    assert cause_of(packet_of([0, 1, value, 2, 1, 0], np.float32)) is RejectCause.CORRUPT


def test_no_samples_are_corrupt():
    assert cause_of(packet_of([])) is RejectCause.CORRUPT


@pytest.mark.parametrize("size", [2**25, 2**31 - 1, -(2**31)])
@pytest.mark.parametrize("shape", ["step", "spike"])
def test_a_lone_leap_beyond_the_digitiser_is_a_spike(size, shape):
    samples = np.arange(200, dtype=np.int64) % 11
    where = slice(100, None) if shape == "step" else slice(100, 101)
    samples[where] += size - 11 if size > 0 else size
    assert cause_of(packet_of(samples)) is RejectCause.SPIKE


def test_a_lone_leap_of_floats_is_a_spike():
    samples = np.sin(np.arange(200.0))
    samples[77] = 1e30
    assert cause_of(packet_of(samples, np.float32)) is RejectCause.SPIKE


@pytest.mark.parametrize("onset", [*range(0, 400, 13), *range(391, 400)])
def test_a_full_scale_onset_passes_wherever_it_lies(onset):
    random = np.random.default_rng(1)
    samples = random.normal(0, 20, 400)
    time = np.arange(400 - onset)
    samples[onset:] += 8e6 * np.sin(time * 0.9) * np.exp(-time / 200)  # to the rail of 24 bits
    assert cause_of(packet_of(samples)) is None


@pytest.mark.parametrize("samples", [[5] * 100, [0] * 50 + [1000] * 50, [2**23 - 1, -(2**23)] * 50, [7]])
def test_flat_calibrating_and_clipped_traces_pass(samples):
    assert cause_of(packet_of(samples)) is None


def test_no_packet_of_the_reference_recordings_is_rejected(shared: Path):
    files = sorted((shared / "data" / "continuous").glob("**/*.mseed"))
    assert len(files) > 80
    for path in files:
        for item in read_records(path.read_bytes(), source="file", received_ns=0):
            assert isinstance(item, Packet), f"{path.name}: {item}"
            judged = sanitise_packet(item, NOW_NS)
            assert judged is item, f"{path.name}: {judged}"


@pytest.mark.parametrize("flips", [1, 8])
def test_flipped_bits_of_real_records_are_noticed(shared: Path, flips):
    path = next((shared / "data" / "continuous").glob("ridgecrest*/**/*EHZ*.mseed"))
    records = list(iterate_records(path.read_bytes()))
    random = np.random.default_rng(flips)
    wrong = noticed = 0
    for _ in range(1500):
        record = records[random.integers(len(records))]
        assert isinstance(record, bytes)
        damaged = bytearray(record)
        for bit in random.integers(64 * 8, 512 * 8, flips):
            damaged[bit // 8] ^= 1 << (bit % 8)
        truth = decode_record(record, source="", sequence=None, received_ns=0).samples
        try:
            packet = decode_record(bytes(damaged), source="", sequence=None, received_ns=0)
        except UnusableRecordError:
            noticed += 1
            continue
        judged = sanitise_packet(packet, NOW_NS)
        is_same = len(packet.samples) == len(truth) and bool((packet.samples == truth).all())
        noticed += isinstance(judged, Rejection)
        wrong += isinstance(judged, Packet) and not is_same
    assert noticed > 1400
    assert wrong <= 0.005 * 1500
