"""A scenario laid out for an associator that runs in an interpreter of its own, and what it answers.

Other associators want other versions of the libraries that we use, and some stand under other licences:
they are programs beside ours, never parts. All get our travel times, from the same velocity model.
"""

from __future__ import annotations

import csv
import json
import os
import struct
import subprocess
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from rtpick.association.sphere import geographic_deg, offset_rad
from rtpick.bench.association.catalogue import Found, FoundEvent
from rtpick.bench.association.ours import Prepared
from rtpick.bench.measurement import Absent
from rtpick.vocabulary.errors import WorkerError
from rtpick.vocabulary.time import NS_PER_S

ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}


@dataclass(frozen=True, slots=True)
class Peer:
    """Another associator: how it is called, what it takes to run it, and with which parameters.

    `job` holds what its program reads; `setting` tells people of it.
    """

    name: str
    package: str
    module: str
    program: str
    setting: str
    job: Mapping[str, Any]
    table_step_km: float | None = None


def run_peer(peer: Peer, prepared: Prepared, python: str, patience_s: float) -> Found | Absent:
    """Run another associator on a scenario, if the interpreter has it.

    Raises
    ------
    WorkerError
        If it fails or takes longer than `patience_s`.
    """
    probe = [python, "-c", f"import importlib.util as u, sys; sys.exit(u.find_spec('{peer.module}') is None)"]
    if subprocess.run(probe, check=False).returncode:
        return Absent(peer.name, f"pip install {peer.package}, and name that interpreter with --peer-python")
    with TemporaryDirectory() as name:
        folder = Path(name)
        lay_out(peer, prepared, folder)
        _execute(peer, folder, python, patience_s)
        return _read_answer(peer, prepared, folder)


def lay_out(peer: Peer, prepared: Prepared, folder: Path) -> None:
    """Write job.json, stations.csv, picks.csv and, where one is wanted, travel_times.bin."""
    (folder / "job.json").write_text(json.dumps(peer.job), "utf-8")
    world = prepared.state.world
    height_km_S = world.sites.places.elevation_km_S
    stations = [(str(code), *world.plane_km_S2[i].tolist(), -float(height_km_S[i]), 1000.0 * height_km_S[i])
                for i, code in enumerate(world.sites.codes)]  # fmt: skip
    _write(folder / "stations.csv", ("id", "x", "y", "z", "elevation"), stations)
    number = world.sites.number
    picks = [
        (p.pick_id, str(world.sites.codes[number[p.station_id]]), p.phase_hint, f"{p.time_ns / NS_PER_S:.6f}",
         _or(p.probability, 1.0), _or(p.amplitude, 0.0))
        for _, p in sorted(prepared.arrivals, key=lambda item: item[1].time_ns) if p.station_id in number
    ]  # fmt: skip
    _write(folder / "picks.csv", ("pick_id", "station", "phase", "time", "score", "amplitude"), picks)
    if peer.table_step_km is not None:
        (folder / "travel_times.bin").write_bytes(_table_bytes(peer, prepared))


def _or(value: float, otherwise: float) -> float:
    return value if np.isfinite(value) else otherwise


def _table_bytes(peer: Peer, prepared: Prepared) -> bytes:
    """Lay travel times out as PyOcto reads them: counts, spacing, P and S by distance and depth."""
    step_km, world = peer.table_step_km or 1.0, prepared.state.world
    x_km = np.arange(0.0, peer.job["table_km"][0] + step_km, step_km)
    z_km = np.arange(0.0, peer.job["table_km"][1] + step_km, step_km)
    times = [world.travel_times.look_up(phase, x_km[:, None], z_km[None, :])[0] for phase in "PS"]
    head = struct.pack("iid", len(x_km), len(z_km), step_km)
    return head + b"".join(np.ascontiguousarray(time_XZ, np.float64).tobytes() for time_XZ in times)


def _execute(peer: Peer, folder: Path, python: str, patience_s: float) -> None:
    program = Path(__file__).parent / peer.program
    environment = os.environ | ONE_THREAD
    try:
        done = subprocess.run(
            [python, str(program), str(folder)],
            check=False, capture_output=True, text=True, timeout=patience_s, cwd=folder, env=environment,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise WorkerError(f"{peer.name} took longer than {patience_s:g} s; raise --patience") from error
    if done.returncode:
        raise WorkerError(f"{peer.name} failed: {done.stderr.strip().splitlines()[-1:]}")


def _read_answer(peer: Peer, prepared: Prepared, folder: Path) -> Found:
    cost = json.loads((folder / "cost.json").read_text("utf-8"))
    picks: dict[int, list[str]] = defaultdict(list)
    for row in _rows(folder / "assignments.csv"):
        picks[int(float(row["event"]))].append(row["pick_id"])
    centre = prepared.state.world.sites.centre_rad
    events = [_event(row, picks, centre) for row in _rows(folder / "events.csv")]
    return Found(
        associator=f"{peer.name} {cost['version']}",
        setting=peer.setting,
        events=tuple(event for event in events if event.pick_ids),
        pick_count=len(prepared.arrivals),
        processor_s=float(cost["processor_s"]),
    )


def _event(row: Mapping[str, str], picks: Mapping[int, list[str]], centre: tuple[float, float]) -> FoundEvent:
    number = int(float(row["event"]))
    latitude, longitude = offset_rad(*centre, np.array(float(row["x_km"])), np.array(float(row["y_km"])))
    return FoundEvent(
        event_id=f"{number:07d}",
        epoch_s=float(row["epoch"]),
        latitude_deg=geographic_deg(float(latitude)),
        longitude_deg=float(np.degrees(longitude)),
        depth_km=float(row["z_km"]),
        pick_ids=tuple(picks.get(number, ())),
    )


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _write(path: Path, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(rows)
