"""`rtpick bench das-associate`: histogram and stream on pick tables of cables whose truth is known.

A folder holds one folder a scenario, NAME or NAME_SEED, with picks.csv, truth_events.csv (id,
origin_time_s, class: required or optional) and truth_picks.csv (pick_id, event, -1 for noise).

Arrays: N pick of the table.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import groupby
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from rtpick.associate_fiber_picks import USUAL, FiberTerms, Mode, associate_fiber_table
from rtpick.association.fiber_geometry import read_fiber_geometry
from rtpick.association.fiber_histogram import HistogramOptions
from rtpick.fiber_table import FiberTable, read_fiber_table, rows_of
from rtpick.vocabulary.errors import PickTableError

TOLERANCE_S = 1.5
_OVERLAP = 0.5
_WIDTH = 150
_FIGURES = (
    "picks", "required", "found", "false", "F1", "pick precision", "pick recall", "origin, s", "picks/s",
)  # fmt: skip
_NEEDED = {"truth_events.csv": {"id", "origin_time_s", "class"}, "truth_picks.csv": {"pick_id", "event"}}


@dataclass(frozen=True, slots=True)
class Contender:
    """A way to associate."""

    name: str
    mode: Mode
    terms: FiberTerms = USUAL
    with_channels: bool = False


def _histogram(bin_size_s: float, distance: int) -> FiberTerms:
    return FiberTerms(HistogramOptions(
        max_ps_dt_s=30.0, bin_size_s=bin_size_s, minimum_peak_height=100, minimum_peak_distance=distance,
        origin_window_s=0.5, moveout_window_s=0.5,
    ))  # fmt: skip


CONTENDERS = (
    Contender("stream", "stream"),
    Contender("histogram, 0.5 s", "histogram", _histogram(0.5, 10)),
    Contender("histogram, 0.1 s", "histogram", _histogram(0.1, 50)),
    Contender("histogram, defaults", "histogram"),
)
WITH_CHANNELS = Contender("stream, located", "stream", with_channels=True)


@dataclass(frozen=True, slots=True)
class FiberScore:
    """Counts of one contender on one scenario, or the sums over several.

    `hits`, `wrong` and `missed` are events; one that was optional to find is `neutral`.
    """

    scenario: str
    seed: int
    contender: str
    picks: int
    events: int
    required: int
    hits: int
    neutral: int
    wrong: int
    missed: int
    pick_hits: int
    picks_claimed: int
    picks_true: int
    origin_error_s: float
    seconds: float

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall of events."""
        return _ratio(2 * self.hits, 2 * self.hits + self.wrong + self.missed)

    @property
    def pick_precision(self) -> float:
        """Share of the claimed picks that belong where they were claimed."""
        return _ratio(self.pick_hits, self.picks_claimed)

    @property
    def pick_recall(self) -> float:
        """Share of the required events' picks that were claimed by the right event."""
        return _ratio(self.pick_hits, self.picks_true)

    @property
    def picks_per_s(self) -> float:
        """Picks for each second of one process."""
        return _ratio(self.picks, self.seconds)


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")


