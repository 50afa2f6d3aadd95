"""Files in, a table of picks out."""

from __future__ import annotations

import csv
import io

import pytest
from rich.console import Console

from rtpick.pick_files import pick_paths
from rtpick.settings.schema import PickingSettings
from rtpick.vocabulary.errors import RecordError, SettingsError
from rtpick.vocabulary.time import parse_utc

HEADER = (
    "pick_id,network,station,location,channel,phase_hint,time,probability,uncertainty_s,amplitude,snr,coverage,"
    "model_version,status,revision"
)


@pytest.fixture
def recording(shared):
    return shared / "data" / "continuous" / "unterhaching_bw_20100527" / "waveforms"


def _settings(shared):
    weights = shared / "data" / "weights" / "phasenet_ncedc_2019.safetensors"
    return PickingSettings(weights=str(weights), p_threshold=0.2, s_threshold=0.2)


@pytest.mark.parametrize("compatible", [None, "seisbench"])
def test_a_folder_becomes_a_table(shared, recording, tmp_path, compatible):
    table, screen = tmp_path / "picks.csv", io.StringIO()
    summary = pick_paths(
        [recording], table, picking=_settings(shared), compatible=compatible, console=Console(file=screen)
    )
    with table.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert ",".join(rows[0]) == HEADER
    assert len(rows) == len(summary.picks) > 8
    assert {row["status"] for row in rows} == {"final"}
    assert len({row["pick_id"] for row in rows}) == len(rows)
    times = [parse_utc(row["time"]) for row in rows]
    assert times == sorted(times)
    assert summary.packet_count > 20
    assert summary.rejected_count == 0


def test_picks_of_one_channel_only(shared, recording, tmp_path):
    summary = pick_paths(
        [recording], tmp_path / "picks.csv", picking=_settings(shared), patterns=["BW.UH1.*.*"]
    )
    assert {pick.channel.station for pick in summary.picks} == {"UH1"}


def test_what_cannot_be_picked_is_said(shared, recording, tmp_path):
    with pytest.raises(RecordError, match="no such file"):
        pick_paths([tmp_path / "absent"], tmp_path / "picks.csv")
    with pytest.raises(SettingsError, match="seisbench"):
        pick_paths([recording], tmp_path / "picks.csv", picking=_settings(shared), compatible="earthworm")
    assert not (tmp_path / "picks.csv").exists()
