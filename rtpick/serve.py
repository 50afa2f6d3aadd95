"""``rtpick serve``: a folder of miniSEED over SeedLink, as if it were live."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from rtpick.ingest.archive_replay import ArchiveIndex, index_archive
from rtpick.ingest.seedlink_server import SeedLinkServer, ServerProgress
from rtpick.ingest.seedlink_server_replay import ReplaySettings
from rtpick.runtime.clock import wall_ns
from rtpick.vocabulary.errors import SettingsError
from rtpick.vocabulary.time import format_utc

REFRESH_S = 0.5


def serve_folder(
    folder: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 18000,
    speed: float = 1.0,
    shift_to_now: bool = False,
    end: bool = False,
    packet_samples: int | None = None,
    wait_for_client: bool = False,
) -> None:
    """Serve a recording until interrupted, with one line that says how far it is.

    Parameters
    ----------
    folder : Path
        Folder or file of miniSEED, or an SDS archive.
    host, port : str, int
        Where to listen; port 0 takes a free one, and the line says which.
    speed, shift_to_now, end, packet_samples, wait_for_client
        See `ReplaySettings`.

    Raises
    ------
    RecordError
        If there is nothing to serve.
    SourceError
        If the port cannot be had.
    SettingsError
        If speed or packet length make no sense.
    """
    try:
        replay = ReplaySettings(speed, shift_to_now, end, packet_samples, wait_for_client)
    except ValueError as error:
        raise SettingsError(str(error)) from error
    index = index_archive([folder])
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve(index, replay, host, port))


async def _serve(index: ArchiveIndex, replay: ReplaySettings, host: str, port: int) -> None:
    server = SeedLinkServer(index, replay, clock=wall_ns, host=host, port=port)
    await server.start()
    console = Console(stderr=True)
    console.print(
        f"SeedLink 3.1 and 4.0 on {server.host}:{server.port}: {len(index.channels)} channels, "
        f"{index.record_count} records from {format_utc(index.start_ns)[:19]} "
        f"to {format_utc(index.end_ns)[:19]}; Ctrl-C ends"
    )
    shown = asyncio.create_task(_show_progress(server, console))
    try:
        await server.serve_forever()
    finally:
        shown.cancel()
        await server.close()


async def _show_progress(server: SeedLinkServer, console: Console) -> None:
    columns = TextColumn("{task.description}"), BarColumn(), TaskProgressColumn()
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("")
        while True:
            progress = server.progress()
            bar.update(task, description=describe(progress), completed=progress.fraction * 100.0)
            await asyncio.sleep(REFRESH_S)


def describe(progress: ServerProgress) -> str:
    """Say in one line how far a replay is and who listens."""
    time_ns = progress.data_time_ns
    place = "nothing yet" if time_ns is None else format_utc(time_ns)[:19].replace("T", " ")
    state = " (all played)" if progress.played else ""
    return f"data {place}{state}  clients {progress.client_count}  records sent {progress.sent_count}"