def score_fiber_events(
    events: pd.DataFrame, picks: pd.DataFrame, true_events: pd.DataFrame, true_picks: pd.DataFrame
) -> dict[str, float]:
    """Match found events to true ones and count.

    Parameters
    ----------
    events : DataFrame
        origin_id, origin_time_s.
    picks : DataFrame
        pick_id, origin_id; -1 for none.
    true_events : DataFrame
        id, origin_time_s, class.
    true_picks : DataFrame
        pick_id, event.

    Notes
    -----
    A found event is a true one if at least half of its picks are that one's and its origin time is within
    1.5 s; most picks in common come first, and each is matched once. A true event that is optional
    neither rewards nor punishes, nor do its picks.
    """
    true_of = pd.Series(true_picks["event"].to_numpy(), index=true_picks["pick_id"].to_numpy())
    mine = picks[picks["origin_id"] >= 0]
    mine = mine[mine["pick_id"].isin(true_of.index)]
    found = pd.DataFrame({"origin_id": mine["origin_id"], "event": true_of.loc[mine["pick_id"]].to_numpy()})
    pairs = _candidates(found, events, true_events)
    matched = _match(pairs)
    required = set(true_events["id"][true_events["class"] == "required"])
    hits = sum(event in required for event in matched.values())
    optional = {origin for origin, event in matched.items() if event not in required}
    judged = found[~found["origin_id"].isin(optional)]
    right = judged["origin_id"].map(matched).fillna(-9) == judged["event"]
    nearest = pairs.drop_duplicates("origin_id")["error_s"]
    return {
        "events": len(events), "required": len(required), "hits": hits, "neutral": len(matched) - hits,
        "wrong": len(events) - len(matched), "missed": len(required) - hits, "pick_hits": int(right.sum()),
        "picks_claimed": len(judged), "picks_true": int(true_picks["event"].isin(required).sum()),
        "origin_error_s": float(nearest.median()) if len(nearest) else float("nan"),
    }  # fmt: skip


def _candidates(found: pd.DataFrame, events: pd.DataFrame, true_events: pd.DataFrame) -> pd.DataFrame:
    """List found and true events that may be one, most picks in common first."""
    whole = found.groupby("origin_id").size()
    real = found[found["event"] >= 0]
    pairs = real.groupby(["origin_id", "event"]).size().rename("shared").reset_index()
    when = events.set_index("origin_id")["origin_time_s"].astype(float)
    truth = true_events.set_index("id")["origin_time_s"].astype(float)
    pairs["error_s"] = (pairs["origin_id"].map(when) - pairs["event"].map(truth)).abs().astype(float)
    good = pairs["shared"] >= _OVERLAP * pairs["origin_id"].map(whole)
    good &= pairs["error_s"] <= TOLERANCE_S
    return pairs[good].sort_values("shared", ascending=False)


def _match(pairs: pd.DataFrame) -> dict[int, int]:
    matched: dict[int, int] = {}
    taken: set[int] = set()
    for origin, event in zip(pairs["origin_id"].tolist(), pairs["event"].tolist(), strict=True):
        if origin not in matched and event not in taken:
            matched[origin] = event
            taken.add(event)
    return matched


def bench_fiber_association(
    folder: Path | str,
    out: Path | str = "bench-das-associate",
    contenders: Sequence[Contender] = CONTENDERS,
    console: Console | None = None,
) -> list[FiberScore]:
    """Run every contender on every scenario of a folder; print the sums and write scores.csv.

    Parameters
    ----------
    folder : path
        Of scenarios, or one scenario.
    out : path
        Folder of the table; made if missing.

    Raises
    ------
    PickTableError
        If there is no scenario, or one lacks a file or column.
    """
    scores = []
    for place in find_fiber_scenarios(Path(folder)):
        scores += [run_contender(place, contender) for contender in contenders]
    sums = sum_up(scores)
    print_fiber_scores(sums, console or Console(width=_WIDTH))
    Path(out).mkdir(parents=True, exist_ok=True)
    _as_table([*scores, *sums]).to_csv(Path(out) / "scores.csv", index=False)
    return scores


def find_fiber_scenarios(folder: Path) -> list[Path]:
    """List the scenarios of a folder, by name and seed."""
    places = [folder] if (folder / "picks.csv").is_file() else [
        place.parent for place in folder.glob("*/picks.csv")
    ]  # fmt: skip
    if not places:
        raise PickTableError(f"{folder} has no scenario: a folder with picks.csv and its truth")
    return sorted(places, key=_name_and_seed)


def _name_and_seed(place: Path) -> tuple[str, int]:
    match = re.fullmatch(r"(.*?)_(\d+)", place.name)
    return (match[1], int(match[2])) if match else (place.name, 0)


