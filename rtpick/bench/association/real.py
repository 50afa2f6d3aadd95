"""Real pick lists with what others found in them, brought into the tables of a scenario.

A catalogue of real earthquakes is never complete: what is found beyond it is neither right nor wrong. What
counts is how many of its events are found again and how many of its picks are in the right one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from rtpick.association.velocity import IASP91
from rtpick.bench.association.catalogue import Found
from rtpick.bench.association.matching import FloatArray, count_shares, match_by_picks, match_in_space
from rtpick.bench.association.peers import P_ALONE, SMALL, Terms
from rtpick.bench.association.scenario import Scenario, TrueEvent, Truth
from rtpick.bench.association.score import distances_to
from rtpick.vocabulary.errors import PickTableError

_PLACE = ("event_id", "epoch", "latitude", "longitude", "depth_km")
SAME_ONSET_S = 0.5  # a pick is a catalogue's if it is this near at the same station


@dataclass(frozen=True, slots=True)
class RealList:
    """A real pick list.

    `by_picks` where its catalogue names the picks of each event, else time and place tell which is
    which. `terms` are what peers are to ask of an event there.
    """

    scenario: Scenario
    by_picks: bool
    terms: Terms = SMALL


@dataclass(frozen=True, slots=True)
class RealScore:
    """How much of a catalogue was found again.

    Its events and those of them found, its picks, those of them in the right event and those in another,
    and how far apart the epicentres are.
    """

    catalogued: int
    matched: int
    picks: int
    right: int
    wrong: int
    apart_km: FloatArray


@dataclass(frozen=True, slots=True)
class _Tables:
    picks: pd.DataFrame
    stations: pd.DataFrame
    nodes: pd.DataFrame
    events: pd.DataFrame
    by_picks: bool
    match_s: float = 2.0
    match_km: float = 15.0
    terms: Terms = SMALL


def read_real(folder: Path, scratch: Path) -> list[RealList]:
    """Bring the lists of a folder that are known here into tables, below `scratch`.

    Raises
    ------
    PickTableError
        If the folder holds none of them.
    """
    found = [name for name in READERS if (folder / name).is_dir()]
    if not found:
        raise PickTableError(f"no real pick list in {folder}; one of {', '.join(READERS)} is")
    return [_lay_out(name, READERS[name](folder / name), scratch / name) for name in found]


def _lay_out(name: str, tables: _Tables, folder: Path) -> RealList:
    folder.mkdir(parents=True)
    shown = [c for c in ("pick_id", "station", "phase", "time", "score", "amplitude") if c in tables.picks]
    tables.picks[shown].to_csv(folder / "picks.csv", index=False)
    tables.stations.to_csv(folder / "stations.csv", index=False)
    tables.nodes.to_csv(folder / "velocity.csv", index=False)
    times = pd.to_datetime(tables.picks.time, format="ISO8601", utc=True)
    hours = (times.max() - times.min()).total_seconds() / 3600.0
    owner = dict(zip(tables.picks.pick_id.astype(str), tables.picks.event_id.astype(int), strict=True))
    counts = pd.Series(list(owner.values())).value_counts()
    events = tuple(_true_event(row, int(counts.get(row.event_id, 0))) for row in tables.events.itertuples())
    truth = Truth(events, owner, hours, tables.match_s, tables.match_km)
    scenario = Scenario(
        name, None, folder / "picks.csv", folder / "stations.csv", folder / "velocity.csv", None, truth
    )
    return RealList(scenario, tables.by_picks, tables.terms)


def _true_event(row: object, count: int) -> TrueEvent:
    number, epoch_s, latitude, longitude, depth_km = (float(getattr(row, n, np.nan)) for n in _PLACE)
    return TrueEvent(int(number), epoch_s, latitude, longitude, depth_km, count, True)


def score_real(found: Found, real: RealList) -> RealScore:
    """Compare a catalogue with another's."""
    truth = real.scenario.truth
    pairs = (match_by_picks(count_shares(found.events, truth)) if real.by_picks
             else match_in_space(found.events, truth))  # fmt: skip
    right = wrong = 0
    for place, number in pairs.items():
        owners = [truth.event_of_pick.get(pick_id, -1) for pick_id in found.events[place].pick_ids]
        right += sum(owner == number for owner in owners)
        wrong += sum(owner != number for owner in owners if owner >= 0 or real.by_picks)
    known = {event.number: event for event in truth.events}
    apart_km = distances_to(found.events, {place: known[number] for place, number in pairs.items()})
    total = sum(event.pick_count for event in truth.events)
    return RealScore(len(truth.events), len(pairs), total, right, wrong, apart_km[np.isfinite(apart_km)])


