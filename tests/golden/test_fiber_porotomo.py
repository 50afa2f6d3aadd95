"""A regional earthquake on 500 channels of the PoroTomo cable, through the reference network."""

from __future__ import annotations

import csv

import numpy as np
import pandas as pd
import pytest

from rtpick.pick_fiber_files import pick_fiber_files
from rtpick.settings.fiber import FiberPickingSettings, FiberSettings
from rtpick.settings.schema import EngineSettings

TOLERANCE_S = 0.3


def _channels_found(table: pd.DataFrame, onsets: list[dict[str, str]], phase: str) -> int:
    onset_s = table["phase_index"] * table["dt_s"]
    found: set[int] = set()
    for row in onsets:
        here = table["channel_index"].between(int(row["channel_first"]), int(row["channel_last"]))
        near = (onset_s - float(row["arrival_s_from_start"])).abs() <= TOLERANCE_S
        wanted = (table["phase_type"] == phase) & (row["phase"] == phase)
        found |= set(table["channel_index"][here & near & wanted])
    return len(found)


@pytest.mark.slow
def test_the_network_for_stations_finds_p_and_s_on_more_than_half_of_the_channels(shared, tmp_path):
    folder = shared / "data" / "das"
    weights = str(shared / "data" / "weights" / "phasenet_ncedc_2019.safetensors")
    settings = FiberSettings(picking=FiberPickingSettings(weights=weights))
    recording = folder / "porotomo_brady_20160321_hawthorne.h5"
    engine = EngineSettings(device="cpu", precision="float32")
    pick_fiber_files([recording], tmp_path / "picks.csv", settings, engine=engine)
    table = pd.read_csv(tmp_path / "picks.csv")
    with (folder / "porotomo_brady_20160321_hawthorne_picks.csv").open() as file:
        onsets = list(csv.DictReader(file))
    found = {phase: _channels_found(table, onsets, phase) for phase in "PS"}
    assert found["P"] > 260
    assert found["S"] > 290
    assert np.isfinite(table["phase_amplitude"]).mean() > 0.99
