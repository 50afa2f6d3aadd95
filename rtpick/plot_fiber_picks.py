"""Draw a cable's recording with its picks and events, from files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.ndimage import median_filter

from rtpick.fiber_table import FiberTable, fiber_picks_of, read_fiber_table
from rtpick.ingest.das_files import index_das_files, iterate_blocks
from rtpick.publish.picture_fiber import FiberScene, plot_fiber
from rtpick.publish.waterfall import FloatArray, WaterfallGrid, draw_together
from rtpick.vocabulary.errors import PickTableError
from rtpick.vocabulary.fiber import DasBlock, FiberPicks
from rtpick.vocabulary.fiber_event import FiberCurve
from rtpick.vocabulary.time import format_utc, to_ns

BAND_HZ = (1.0, 20.0)
_SMOOTH_OVER = 41  # picks in the running median of a curve
_FEWEST = 10
_MARGIN_S, _BLOCK_S = 2.0, 5.0
_Span = tuple[int, int, int, int]  # times (ns) and channel numbers of both ends


def plot_fiber_picks(
    output: Path | str,
    picks: Path | str | None = None,
    recordings: Sequence[Path | str] = (),
    *,
    start_ns: int | None = None,
    end_ns: int | None = None,
    band_hz: tuple[float, float] | None = BAND_HZ,
) -> None:
    """Draw a waterfall of recordings, picks coloured by event, and the curves of the events.

    Parameters
    ----------
    output : path
        PNG, or what else the ending says.
    picks : path or None
        Table as `rtpick pick` or `rtpick associate --das` writes it; events where it has origin_id.
    recordings : sequence of path
        HDF5 files; none draws picks alone.
    start_ns, end_ns : int or None
        What is shown; all that there is if None.
    band_hz : tuple of float or None
        Filter of the samples.

    Raises
    ------
    PickTableError, RecordError
        Naming the file and the remedy.
    """
    if picks is None and not recordings:
        raise PickTableError("nothing to draw: name a table of picks, recordings, or both")
    table = None if picks is None else read_fiber_table(Path(picks))
    files = index_das_files([Path(path) for path in recordings]) if recordings else ()
    spans = [(file.start_ns, file.end_ns, 0, file.layout.channel_count - 1) for file in files]
    grid = _grid(table, spans, start_ns, end_ns)
    cells_YX: FloatArray | None = None
    if files:
        shown = [file for file in files if file.start_ns < grid.end_ns and file.end_ns > grid.start_ns]
        cells_YX = draw_together(map(_by_row, iterate_blocks(shown, _BLOCK_S)), grid, band_hz)
    scene = _nobody() if table is None else scene_of_table(table)
    spacing_m = files[0].layout.channel_spacing_m if files else None
    title = f"{files[0].layout.fiber if files else Path(str(picks)).stem}, {format_utc(grid.start_ns)[:19]}"
    plot_fiber(output, scene, grid, cells_YX, title=title, channel_spacing_m=spacing_m)


def _grid(
    table: FiberTable | None, spans: Sequence[_Span], start_ns: int | None, end_ns: int | None
) -> WaterfallGrid:
    """Show what is asked for, or else the recordings, or else the picks."""
    spans = list(spans)
    if table is not None and not spans and len(table.time_ns_N):
        channel_N, margin_ns = table.picks.channel_N, to_ns(_MARGIN_S)
        begin_ns, behind_ns = int(table.time_ns_N.min()) - margin_ns, int(table.time_ns_N.max()) + margin_ns
        spans.append((begin_ns, behind_ns, int(channel_N.min()), int(channel_N.max())))
    if not spans:
        raise PickTableError("nothing to draw: the table has no picks; name a recording")
    begins, ends, first, last = zip(*spans, strict=True)
    begin_ns = min(begins) if start_ns is None else start_ns
    return WaterfallGrid(begin_ns, max(ends) if end_ns is None else end_ns, min(first), max(last))


def _by_row(block: DasBlock) -> DasBlock:
    """Number channels as tables of picks do: by their row in the recording."""
    return replace(block, layout=replace(block.layout, first_channel=0, channel_step=1))


def _nobody() -> FiberScene:
    nothing = np.zeros(0, np.int64)
    empty = np.zeros(0, np.float32)
    return FiberScene(FiberPicks("", nothing, np.zeros(0, "U1"), nothing, empty, empty), nothing, [], [])


def scene_of_table(table: FiberTable) -> FiberScene:
    """Take picks and, where the table has origin_id, events; their curves are running medians."""
    picks = fiber_picks_of(table, np.arange(len(table.frame)))
    if "origin_id" not in table.frame:
        return FiberScene(picks, np.full(len(picks), -1, np.int64), [], [])
    window = table.frame["event_id"].astype(str).to_numpy()
    origin = table.frame["origin_id"].fillna(-1).to_numpy(np.int64)
    by_window = "origin_time" not in table.frame
    names = np.where(origin < 0, "", _names(table, origin, window, by_window))
    events, owner_N = np.unique(names, return_inverse=True)
    owner_N = owner_N - int(len(events) > 0 and events[0] == "")
    kept = [str(name) for name in events if name]
    curves = [_curve(picks, owner_N == number) for number in range(len(kept))]
    labels = [name.split("|")[0][11:21] or name for name in kept]
    return FiberScene(picks, owner_N.astype(np.int64), curves, labels)


def _names(
    table: FiberTable, origin: npt.NDArray[np.int64], window: npt.NDArray[np.object_], by_window: bool
) -> npt.NDArray[np.str_]:
    """Tell events apart: by origin time where that is given, and by number."""
    times = window if by_window else table.frame["origin_time"].fillna("").astype(str).to_numpy()
    return np.array([f"{time}|{number}" for time, number in zip(times, origin, strict=True)])


def _curve(picks: FiberPicks, mine_N: npt.NDArray[np.bool_]) -> FiberCurve | None:
    """Smooth P and S along the cable; None where either is hardly seen."""
    smooth = []
    for phase in ("P", "S"):
        rows = np.flatnonzero(mine_N & (picks.phase_N == phase))
        if len(rows) < _FEWEST:
            return None
        rows = rows[np.argsort(picks.channel_number_N[rows], kind="stable")]
        zero_ns = int(picks.time_ns_N[rows[0]])
        late_ns = (picks.time_ns_N[rows] - zero_ns).astype(np.float64)
        late_ns = median_filter(late_ns, _SMOOTH_OVER, mode="nearest")
        smooth.append((picks.channel_number_N[rows], zero_ns, late_ns))
    channel_K = np.unique(np.concatenate([channel for channel, _, _ in smooth]))
    p_ns, s_ns = (
        zero_ns + np.round(np.interp(channel_K, channel, late_ns)).astype(np.int64)
        for channel, zero_ns, late_ns in smooth
    )
    return FiberCurve(channel_K, p_ns, s_ns)
