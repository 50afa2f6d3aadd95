"""``rtpick record``: what the sources deliver, written to files."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn

from rtpick.ingest.seedlink import run_session
from rtpick.ingest.source_status import LINK_STATES, SourceStatus
from rtpick.ingest.zeromq_das import run_das_session
from rtpick.ingest.zeromq_stations import run_station_session
from rtpick.record_files import FiberFiles, FileRules, StationFiles, claim_folder, recover_spools
from rtpick.runtime.clock import wall_ns
from rtpick.settings.schema import SeedLinkSettings
from rtpick.settings.sources_das import ZeroMqDasSettings, ZeroMqStationSettings
from rtpick.vocabulary.errors import SettingsError, SourceError
from rtpick.vocabulary.fiber import DasBlock, FiberGap, FiberRejection
from rtpick.vocabulary.time import format_utc
from rtpick.vocabulary.waveform import EndOfStream, Packet, Rejection

FLUSH_S = 1.0
RecordedSource = SeedLinkSettings | ZeroMqDasSettings | ZeroMqStationSettings
Emitted = Packet | DasBlock | Rejection | FiberRejection | FiberGap | SourceStatus | EndOfStream


@dataclass(slots=True)
class Recorded:
    """What has come of one source.

    Parameters
    ----------
    item_count : int
        Packets or blocks.
    sample_bytes : int
    set_aside_count : int
        Records and messages that could not be used.
    lost_samples : int
        Of fibers: in gaps.
    lost_blocks : int
        Of fibers whose publisher numbers its blocks.
    newest_ns : int or None
        End of the newest sample.
    state : str
        Of the connection.
    """

    item_count: int = 0
    sample_bytes: int = 0
    set_aside_count: int = 0
    lost_samples: int = 0
    lost_blocks: int = 0
    newest_ns: int | None = None
    state: str = "connecting"


@dataclass(slots=True)
class Recording:
    """All sources of a recorder.

    Parameters
    ----------
    sources : dict of str to Recorded
    recovered : list of Path
        Recordings made of what a crash of an earlier recorder left.
    """

    sources: dict[str, Recorded] = field(default_factory=dict)
    recovered: list[Path] = field(default_factory=list)


def record(
    sources: Sequence[Any],
    out: Path,
    *,
    duration_s: float | None = None,
    file_s: float = 3600.0,
    file_bytes: int = 1 << 30,
    console: Console | None = None,
) -> Recording:
    """Write what sources deliver until they end, the time is over, or somebody interrupts.

    Parameters
    ----------
    sources : sequence of SeedLinkSettings, ZeroMqDasSettings or ZeroMqStationSettings
        ``settings.sources``.
    out : Path
        Folder; made where it is missing. Fibers: ``FIBER.TIME.h5``. Stations:
        ``NET.STA/NET.STA.LOC.CHA.TIME.mseed``.
    duration_s : float, optional
        End after so long.
    file_s, file_bytes : float, int
        A file ends at whole multiples of `file_s`; a fiber's also at `file_bytes`, at a gap and where its
        layout changes.
    console : Console, optional
        Where progress is shown; standard error if absent.

    Returns
    -------
    Recording
        What has come.

    Raises
    ------
    SettingsError
        If there is no source that can be recorded, or another recorder writes to the folder.
    SourceError
        If every source refuses us for good.
    StorageFullError, ArchiveError
        If the device refuses. What is written stays good.
    """
    chosen = [source for source in sources if isinstance(source, RecordedSource)]
    if not chosen or not (file_s > 0 and file_bytes > 0):
        raise SettingsError("nothing to record: name a seedlink, zeromq-das or zeromq-stations source")
    recorder = Recorder(chosen, FileRules(out, file_s, file_bytes), console or Console(stderr=True))
    with suppress(KeyboardInterrupt):
        asyncio.run(recorder.run(duration_s))
    recorder.say_what_came()
    return recorder.recording


class Recorder:
    """The sessions of all sources, the files, and the lines that are shown."""

    def __init__(self, sources: Sequence[RecordedSource], rules: FileRules, console: Console) -> None:
        self._sources = sources
        self._rules = rules
        self._fibers = FiberFiles(rules)
        self._stations = StationFiles(rules)
        self._console = console
        self.recording = Recording({source.name: Recorded() for source in sources})

    async def run(self, duration_s: float | None) -> None:
        """Record until the sources end or the time is over."""
        with claim_folder(self._rules.folder):
            self._recover()
            sessions = [asyncio.create_task(self._listen(source)) for source in self._sources]
            shown = asyncio.create_task(self._show())
            try:
                await self._wait(sessions, duration_s)
            finally:
                for task in (*sessions, shown):
                    task.cancel()
                await asyncio.gather(*sessions, shown, return_exceptions=True)
                self._stations.flush()
                await self._fibers.close()

    async def _wait(self, sessions: Sequence[asyncio.Task[None]], duration_s: float | None) -> None:
        """Until all have ended, one has failed, or the time is over; a failure is raised."""
        ended, _ = await asyncio.wait(sessions, timeout=duration_s, return_when=asyncio.FIRST_EXCEPTION)
        for task in ended:
            task.result()

    def _recover(self) -> None:
        self.recording.recovered = recover_spools(self._rules.folder)
        for path in self.recording.recovered:
            self._console.print(f"made of what an earlier recorder left: {path.name}")

    async def _listen(self, source: RecordedSource) -> None:
        """One source; a refusal is told and left, as long as another is still heard."""
        try:
            await self._session(source)
        except SourceError as refusal:
            self.recording.sources[source.name].state = "failed"
            self._console.print(f"{source.name} given up: {refusal}", markup=False)
            if all(recorded.state == "failed" for recorded in self.recording.sources.values()):
                raise

    def _session(self, source: RecordedSource) -> Coroutine[Any, Any, None]:
        take = self._taker(self.recording.sources[source.name])
        if isinstance(source, SeedLinkSettings):
            return run_session(source, {}, take, wall_ns, Random())
        if isinstance(source, ZeroMqStationSettings):
            return run_station_session(source, take, wall_ns, Random())
        return run_das_session(source, take, wall_ns, Random())

    def _taker(self, recorded: Recorded) -> Callable[[Emitted], Coroutine[Any, Any, None]]:
        async def take(item: Emitted) -> None:
            match item:
                case Packet():
                    self._stations.write(item)
                    _count(recorded, item.samples.nbytes, item.end_ns)
                case DasBlock():
                    await self._fibers.write(item)
                    _count(recorded, item.samples_KT.nbytes, item.end_ns)
                case FiberGap():
                    recorded.lost_samples += item.sample_count
                    recorded.lost_blocks += item.block_count or 0
                case Rejection() | FiberRejection():
                    recorded.set_aside_count += 1
                case SourceStatus():
                    self._tell(recorded, item)
                case EndOfStream():
                    recorded.state = "ended"

        return take

    def _tell(self, recorded: Recorded, status: SourceStatus) -> None:
        if status.state in LINK_STATES:
            recorded.state = status.state.value
        self._console.print(f"{status.source} {status.state.value}: {status.detail}", markup=False)

    async def _show(self) -> None:
        """Show a line for each source, and put by no record longer than a second."""
        columns = SpinnerColumn(), TextColumn("{task.description}")
        with Progress(*columns, console=self._console, disable=not self._console.is_terminal) as lines:
            tasks: dict[str, TaskID] = {name: lines.add_task("") for name in self.recording.sources}
            while True:
                for name, task in tasks.items():
                    lines.update(task, description=describe_recorded(name, self.recording.sources[name]))
                await asyncio.sleep(FLUSH_S)
                self._stations.flush()

    def say_what_came(self) -> None:
        """Print one line for each source."""
        for name, recorded in self.recording.sources.items():
            self._console.print(describe_recorded(name, recorded), markup=False)


def _count(recorded: Recorded, sample_bytes: int, end_ns: int) -> None:
    recorded.item_count += 1
    recorded.sample_bytes += sample_bytes
    recorded.newest_ns = max(end_ns, recorded.newest_ns or 0)


def describe_recorded(name: str, recorded: Recorded) -> str:
    """Say in one line what has come of a source.

    Examples
    --------
    >>> describe_recorded("cable", Recorded(3, 4_000_000, lost_samples=5, state="connected"))
    'cable: connected, 3 items, 4.0 MB, data to -, lost 5 samples'
    """
    newest = "-" if recorded.newest_ns is None else format_utc(recorded.newest_ns)[:21].replace("T", " ")
    parts = [recorded.state, f"{recorded.item_count} items", f"{recorded.sample_bytes / 1e6:.1f} MB"]
    parts.append(f"data to {newest}")
    if recorded.lost_samples or recorded.lost_blocks:
        blocks = f" in {recorded.lost_blocks} blocks" if recorded.lost_blocks else ""
        parts.append(f"lost {recorded.lost_samples} samples{blocks}")
    if recorded.set_aside_count:
        parts.append(f"{recorded.set_aside_count} set aside")
    return f"{name}: {', '.join(parts)}"
