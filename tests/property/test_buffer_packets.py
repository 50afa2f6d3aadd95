"""However the same samples are packed, doubled and (within the budget) ordered: the same windows."""

from __future__ import annotations

import random
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from rtpick.buffer.lock import fresh_lock, nominal_rate
from rtpick.buffer.resample import convert, design_conversion
from rtpick.buffer.stage import Buffer
from rtpick.settings.schema import BufferSettings
from rtpick.vocabulary.codes import ChannelId
from rtpick.vocabulary.waveform import Gap, Packet, RejectCause, Rejection, Window

START_NS = 1_500_000_000 * 10**9
NOW_NS = START_NS + 10**15
BUDGET_S = 4.0
LONGEST_PACKET_S = 2.0
SETTINGS = BufferSettings(
    length_s=90,
    reorder_budget_s=BUDGET_S,
    component_wait_s=1.0,
    station_silence_s=20.0,
    minimum_coverage=0.25,
)


@dataclass(frozen=True)
class Trace:
    """A channel's samples, and the spans of them that do not exist."""

    channel: ChannelId
    rate_hz: float
    start_ns: int
    count: int
    gaps: tuple[tuple[int, int], ...] = ()

    @property
    def exists(self) -> np.ndarray:
        """Which samples there are."""
        exists = np.ones(self.count, bool)
        for first, last in self.gaps:
            exists[first:last] = False
        return exists

    def packet(self, start: int, end: int) -> Packet:
        """Samples ``[start, end)``: the value of a sample tells its channel and index."""
        numbers = np.random.default_rng(ord(self.channel.component))
        values = numbers.integers(-(2**20), 2**20, self.count)
        start_ns = self.start_ns + round(start * 1e9 / self.rate_hz)
        return Packet(self.channel, start_ns, self.rate_hz, values[start:end].astype(np.int32))


def make_buffer(**changes) -> Buffer:
    geometry = {
        "component_order": "ENZ", "sampling_rate_hz": 20.0, "window_samples": 128, "stride_samples": 32
    }
    return Buffer(SETTINGS, **(geometry | changes))


