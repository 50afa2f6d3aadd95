"""Tables of a cable's picks with the columns of the PhaseNet-DAS workshops: read, checked and filled.

Arrays: N pick (row of the table).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from rtpick.association.fiber_histogram import ChannelPicks
from rtpick.vocabulary.errors import PickTableError
from rtpick.vocabulary.event import Origin
from rtpick.vocabulary.fiber import FiberPicks
from rtpick.vocabulary.fiber_event import FiberEvent
from rtpick.vocabulary.time import NS_PER_S, format_utc, parse_utc, to_ns

NEEDED = ("channel_index", "phase_index", "phase_time", "phase_score", "phase_type", "dt_s")
EVENT_COLUMNS = (
    "origin_id", "event_id", "name", "origin_time", "origin_time_s", "n_p", "n_s", "n_channels", "latitude",
    "longitude", "depth_km", "horizontal_uncertainty_km", "depth_fixed", "rms_s",
)  # fmt: skip
_FARTHEST_CHANNEL = 10_000_000


@dataclass(frozen=True, slots=True, eq=False)
class FiberTable:
    """A table of picks, checked.

    Parameters
    ----------
    frame : DataFrame
        As read.
    dt_s : float
        Sampling interval.
    begin_ns_N, time_ns_N : ndarray of int64
        When each pick's window begins, and its onset.
    picks : ChannelPicks
    """

    frame: pd.DataFrame
    dt_s: float
    begin_ns_N: npt.NDArray[np.int64]
    time_ns_N: npt.NDArray[np.int64]
    picks: ChannelPicks


def read_fiber_table(path: Path) -> FiberTable:
    """Read and check a table of picks.

    Raises
    ------
    PickTableError
        If it cannot be read, a column is missing, or a value cannot be used; names the first such row.
    """
    try:
        frame = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    except ImportError as error:
        remedy = "parquet needs pyarrow: pip install 'rtpick[das]'"
        raise PickTableError(f"cannot read {path}: {remedy}") from error
    except (OSError, ValueError) as error:
        raise PickTableError(f"cannot read picks from {path}: {error}") from error
    missing = [name for name in NEEDED if name not in frame]
    if missing:
        raise PickTableError(
            f"{path} has no column {', '.join(missing)}; it has {', '.join(map(str, frame.columns))}"
        )
    channel_N, index_N = (_whole(frame, name, path) for name in ("channel_index", "phase_index"))
    _refuse(frame, index_N < 0, "phase_index", path, "is negative; it counts from the window's begin")
    far = np.abs(channel_N) > _FARTHEST_CHANNEL
    _refuse(frame, far, "channel_index", path, f"is beyond {_FARTHEST_CHANNEL}")
    phase_N = frame["phase_type"].astype(str).to_numpy()
    _refuse(frame, ~np.isin(phase_N, ("P", "S")), "phase_type", path, "is neither P nor S")
    picks = ChannelPicks(channel_N, index_N, phase_N == "P", _finite(frame, "phase_score", path))
    dt_s = _one_interval(frame, path)
    begin_ns_N = _begins_ns(frame, index_N, dt_s, path)
    time_ns_N = begin_ns_N + np.round(index_N * dt_s * NS_PER_S).astype(np.int64)
    if "event_id" not in frame:
        frame = frame.assign(event_id=path.stem)
    return FiberTable(frame, dt_s, begin_ns_N, time_ns_N, picks)


def _finite(frame: pd.DataFrame, name: str, path: Path) -> npt.NDArray[np.float64]:
    values = pd.to_numeric(frame[name], errors="coerce").to_numpy(np.float64)
    _refuse(frame, ~np.isfinite(values), name, path, "is no number")
    return values


def _whole(frame: pd.DataFrame, name: str, path: Path) -> npt.NDArray[np.int64]:
    values = _finite(frame, name, path)
    _refuse(frame, values != np.floor(values), name, path, "is no whole number")
    return values.astype(np.int64)


def _refuse(
    frame: pd.DataFrame, bad_N: npt.NDArray[np.bool_], name: str, path: Path, complaint: str
) -> None:
    if bad_N.any():
        row = int(np.argmax(bad_N))
        raise PickTableError(f"{path}, row {row + 1}: {name} {frame[name].iloc[row]!s} {complaint}")


def _one_interval(frame: pd.DataFrame, path: Path) -> float:
    values = np.unique(_finite(frame, "dt_s", path))
    if len(values) > 1:
        raise PickTableError(
            f"{path} has dt_s of {values[0]:g} and {values[1]:g}; associate one sampling interval at a time"
        )
    if len(values) and values[0] <= 0:
        raise PickTableError(f"{path}: dt_s {values[0]:g} is not positive")
    return float(values[0]) if len(values) else 0.01


def _begins_ns(
    frame: pd.DataFrame, index_N: npt.NDArray[np.int64], dt_s: float, path: Path
) -> npt.NDArray[np.int64]:
    """Return when the windows begin: the same for all picks of one, though their times are rounded."""
    texts, place_N = np.unique(frame["phase_time"].astype(str).to_numpy(str), return_inverse=True)
    try:
        time_ns_N = np.array([parse_utc(str(text)) for text in texts], np.int64)[place_N]
    except ValueError as error:
        raise PickTableError(f"{path}, column phase_time: {error}") from error
    begin_ns_N = time_ns_N - np.round(index_N * dt_s * NS_PER_S).astype(np.int64)
    if "event_id" not in frame:
        return np.full(len(begin_ns_N), int(np.median(begin_ns_N)) if len(begin_ns_N) else 0, np.int64)
    for name in pd.unique(frame["event_id"]):
        mine = (frame["event_id"] == name).to_numpy(bool)
        begin_ns_N[mine] = int(np.median(begin_ns_N[mine]))
    return begin_ns_N


def fiber_picks_of(table: FiberTable, rows: npt.NDArray[np.int64]) -> FiberPicks:
    """Return rows of a table as what stages exchange."""
    score_N = table.picks.score_N[rows].astype(np.float32)
    phase_N = np.where(table.picks.is_p_N[rows], "P", "S")
    unknown_N = np.full(len(rows), np.nan, np.float32)
    channel_N = table.picks.channel_N[rows]
    return FiberPicks("fiber", channel_N, phase_N, table.time_ns_N[rows], score_N, unknown_N)


def windows_of(table: FiberTable) -> Iterator[tuple[str, npt.NDArray[np.int64]]]:
    """Return the rows of each window, in the order in which the table first names them."""
    number_N, names = pd.factorize(table.frame["event_id"])
    for number, name in enumerate(names):
        yield str(name), np.flatnonzero(number_N == number)


def rows_of(picks: ChannelPicks, rows: npt.NDArray[np.int64]) -> ChannelPicks:
    """Return some of the picks."""
    return ChannelPicks(picks.channel_N[rows], picks.index_N[rows], picks.is_p_N[rows], picks.score_N[rows])


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """What is filled in for every pick; all but the identity in samples, NaN where there is nothing."""

    origin_id_N: npt.NDArray[np.int64]
    origin_index_N: npt.NDArray[np.float64]
    center_N: npt.NDArray[np.float64]
    interval_N: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """An event on its way to the table: its rows, and the time since its window began."""

    number: int
    origin_s: float
    rows: npt.NDArray[np.int64]
    window_row: int
    event: FiberEvent | None = None


def fill_columns(table: FiberTable, columns: Columns) -> pd.DataFrame:
    """Fill the workshops' columns in; what else the table has stays."""
    mine = columns.origin_id_N >= 0
    since_ns = np.round(np.where(mine, columns.origin_index_N, 0.0) * table.dt_s * NS_PER_S).astype(np.int64)
    origin_ns_N = table.begin_ns_N + since_ns
    text = {time_ns: _iso(time_ns) for time_ns in np.unique(origin_ns_N[mine]).tolist()}
    times = [text[t] if ok else "" for t, ok in zip(origin_ns_N.tolist(), mine.tolist(), strict=True)]
    return table.frame.assign(
        origin_id=columns.origin_id_N,
        origin_index=columns.origin_index_N,
        origin_time=times,
        ps_center=columns.center_N,
        ps_interval=columns.interval_N,
    )