def run_contender(place: Path, contender: Contender) -> FiberScore:
    """Associate one scenario and score what is found."""
    table = read_fiber_table(place / "picks.csv")
    if "pick_id" not in table.frame:
        raise PickTableError(f"{place / 'picks.csv'} has no column pick_id; the truth names picks by it")
    true_events, true_picks = (_read_truth(place / name) for name in _NEEDED)
    geometry = read_fiber_geometry(place / "channels.csv") if contender.with_channels else None
    associate_fiber_table(_few(table), contender.mode, None, contender.terms)  # compiles
    begin_s = time.perf_counter()
    result = associate_fiber_table(table, contender.mode, geometry, contender.terms)
    seconds = time.perf_counter() - begin_s
    counts = score_fiber_events(result.events, result.picks, true_events, true_picks)
    name, seed = _name_and_seed(place)
    return _made(name, seed, contender.name, counts | {"picks": len(table.frame), "seconds": seconds})


def _few(table: FiberTable) -> FiberTable:
    """Take so few picks that only compiling takes time."""
    rows = np.arange(min(len(table.frame), 200))
    times = table.begin_ns_N[rows], table.time_ns_N[rows]
    return FiberTable(table.frame.iloc[rows], table.dt_s, *times, rows_of(table.picks, rows))


def _made(scenario: str, seed: int, contender: str, counts: Mapping[str, float]) -> FiberScore:
    whole = {name: int(value) for name, value in counts.items() if name not in ("origin_error_s", "seconds")}
    return FiberScore(scenario=scenario, seed=seed, contender=contender, **whole,
                      origin_error_s=counts["origin_error_s"], seconds=counts["seconds"])  # fmt: skip


def _read_truth(path: Path) -> pd.DataFrame:
    try:
        frame = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise PickTableError(f"cannot read the truth from {path}: {error}") from error
    missing = sorted(_NEEDED[path.name] - set(frame.columns))
    if missing:
        raise PickTableError(f"{path} has no column {', '.join(missing)}")
    return frame


def sum_up(scores: Iterable[FiberScore]) -> list[FiberScore]:
    """Add the seeds of each scenario up; the origin error is the mean of the seeds' medians."""
    sums = []
    ordered = sorted(scores, key=lambda score: (score.scenario, score.contender))
    for (scenario, contender), group in groupby(ordered, key=lambda score: (score.scenario, score.contender)):
        own = list(group)
        summed = [f.name for f in fields(FiberScore)
                  if f.name not in ("scenario", "seed", "contender", "origin_error_s")]  # fmt: skip
        counts = {name: sum(getattr(score, name) for score in own) for name in summed}
        errors = [score.origin_error_s for score in own if np.isfinite(score.origin_error_s)]
        counts["origin_error_s"] = float(np.mean(errors)) if errors else float("nan")
        sums.append(_made(scenario, -1, contender, counts))
    return sums


def print_fiber_scores(sums: Sequence[FiberScore], console: Console) -> None:
    """Print a row for each scenario and contender."""
    table = Table(title="Association along cables, all seeds together", title_justify="left")
    for name in ("scenario", "contender"):
        table.add_column(name)
    for name in _FIGURES:
        table.add_column(name, justify="right")
    for row in _printed(sums):
        table.add_row(*row)
    console.print(table)


def _printed(sums: Sequence[FiberScore]) -> Iterator[tuple[str, ...]]:
    for s in sums:
        yield (
            s.scenario, s.contender, f"{s.picks}", f"{s.required}", f"{s.hits}", f"{s.wrong}", f"{s.f1:.3f}",
            f"{s.pick_precision:.3f}", f"{s.pick_recall:.3f}", f"{s.origin_error_s:.2f}",
            f"{s.picks_per_s:.0f}",
        )  # fmt: skip


def _as_table(scores: Sequence[FiberScore]) -> pd.DataFrame:
    """Lay scores out; the seed -1 stands for all seeds together."""
    derived = ("f1", "pick_precision", "pick_recall", "picks_per_s")
    names = [*(f.name for f in fields(FiberScore)), *derived]
    return pd.DataFrame([[getattr(score, name) for name in names] for score in scores], columns=names)
