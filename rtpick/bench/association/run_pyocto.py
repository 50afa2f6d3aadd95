"""A program for an interpreter that has PyOcto: a job's tables in, its tables out. Imports nothing of ours.

Run as ``python run_pyocto.py FOLDER``. The travel-time table of the job is in PyOcto's own binary form.
"""

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
import pyocto


def main(folder: Path) -> None:
    """Associate the job and write what came out, with the processor time of the association alone."""
    job = json.loads((folder / "job.json").read_text("utf-8"))
    stations, picks = pd.read_csv(folder / "stations.csv"), pd.read_csv(folder / "picks.csv")
    associator = build(folder, job)
    began_s = time.process_time()
    events, pairs = associator.associate(picks, stations)
    spent_s = time.process_time() - began_s
    write(folder, picks, events, pairs)
    cost = {"processor_s": spent_s, "version": version("pyocto")}
    (folder / "cost.json").write_text(json.dumps(cost), "utf-8")


def build(folder: Path, job: dict[str, Any]) -> Any:
    """Make the associator with one thread."""
    model = pyocto.VelocityModel1D(
        str(folder / "travel_times.bin"),
        tolerance=job["model_tolerance_s"],
        association_cutoff_distance=job["cutoff_km"],
        surface_p_velocity=job["surface_km_s"][0],
        surface_s_velocity=job["surface_km_s"][1],
    )
    return pyocto.OctoAssociator(
        xlim=tuple(job["x_km"]), ylim=tuple(job["y_km"]), zlim=tuple(job["z_km"]), velocity_model=model,
        time_before=job["time_before_s"], n_threads=1, **job["options"],
    )  # fmt: skip


def write(folder: Path, picks: pd.DataFrame, events: pd.DataFrame, pairs: pd.DataFrame) -> None:
    """Write events.csv and assignments.csv."""
    columns = {"idx": "event", "time": "epoch", "x": "x_km", "y": "y_km", "z": "z_km"}
    found = events.rename(columns=columns) if len(events) else pd.DataFrame(columns=list(columns.values()))
    found[list(columns.values())].to_csv(folder / "events.csv", index=False)
    named = pd.DataFrame({"event": [], "pick_id": []})
    if len(pairs):
        ids = picks["pick_id"].to_numpy()[pairs["pick_idx"].to_numpy()]
        named = pd.DataFrame({"event": pairs["event_idx"], "pick_id": ids})
    named.to_csv(folder / "assignments.csv", index=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
