"""The recording of the cable's demonstration: read as it is, without running what a pickle may hold."""

from __future__ import annotations

import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest

from rtpick.demo.fiber_recording import find_recording, read_samples, write_fiber_recording
from rtpick.vocabulary.errors import RecordError


def test_the_samples_are_those_of_the_reference_copy(shared: Path, tmp_path: Path) -> None:
    written = write_fiber_recording(tmp_path)
    with h5py.File(written) as ours, h5py.File(
        shared / "data/das/porotomo_brady_20160321_hawthorne.h5"
    ) as theirs:
        np.testing.assert_array_equal(ours["data"][:], theirs["data"][:])


def test_what_a_pickle_asks_for_is_not_done(tmp_path: Path) -> None:
    done = tmp_path / "done"

    class Hostile:
        def __reduce__(self) -> object:
            return Path.touch, (done,)

    hostile = tmp_path / "example.pkl"
    hostile.write_bytes(pickle.dumps(Hostile()))
    with pytest.raises(RecordError, match="another recording"):
        read_samples(hostile)
    assert not done.exists()


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    torn = tmp_path / "example.pkl"
    torn.write_bytes(find_recording().read_bytes()[:1000])
    with pytest.raises(RecordError, match=r"damaged|another"):
        read_samples(torn)