def _amatrice(folder: Path) -> _Tables:
    """Two hours of the Central Italy sequence (the list lacks half an hour): PhaseNet's surer picks."""
    picks = pd.read_csv(folder / "picks.csv.gz")
    keep = (picks.picker == "PhaseNet") & (picks.snr_or_prob >= 0.5) & (picks.time < "2016-10-14T02:30")
    picks = picks[keep].rename(columns={"snr_or_prob": "score"}).reset_index(drop=True)
    picks = picks.assign(pick_id=picks.index, station=picks.network + "." + picks.station)
    stations = pd.read_csv(folder / "stations.csv")
    events = _with_epoch(pd.read_csv(folder / "catalog_matchlocate.csv"))
    phases = pd.read_csv(folder / "catalog_matchlocate_phases.csv")
    columns = ["depth_km", "vp", "vs"]
    lines = pd.read_csv(folder / "velocity_model_itvel.nd", sep=r"\s+", names=[*columns, "a", "b", "c"])
    nodes = lines[columns].apply(pd.to_numeric, errors="coerce").dropna()  # words mark the earth's shells
    nodes = nodes[nodes.depth_km <= 760]
    return _Tables(_claimed(picks, phases), stations, nodes, events, by_picks=False)


def _claimed(picks: pd.DataFrame, phases: pd.DataFrame) -> pd.DataFrame:
    """Give each pick the catalogue's event that has an arrival of its phase there and then."""
    code = picks.station.str.split(".").str[-1].astype(str)
    left = picks.assign(at=pd.to_datetime(picks.time, format="ISO8601", utc=True), code=code)
    right = phases.assign(
        at=pd.to_datetime(phases.time, format="ISO8601", utc=True), code=phases.station.astype(str)
    )
    near = pd.merge_asof(
        left.sort_values("at"), right[["at", "code", "phase", "event_id"]].sort_values("at"), on="at",
        by=["code", "phase"], tolerance=pd.Timedelta(seconds=SAME_ONSET_S), direction="nearest",
    )  # fmt: skip
    return near.assign(event_id=near.event_id.fillna(-1).astype(int))


def _ceus(folder: Path) -> _Tables:
    """P picks at 575 stations across the United States, around catalogued earthquakes."""
    picks = pd.read_csv(folder / "picks.csv.gz")
    picks = picks.assign(pick_id=picks.index, station=picks.network + "." + picks.station, event_id=-1)
    stations = pd.read_csv(folder / "stations.csv").drop_duplicates(["network", "station"])
    events = _with_epoch(pd.read_csv(folder / "catalog.csv"))
    events["event_id"] = np.arange(len(events))
    return _Tables(
        picks, stations.drop(columns="channel"), _iasp91(), events, False, 6.0, 50.0, terms=P_ALONE
    )


def _iceland(folder: Path) -> _Tables:
    """Ten minutes of the 2014 dike intrusion: 457 picks whose events are named."""
    picks, nodes = pd.read_csv(folder / "picks.csv"), pd.read_csv(folder / "velocity_model.txt")
    picks = picks.assign(pick_id=picks.index, station="." + picks.station)
    nodes.columns = ["depth_km", "vp", "vs"]
    events = _with_epoch(pd.read_csv(folder / "catalog.csv"))
    return _Tables(picks, pd.read_csv(folder / "stations.csv"), _from_sea_level(nodes), events, by_picks=True)


def _chile(folder: Path) -> _Tables:
    """Fifty synthetic events at real stations, with 110 false picks."""
    picks = pd.read_csv(folder / "picks.csv").rename(columns={"event": "event_id"})
    picks = picks.assign(pick_id=picks.index, station=picks.station.str.rstrip("."))
    stations = pd.read_csv(folder / "stations.csv")
    nodes = pd.read_csv(folder / "velocity_model_graeber.csv").rename(columns={"depth": "depth_km"})
    numbers = sorted(number for number in picks.event_id.unique() if number >= 0)
    events = pd.DataFrame({"event_id": numbers})
    return _Tables(picks, stations, nodes[["depth_km", "vp", "vs"]], events, by_picks=True)


def _with_epoch(events: pd.DataFrame) -> pd.DataFrame:
    since = pd.to_datetime(events.time, format="ISO8601", utc=True) - pd.Timestamp(0, tz="UTC")
    return events.assign(epoch=since.dt.total_seconds())


def _from_sea_level(nodes: pd.DataFrame) -> pd.DataFrame:
    """Cut off what a model says of mountains."""
    surface = {name: np.interp(0.0, nodes.depth_km, nodes[name]) for name in ("vp", "vs")}
    return pd.concat(
        [pd.DataFrame([{"depth_km": 0.0, **surface}]), nodes[nodes.depth_km > 0]], ignore_index=True
    )


def _iasp91() -> pd.DataFrame:
    return pd.DataFrame(list(IASP91), columns=["depth_km", "vp", "vs"])


READERS: dict[str, Callable[[Path], _Tables]] = {
    "amatrice_20161014": _amatrice,
    "ceus_2017_2018": _ceus,
    "iceland_vt_20140824": _iceland,
    "chile_synthetic": _chile,
}
