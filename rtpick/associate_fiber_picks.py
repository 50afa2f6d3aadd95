"""Associate a table of a cable's picks as the daemon would have, or as the PhaseNet-DAS workshops do.

Arrays: N pick (row of the table).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from rich.console import Console
from rich.progress import Progress

from rtpick.association.fiber_associate import FiberAssociatorState, finish, step
from rtpick.association.fiber_geometry import FiberGeometry, read_fiber_geometry
from rtpick.association.fiber_histogram import HistogramOptions, associate_by_histogram
from rtpick.association.fiber_locate import locate_fiber_event
from rtpick.association.fiber_options import FiberOptions
from rtpick.association.traveltime import TravelTimes, build_travel_times
from rtpick.association.velocity import read_velocity_model
from rtpick.fiber_table import (
    Columns,
    FiberTable,
    Found,
    fiber_picks_of,
    fill_columns,
    read_fiber_table,
    rows_of,
    tabulate_events,
    windows_of,
)
from rtpick.vocabulary.errors import PickTableError
from rtpick.vocabulary.event import EventStatus, Origin
from rtpick.vocabulary.fiber_event import FiberEvent
from rtpick.vocabulary.time import NS_PER_S, to_ns

Mode = Literal["stream", "histogram"]
_BATCH_S = 60.0
_DEPTH_KM, _REACH_KM = 60.0, 300.0
_FREE = -1


@dataclass(frozen=True, slots=True, eq=False)
class FiberResult:
    """What was written: picks and events as tables, and what the stream published (none of a histogram)."""

    picks: pd.DataFrame
    events: pd.DataFrame
    publications: tuple[FiberEvent, ...] = ()

    @property
    def associated_fraction(self) -> float:
        """Share of the picks that belong to an event."""
        return float((self.picks["origin_id"] >= 0).mean()) if len(self.picks) else float("nan")


@dataclass(frozen=True, slots=True)
class FiberTerms:
    """What `associate_fiber_picks` takes beside tables and places."""

    histogram: HistogramOptions = field(default_factory=HistogramOptions)
    stream: FiberOptions | None = None
    window_samples: int | None = None
    velocity_model: Path | str = "iasp91"


USUAL = FiberTerms()


def associate_fiber_picks(
    picks: Path | str,
    output: Path | str,
    mode: Mode = "stream",
    channels: Path | str | None = None,
    *,
    velocity_model: Path | str = "iasp91",
    histogram: HistogramOptions | None = None,
    stream: FiberOptions | None = None,
    window_samples: int | None = None,
    channel_spacing_m: float | None = None,
) -> FiberResult:
    """Associate a table of a cable's picks and write picks.csv and events.csv.

    Parameters
    ----------
    picks : path
        Parquet or CSV with channel_index, phase_index, phase_time, phase_score, phase_type, dt_s and
        optionally event_id (the name of the window).
    output : path
        Folder of the results; made if missing.
    mode : str
        ``"stream"``: as the daemon would have, all windows as one stream; ``"histogram"``: as the
        workshops do, window by window.
    channels : path or None
        Where the channels lie (CSV or GeoJSON); then events of the stream are located.
    velocity_model : path or str
        iasp91, or a CSV of depth_km, vp, vs.
    histogram : HistogramOptions or None
    stream : FiberOptions or None
        None fits the usual ones to the cable.
    window_samples : int or None
        Length of the windows of a histogram; None takes the last pick of each.
    channel_spacing_m : float or None
        Of a cable whose channels' places are not given; 8 m if None.

    Raises
    ------
    PickTableError, InventoryError, VelocityModelError
        Naming the file, the column and the remedy.
    """
    table = read_fiber_table(Path(picks))
    geometry = None if channels is None else read_fiber_geometry(channels)
    stream = stream or suit_options(table, geometry, channel_spacing_m)
    terms = FiberTerms(histogram or HistogramOptions(), stream, window_samples, velocity_model)
    result = associate_fiber_table(table, mode, geometry, terms)
    _write(Path(output), result)
    return result


def associate_fiber_table(
    table: FiberTable, mode: Mode = "stream", geometry: FiberGeometry | None = None,
    terms: FiberTerms = USUAL,
) -> FiberResult:  # fmt: skip
    """Associate picks as `associate_fiber_picks` does, from memory to memory.

    Raises
    ------
    PickTableError
        If the mode is unknown.
    """
    if mode == "histogram":
        said: tuple[FiberEvent, ...] = ()
        columns, found = _by_histogram(table, terms.histogram, terms.window_samples)
    elif mode == "stream":
        said = tuple(_play(table, terms.stream or suit_options(table, geometry)))
        columns, found = _by_stream(table, said)
    else:
        raise PickTableError(f"mode {mode!r} is unknown; choose stream or histogram")
    origins = {} if geometry is None else _locate(found, geometry, terms.velocity_model)
    _redate(table, columns, found, origins)
    return FiberResult(fill_columns(table, columns), tabulate_events(table, found, origins), said)


def suit_options(
    table: FiberTable, geometry: FiberGeometry | None, channel_spacing_m: float | None = None
) -> FiberOptions:
    """Fit the associator's options to the channels of a table, and to their places where these are known."""
    channel_K = np.unique(table.picks.channel_N)
    if not len(channel_K):
        return FiberOptions()
    low, high = int(channel_K[0]), int(channel_K[-1])
    spacing_m = channel_spacing_m
    if geometry is not None:
        low = min(low, int(geometry.channel_number_K[0]))
        high, spacing_m = max(high, int(geometry.channel_number_K[-1])), geometry.channel_spacing_m
    return replace(FiberOptions().for_cable(high - low + 1, spacing_m), live_channels=len(channel_K))


