"""What the buffer does with each kind of packet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np
import pytest

from rtpick.buffer.stage import Buffer
from rtpick.settings.schema import BufferSettings
from rtpick.vocabulary.codes import ChannelId, InstrumentId
from rtpick.vocabulary.time import SampleGrid
from rtpick.vocabulary.waveform import Gap, GapCause, Packet, RejectCause, Rejection, Window

START_NS = 1_600_000_000 * 10**9
NOW_NS = START_NS + 10**15
RATE_HZ = 20.0
WINDOW, STRIDE = 128, 32
SETTINGS = BufferSettings(
    length_s=90, reorder_budget_s=4, component_wait_s=2, station_silence_s=30, minimum_coverage=0.25
)
Note = Gap | Rejection


def make_buffer(locks=(), **changes) -> Buffer:
    return Buffer(
        SETTINGS.model_copy(update=changes),
        component_order="ENZ",
        sampling_rate_hz=RATE_HZ,
        window_samples=WINDOW,
        stride_samples=STRIDE,
        locks=locks,
    )


def packet(code: str, start_s: float, length_s: float = 2.0, rate_hz: float = RATE_HZ, **changes) -> Packet:
    """Samples that tell their own time: seconds since START_NS times 100, below a million."""
    times_s = start_s + np.arange(round(length_s * rate_hz)) / rate_hz
    samples = (np.round(times_s * 100) % 1_000_000).astype(np.int32)
    start_ns = START_NS + round(start_s * 1e9)
    fields = {"channel": ChannelId.parse(code), "start_ns": start_ns, "sampling_rate_hz": rate_hz}
    return Packet(**({"samples": samples} | fields | changes))


def stream(code: str, start_s: float, end_s: float, **changes) -> list[Packet]:
    return [packet(code, second, **changes) for second in np.arange(start_s, end_s, 2.0)]


def interleave(*streams: list[Packet]) -> list[Packet]:
    return sorted((item for items in streams for item in items), key=lambda item: item.start_ns)


def feed(buffer: Buffer, packets: Iterable[Packet]) -> tuple[list[Window], list[Note]]:
    notes = [note for item in packets for note in buffer.add(item, NOW_NS)]
    return buffer.complete_windows(), notes


def counts(notes: list[Note]) -> Counter[str]:
    return Counter({n.cause.value: n.sample_count for n in notes if isinstance(n, Rejection)})


def content(windows: list[Window]) -> list[tuple[int, bytes]]:
    return [(window.start_index, window.samples_CT.tobytes()) for window in windows]


def second(window: Window) -> float:
    """Seconds since START_NS at which a window starts."""
    return window.start_index / RATE_HZ - START_NS / 1e9


def whole(packets: list[Packet]) -> tuple[list[Window], list[Note]]:
    buffer = make_buffer()
    windows, notes = feed(buffer, packets)
    return windows + buffer.flush(), notes


def test_windows_of_a_vertical_start_at_multiples_of_the_stride():
    windows, notes = whole(stream("AA.S..HHZ", 0, 40))
    assert not notes
    assert all(window.start_index % STRIDE == 0 for window in windows)
    assert [window.start_index for window in windows] == sorted({w.start_index for w in windows})
    full = [window for window in windows if 0 <= second(window) <= 40 - WINDOW / RATE_HZ]
    assert len(full) == int((40 - WINDOW / RATE_HZ) / (STRIDE / RATE_HZ)) + 1
    for window in full:
        assert window.coverage == pytest.approx(1 / 3)
        wanted_T = np.arange(WINDOW) * 5 + round(second(window) * 100)
        np.testing.assert_array_equal(window.samples_CT[2], wanted_T)
        assert np.isnan(window.samples_CT[:2]).all()


def test_partial_windows_at_start_and_end_need_the_minimum_coverage():
    windows, _ = whole(stream("AA.S..HHZ", 0, 40))
    valid = [int((~np.isnan(window.samples_CT[2])).sum()) for window in windows]
    assert min(valid) >= 0.25 * WINDOW
    assert valid[0] < WINDOW
    assert valid[-1] < WINDOW


def test_a_known_vertical_is_not_kept_waiting():
    buffer = make_buffer()
    windows, _ = feed(buffer, stream("AA.S..HHZ", 0, 80))
    last_end_s = second(windows[-1]) + WINDOW / RATE_HZ
    assert 80 - last_end_s < STRIDE / RATE_HZ


def test_an_instrument_not_known_yet_is_waited_for_in_case_it_has_more():
    buffer = make_buffer()
    windows, _ = feed(buffer, stream("AA.S..HHZ", 0, 20))
    assert second(windows[-1]) + WINDOW / RATE_HZ <= 20 - 4 - 2


@pytest.mark.parametrize(
    ("letters", "rows"),
    [("ZNE", "ENZ"), ("Z12", "21Z"), ("Z23", "32Z"), ("123", "321"), ("ZN", ".NZ"), ("12", "21.")],
)
def test_components_find_their_rows(letters, rows):
    packets = [packet(f"AA.S..HH{letter}", start) for start in range(0, 20, 2) for letter in letters]
    numbered = [
        packet(str(p.channel), (p.start_ns - START_NS) / 1e9, samples=np.full(40, ord(p.channel.component)))
        for p in packets
    ]
    windows, _ = whole(numbered)
    middle = next(window for window in windows if second(window) > 6)
    assert "".join("." if np.isnan(row[0]) else chr(int(row[0])) for row in middle.samples_CT) == rows


def test_a_component_that_dies_holds_the_others_up_only_once():
    buffer = make_buffer()
    feed(buffer, interleave(stream("AA.S..HHZ", 0, 70), stream("AA.S..HHN", 0, 70)))
    behind_s = []
    for start in range(70, 110, 2):
        buffer.add(packet("AA.S..HHZ", start), NOW_NS)
        settled_ns = buffer.watermarks()[InstrumentId("AA", "S", "", "HH")]
        behind_s.append(start + 2 - (settled_ns - START_NS) / 1e9)
    assert behind_s[:4] == [2, 4, 6, 8]
    assert set(behind_s[4:]) == {0}


def test_a_returning_component_joins_without_holding_back_what_it_is_not_in():
    z, n = stream("AA.S..HHZ", 0, 60), stream("AA.S..HHN", 0, 10) + stream("AA.S..HHN", 40, 60)
    windows, notes = whole(interleave(z, n))
    gaps = [(note.start_ns, note.end_ns) for note in notes]
    assert gaps == [(START_NS + 10 * 10**9, START_NS + 40 * 10**9)]
    for window in windows:
        end_s = second(window) + WINDOW / RATE_HZ
        has_new = bool((window.samples_CT[1] >= 4000).any())
        assert has_new == (end_s > 44)


def test_repeated_samples_are_counted_and_change_nothing():
    packets = stream("AA.S..HHZ", 0, 30)
    twice = [item for pair in zip(packets, packets, strict=True) for item in pair]
    windows, notes = whole(twice)
    assert content(windows) == content(whole(packets)[0])
    assert sum(note.sample_count for note in notes) == 600
    assert {note.cause for note in notes} == {RejectCause.DUPLICATE}


def test_the_first_value_of_an_overlap_stays():
    buffer = make_buffer()
    buffer.add(packet("AA.S..HHZ", 0, 10), NOW_NS)
    notes = buffer.add(packet("AA.S..HHZ", 8, 10, samples=np.full(200, -7)), NOW_NS)
    assert counts(notes) == {"overlap": 40}
    instrument = InstrumentId("AA", "S", "", "HH")
    kept = buffer.cut(instrument, round(START_NS / 1e9 * RATE_HZ), 340)[2]
    np.testing.assert_array_equal(kept, np.r_[np.arange(200) * 5, np.full(140, -7)])


def test_data_later_than_the_budget_is_rejected_and_changes_nothing():
    packets = stream("AA.S..HHZ", 0, 40)
    in_time, _ = whole([item for item in packets if item is not packets[5]])
    windows, notes = whole([*packets[:5], *packets[6:9], packets[5], *packets[9:]])
    assert content(windows) == content(in_time)
    gap = next(note for note in notes if isinstance(note, Gap))
    assert (gap.start_ns, gap.end_ns) == (START_NS + 10 * 10**9, START_NS + 12 * 10**9)
    assert gap.cause is GapCause.MISSING
    assert counts(notes) == {"late": 40}


def test_data_within_the_budget_fills_its_hole():
    packets = stream("AA.S..HHZ", 0, 40)
    windows, notes = whole([*packets[:5], *packets[6:8], packets[5], *packets[8:]])
    assert not notes
    assert content(windows) == content(whole(packets)[0])


def test_data_from_the_future_is_rejected():
    buffer = make_buffer(future_tolerance_s=10.0)
    now_ns = START_NS + 2 * 10**9
    assert buffer.add(packet("AA.S..HHZ", 10), now_ns) == []
    assert counts(buffer.add(packet("AA.S..HHZ", 12), now_ns)) == {"future": 40}


@pytest.mark.parametrize("ahead_s", [100, 86_400])
def test_a_lone_jump_ahead_is_not_believed(ahead_s):
    packets = stream("AA.S..HHZ", 0, 60)
    windows, notes = whole([*packets[:10], packet("AA.S..HHZ", ahead_s + 20), *packets[10:]])
    assert content(windows) == content(whole(packets)[0])
    assert counts(notes) == {"clock_jump": 40}


@pytest.mark.parametrize("outage_s", [70, 3600, 1_000_000])
def test_an_outage_is_a_gap_and_loses_nothing(outage_s):
    resumed = 20 + outage_s
    now_ns = NOW_NS + outage_s * 10**9
    buffer, notes, windows = make_buffer(), [], []
    for item in stream("AA.S..HHZ", 0, 20) + stream("AA.S..HHZ", resumed, resumed + 30):
        notes += buffer.add(item, now_ns)
        windows += buffer.complete_windows()
    windows += buffer.flush()
    gap_ns = (START_NS + 20 * 10**9, START_NS + resumed * 10**9)
    assert [(note.start_ns, note.end_ns) for note in notes] == [gap_ns]
    seen = {int(value) for window in windows for value in window.samples_CT[2] if not np.isnan(value)}
    resumed_values = {value % 1_000_000 for value in range(100 * resumed, 100 * (resumed + 30), 5)}
    assert seen == set(range(0, 2000, 5)) | resumed_values


def test_a_lone_packet_of_another_rate_is_not_believed():
    packets = stream("AA.S..HHZ", 0, 60)
    windows, notes = whole([*packets[:10], packet("AA.S..HHZ", 20, rate_hz=25.0), *packets[10:]])
    assert content(windows) == content(whole(packets)[0])
    assert counts(notes) == {"rate": 50}


def test_a_channel_starts_anew_at_another_rate():
    before, after = stream("AA.S..HHZ", 0, 30), stream("AA.S..HHZ", 30, 70, rate_hz=50.0)
    windows, notes = whole(before + after)
    assert [note.cause for note in notes] == [RejectCause.RATE]
    end = [window for window in windows if second(window) > 32]
    assert len(end) > 15
    for window in end[:10]:
        wanted_T = np.arange(WINDOW) * 5 + second(window) * 100
        np.testing.assert_allclose(window.samples_CT[2], wanted_T, atol=0.05)


def test_an_instrument_that_falls_silent_gives_its_last_windows():
    buffer = make_buffer()
    others = [stream(f"AA.S{number}..HHZ", 0, 120) for number in range(3)]
    quiet = stream("AA.Q..HHZ", 0, 40)
    windows, _ = feed(buffer, interleave(quiet, *others))
    last = max(second(window) for window in windows if window.instrument.station == "Q")
    assert last > 40 - WINDOW / RATE_HZ
    flushed = content([window for window in windows if window.instrument.station == "Q"])
    assert flushed == content(whole(quiet)[0])


def test_one_clock_that_runs_ahead_silences_nobody():
    buffer = make_buffer()
    others = [stream(f"AA.S{number}..HHZ", 0, 120) for number in range(3)]
    ahead = [packet("AA.F..HHZ", 10_000 + start) for start in range(0, 120, 2)]
    order = [item for group in zip(*others, ahead, strict=True) for item in group]
    windows, _ = feed(buffer, order)
    mine = [window for window in windows if window.instrument.station == "S0"]
    assert all(not np.isnan(window.samples_CT[2]).any() for window in mine if second(window) >= 0)


@pytest.mark.parametrize("phase_ns", [24_999_000, 25_000_000, 25_001_000, -1, 0])
@pytest.mark.parametrize("rate_hz", [20.0, 50.0, 10.0])
def test_a_restored_lock_gives_the_same_indices_near_half_a_sample(phase_ns, rate_hz):
    jitter_ns = np.random.default_rng(3).integers(-100_000, 100_000, 40)
    starts_ns = START_NS + phase_ns + np.arange(40) * 10**9 + jitter_ns
    packets = [
        packet("AA.S..HHZ", start, rate_hz=rate_hz, start_ns=int(starts_ns[start]))
        for start in range(0, 40, 2)
    ]
    first = make_buffer()
    windows, _ = feed(first, packets)
    windows += first.flush()
    for begin in range(1, 8):
        again = make_buffer(locks=first.locks())
        later, notes = feed(again, packets[begin:])
        later += again.flush()
        assert not notes
        common = {w.start_index: w for w in windows if second(w) > 2 * begin + 3}
        assert common
        matching = [w for w in later if w.start_index in common]
        assert len(matching) == len(common)
        for window in matching:
            twin = common[window.start_index]
            assert window.samples_CT.tobytes() == twin.samples_CT.tobytes()
            assert window.phase_ns == twin.phase_ns


def test_one_long_packet_gives_what_many_short_ones_give():
    windows, _ = whole([packet("AA.S..HHZ", 0, 300)])
    assert content(windows) == content(whole(stream("AA.S..HHZ", 0, 300))[0])


def test_a_window_tells_when_its_last_packet_was_received():
    buffer = make_buffer()
    packets = [packet("AA.S..HHZ", start, received_ns=start + 1) for start in range(0, 80, 2)]
    windows, _ = feed(buffer, packets)
    late = [window for window in windows if second(window) > 65]
    for window in late:
        assert window.completed_ns - 1 <= second(window) + WINDOW / RATE_HZ <= window.completed_ns + 1


def test_the_phase_says_where_the_samples_lie():
    windows, _ = whole(stream("AA.S..HHZ", 0.013, 30))
    grid = SampleGrid(RATE_HZ)
    for window in windows:
        assert window.phase_ns == 13_000_000
        row = window.samples_CT[2]
        first = int(np.flatnonzero(~np.isnan(row))[0])
        time_ns = grid.time_ns(window.start_index + first) + window.phase_ns
        assert (time_ns - START_NS) / 1e7 == pytest.approx(row[first], abs=1)


def test_status_tells_watermark_newest_and_gaps():
    buffer = make_buffer()
    feed(buffer, stream("AA.S..HHZ", 0, 10) + stream("AA.S..HHZ", 12, 20) + stream("AA.S..HHZ", 22, 24))
    (status,) = buffer.status()
    assert (status.settled_ns, status.newest_ns) == (START_NS + 20 * 10**9, START_NS + 24 * 10**9)
    assert (status.gap_count, status.drift_count, status.held_count) == (1, 0, 0)


def test_memory_stays_as_it_is_while_nonsense_comes_in():
    buffer = make_buffer()
    chance = np.random.default_rng(5)
    for number in range(4000):
        start_s = float(chance.choice([number / 10, chance.uniform(0, 9e5)]))
        rate_hz = float(chance.choice([20, 20, 20, 25, 33.3]))
        buffer.add(packet(f"AA.S{number % 3}..HHZ", start_s, rate_hz=rate_hz), NOW_NS)
        buffer.complete_windows()
    roster = buffer._roster
    assert roster.ring.row_count == 3
    for channel in roster.channels():
        assert len(channel.continuity.holes) <= 32
        assert len(channel.continuity.closed) <= 16
        assert channel.held is None or len(channel.held.packets) <= 64


def test_a_row_of_the_wrong_kind_is_rejected():
    buffer = make_buffer()
    for samples in (np.zeros((2, 5)), np.zeros(5, complex), np.array(["a"]), np.zeros(0, np.int32)):
        (note,) = buffer.add(packet("AA.S..HHZ", 0, samples=samples), NOW_NS)
        assert note.cause is RejectCause.CORRUPT


def test_records_longer_than_the_budget_wait_for_each_other():
    starts = {"AA.S..HHZ": -1.0, "AA.S..HHN": -4.0, "AA.S..HHE": -7.0}
    long, short = (
        [packet(code, at, size) for code, first in starts.items() for at in np.arange(first, 80, size)]
        for size in (8, 2)
    )
    by_end = sorted(long, key=lambda item: item.end_ns)
    last_s = 70
    wanted = [w for w in whole(interleave(short))[0] if second(w) + WINDOW / RATE_HZ < last_s]
    windows = [w for w in whole(by_end)[0] if second(w) + WINDOW / RATE_HZ < last_s]
    assert content(windows) == content(wanted)


def test_a_clock_that_drifts_opens_no_hole_and_its_phase_follows():
    buffer, windows, notes = make_buffer(), [], []
    for number in range(1500):
        item = packet("AA.S..HHZ", 2 * number, start_ns=START_NS + number * 2_000_060_000)
        notes += buffer.add(item, NOW_NS)
        windows += buffer.complete_windows()
    assert not notes
    assert all(window.coverage == pytest.approx(1 / 3) for window in windows[10:])
    assert windows[-1].phase_ns == pytest.approx(1500 * 60_000, abs=25_000_000)
    assert buffer.status()[0].drift_count >= 4


def test_a_slow_component_is_not_overtaken_by_the_first_window_of_a_fast_one():
    code, rate_hz = "AA.S..HHE", 10.0
    slow = [packet(code, 0, 4, rate_hz), packet(code, 4, 1, rate_hz), *stream(code, 5, 40, rate_hz=rate_hz)]
    fast = stream("AA.S..HHN", 4.8, 40)
    early = whole(interleave(slow, fast))[0]
    late = whole([slow[0], fast[0], slow[2], slow[1], *interleave(slow[3:], fast[1:])])[0]
    assert content(early) == content(late)
    assert min(second(window) for window in early) < 0


def test_a_component_changes_no_row_before_it_has_joined():
    packets = interleave(stream("AA.S..HHZ", 0, 50), stream("AA.S..HH2", 0, 50), stream("AA.S..HH1", 20, 50))
    for window in whole(packets)[0]:
        end_s = second(window) + WINDOW / RATE_HZ
        if end_s > 5:
            assert np.isnan(window.samples_CT[0]).all() == (end_s <= 24)
            assert not np.isnan(window.samples_CT[1]).all()


def test_windows_wait_for_held_packets_that_they_contain():
    z, n = stream("AA.S..HHZ", 0, 130), stream("AA.S..HHN", 0, 10) + stream("AA.S..HHN", 90, 130)
    n_first = sorted(n + z, key=lambda item: item.start_ns)
    n_last = sorted(z + n, key=lambda item: item.start_ns + (item.channel.component == "N") * 3 * 10**9)
    windows = whole(n_first)[0]
    assert content(windows) == content(whole(n_last)[0])
    joined = [window for window in windows if second(window) + WINDOW / RATE_HZ > 94 and second(window) < 120]
    assert all((window.samples_CT[1] >= 9000).any() for window in joined)


def test_components_on_either_side_of_half_a_sample_stay_aligned():
    rising = [
        packet(f"AA.S..HH{name}", at, rate_hz=10.0, start_ns=START_NS + round(at * 1e9) + offset_ns)
        for at in range(0, 40, 2)
        for name, offset_ns in (("Z", 49_900_000), ("N", 50_100_000))
    ]
    windows = [window for window in whole(rising)[0] if 5 < second(window) < 25]
    assert windows
    for window in windows:
        np.testing.assert_allclose(window.samples_CT[1], window.samples_CT[2], atol=0.01)
        assert abs(window.phase_ns) <= 1_000_000


def test_old_packets_sent_again_do_not_pull_the_phase_back():
    buffer = make_buffer()
    packets = [
        packet("AA.S..HHZ", 2 * number, start_ns=START_NS + number * 2_000_060_000) for number in range(1500)
    ]
    feed(buffer, packets)
    before = buffer.locks(), buffer.status()
    _, notes = feed(buffer, packets[:100] + packets[-5:])
    assert {note.cause for note in notes} <= {RejectCause.DUPLICATE, RejectCause.LATE}
    assert (buffer.locks(), buffer.status()) == before