def _iso(time_ns: int) -> str:
    return format_utc(time_ns + 500_000)[:23] + "+00:00"


def tabulate_events(table: FiberTable, found: Sequence[Found], origins: dict[int, Origin]) -> pd.DataFrame:
    """List events; what a location says outranks Wadati's relation."""
    rows = []
    for one in found:
        origin = origins.get(one.number)
        begin_ns = int(table.begin_ns_N[one.window_row])
        origin_ns = begin_ns + to_ns(one.origin_s) if origin is None else origin.time_ns
        is_p = table.picks.is_p_N[one.rows]
        row = (
            one.number, table.frame["event_id"].iloc[one.window_row], one.event.event_id if one.event else "",
            _iso(origin_ns), one.origin_s if origin is None else round((origin_ns - begin_ns) / NS_PER_S, 4),
            int(is_p.sum()), int((~is_p).sum()), len(np.unique(table.picks.channel_N[one.rows])),
        )  # fmt: skip
        rows.append(row + _place(origin))
    return pd.DataFrame(rows, columns=list(EVENT_COLUMNS))


def _place(origin: Origin | None) -> tuple[object, ...]:
    if origin is None:
        return ("",) * 6
    return (
        round(origin.latitude_deg, 5), round(origin.longitude_deg, 5), round(origin.depth_km, 2),
        round(origin.horizontal_uncertainty_km, 2), origin.depth_fixed, round(origin.rms_s, 4),
    )  # fmt: skip
