"""Where a pick and an event end up, to the sample: the samples are their own numbers.

A network that reads the time off the samples knows where everything is, so that what comes out is arithmetic.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

from rtpick.buffer.fiber_tiles import TileGeometry
from rtpick.picking.fiber_engine import FiberAnswer
from rtpick.picking.fiber_picker import FiberPicker
from rtpick.settings.fiber import FiberBufferSettings, FiberPickingSettings, FiberSettings
from rtpick.vocabulary.fiber import (
    DasBlock,
    FiberEventHints,
    FiberLayout,
    FiberPicks,
    FiberProgress,
    Quantity,
)

START = 100_000
P, S, ORIGIN = 2000, 2601, 1500
LAYOUT = FiberLayout("cable", 7, 100, 4.0, 100.0, channel_step=2)
SETTINGS = FiberSettings(
    buffer=FiberBufferSettings(memory_s=60),
    picking=FiberPickingSettings(amplitude_p_s=3.0, amplitude_s_s=2.0, minimum_coverage=0.1),
)


@dataclass
class KnowingEngine:
    """Reads the number of each sample, and answers with peaks where they belong."""

    geometry: TileGeometry = field(default_factory=lambda: TileGeometry(64, 1024, 256, 128, 128, 16))
    model_version: str = "knowing"
    phases: tuple[str, ...] = ("P", "S")
    sampling_rate_hz: float = 100.0
    quantities: tuple[Quantity, ...] = (Quantity.STRAIN_RATE,)
    channel_multiple: int = 16
    sample_multiple: int = 16
    batch_size: int = 4
    event_step: tuple[int, int] | None = (16, 16)
    common_mode: str = "off"
    spacing_range_m: tuple[float, float] = (1.0, 20.0)
    seen: list[tuple[int, ...]] = field(default_factory=list)

    def infer(self, tiles_BKT):
        self.seen.append(tiles_BKT.shape)
        number = np.nan_to_num(tiles_BKT, nan=-1e6).astype(np.float64)
        prob = np.stack([np.exp(-((number - at) ** 2) / 200) for at in (P, S)], axis=1)
        coarse = number[:, ::16, ::16]
        center = np.exp(-((coarse - (P + S) / 2) ** 2) / 2000)
        return FiberAnswer(
            prob.astype(np.float32), center.astype(np.float32), (coarse - ORIGIN).astype(np.float32)
        )


def _run(engine, samples=5000, offset_ns=0, **more):
    number_KT = np.tile(np.arange(samples, dtype=np.float32), (100, 1))
    picker = FiberPicker(SETTINGS, engine, lossless=True, **more)
    outputs = []
    for first in range(0, samples, 130):
        start_ns = (START + first) * 10**7 + offset_ns
        picker.add(DasBlock(LAYOUT, start_ns, number_KT[:, first : first + 130], "s", first), 2**62)
        outputs += picker.step(2**62)
    return outputs, picker


def _gathered(outputs, kind, name):
    return np.concatenate([getattr(item, name) for item in outputs if isinstance(item, kind)])


@pytest.mark.parametrize("offset_ns", [0, 3_000_000, -4_900_000])
@pytest.mark.parametrize(
    "geometry",
    [
        TileGeometry(64, 1024, 256, 128, 128, 16),
        TileGeometry(64, 1024, 512, 512, 0, 0),
        TileGeometry(100, 512, 128, 0, 0, tapered=False),
    ],
)
def test_every_channel_has_one_p_and_one_s_at_their_samples(geometry, offset_ns):
    step = None if geometry.channels % 16 else (16, 16)
    engine = KnowingEngine(geometry=geometry, channel_multiple=1, event_step=step)
    outputs, picker = _run(engine, offset_ns=offset_ns)
    outputs += picker.flush(2**62)
    times, phases = (_gathered(outputs, FiberPicks, name) for name in ("time_ns_N", "phase_N"))
    channels = _gathered(outputs, FiberPicks, "channel_number_N")
    for phase, at in (("P", P), ("S", S)):
        assert sorted(channels[phases == phase]) == list(range(7, 207, 2))
        assert set(times[phases == phase]) == {(START + at) * 10**7 + offset_ns}


def test_amplitudes_end_at_the_next_pick_or_after_their_span():
    outputs, picker = _run(KnowingEngine())
    outputs += picker.flush(2**62)
    phases = _gathered(outputs, FiberPicks, "phase_N")
    amplitudes = _gathered(outputs, FiberPicks, "amplitude_N")
    assert set(amplitudes[phases == "P"]) == {P + 299}  # 3 s, and the S comes later
    assert set(amplitudes[phases == "S"]) == {S + 199}


def test_event_heads_give_the_middle_and_the_origin():
    outputs, picker = _run(KnowingEngine())
    outputs += picker.flush(2**62)
    hints = [item for item in outputs if isinstance(item, FiberEventHints)]
    assert sum(map(len, hints)) == 7  # one for each 16 channels
    center = _gathered(outputs, FiberEventHints, "center_ns_N") // 10**7 - START
    origin = _gathered(outputs, FiberEventHints, "origin_ns_N") // 10**7 - START
    assert (np.abs(center - (P + S) / 2) <= 8).all()
    assert set(origin.tolist()) == {ORIGIN}
    assert _gathered(outputs, FiberEventHints, "channel_number_N")[0] == 7 + 2 * 8


@pytest.mark.parametrize("delay", range(0, 512, 73))
def test_what_comes_soon_after_the_start_is_spoken_of_wherever_tiles_lie(delay):
    engine = KnowingEngine(geometry=TileGeometry(64, 1024, 256, 384, 128, 16))
    usual = SETTINGS.model_copy(
        update={"picking": SETTINGS.picking.model_copy(update={"minimum_coverage": 0.5})}
    )
    number_KT = np.tile(np.arange(P - 60, P + 3000, dtype=np.float32), (100, 1))
    picker = FiberPicker(usual, engine, lossless=True)
    picker.add(DasBlock(LAYOUT, (START + delay) * 10**7, number_KT), 2**62)
    outputs = picker.flush(2**62)
    times, phases = (_gathered(outputs, FiberPicks, name) for name in ("time_ns_N", "phase_N"))
    assert (phases == "P").sum() == 100
    assert set(times[phases == "P"]) == {(START + delay + 60) * 10**7}


def test_a_longer_lead_makes_picks_final_sooner():
    def told_after(lead):
        engine = KnowingEngine(geometry=TileGeometry(64, 1024, 128, lead, 128, 16))
        number_KT = np.tile(np.arange(5000, dtype=np.float32), (100, 1))
        picker = FiberPicker(SETTINGS, engine, lossless=True)
        for first in range(0, 5000, 10):
            block = DasBlock(LAYOUT, (START + first) * 10**7, number_KT[:, first : first + 10])
            picker.add(block, 2**62)
            if any(isinstance(item, FiberPicks) for item in picker.step(2**62)):
                return first + 10 - P
        raise AssertionError("never told")

    amplitude, half = 300, 50
    sooner, later = told_after(768), told_after(128)
    budget = 200  # a hole before the first block is waited for
    assert later <= 1024 - 128 + amplitude + half + 128 + budget
    assert sooner <= 1024 - 768 + amplitude + half + 128 + budget
    assert later - sooner >= 500


def test_new_thresholds_hold_for_what_is_not_decided_yet():
    outputs, picker = _run(KnowingEngine(), samples=1500)
    picking = SETTINGS.picking.model_copy(
        update={"p_threshold": 0.99999, "s_threshold": 0.2, "tile_samples": 5}
    )
    picker.retune(SETTINGS.model_copy(update={"picking": picking}))
    number_KT = np.tile(np.arange(1560, 5000, dtype=np.float32) + 0.3, (100, 1))
    picker.add(DasBlock(LAYOUT, (START + 1560) * 10**7, number_KT), 2**62)
    outputs += picker.flush(2**62)
    assert set(_gathered(outputs, FiberPicks, "phase_N")) == {"S"}


def test_a_forced_step_tells_how_far_the_fiber_is_and_keeps_the_rest_for_later():
    outputs, picker = _run(KnowingEngine(), samples=2300)
    before = outputs + picker.step(2**62, force=True)
    assert isinstance(before[-1], FiberProgress)
    settled = before[-1].settled_ns // 10**7 - START
    assert settled < P
    assert not any(isinstance(item, FiberPicks) for item in before)
