"""Pick phases offline in recordings of fibers, with the same engine as the daemon and as fast as it goes.

N picks.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from rtpick.archive.atomic import write_atomic
from rtpick.ingest.das_files import DasFile, index_das_files, iterate_blocks
from rtpick.picking.engine_fiber_choice import build_fiber_engine
from rtpick.picking.fiber_engine import FiberEngine
from rtpick.picking.fiber_picker import FiberPicker
from rtpick.settings.fiber import FiberSettings
from rtpick.settings.schema import EngineSettings
from rtpick.vocabulary.errors import SettingsError
from rtpick.vocabulary.fiber import DasBlock, FiberPicks, FiberRejection, Quantity
from rtpick.vocabulary.time import format_utc

# Recordings lie in the past: nothing in them is from the future.
NO_CLOCK_NS = 2**62
BLOCK_S = 4.0
COLUMNS = (
    "event_id",
    "channel_index",
    "phase_index",
    "phase_time",
    "phase_score",
    "phase_type",
    "dt_s",
    "phase_amplitude",
)
WRITERS = (".parquet", ".csv")


@dataclass(frozen=True, slots=True)
class FiberPickSummary:
    """What a run has done."""

    picks: tuple[FiberPicks, ...]
    block_count: int
    rejected_count: int

    @property
    def pick_count(self) -> int:
        """Picks in all."""
        return sum(map(len, self.picks))


def pick_fiber_files(
    paths: Sequence[Path | str],
    output: Path,
    settings: FiberSettings | None = None,
    *,
    engine: EngineSettings | None = None,
    fiber: str | None = None,
    quantity: Quantity | None = None,
    unit: str | None = None,
    console: Console | None = None,
) -> FiberPickSummary:
    """Pick recordings of fibers, and write a table of the picks.

    Parameters
    ----------
    paths : sequence of Path or str
        HDF5 files, or folders of them.
    output : Path
        The table: ``.parquet`` or ``.csv``.
    settings : FiberSettings, optional
        Weights, tiles, thresholds and so on.
    engine : EngineSettings, optional
        Device, precision, threads.
    fiber, quantity, unit : optional
        Instead of what the files say.
    console : Console, optional
        Where the progress bar is drawn; on standard error by default.

    Returns
    -------
    FiberPickSummary

    Raises
    ------
    RtpickError
        If a path, the weights, the table's ending or a setting cannot be used.
    """
    settings = settings or FiberSettings()
    check_output(output)
    files = index_das_files(map(Path, paths), fiber=fiber, quantity=quantity, unit=unit)
    runner = build_fiber_engine(settings.picking.weights, engine or EngineSettings())
    picker = FiberPicker(bear_short(settings, files, runner), runner, lossless=True)
    picks: list[FiberPicks] = []
    blocks = rejected = 0
    for block in _watched(files, console or Console(file=sys.stderr)):
        blocks += 1
        rejected += sum(isinstance(note, FiberRejection) for note in picker.add(block, NO_CLOCK_NS))
        picks += (item for item in picker.step(NO_CLOCK_NS) if isinstance(item, FiberPicks))
    picks += (item for item in picker.flush(NO_CLOCK_NS) if isinstance(item, FiberPicks))
    write_fiber_picks(output, picks_table(picks, files))
    return FiberPickSummary(tuple(picks), blocks, rejected)


def bear_short(settings: FiberSettings, files: Sequence[DasFile], engine: FiberEngine) -> FiberSettings:
    """Let recordings be picked that are too short for any tile: half of the shortest is enough then."""
    tile_s = (settings.picking.tile_samples or engine.geometry.samples) / engine.sampling_rate_hz
    shortest_s = min(file.end_ns - file.start_ns for file in files) / 1e9
    if shortest_s >= settings.picking.minimum_coverage * tile_s:
        return settings
    picking = settings.picking.model_copy(update={"minimum_coverage": shortest_s / tile_s / 2})
    return settings.model_copy(update={"picking": picking})


def check_output(output: Path) -> None:
    """Refuse a table that could not be written, before hours of work.

    Raises
    ------
    SettingsError
        If the ending is unknown, or its library missing.
    """
    if output.suffix not in WRITERS:
        raise SettingsError(f"{output}: picks of fibers are written as .parquet or .csv")
    if output.suffix == ".parquet" and find_spec("pyarrow") is None:
        raise SettingsError(f"{output}: parquet needs pyarrow; pip install 'rtpick[das]', or write .csv")


def picks_table(picks: Sequence[FiberPicks], files: Sequence[DasFile]) -> pd.DataFrame:
    """Lay picks out as the field's tables have them.

    Parameters
    ----------
    picks : sequence of FiberPicks
    files : sequence of DasFile
        A pick belongs to the file that its onset lies in, and takes its name from it.

    Returns
    -------
    DataFrame
        `channel_index` and `phase_index` count rows and samples of that file.
    """
    tables = [_of_file(part, file) for file in files for part in picks if part.fiber == file.layout.fiber]
    if not tables:
        return pd.DataFrame({name: [] for name in COLUMNS})
    table = pd.concat(tables, ignore_index=True)
    unique = table.drop_duplicates(["channel_index", "phase_type", "phase_time"])
    return unique.sort_values(["event_id", "channel_index", "phase_index"], ignore_index=True)


def write_fiber_picks(output: Path, table: pd.DataFrame) -> None:
    """Write the table at once, as its ending says."""
    buffer = io.BytesIO()
    if output.suffix == ".parquet":
        table.to_parquet(buffer, index=False)
    else:
        table.to_csv(buffer, index=False, float_format="%.6g")
    write_atomic(output, buffer.getvalue())


def _of_file(picks: FiberPicks, file: DasFile) -> pd.DataFrame:
    layout = file.layout
    in_file_N = (picks.time_ns_N >= file.start_ns) & (picks.time_ns_N < file.end_ns)
    since_N = picks.time_ns_N[in_file_N] - file.start_ns
    values = (
        file.path.stem,
        (picks.channel_number_N[in_file_N] - layout.first_channel) // layout.channel_step,
        np.round(since_N * layout.sampling_rate_hz / 1e9).astype(np.int64),
        [_time_text(int(time_ns)) for time_ns in picks.time_ns_N[in_file_N]],
        picks.probability_N[in_file_N],
        picks.phase_N[in_file_N],
        1 / layout.sampling_rate_hz,
        picks.amplitude_N[in_file_N],
    )
    return pd.DataFrame(dict(zip(COLUMNS, values, strict=True)), index=range(int(in_file_N.sum())))


def _time_text(time_ns: int) -> str:
    """Write a time to the millisecond, as these tables do."""
    return f"{format_utc((time_ns + 500_000) // 1_000_000 * 1_000_000)[:23]}+00:00"


def _watched(files: Sequence[DasFile], console: Console) -> Iterator[DasBlock]:
    """Read the blocks, and show how far the reading is."""
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    total = sum(file.sample_count * file.layout.channel_count for file in files)
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as progress:
        task = progress.add_task("picking", total=total)
        for block in iterate_blocks(files, BLOCK_S):
            yield block
            progress.advance(task, block.samples_KT.size)
