"""A pick list with the truth behind it, as a folder of tables."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from rtpick.vocabulary.errors import PickTableError

TABLES = ("stations.csv", "picks.csv", "truth_events.csv", "truth_picks.csv", "velocity.csv", "config.json")
NOBODY = -1


@dataclass(frozen=True, slots=True)
class TrueEvent:
    """An event that happened; `is_required` where missing it costs recall.

    `fourth_available_s` is when its fourth pick had arrived, NaN where it never had four.
    """

    number: int
    epoch_s: float
    latitude_deg: float
    longitude_deg: float
    depth_km: float
    pick_count: int
    is_required: bool
    fourth_available_s: float = float("nan")


@dataclass(frozen=True, slots=True)
class Truth:
    """What an associator is scored against.

    Parameters
    ----------
    events : tuple of TrueEvent
    event_of_pick : mapping
        Number of the true event of each pick, negative for none.
    hours : float
        Length of the pick list.
    match_s, match_km : float
        How far a found event may be from the true one, in time and epicentre, to be it.
    """

    events: tuple[TrueEvent, ...]
    event_of_pick: Mapping[str, int]
    hours: float
    match_s: float
    match_km: float


@dataclass(frozen=True, slots=True)
class Scenario:
    """A folder of tables under a name, as it is shown to associators, and the truth."""

    name: str
    seed: int | None
    picks: Path
    stations: Path
    velocity_model: Path
    arrival_column: str | None
    truth: Truth


def find_scenarios(folder: Path) -> list[Path]:
    """List the scenario folders in a folder, or the folder itself if it is one.

    Raises
    ------
    PickTableError
        If there is none.
    """
    inside = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    candidates = [folder, *inside]
    found = [path for path in candidates if all((path / name).is_file() for name in TABLES)]
    if not found:
        raise PickTableError(f"no scenario in {folder}: a folder with {', '.join(TABLES)} is one")
    return found


def read_scenario(folder: Path) -> Scenario:
    """Read a scenario's tables.

    Raises
    ------
    PickTableError
        If a table lacks a column or cannot be read.
    """
    try:
        config = json.loads((folder / "config.json").read_text("utf-8"))
        truth = _read_truth(folder, config)
    except (OSError, ValueError, KeyError) as error:
        raise PickTableError(f"{folder} is no scenario that can be read: {error!r}") from error
    return Scenario(
        name=str(config["scenario"]),
        seed=int(config["seed"]),
        picks=folder / "picks.csv",
        stations=folder / "stations.csv",
        velocity_model=folder / "velocity.csv",
        arrival_column="available_at",
        truth=truth,
    )


def _read_truth(folder: Path, config: Mapping[str, Any]) -> Truth:
    events = pd.read_csv(folder / "truth_events.csv").to_dict("records")
    picks = pd.read_csv(folder / "truth_picks.csv", dtype={"pick_id": str})
    numbers = (int(number) for number in picks["event_id"])
    return Truth(
        events=tuple(_true_event(row) for row in events),
        event_of_pick=dict(zip(picks["pick_id"].astype(str), numbers, strict=True)),
        hours=float(config["hours"]),
        match_s=float(config["dt_match"]),
        match_km=float(config["dist_match"]),
    )


def _true_event(row: Mapping[Any, Any]) -> TrueEvent:
    return TrueEvent(
        number=int(row["id"]),
        epoch_s=float(row["epoch"]),
        latitude_deg=float(row["latitude"]),
        longitude_deg=float(row["longitude"]),
        depth_km=float(row["depth_km"]),
        pick_count=int(row["n_picks"]),
        is_required=row["class"] == "required",
        fourth_available_s=float(row["t4_available"]),
    )