@st.composite
def traces(draw) -> Trace:
    """A trace of 10..40 s with up to three gaps of up to 12 s, and perhaps an outage in its midst."""
    code = draw(st.sampled_from(["AA.S1..HH", "AA.S2..HH"])) + draw(st.sampled_from("ZNE"))
    rate_hz = draw(st.sampled_from([20.0, 20.0, 20.0, 10.0, 40.0, 25.0, 16.0, 50.0]))
    count = round(draw(st.integers(10, 40)) * rate_hz)
    starts = draw(st.lists(st.integers(0, count - 1), max_size=3))
    gaps = tuple((first, first + draw(st.integers(1, round(12 * rate_hz)))) for first in starts)
    if draw(st.integers(0, 3)) == 0:
        outage = round(draw(st.sampled_from([55, 62, 70, 300])) * rate_hz)
        gaps, count = (*gaps, (count // 2, count // 2 + outage)), count + outage
    offset_ns = draw(st.integers(-(10**9), 5 * 10**9))
    return Trace(ChannelId.parse(code), rate_hz, START_NS + offset_ns, count, gaps)


def cut(trace: Trace, chance: random.Random) -> list[Packet]:
    """Cut a trace into packets of up to `LONGEST_PACKET_S`, some of which overlap."""
    packets, start, longest = [], 0, round(LONGEST_PACKET_S * trace.rate_hz)
    exists = trace.exists
    while start < trace.count:
        if not exists[start]:
            start += 1
            continue
        end = start + 1
        while end < trace.count and exists[end] and end - start < longest:
            end += 1
        end = chance.randint(start + 1, end)
        back = chance.choice([0, 0, 0, 1, 5])
        first = start
        while back and first and exists[first - 1] and end - first < longest:
            first, back = first - 1, back - 1
        packets.append(trace.packet(first, end))
        start = end
    return packets


def shuffle(packets: list[Packet], chance: random.Random) -> list[Packet]:
    """Delay packets, each so little that it comes within the budget of its first sample."""
    slack_ns = round((BUDGET_S - LONGEST_PACKET_S) * 1e9)
    keyed = [(p.end_ns + chance.randint(0, slack_ns), order, p) for order, p in enumerate(packets)]
    again = [
        (key + chance.randint(0, 4 * slack_ns), order + len(packets), packet)
        for key, order, packet in keyed
        if chance.random() < 0.2
    ]
    return [packet for _, _, packet in sorted(keyed + again, key=lambda item: item[:2])]


def run(
    packets: list[Packet], buffer: Buffer, fetch_every: int = 1
) -> tuple[list[Window], list[Gap | Rejection]]:
    windows, notes = [], []
    for count, packet in enumerate(packets):
        notes += buffer.add(packet, NOW_NS)
        if count % fetch_every == 0:
            windows += buffer.complete_windows()
    return windows + buffer.flush(), notes


def content(windows: list[Window]) -> dict[str, list[tuple[int, int, float, bytes]]]:
    """What the windows of each instrument say, in their order."""
    told: dict[str, list[tuple[int, int, float, bytes]]] = {}
    for window in windows:
        said = (window.start_index, window.phase_ns, window.coverage, window.samples_CT.tobytes())
        told.setdefault(str(window.instrument), []).append(said)
    return told


networks = st.lists(traces(), min_size=1, max_size=5, unique_by=lambda trace: trace.channel)
seeds = st.integers(0, 2**32)


@settings(max_examples=100, deadline=None)
@given(networks, seeds, seeds)
def test_packing_order_and_doubling_are_invisible(network, one_seed, other_seed):
    outcomes = []
    for seed in (one_seed, other_seed):
        chance = random.Random(seed)
        packets = [packet for trace in network for packet in cut(trace, chance)]
        windows, notes = run(shuffle(packets, chance), make_buffer(), chance.randint(1, 20))
        assert not [note for note in notes if isinstance(note, Rejection) and note.cause is RejectCause.LATE]
        gaps = sorted((str(n.channel), n.start_ns, n.end_ns) for n in notes if isinstance(n, Gap))
        outcomes.append((content(windows), gaps))
    assert outcomes[0] == outcomes[1]


@settings(max_examples=60, deadline=None)
@given(networks, seeds, st.floats(0.1, 0.95))
def test_a_restart_at_the_needed_time_goes_on_as_if_never_stopped(network, seed, share):
    chance = random.Random(seed)
    packets = shuffle([packet for trace in network for packet in cut(trace, chance)], chance)
    stop = round(share * len(packets))
    whole = content(run(packets, make_buffer())[0])
    first = make_buffer()
    before = [window for packet in packets[:stop] for window in fed(first, packet)]
    heard = {packet.channel.instrument_id for packet in packets[:stop]}
    needed_ns = {instrument: first.needed_from_ns(instrument) for instrument in heard}
    again = [p for p in packets if p.end_ns > needed_ns.get(p.channel.instrument_id, 0)]
    after, _ = run(again, make_buffer(locks=first.locks()))
    done = {instrument: windows[-1][0] for instrument, windows in content(before).items()}
    rest = {name: [w for w in said if w[0] > done.get(name, 0)] for name, said in content(after).items()}
    for instrument, windows in whole.items():
        joined = content(before).get(instrument, []) + rest.get(instrument, [])
        assert joined == windows


def fed(buffer: Buffer, packet: Packet) -> list[Window]:
    buffer.add(packet, NOW_NS)
    return buffer.complete_windows()


@settings(max_examples=60, deadline=None)
@given(traces(), seeds)
def test_a_gap_spoils_the_samples_that_it_must_and_no_other(trace, seed):
    chance = random.Random(seed)
    rate = nominal_rate(trace.rate_hz, Fraction(20))
    packets = shuffle(cut(trace, chance), chance)
    windows, _ = run(packets, make_buffer())
    exact = expected_outputs(trace, rate)
    settled_after = BUDGET_S * 20
    for window in windows:
        row_T = window.samples_CT["ENZ".index(trace.channel.component)]
        ends = window.start_index + len(row_T)
        for offset, value in enumerate(row_T):
            wanted = exact.get(window.start_index + offset, np.nan)
            assert np.isnan(value) or value == wanted
            if ends - (window.start_index + offset) > settled_after:
                assert np.isnan(value) == np.isnan(wanted)


def expected_outputs(trace: Trace, rate: Fraction) -> dict[int, float]:
    """What the network's samples are, computed in one go from the trace."""
    lock = fresh_lock(rate, trace.start_ns)
    first = lock.index(trace.start_ns)
    samples_T = trace.packet(0, trace.count).samples.astype(np.float32)
    samples_T[~trace.exists] = np.nan
    if rate == 20:
        return dict(zip(range(first, first + trace.count), samples_T, strict=True))
    conversion = design_conversion(rate, Fraction(20))
    shift = round(lock.phase_ns * 20 / 10**9)
    start, end = conversion.outputs_touched(first, first + trace.count)
    low, high = conversion.inputs_needed(start, end)
    padded_T = np.full(high - low, np.nan, np.float32)
    padded_T[first - low : first - low + trace.count] = samples_T
    outputs_T = convert(conversion, padded_T, start, end)
    return dict(zip(range(start + shift, end + shift), outputs_T, strict=True))


@st.composite
def hostile_packets(draw) -> Packet:
    """A packet of one of two channels, with anything in it."""
    channel = ChannelId("AA", "S1", "", draw(st.sampled_from(["HHZ", "HHN", "HHQ", "", "HZ"])))
    near_ns = st.integers(START_NS, START_NS + 10**11)
    start_ns = draw(near_ns | near_ns | near_ns | st.integers(-(2**70), 2**70))
    rate_hz = draw(st.sampled_from([20.0] * 6 + [19.999, 40.0, 33.7, 0.0, -20.0, 1e9, np.nan, np.inf]))
    dtype = draw(st.sampled_from([np.int32, np.int32, np.float32, np.float64, np.complex128]))
    samples_T = np.arange(draw(st.sampled_from([0, 1, 3, 50, 100, 3000]))).astype(dtype)
    if dtype is np.float64 and len(samples_T):
        samples_T[0] = draw(st.sampled_from([np.nan, np.inf, -np.inf, 1e300]))
    return Packet(channel, start_ns, rate_hz, samples_T)


@settings(max_examples=100, deadline=None)
@given(st.lists(hostile_packets(), max_size=60))
def test_hostile_packets_never_raise_and_windows_stay_in_order(packets):
    buffer = make_buffer()
    windows = []
    for packet in packets:
        for note in buffer.add(packet, NOW_NS):
            assert isinstance(note, Gap) or note.sample_count >= 0
        windows += buffer.complete_windows()
    windows += buffer.flush()
    starts = [window.start_index for window in windows]
    assert starts == sorted(set(starts))
    assert all(start % 32 == 0 for start in starts)
    assert all(0 < window.coverage <= 1 and not np.isinf(window.samples_CT).any() for window in windows)
