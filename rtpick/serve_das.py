"""``rtpick serve-das``: recordings of a fiber over ZeroMQ, as if an interrogator sent them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from rtpick.ingest.das_encode import EncoderState, PublishedFormat, begin_encoding, encode_block, encode_end
from rtpick.ingest.das_files import DasFile, index_das_files, iterate_blocks
from rtpick.publish.das_publisher import DasPublisher
from rtpick.runtime.clock import monotonic_s, wall_ns
from rtpick.vocabulary.errors import SettingsError
from rtpick.vocabulary.fiber import DasBlock, Quantity
from rtpick.vocabulary.time import format_utc, to_s

REFRESH_S = 0.5
LOOK_S = 0.05
# A PUB socket may drop the end too; whoever heard it once knows.
END_REPEATS = 5
END_PAUSE_S = 0.1


@dataclass(frozen=True, slots=True)
class DasReplay:
    """How recordings are played.

    Parameters
    ----------
    form : str
        ``"asn"``, ``"xdas"`` or ``"rtpick"``.
    speed : float
        Data seconds a second; 0: as fast as the subscribers read, and nothing is lost to a slow one.
    block_s : float
        Length of the blocks.
    shift_to_now : bool
        Move all times so that the first sample is taken when the replay starts.
    wait_for_subscriber : bool
        Start to play when somebody listens.
    queue_messages : int
        What a slow subscriber may have waiting; with a speed, more is dropped for it.

    Raises
    ------
    SettingsError
        If speed, length or queue make no sense.
    """

    form: PublishedFormat
    speed: float = 1.0
    block_s: float = 0.5
    shift_to_now: bool = False
    wait_for_subscriber: bool = False
    queue_messages: int = 64

    def __post_init__(self) -> None:
        if self.form not in ("asn", "xdas", "rtpick"):
            raise SettingsError(f"format {self.form!r}: give asn, xdas or rtpick")
        if not 0 <= self.speed < float("inf"):
            raise SettingsError(f"a speed of {self.speed}: give 1 for real time, 0 for no waiting")
        if not 0 < self.block_s <= 3600:
            raise SettingsError(f"blocks of {self.block_s} s: give more than 0, at most 3600")
        if self.queue_messages < 1:
            raise SettingsError(f"a queue of {self.queue_messages} messages: give at least 1")


@dataclass(slots=True)
class Served:
    """How far a replay is."""

    block_count: int = 0
    sent_bytes: int = 0
    data_time_ns: int | None = None


def serve_das(
    paths: Sequence[Path],
    replay: DasReplay,
    *,
    host: str = "127.0.0.1",
    port: int = 5561,
    fiber: str | None = None,
    quantity: Quantity | None = None,
    curve_key_file: Path | None = None,
    curve_clients_directory: Path | None = None,
) -> Served:
    """Publish recordings until they are played or interrupted, with one line that says how far it is.

    Parameters
    ----------
    paths : sequence of Path
        HDF5 files of one fiber, or folders of them.
    replay : DasReplay
    host, port : str, int
        Where to listen; port 0 takes a free one, and the line says which.
    fiber, quantity : optional
        Instead of what the files say.
    curve_key_file, curve_clients_directory : Path, optional
        Secret certificate, and public ones of who may subscribe.

    Raises
    ------
    RecordError
        If there is nothing to play, or a file cannot be read.
    SourceError
        If the port cannot be had.
    SettingsError
        If the files are of several fibers, or the format has no word for the samples' type.
    """
    files = index_das_files(paths, fiber=fiber, quantity=quantity)
    fibers = sorted({file.layout.fiber for file in files})
    if len(fibers) > 1:
        raise SettingsError(f"files of several fibers ({', '.join(fibers)}): name those of one")
    served = Served()
    with suppress(KeyboardInterrupt):
        keys = curve_key_file, curve_clients_directory
        asyncio.run(_serve(files, replay, f"tcp://{host}:{port or '*'}", keys, served))
    return served


async def _serve(
    files: tuple[DasFile, ...],
    replay: DasReplay,
    address: str,
    keys: tuple[Path | None, Path | None],
    served: Served,
) -> None:
    publisher = DasPublisher(address, replay.queue_messages, *keys, wait_for_room=replay.speed == 0)
    console = Console(stderr=True)
    console.print(f"{replay.form} on {publisher.address}: {describe_files(files)}; Ctrl-C ends")
    shown = asyncio.create_task(_show_progress(files, replay, served, publisher, console))
    try:
        await publish_files(publisher, files, replay, served)
    finally:
        shown.cancel()
        publisher.close()


def describe_files(files: Sequence[DasFile]) -> str:
    """Say in one line what is played."""
    first, last = files[0], files[-1]
    layout = first.layout
    kind = f"{layout.channel_count} channels, {layout.sampling_rate_hz:g} Hz, {layout.quantity}"
    return f"{kind}, {format_utc(first.start_ns)[:19]} to {format_utc(last.end_ns)[:19]}"


async def publish_files(
    publisher: DasPublisher,
    files: Sequence[DasFile],
    replay: DasReplay,
    served: Served,
    clock: Callable[[], int] = wall_ns,
) -> None:
    """Play files once, at their pace.

    Parameters
    ----------
    publisher : DasPublisher
    files : sequence of DasFile
        In the order of time.
    replay : DasReplay
    served : Served
        Is kept up to date.
    clock : callable
        Wall time in nanoseconds.
    """
    state = begin_encoding(replay.form, files[0].layout.fiber, str(clock()))
    publisher.greet_with(state.welcome)
    while await publisher.look_for_subscribers(LOOK_S) == 0 and replay.wait_for_subscriber:
        pass
    shift_ns = clock() - files[0].start_ns if replay.shift_to_now else 0
    async for block in _paced(publisher, iterate_blocks(files, replay.block_s), replay.speed):
        moved = replace(block, start_ns=block.start_ns + shift_ns)
        state = await _send(publisher, state, moved, served)
    for _ in range(END_REPEATS if replay.form == "rtpick" else 0):
        for message in encode_end(state):
            await publisher.send(message)
        await asyncio.sleep(END_PAUSE_S)


async def _paced(
    publisher: DasPublisher, blocks: Iterator[DasBlock], speed: float
) -> AsyncIterator[DasBlock]:
    """Give each block out when its last sample has been taken, `speed` times faster than it was."""
    began_s, first_ns = monotonic_s(), None
    for block in blocks:
        first_ns = block.start_ns if first_ns is None else first_ns
        due_s = began_s + to_s(block.end_ns - first_ns) / speed if speed else began_s
        await asyncio.sleep(max(0.0, due_s - monotonic_s()))
        await publisher.look_for_subscribers(0)
        yield block


async def _send(
    publisher: DasPublisher, state: EncoderState, block: DasBlock, served: Served
) -> EncoderState:
    try:
        state, messages = encode_block(state, block)
    except ValueError as error:
        raise SettingsError(f"{state.form}: {error}") from error
    publisher.greet_with(state.welcome)
    for message in messages:
        await publisher.send(message)
        served.sent_bytes += sum(map(len, message))
    served.block_count += 1
    served.data_time_ns = block.end_ns
    return state


async def _show_progress(
    files: Sequence[DasFile], replay: DasReplay, served: Served, publisher: DasPublisher, console: Console
) -> None:
    block_ns = round(replay.block_s * 1e9)
    whole = sum(-((file.start_ns - file.end_ns) // block_ns) for file in files)
    columns = TextColumn("{task.description}"), BarColumn(), TaskProgressColumn()
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=whole)
        while True:
            description = describe_served(served, publisher.subscriber_count)
            bar.update(task, description=description, completed=served.block_count)
            await asyncio.sleep(REFRESH_S)


def describe_served(served: Served, subscriber_count: int) -> str:
    """Say in one line how far a replay is and who listens.

    Examples
    --------
    >>> describe_served(Served(), 0)
    'waiting for a subscriber'
    """
    if served.data_time_ns is None and not subscriber_count:
        return "waiting for a subscriber"
    time_ns = served.data_time_ns
    place = "nothing yet" if time_ns is None else format_utc(time_ns)[:21].replace("T", " ")
    sent = f"blocks {served.block_count}  {served.sent_bytes / 1e6:.1f} MB"
    return f"data {place}  subscribers {subscriber_count}  {sent}"
