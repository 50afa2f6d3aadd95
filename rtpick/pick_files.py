"""Pick phases offline in files of miniSEED, with the same engine as the daemon and as fast as it goes."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from rtpick.ingest.archive_replay import ArchiveIndex, index_archive, iterate_packets
from rtpick.ingest.sanitise import sanitise_packet
from rtpick.networks import Network, load_network
from rtpick.picking.compatible import CompatiblePicker
from rtpick.picking.engine import Engine
from rtpick.picking.picker import Picker
from rtpick.publish.csv_tables import write_picks
from rtpick.settings.schema import BufferSettings, EngineSettings, PickingSettings
from rtpick.vocabulary.errors import SettingsError
from rtpick.vocabulary.inventory import Inventory
from rtpick.vocabulary.pick import Pick, PickStatus
from rtpick.vocabulary.waveform import Packet, Rejection

# Recordings lie in the past: nothing in them is from the future.
NO_CLOCK_NS = 2**62


@dataclass(frozen=True)
class PickSummary:
    """What a run has done."""

    picks: tuple[Pick, ...]
    packet_count: int
    rejected_count: int


def pick_paths(
    paths: Sequence[Path | str],
    output: Path,
    *,
    picking: PickingSettings | None = None,
    engine: EngineSettings | None = None,
    buffer: BufferSettings | None = None,
    inventory: Inventory | None = None,
    patterns: Sequence[str] = ("*.*.*.*",),
    compatible: str | None = None,
    console: Console | None = None,
) -> PickSummary:
    """Pick every recording in files, folders or SDS archives, and write a table of the final picks.

    Parameters
    ----------
    paths : sequence of Path or str
        miniSEED files, or folders of them.
    output : Path
        The table, ``picks.csv``.
    picking : PickingSettings, optional
        Weights, stride, stacking, thresholds and so on.
    engine : EngineSettings, optional
        Backend, precision, batch size.
    buffer : BufferSettings, optional
        Coverage and the like.
    inventory : Inventory, optional
        For amplitudes in m/s.
    patterns : sequence of str
        Channels, ``NET.STA.LOC.CHA`` with ``*`` and ``?``.
    compatible : str, optional
        ``"seisbench"``: windows, stacking and picks exactly as SeisBench 0.12 makes them with the same
        weights; stride, stacking and distances of `picking` are not used then.
    console : Console, optional
        Where the progress bar is drawn; on standard error by default.

    Returns
    -------
    PickSummary
        The final picks, and what was read.

    Raises
    ------
    RtpickError
        If a path, the weights or a setting cannot be used.
    """
    picking = picking or PickingSettings()
    index = index_archive(paths, tuple(patterns))
    network = load_network(picking.weights)
    picker: Picker | CompatiblePicker
    if compatible is not None:
        picker = _compatible_picker(compatible, picking, network, engine)
    else:
        runner = Engine(network, engine or EngineSettings())
        picker = Picker(picking, buffer or BufferSettings(), runner, inventory=inventory or Inventory())
    tally = _Tally()
    packets = _watched(index, tally, console or Console(file=sys.stderr))
    picks = tuple(_final_picks(picker, packets, tally))
    write_picks(output, picks)
    return PickSummary(picks, tally.packets, tally.rejected)


@dataclass
class _Tally:
    packets: int = 0
    rejected: int = 0
    samples: int = 0


def _compatible_picker(
    name: str, picking: PickingSettings, network: Network, engine: EngineSettings | None
) -> CompatiblePicker:
    if name != "seisbench":
        raise SettingsError(f"compatible is {name!r}: the one mode there is, is 'seisbench'")
    return CompatiblePicker(picking, network, engine)


def _watched(index: ArchiveIndex, tally: _Tally, console: Console) -> Iterator[Packet]:
    """Read the packets, and show how far the reading is."""
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as progress:
        task = progress.add_task("picking", total=index.sample_count)
        for found in iterate_packets(index):
            item = sanitise_packet(found, NO_CLOCK_NS) if isinstance(found, Packet) else found
            if isinstance(item, Rejection):
                tally.rejected += 1
                continue
            tally.packets += 1
            progress.advance(task, len(item.samples))
            yield item


def _final_picks(
    picker: Picker | CompatiblePicker, packets: Iterable[Packet], tally: _Tally
) -> Iterator[Pick]:
    for packet in packets:
        tally.rejected += sum(isinstance(note, Rejection) for note in picker.add(packet, NO_CLOCK_NS))
        yield from filter(_is_final, picker.step(NO_CLOCK_NS))
    yield from filter(_is_final, picker.flush(NO_CLOCK_NS))


def _is_final(item: object) -> bool:
    return isinstance(item, Pick) and item.status is PickStatus.FINAL
