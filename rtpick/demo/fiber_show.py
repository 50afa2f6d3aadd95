"""`rtpick demo --das`: an interrogator's stream, the daemon, a live table, and at the end a waterfall."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.live import Live
from rich.table import Table

from rtpick.archive.catalog import Catalog
from rtpick.demo.fiber_recording import LAYOUT, ORIGIN, SHAPE_KT
from rtpick.demo.fiber_stage import QUIET_S, FiberStage, prepare_fiber_stage
from rtpick.demo.fiber_watch import TOPICS, FiberWatch
from rtpick.demo.processes import await_listener, running
from rtpick.demo.show import REFRESH_S, wide_console
from rtpick.ingest.das_files import index_das_files, iterate_blocks
from rtpick.publish.picture_fiber import plot_fiber, scene_of_events
from rtpick.publish.subscriber import Subscriber
from rtpick.publish.waterfall import WaterfallGrid, draw_together
from rtpick.runtime.clock import monotonic_s
from rtpick.vocabulary.errors import WorkerError
from rtpick.vocabulary.event import EventStatus
from rtpick.vocabulary.fiber import FiberPicks
from rtpick.vocabulary.fiber_event import FiberEvent
from rtpick.vocabulary.time import format_utc, parse_utc, to_ns, to_s

SPARE_S = 180.0
STOP_S = 40.0
BAND_HZ = (1.0, 20.0)
_GONE = (EventStatus.MERGE, EventStatus.RETRACT)


def run_fiber_demo(out: Path, speed: float) -> None:
    """Play the recording through publisher and daemon, then report.

    Parameters
    ----------
    out : Path
        Folder for recording, configuration, database and results; made if absent.
    speed : float
        Times faster than real time.

    Raises
    ------
    SettingsError
        If the package that carries the recording is not installed.
    WorkerError
        If publisher or daemon fail; the message names the log to read.
    """
    console, stage = wide_console(), prepare_fiber_stage(out)
    watch = FiberWatch(stage.health_port)
    address = f"tcp://127.0.0.1:{stage.publisher_port}"
    console.print(f"a cable on {address} (ASN), {speed:g} times real time; results in {out}/")
    console.print(f"behind the recording {QUIET_S:.0f} s of the cable's noise, so that picks become final")
    port = ["--port", str(stage.publisher_port)]
    arguments = ["serve-das", str(stage.recording), "--format", "asn", *port, "--speed", str(speed), "--wait"]
    log = out / "publisher.log"
    with running(arguments, log) as publisher:
        await_listener(stage.publisher_port, publisher, log)
        with running(["run", str(stage.configuration)], out / "daemon.log") as daemon:
            _follow(stage, daemon, watch, console)
            _stop(daemon, stage)
    _report(stage, watch, console)


def _follow(stage: FiberStage, daemon: subprocess.Popen[bytes], watch: FiberWatch, console: Console) -> None:
    """Show the daemon's life until an event is final, or it is clear that none will be."""
    subscriber = Subscriber(f"tcp://127.0.0.1:{stage.zeromq_port}", *TOPICS)
    deadline_s = monotonic_s() + SPARE_S
    try:
        with Live(watch.render(), console=console, refresh_per_second=4) as live:
            while daemon.poll() is None and monotonic_s() < deadline_s and not watch.has_final:
                watch.hear(subscriber.messages(REFRESH_S))
                watch.look()
                live.update(watch.render())
    finally:
        subscriber.close()


def _stop(daemon: subprocess.Popen[bytes], stage: FiberStage) -> None:
    """Let the daemon drain and save."""
    if daemon.poll() is None:
        daemon.terminate()
    try:
        status = daemon.wait(STOP_S)
    except subprocess.TimeoutExpired:
        status = None
    if status != 0:
        what = "did not end in time" if status is None else f"ended with status {status}"
        raise WorkerError(f"the daemon {what}; see {stage.out / 'daemon.log'} for the reason")


def _report(stage: FiberStage, watch: FiberWatch, console: Console) -> None:
    """Draw the waterfall, and print the events beside what is known."""
    with Catalog.open(f"sqlite:///{stage.out / 'rtpick.sqlite'}") as catalog:
        picks = _joined(catalog.fiber_picks())
        events = [event for event in catalog.fiber_events() if event.status not in _GONE]
    _draw(stage, picks, events)
    console.print(_event_table(events))
    median_s, high_s = watch.inference_s
    console.print(f"a batch of tiles in the network: p50 {median_s:.2f} s, p95 {high_s:.2f} s")
    console.print(f"{len(picks)} picks, {len(events)} events; in {stage.out}/:")
    console.print("cable.png, tables/, rtpick.sqlite, daemon.log")


def _joined(batches: list[FiberPicks]) -> FiberPicks:
    """Put the batches of one fiber together."""
    if not batches:
        nothing = np.zeros(0, np.int64)
        few = np.zeros(0, np.float32)
        return FiberPicks(LAYOUT.fiber, nothing, np.zeros(0, "U1"), nothing, few, few)
    return FiberPicks(
        LAYOUT.fiber,
        np.concatenate([batch.channel_number_N for batch in batches]),
        np.concatenate([batch.phase_N for batch in batches]),
        np.concatenate([batch.time_ns_N for batch in batches]),
        np.concatenate([batch.probability_N for batch in batches]),
        np.concatenate([batch.amplitude_N for batch in batches]),
        batches[0].model_version,
    )


def _draw(stage: FiberStage, picks: FiberPicks, events: list[FiberEvent]) -> None:
    files = index_das_files([stage.recording])
    numbers_K = LAYOUT.channel_numbers
    end_ns = files[0].start_ns + to_ns(SHAPE_KT[1] / LAYOUT.sampling_rate_hz)
    grid = WaterfallGrid(files[0].start_ns, end_ns, int(numbers_K[0]), int(numbers_K[-1]))
    cells_YX = draw_together(iterate_blocks(files, 5.0), grid, BAND_HZ)
    scene = scene_of_events(picks, events)
    spacing_m = LAYOUT.channel_spacing_m
    title = f"PoroTomo, {format_utc(grid.start_ns)[:19]}"
    plot_fiber(stage.out / "cable.png", scene, grid, cells_YX, title=title, channel_spacing_m=spacing_m)


def _event_table(events: list[FiberEvent]) -> Table:
    """Events found beside the known origin time."""
    headings = ("origin time", "S - P, s", "P", "S", "known", "difference")
    table = Table(*headings, title="events beside what is known", title_justify="left")
    for event in events:
        phases = event.phase_M.tolist()
        late_s = to_s(event.origin_ns - parse_utc(ORIGIN))
        counts = [str(phases.count(phase)) for phase in "PS"]
        table.add_row(
            format_utc(event.origin_ns)[:22], f"{event.ps_s:.1f}", *counts,
            f"Hawthorne, Nevada, {ORIGIN[11:21]}", f"{late_s:+.1f} s",
        )  # fmt: skip
    return table
