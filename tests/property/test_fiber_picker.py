"""From blocks to picks of a fiber: cutting, batching, doubling and stopping never show in what comes out.

The network is replaced by arithmetic on the samples that depends on every sample of a tile.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtpick.buffer import fiber_common_mode, fiber_decimate, fiber_health, fiber_resample, fiber_ring
from rtpick.buffer.fiber_tiles import TileGeometry
from rtpick.picking import fiber_stack, fiber_trigger
from rtpick.picking.fiber_engine import FiberAnswer
from rtpick.picking.fiber_picker import FiberPicker
from rtpick.picking.fiber_warm import warm_up_fibers
from rtpick.settings.fiber import FiberBufferSettings, FiberOverrides, FiberPickingSettings, FiberSettings
from rtpick.vocabulary.errors import NetworkError, SettingsError
from rtpick.vocabulary.fiber import (
    DasBlock,
    FiberEventHints,
    FiberGap,
    FiberLayout,
    FiberPicks,
    FiberProgress,
    FiberRejectCause,
    FiberRejection,
    Quantity,
)
from rtpick.vocabulary.waveform import GapCause

KERNELS = (
    fiber_common_mode._common,
    fiber_decimate._thin,
    fiber_health._sum_up,
    fiber_resample._convert_all,
    fiber_ring._largest,
    fiber_stack._lay,
    fiber_stack._mark,
    fiber_trigger._mark_peaks,
)
RATE_HZ = 100.0
START_NS = 1_700_000_003_017_000_000
NOW_NS = 2**62
CHANNELS = 70
GEOMETRY = TileGeometry(48, 512, 128, 64, 64, 16)
SETTINGS = FiberSettings(
    buffer=FiberBufferSettings(memory_s=30, health_cell_s=3.0, reorder_budget_s=1.0),
    picking=FiberPickingSettings(amplitude_p_s=2.0, amplitude_s_s=1.0, progress_interval_s=1.0),
)
LAYOUT = FiberLayout("cable", 100, CHANNELS, 4.0, RATE_HZ)


@dataclass
class LocalEngine:
    """Short average over long average at half of the rate; an answer depends on 0.8 s alone."""

    model_version: str = "local"
    phases: tuple[str, ...] = ("P", "S")
    sampling_rate_hz: float = 50.0
    quantities: frozenset[Quantity] = frozenset({Quantity.STRAIN_RATE})
    geometry: TileGeometry = GEOMETRY
    channel_multiple: int = 16
    sample_multiple: int = 64
    batch_size: int = 3
    event_step: tuple[int, int] | None = (16, 16)
    common_mode: str = "steps"
    spacing_range_m: tuple[float, float] = (1.0, 20.0)
    place_matters: bool = False

    def infer(self, tiles_BKT):
        filled = np.abs(np.nan_to_num(tiles_BKT, nan=0.0)).astype(np.float64)
        total = np.cumsum(np.pad(filled, ((0, 0), (0, 0), (41, 0))), axis=2)
        short, long = total[:, :, 41:] - total[:, :, 36:-5], total[:, :, 36:-5] - total[:, :, :-41]
        rise = np.round(short / 5 / (long / 36 + 1.0), 9)
        if self.place_matters:
            rise = rise * (0.8 + 0.2 * np.abs(np.sin(filled.sum(axis=(1, 2), keepdims=True))))
        prob = np.stack([np.clip((rise - 2) / 20, 0, 1), np.clip((5 - rise) / 20, 0, 1) * (rise > 3)], axis=1)
        center = prob[:, 0, ::16, ::16].astype(np.float32)
        return FiberAnswer(prob.astype(np.float32), center, center * 100)


def _recording(seed: int, seconds: float = 40.0):
    """Noise of a few counts and bursts that move along the fiber."""
    rng = np.random.default_rng(seed)
    count = int(seconds * RATE_HZ)
    samples_KT = rng.normal(0, 3, (CHANNELS, count))
    for onset in rng.uniform(0.1, 0.9, 4):
        for k in range(CHANNELS):
            first = int(onset * count + k * rng.uniform(0.5, 1.5))
            samples_KT[k, first : first + 60] += rng.normal(0, 100, max(min(60, count - first), 0))
    return samples_KT.astype(np.float32)


def _blocks(samples_KT, lengths, layout=LAYOUT, start_ns=START_NS):
    blocks, start, turn = [], 0, 0
    while start < samples_KT.shape[1]:
        end = start + lengths[turn % len(lengths)]
        time_ns = start_ns + round(start * 1e9 / layout.sampling_rate_hz)
        blocks.append(DasBlock(layout, time_ns, samples_KT[:, start:end], "src", turn))
        start, turn = end, turn + 1
    return blocks


def _run(picker, blocks, every=1, end=True):
    outputs = []
    for number, block in enumerate(blocks):
        picker.add(block, NOW_NS)
        if number % every == 0:
            outputs += picker.step(NOW_NS)
    return outputs + (picker.flush(NOW_NS) if end else [])


def _picker(engine=None, settings=SETTINGS, **more):
    return FiberPicker(settings, engine or LocalEngine(), lossless=True, **more)


def _rows(outputs, kind=FiberPicks):
    """Everything that was told, as sorted tuples of exact values."""
    rows = []
    for item in outputs:
        if isinstance(item, kind) and kind is FiberPicks:
            columns = (
                item.time_ns_N,
                item.channel_number_N,
                item.phase_N,
                item.probability_N,
                item.amplitude_N,
            )
        elif isinstance(item, kind):
            columns = (item.center_ns_N, item.channel_number_N, item.origin_ns_N, item.probability_N)
        else:
            continue
        rows += zip(*(column.tolist() for column in columns), strict=True)
    return sorted(rows)


lengths = st.lists(st.integers(3, 700), min_size=1, max_size=4)


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 99), cut=lengths, every=st.integers(1, 20), doubled=st.integers(2, 9))
def test_cutting_batching_and_doubling_never_show(seed, cut, every, doubled):
    samples_KT = _recording(seed)
    plain = _run(_picker(LocalEngine(place_matters=True)), _blocks(samples_KT, [100]))
    blocks = [b for n, b in enumerate(_blocks(samples_KT, cut)) for _ in range(1 + (n % doubled == 0))]
    other = _run(_picker(LocalEngine(place_matters=True, batch_size=1 + seed % 5)), blocks, every)
    assert len(_rows(plain)) > CHANNELS
    assert _rows(other) == _rows(plain)
    assert _rows(other, FiberEventHints) == _rows(plain, FiberEventHints) != []


def test_blocks_that_change_places_within_the_budget_never_show():
    samples_KT = _recording(3)
    blocks = _blocks(samples_KT, [40])
    turned = [block for i in range(0, len(blocks), 2) for block in reversed(blocks[i : i + 2])]
    assert _rows(_run(_picker(), turned)) == _rows(_run(_picker(), blocks))


def test_picks_come_by_time_and_are_in_the_block_s_own_channels_and_unit():
    outputs = _run(_picker(), _blocks(_recording(1), [100]))
    picks = [item for item in outputs if isinstance(item, FiberPicks)]
    times = np.concatenate([item.time_ns_N for item in picks])
    assert (np.diff(times) >= 0).all()
    channels = np.concatenate([item.channel_number_N for item in picks])
    assert set(channels.tolist()) == set(range(100, 170))
    assert np.nanmax(np.concatenate([item.amplitude_N for item in picks])) > 100


@pytest.mark.parametrize("shift", [16, 32])
def test_it_does_not_matter_where_tiles_lie_along_the_fiber(shift):
    blocks = _blocks(_recording(5), [128])
    here, there = _rows(_run(_picker(), blocks)), _rows(_run(_picker(shift=shift), blocks))
    assert [row[:3] for row in here] == [row[:3] for row in there]
    assert np.allclose([row[3:] for row in here], [row[3:] for row in there], atol=1e-6, equal_nan=True)


def test_it_does_not_matter_where_tiles_lie_in_time():
    blocks = _blocks(_recording(5), [128])
    other = replace(GEOMETRY, stride=64, lead=128)
    here, there = _rows(_run(_picker(), blocks)), _rows(_run(_picker(LocalEngine(geometry=other)), blocks))
    assert [row[:3] for row in here] == [row[:3] for row in there]


@settings(max_examples=8, deadline=None)
@given(
    seed=st.integers(0, 99),
    cut=st.lists(st.integers(20, 300), min_size=1, max_size=3),
    stop=st.floats(0.1, 0.99),
)
def test_a_stop_at_any_point_loses_nothing_and_doubles_nothing(seed, cut, stop):
    quiet = SETTINGS.model_copy(
        update={"buffer": SETTINGS.buffer.model_copy(update={"learn_bad_channels": False})}
    )
    blocks = _blocks(_recording(seed, 60.0), cut)
    whole = _run(_picker(settings=quiet), blocks)
    before = _run(_picker(settings=quiet), blocks[: int(len(blocks) * stop)], end=False)
    last = max((n for n, item in enumerate(before) if isinstance(item, FiberProgress)), default=-1)
    told, progress = before[: last + 1], before[last : last + 1]
    known = progress[0].sequence if progress and progress[0].sequence is not None else -1
    again = [block for block in blocks if block.sequence > known]
    after = _run(_picker(settings=quiet, progress=progress), again)
    together = _rows(told) + _rows(after)
    assert [row[1:] for row in sorted(together)] == [row[1:] for row in _rows(whole)]
    assert np.allclose([row[0] for row in sorted(together)], [row[0] for row in _rows(whole)], rtol=0, atol=2)


def test_progress_moves_on_so_that_little_need_come_again():
    outputs = _run(_picker(), _blocks(_recording(2, 60.0), [50]), end=False)
    progress = [item for item in outputs if isinstance(item, FiberProgress)]
    assert len(progress) > 5
    assert [item.settled_ns for item in progress] == sorted(item.settled_ns for item in progress)
    assert START_NS + 60e9 - progress[-1].settled_ns < 20e9
    assert progress[-1].sequence is not None
    assert (120 - progress[-1].sequence) * 0.5 < 35


@pytest.mark.parametrize("seconds", [0.3, 8.0, 30.0])
def test_a_gap_is_told_and_makes_no_pick(seconds):
    samples_KT = np.concatenate([_recording(7), _recording(8)], axis=1)
    blocks = _blocks(samples_KT, [10])
    first = 3800
    lost = [b for b in blocks if first <= round((b.start_ns - START_NS) / 1e7) < first + seconds * 100]
    kept = [b for b in blocks if b not in lost]
    picker = _picker()
    notes = [note for block in kept for note in picker.add(block, NOW_NS)]
    gaps = [note for note in notes if isinstance(note, FiberGap)]
    assert [(round((gap.end_ns - gap.start_ns) / 1e9, 3), gap.cause) for gap in gaps] == [
        (seconds, GapCause.MISSING)
    ]
    gap_ns = gaps[0].start_ns, gaps[0].end_ns
    rows = _rows(picker.flush(NOW_NS))
    near = [row for row in rows if gap_ns[0] - 4e8 <= row[0] < gap_ns[1] + 4e8]
    assert near == []
    assert any(row[0] < gap_ns[0] for row in rows)
    assert any(row[0] > gap_ns[1] for row in rows)


def test_an_hour_of_silence_is_one_gap_and_what_comes_behind_it_is_as_if_it_were_alone():
    hour_ns = 128 * 28 * 10**9  # whole strides, so that tiles lie alike on both sides
    before = _blocks(_recording(7), [30])
    after = _blocks(_recording(8), [50], start_ns=START_NS + hour_ns)
    picker = _picker()
    notes = [note for block in before + after for note in picker.add(block, NOW_NS)]
    gaps = [(note.cause, note.start_ns, note.end_ns) for note in notes]
    assert gaps == [(GapCause.MISSING, START_NS + 40 * 10**9, START_NS + hour_ns)]
    rows = _rows(picker.flush(NOW_NS))
    alone = _rows(_run(_picker(), before)) + _rows(_run(_picker(), after))
    assert rows == alone != []


def test_a_new_layout_goes_on_with_picks_of_its_own():
    one, other = _recording(1), _recording(2)[:40]
    fewer = replace(LAYOUT, channel_count=40, first_channel=500)
    blocks = _blocks(one, [100]) + _blocks(other, [100], fewer, START_NS + 40 * 10**9)
    rows = _rows(_run(_picker(), blocks))
    assert {row[1] for row in rows if row[0] > START_NS + 41e9} <= set(range(500, 540))
    assert {row[1] for row in rows if row[0] < START_NS + 40e9} <= set(range(100, 170))
    assert _rows(_run(_picker(), _blocks(one, [100]))) == [row for row in rows if row[1] < 500]


def test_a_single_block_of_a_mad_clock_is_set_aside_and_a_clock_set_back_is_followed():
    blocks = _blocks(_recording(1), [100])
    mad = replace(blocks[5], start_ns=blocks[5].start_ns + 3600 * 10**9)
    picker = _picker()
    notes = [note for block in [*blocks[:6], mad, *blocks[6:]] for note in picker.add(block, NOW_NS)]
    causes = [note.cause for note in notes if isinstance(note, FiberRejection)]
    assert causes == [FiberRejectCause.CLOCK_JUMP]
    assert _rows(picker.flush(NOW_NS)) == _rows(_run(_picker(), blocks))
    back = _blocks(_recording(1), [100], start_ns=START_NS - 7168 * 10**9)
    rows = _rows(_run(_picker(), blocks + back))
    assert rows[: len(rows) // 2] != []
    assert {row[1:] for row in rows[: len(rows) // 2]} == {row[1:] for row in rows[len(rows) // 2 :]}


@pytest.mark.parametrize("every", [1, 40])
def test_a_clock_that_runs_off_the_rate_is_followed_without_a_gap(every):
    blocks = [
        replace(block, start_ns=block.start_ns + 300_000 * number)
        for number, block in enumerate(_blocks(_recording(1), [50]))
    ]
    steady, astray = _run(_picker(), _blocks(_recording(1), [50])), _run(_picker(), blocks, every)
    early, late = _rows(steady), _rows(astray)
    assert [row[1:] for row in late] == [row[1:] for row in early]
    wandered_ms = [
        (b[0] - a[0]) / 1e6 - 0.6 * (a[0] - START_NS) / 1e9 for a, b in zip(early, late, strict=True)
    ]
    assert max(wandered_ms) - min(wandered_ms) < 5
    assert late == _rows(_run(_picker(), blocks))


def test_several_cables_do_not_disturb_each_other():
    one, other = (
        _blocks(_recording(1), [100]),
        _blocks(
            _recording(2)[:30], [70], replace(LAYOUT, fiber="other", channel_count=30, sampling_rate_hz=125.0)
        ),
    )
    mixed = [block for pair in zip(one, other, strict=False) for block in pair] + other[len(one) :]
    together = _run(_picker(), mixed)
    for name, blocks in (("cable", one), ("other", other)):
        mine = [item for item in together if isinstance(item, FiberPicks) and item.fiber == name]
        assert _rows(mine) == _rows(_run(_picker(), blocks)) != []


def test_what_the_network_was_not_trained_on_is_refused_until_somebody_declares_it():
    counts = replace(LAYOUT, quantity=Quantity.COUNTS, unit="counts")
    blocks = _blocks(_recording(1), [100], counts)
    with pytest.raises(
        NetworkError, match=r"fiber cable delivers counts in counts.*fibers\.cable\.conversion"
    ):
        _picker().add(blocks[0], NOW_NS)
    conversion = {"quantity": "strain_rate", "unit": "1/s", "factor": 2.0}
    declared = SETTINGS.model_copy(
        update={"fibers": {"cable": FiberOverrides.model_validate({"conversion": conversion})}}
    )
    rows, plain = (
        _rows(_run(_picker(settings=declared), blocks)),
        _rows(_run(_picker(), _blocks(_recording(1), [100]))),
    )
    assert np.nanmax([row[4] for row in rows]) == pytest.approx(
        2 * np.nanmax([row[4] for row in plain]), rel=1e-5
    )


def test_when_the_engine_is_too_slow_the_oldest_tiles_are_dropped_and_told_and_blocks_never_wait():
    picker = FiberPicker(SETTINGS, LocalEngine())
    notes = [
        note
        for block in _blocks(np.tile(_recording(1, 20.0), 6), [100])
        for note in picker.add(block, NOW_NS)
    ]
    assert {note.cause for note in notes} == {GapCause.OVERLOAD}
    assert picker.allocated_bytes == CHANNELS * 30 * 50 * 4
    assert picker.waiting_count < 30
    assert len(_rows(picker.flush(NOW_NS))) > 0


def test_after_warming_up_nothing_is_left_to_compile():
    warm_up_fibers()
    before = {kernel.__name__: len(kernel.signatures) for kernel in KERNELS}
    assert min(before.values()) > 0
    coarser = SETTINGS.model_copy(
        update={"buffer": SETTINGS.buffer.model_copy(update={"channel_decimation": 2})}
    )
    long = replace(LAYOUT, channel_count=210)
    samples_KT = np.concatenate([_recording(1)] * 3)
    time_major = np.ascontiguousarray(samples_KT.T).T
    for settings_, recording in ((SETTINGS, time_major), (coarser, samples_KT.astype(np.int32))):
        blocks = _blocks(recording, [100], long)
        _run(_picker(settings=settings_), blocks[:20] + blocks[21:])
    assert {kernel.__name__: len(kernel.signatures) for kernel in KERNELS} == before


def test_tiles_that_do_not_fit_the_memory_or_the_network_are_refused():
    small = SETTINGS.model_copy(update={"buffer": SETTINGS.buffer.model_copy(update={"memory_s": 20.0})})
    with pytest.raises(SettingsError, match="memory_s"):
        _picker(settings=small)
    odd = SETTINGS.model_copy(update={"picking": SETTINGS.picking.model_copy(update={"tile_samples": 500})})
    with pytest.raises(SettingsError, match="multiples of 16 and 64"):
        _picker(settings=odd)
