"""The targets of fibers are those that PhaseNet-DAS is trained on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from rtpick.learning.das_targets import FiberTargets, LabelledEvent, make_targets, thin_events

# Times reach 1000 samples in float32.
TOLERANCE = 1e-4


def as_stored(targets: FiberTargets) -> dict[str, np.ndarray]:
    return {
        "phase_pick": targets.phase_PKT,
        "phase_mask": targets.phase_mask_KT[None],
        "event_center": targets.center_KT[None],
        "event_time": targets.event_time_KT[None],
        "event_center_mask": targets.center_mask_KT[None],
        "event_time_mask": targets.event_time_mask_KT[None],
    }


@pytest.mark.parametrize("name", ["single", "edge", "double", "none"])
def test_targets_are_the_published_ones(shared: Path, name):
    with np.load(shared / "data" / "weights" / "das_label_conformance.npz") as archive:
        case = json.loads(str(archive[f"{name}.json"]))
        wanted = {k.removeprefix(f"{name}."): archive[k] for k in archive if k.startswith(f"{name}.")}
    wanted.pop("json")
    events = [
        LabelledEvent(one["p_picks"], one["s_picks"], one["ps_centers"], one["ps_intervals"])
        for one in case["targets"]
    ]
    targets = make_targets(events, case["nx"], case["nt"])
    thin = as_stored(thin_events(targets))
    found = as_stored(targets) | {f"ds16.{key}": thin[key] for key in thin if key.startswith("event")}
    assert found.keys() == wanted.keys()
    for key, array in wanted.items():
        assert found[key].shape == array.shape
        assert np.abs(found[key] - array).max() <= TOLERANCE, key
