"""Eighty minutes of the Ridgecrest aftershocks at four stations: picks and events in one run of the daemon.

``pytest tests/benchmarks/test_ridgecrest.py -s`` prints what is found beside an automatic catalogue
made with many more stations.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rtpick.archive.catalog import Catalog
from rtpick.vocabulary.event import EventStatus
from rtpick.vocabulary.pick import PickStatus

CONFIGURATION = """\
sources:
  - {{type: archive, name: ridgecrest, path: {folder}/waveforms, speed: 0}}
inventory:
  files: [{folder}/stations.xml]
archive:
  database: sqlite:///{out}/rtpick.sqlite
health:
  port: 0
"""
MATCH_S = 3.0
MATCH_KM = 30.0


def run_daemon(folder: Path, out: Path) -> float:
    """Run the daemon over the recording; seconds that it took."""
    config = out / "rtpick.yaml"
    config.write_text(CONFIGURATION.format(folder=folder, out=out))
    began_s = time.monotonic()
    subprocess.run([sys.executable, "-m", "rtpick", "run", str(config)], check=True, timeout=600)
    return time.monotonic() - began_s


def distance_km(one: pd.DataFrame, latitude: float, longitude: float) -> np.ndarray:
    """Distances on a plane, good enough for matching."""
    north = (one["latitude"] - latitude) * 111.2
    east = (one["longitude"] - longitude) * 111.2 * np.cos(np.radians(latitude))
    return np.hypot(north, east).to_numpy()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_ridgecrest_in_one_run(shared, tmp_path):
    folder = shared / "data" / "continuous" / "ridgecrest_pb_20190707"
    took_s = run_daemon(folder, tmp_path)
    with Catalog.open(f"sqlite:///{tmp_path / 'rtpick.sqlite'}") as catalog:
        picks = catalog.picks(status=PickStatus.FINAL)
        events = catalog.events(status=EventStatus.FINAL)
    known = pd.read_csv(folder / "catalog_gamma.csv")
    times = pd.to_datetime(known["time"], utc=True, format="ISO8601")
    known_s = ((times - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(seconds=1)).to_numpy()
    found = np.zeros(len(known), bool)
    matched = 0
    for event in events:
        near_s = np.abs(known_s - event.origin.time_ns / 1e9) <= MATCH_S
        near_km = distance_km(known, event.origin.latitude_deg, event.origin.longitude_deg) <= MATCH_KM
        hits = np.flatnonzero(near_s & near_km & ~found)
        if len(hits):
            found[hits[0]] = True
            matched += 1
    strong = (known["magnitude"] >= known["magnitude"].median()).to_numpy()
    phases = [pick.phase_hint for pick in picks]
    print(
        f"\n{phases.count('P')} P and {phases.count('S')} S picks, {len(events)} events in {took_s:.0f} s; "
        f"{found.sum()} of the catalogue's {len(known)} found ({found.mean():.0%}; of the stronger half "
        f"{found[strong].mean():.0%}), {len(events) - matched} events that it does not have"
    )
    assert found[strong].mean() > 0.3
    assert len(picks) > 1000
