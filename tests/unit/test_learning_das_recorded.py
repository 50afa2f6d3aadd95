"""Onsets on unpicked records of cables are taken where channels agree, and nothing is claimed elsewhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rtpick.learning.das_recorded import LEAD, first_breaks, mark_front, read_front
from rtpick.learning.dataset import DatasetError


def slanting(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    onset_K = 300.0 + np.round(1.5 * np.arange(60))
    behind_KT = np.arange(900)[None, :] >= onset_K[:, None]
    wave_KT = rng.standard_normal((60, 900)) * np.where(behind_KT, 15.0, 1.0)
    return wave_KT.astype(np.float32), onset_K


def test_first_breaks_follow_a_slanting_front() -> None:
    wave_KT, onset_K = slanting(np.random.default_rng(0))
    assert np.abs(first_breaks(wave_KT) - onset_K).max() <= 3


def test_channels_that_disagree_are_neither_picked_nor_known() -> None:
    rng = np.random.default_rng(1)
    wave_KT, onset_K = slanting(rng)
    wave_KT[20:24] = rng.standard_normal((4, 900))
    sample = mark_front(wave_KT, 10.0)
    assert not set(range(20, 24)) & set(sample.channel_N.tolist())
    assert sample.known_KT is not None
    assert not sample.known_KT[20:24].any()
    assert len(sample.channel_N) >= 50
    row = int(sample.channel_N[5])
    assert sample.known_KT[row, : LEAD + int(onset_K[row])].all()
    assert not sample.known_KT[row, LEAD + int(onset_K[row]) + 40 :].any()


def test_the_front_of_a_mines_earthquake_is_found(shared: Path) -> None:
    """It runs from the middle of the cable to its start in about 110 ms."""
    sample = read_front(shared / "data" / "das" / "mine_event_20220604_deformation_rate.h5", 12)
    assert len(sample.sample_N) > 0.65 * len(sample.samples_KT)
    onset = dict(zip(sample.channel_N.tolist(), (sample.sample_N - LEAD).tolist(), strict=True))
    assert onset[145] == pytest.approx(162, abs=8)
    assert onset[60] == pytest.approx(253, abs=8)
    assert onset[6] == pytest.approx(358, abs=8)


def test_what_is_no_record_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "x.h5").write_bytes(b"no")
    with pytest.raises(DatasetError, match="dt_s"):
        read_front(tmp_path / "x.h5")
