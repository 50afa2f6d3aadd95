from __future__ import annotations

import math

import numpy as np
import pytest

from rtpick.learning.matching import Tally, tally


def test_nearest_pair_is_matched_first():
    outcome = tally([1.05, 0.98], [1.0], tolerance_s=0.1)
    assert (outcome.found, outcome.false, outcome.missed) == (1, 1, 0)
    assert outcome.residuals_s == (pytest.approx(-0.02),)


def test_each_label_is_found_once():
    outcome = tally([1.0, 1.0, 1.0], [1.0, 1.0], tolerance_s=0.1)
    assert (outcome.found, outcome.false, outcome.missed) == (2, 1, 0)


def test_tolerance_includes_its_edge():
    assert tally([1.1], [1.0], tolerance_s=0.1).found == 1
    assert tally([1.11], [1.0], tolerance_s=0.1).found == 0


@pytest.mark.parametrize(("picks", "labels"), [([], []), ([], [1.0]), ([1.0], [])])
def test_nothing_to_match(picks, labels):
    outcome = tally(picks, labels, tolerance_s=0.1)
    assert (outcome.found, outcome.false, outcome.missed) == (0, len(picks), len(labels))


def test_tallies_add_up_to_ratios():
    total = Tally(6, 2, 0, (0.1,) * 6) + Tally(0, 0, 2)
    assert total.precision == 0.75
    assert total.recall == 0.75
    assert total.f1 == 0.75
    assert len(total.residuals_s) == 6


def test_no_ratio_of_nothing():
    assert all(math.isnan(value) for value in (Tally().precision, Tally().recall, Tally().f1))


def test_swapping_picks_and_labels_swaps_false_and_missed():
    rng = np.random.default_rng(3)
    picks, labels = rng.uniform(0, 10, 20), rng.uniform(0, 10, 15)
    one, other = tally(picks, labels, 0.3), tally(labels, picks, 0.3)
    assert (one.found, one.false, one.missed) == (other.found, other.missed, other.false)
