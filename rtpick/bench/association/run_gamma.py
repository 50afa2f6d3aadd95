"""A program for an interpreter that has GaMMA: a job's tables in, its tables out. Imports nothing of ours.

Run as ``python run_gamma.py FOLDER``. GaMMA makes its travel times itself, of the job's velocity nodes.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
from gamma.seismic_ops import initialize_eikonal
from gamma.utils import association, estimate_eps

NAMES = {"x": "x(km)", "y": "y(km)", "z": "z(km)"}


def main(folder: Path) -> None:
    """Associate the job and write what came out, with the processor time of the association alone."""
    job = json.loads((folder / "job.json").read_text("utf-8"))
    stations = pd.read_csv(folder / "stations.csv").rename(columns=NAMES)
    table = pd.read_csv(folder / "picks.csv")
    picks = as_gamma(table)
    with contextlib.redirect_stdout(io.StringIO()):
        config = configure(job, stations)
        began_s = time.process_time()
        events, pairs = association(picks, stations, config, method="BGMM")
        spent_s = time.process_time() - began_s
    write(folder, table, events, pairs)
    cost = {"processor_s": spent_s, "version": version("GMMA")}
    (folder / "cost.json").write_text(json.dumps(cost), "utf-8")


def as_gamma(table: pd.DataFrame) -> pd.DataFrame:
    """Name the columns of the picks as GaMMA does."""
    times = pd.to_datetime(table["time"].astype(float), unit="s")
    return pd.DataFrame({"id": table["station"], "timestamp": times, "type": table["phase"].str.lower(),
                         "prob": table["score"], "amp": table["amplitude"]})  # fmt: skip


def configure(job: dict[str, Any], stations: pd.DataFrame) -> dict[str, Any]:
    """Complete the job's parameters with the volume and the travel times."""
    box = {name: tuple(job[key]) for name, key in (("x(km)", "x_km"), ("y(km)", "y_km"), ("z(km)", "z_km"))}
    config = {"dims": list(box), **box, "ncpu": 1, **job["options"]}
    config["bfgs_bounds"] = tuple((low - 1, high + 1) for low, high in box.values())
    config["bfgs_bounds"] = (*config["bfgs_bounds"][:2], (0.0, box["z(km)"][1] + 1), (None, None))
    config["dbscan_eps"] = job["eps_factor"] * estimate_eps(stations, config["vel"]["p"])
    config["eikonal"] = initialize_eikonal(
        {
            "vel": job["nodes"],
            "h": job["step_km"],
            "xlim": box["x(km)"],
            "ylim": box["y(km)"],
            "zlim": box["z(km)"],
        }
    )
    return config


def write(folder: Path, table: pd.DataFrame, events: list[Any], pairs: list[Any]) -> None:
    """Write events.csv and assignments.csv."""
    rows = [(e["event_index"], pd.Timestamp(e["time"], tz="UTC").timestamp(), *(e[n] for n in NAMES.values()))
            for e in events]  # fmt: skip
    columns = ["event", "epoch", "x_km", "y_km", "z_km"]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "events.csv", index=False)
    ids = table["pick_id"].to_numpy()
    named = [(event, ids[pick]) for pick, event, _ in pairs]
    pd.DataFrame(named, columns=["event", "pick_id"]).to_csv(folder / "assignments.csv", index=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
