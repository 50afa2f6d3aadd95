"""The change of rate against analytic signals."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from rtpick.buffer.resample import convert, design_conversion

NETWORK = Fraction(100)
RATES = [Fraction(rate) for rate in (50, 200, 125, 40, 20, 10, 250, 500, 1000, 30)]
ODD_RATES = [Fraction(10000, 133), Fraction(7519, 100), Fraction(991234, 10000), Fraction(9999, 100)]
FIRST = 170_000_000_003


def sampled(rate: Fraction, frequency_hz: float, first: int, last: int) -> np.ndarray:
    """A tone, with its phase counted from input sample FIRST so that floats stay exact."""
    times_s = (np.arange(first, last) - FIRST) / float(rate)
    return np.sin(2 * np.pi * frequency_hz * times_s + 0.7)


def resampled(rate: Fraction, frequency_hz: float, count: int = 700) -> tuple[np.ndarray, np.ndarray]:
    """Outputs of a tone, and the tone at the outputs' own times."""
    conversion = design_conversion(rate, NETWORK)
    start = conversion.outputs_before(FIRST)
    first, last = conversion.inputs_needed(start, start + count)
    inputs_T = sampled(rate, frequency_hz, first, last).astype(np.float32)
    behind_s = [float(Fraction(j) / NETWORK - Fraction(FIRST) / rate) for j in range(start, start + count)]
    wanted_T = np.sin(2 * np.pi * frequency_hz * np.array(behind_s) + 0.7)
    return convert(conversion, inputs_T, start, start + count), wanted_T


@pytest.mark.parametrize("rate", RATES + ODD_RATES, ids=str)
@pytest.mark.parametrize("share", [0.05, 0.2, 0.38])
def test_a_tone_in_the_pass_band_comes_out_where_it_belongs(rate, share):
    output_T, wanted_T = resampled(rate, share * float(min(rate, NETWORK)))
    assert np.abs(output_T - wanted_T).max() < 1e-4


@pytest.mark.parametrize("rate", [rate for rate in RATES + ODD_RATES if rate > NETWORK], ids=str)
@pytest.mark.parametrize("share", [0.505, 0.6, 0.95])
def test_a_tone_above_half_the_lower_rate_is_80_db_down(rate, share):
    frequency_hz = 50 + (share - 0.5) * (float(rate) / 2 - 50) * 2
    output_T, _ = resampled(rate, frequency_hz)
    assert np.abs(output_T).max() < 1e-4


@pytest.mark.parametrize("rate", RATES + ODD_RATES, ids=str)
def test_an_offset_leaves_no_ripple(rate):
    conversion = design_conversion(rate, NETWORK)
    first, last = conversion.inputs_needed(FIRST, FIRST + 1200)
    output_T = convert(conversion, np.full(last - first, 1e6, np.float32), FIRST, FIRST + 1200)
    assert set(output_T) == {1e6}


@pytest.mark.parametrize("rate", RATES + ODD_RATES, ids=str)
def test_outputs_are_the_same_to_the_bit_in_any_pieces(rate):
    conversion = design_conversion(rate, NETWORK)
    first, last = conversion.inputs_needed(FIRST, FIRST + 300)
    inputs_T = np.random.default_rng(1).normal(size=last - first).astype(np.float32)
    whole_T = convert(conversion, inputs_T, FIRST, FIRST + 300)
    for size in (1, 2, 7, 123):
        for start in range(FIRST, FIRST + 300, size):
            end = min(start + size, FIRST + 300)
            low, high = conversion.inputs_needed(start, end)
            piece_T = convert(conversion, inputs_T[low - first : high - first], start, end)
            assert piece_T.tobytes() == whole_T[start - FIRST : end - FIRST].tobytes()


@pytest.mark.parametrize("rate", RATES, ids=str)
def test_a_missing_input_spoils_the_outputs_whose_filter_touches_it(rate):
    conversion = design_conversion(rate, NETWORK)
    first, last = conversion.inputs_needed(FIRST, FIRST + 3000)
    inputs_T = np.ones(last - first, np.float32)
    missing = (first + last) // 2
    inputs_T[missing - first : missing - first + 3] = np.nan
    output_T = convert(conversion, inputs_T, FIRST, FIRST + 3000)
    low, high = conversion.outputs_touched(missing, missing + 3)
    assert set(np.flatnonzero(np.isnan(output_T)) + FIRST) == set(range(low, high))
    reach_s = (conversion.half_width + 2) / rate
    assert (high - low) / NETWORK <= 2 * reach_s + 1 / NETWORK


def test_settled_outputs_are_those_whose_filter_ends_before():
    conversion = design_conversion(Fraction(40), NETWORK)
    settled = conversion.settled_outputs(1000)
    assert conversion.inputs_needed(settled - 1, settled)[1] <= 1000
    assert conversion.inputs_needed(settled, settled + 1)[1] > 1000