def _play(table: FiberTable, options: FiberOptions) -> Iterator[FiberEvent]:
    """Play the picks in order of time, behind a progress bar."""
    order = np.lexsort((table.picks.channel_N, table.time_ns_N))
    time_ns = table.time_ns_N[order]
    batches = range(int(time_ns[0]), int(time_ns[-1]) + 1, to_ns(_BATCH_S)) if len(order) else range(0)
    state = FiberAssociatorState("fiber", options)
    with Progress(console=Console(stderr=True), transient=True) as progress:
        for at_ns in progress.track(batches, description="associating"):
            begin, end = np.searchsorted(time_ns, (at_ns, at_ns + to_ns(_BATCH_S)))
            picks = fiber_picks_of(table, order[begin:end])
            state, said = step(state, picks, at_ns + to_ns(_BATCH_S))
            yield from said
    yield from finish(state)[1]


def _by_stream(table: FiberTable, said: Sequence[FiberEvent]) -> tuple[Columns, list[Found]]:
    """Find the rows of the final events' picks."""
    columns = _own_pairs(table)
    keys = pd.MultiIndex.from_arrays((table.time_ns_N, table.picks.channel_N, table.picks.is_p_N))
    row_of = pd.Series(np.arange(len(keys)), index=keys)
    row_of = row_of[~row_of.index.duplicated()]
    final = [event for event in said if event.status is EventStatus.FINAL]
    found = []
    for number, event in enumerate(sorted(final, key=lambda event: (event.origin_ns, event.event_id))):
        asked = pd.MultiIndex.from_arrays((event.time_ns_M, event.channel_number_M, event.phase_M == "P"))
        rows = row_of.reindex(asked).to_numpy(np.int64)
        since_s = (event.origin_ns - table.begin_ns_N[rows]) / NS_PER_S
        columns.origin_id_N[rows], columns.origin_index_N[rows] = number, np.round(since_s / table.dt_s, 3)
        _pair_up(table, columns, rows, event)
        found.append(Found(number, float(since_s[0]), rows, int(rows[0]), event))
    return columns, found


def _own_pairs(table: FiberTable) -> Columns:
    """Say of each pick that is followed by its S, and of this, what the pair alone says."""
    unassociated = HistogramOptions(minimum_peak_height=len(table.frame) + 1, max_ps_dt_s=30.0)
    columns, _ = _by_histogram(table, unassociated, None)
    return columns


def _pair_up(
    table: FiberTable, columns: Columns, rows: npt.NDArray[np.int64], event: FiberEvent
) -> None:
    """Pair P and S that an event has on the same channel, of several the one nearest to the curve."""
    columns.center_N[rows], columns.interval_N[rows] = np.nan, np.nan
    rows = rows[np.argsort(np.abs(event.residual_s_M), kind="stable")]
    channel, is_p = table.picks.channel_N[rows], table.picks.is_p_N[rows]
    with_p, first_p = np.unique(channel[is_p], return_index=True)
    with_s, first_s = np.unique(channel[~is_p], return_index=True)
    _, of_p, of_s = np.intersect1d(with_p, with_s, return_indices=True)
    p, s = rows[is_p][first_p[of_p]], rows[~is_p][first_s[of_s]]
    index_N = table.picks.index_N
    for mine in (p, s):
        columns.center_N[mine] = (index_N[p] + index_N[s]) / 2
        columns.interval_N[mine] = index_N[s] - index_N[p]


def _by_histogram(
    table: FiberTable, options: HistogramOptions, window_samples: int | None
) -> tuple[Columns, list[Found]]:
    """Associate each window by itself."""
    count = len(table.frame)
    columns = Columns(np.full(count, _FREE, np.int64), *(np.full(count, np.nan) for _ in range(3)))
    found = []
    for _, rows in windows_of(table):
        own = rows_of(table.picks, rows)
        samples = window_samples or int(own.index_N.max()) + 1
        result = associate_by_histogram(own, samples, table.dt_s, options)
        columns.origin_id_N[rows], columns.origin_index_N[rows] = result.origin_id_N, result.origin_index_N
        columns.center_N[rows], columns.interval_N[rows] = result.center_N, result.interval_N
        for number, origin_s in enumerate(result.origin_s_E.tolist()):
            found.append(Found(number, origin_s, rows[result.origin_id_N == number], int(rows[0])))
    return columns, found


def _locate(
    found: Sequence[Found], geometry: FiberGeometry, velocity_model: Path | str
) -> dict[int, Origin]:
    """Locate the events of the stream."""
    travel_times: TravelTimes | None = None
    origins = {}
    for one in found:
        if one.event is not None:
            travel_times = travel_times or build_travel_times(
                read_velocity_model(velocity_model), _DEPTH_KM, _REACH_KM
            )
            origins[one.number] = locate_fiber_event(one.event, geometry, travel_times).event.origin
    return origins


def _redate(
    table: FiberTable, columns: Columns, found: Sequence[Found], origins: dict[int, Origin]
) -> None:
    """Let picks of located events show the origin time of the location."""
    for one in found:
        if one.number in origins:
            since_ns = origins[one.number].time_ns - table.begin_ns_N[one.rows]
            columns.origin_index_N[one.rows] = np.round(since_ns / NS_PER_S / table.dt_s, 3)


def _write(output: Path, result: FiberResult) -> None:
    output.mkdir(parents=True, exist_ok=True)
    result.picks.to_csv(output / "picks.csv", index=False)
    result.events.to_csv(output / "events.csv", index=False)
