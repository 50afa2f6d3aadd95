"""What the command line does for fiber-optic cables."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rtpick.cli.words import DasFormat, FiberMode, RecordedQuantity

FIBER_SUFFIXES = {".h5", ".hdf5"}
fiber_app = typer.Typer()
plot_app = typer.Typer(no_args_is_help=True, help="Draw pictures.")


@fiber_app.command("serve-das")
def serve_das(
    paths: Annotated[list[Path], typer.Argument(help="HDF5 files of one fiber, or folders of them")],
    form: Annotated[DasFormat, typer.Option("--format", help="of the messages")] = DasFormat.ASN,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one")] = 5561,
    speed: Annotated[float, typer.Option(min=0, help="times faster than real time; 0: all at once")] = 1.0,
    block: Annotated[float, typer.Option(min=0.01, help="seconds of a block")] = 0.5,
    now: Annotated[bool, typer.Option("--now", help="shift the times to now")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="begin when the first subscriber listens")] = False,
    host: Annotated[str, typer.Option(help="address to listen on")] = "127.0.0.1",
    fiber: Annotated[str | None, typer.Option(help="name of the cable, instead of the files'")] = None,
    quantity: Annotated[
        RecordedQuantity | None, typer.Option(help="of the samples, instead of the files'")
    ] = None,
    curve_key: Annotated[Path | None, typer.Option(help="our secret CURVE certificate")] = None,
    curve_clients: Annotated[Path | None, typer.Option(help="folder of subscribers' public ones")] = None,
) -> None:
    """Publish recordings of a cable over ZeroMQ, as if an interrogator measured them now."""
    from rtpick import serve_das as root
    from rtpick.vocabulary.fiber import Quantity

    root.serve_das(
        paths,
        root.DasReplay(form.value, speed, block, now, wait),
        host=host,
        port=port,
        fiber=fiber,
        quantity=Quantity(quantity.value) if quantity else None,
        curve_key_file=curve_key,
        curve_clients_directory=curve_clients,
    )


@fiber_app.command()
def record(
    config: Annotated[Path, typer.Argument(help="rtpick.yaml")],
    out: Annotated[Path, typer.Option("-o", "--out", help="folder for the recordings")],
    duration: Annotated[float | None, typer.Option(min=0.1, help="seconds; else until interrupted")] = None,
    file_seconds: Annotated[float, typer.Option(min=1, help="seconds of a file")] = 3600.0,
) -> None:
    """Write what the sources of a configuration deliver: miniSEED of stations, HDF5 of cables."""
    from rtpick.record import record as record_sources
    from rtpick.settings.load import load_settings

    record_sources(load_settings(config).sources, out, duration_s=duration, file_s=file_seconds)


@plot_app.command("das")
def plot_das(
    recordings: Annotated[list[Path] | None, typer.Argument(help="HDF5 files of a cable")] = None,
    picks: Annotated[Path | None, typer.Option(help="table of picks, associated or not")] = None,
    out: Annotated[Path, typer.Option("-o", "--out", help="PNG")] = Path("cable.png"),
    start: Annotated[str | None, typer.Option(help="ISO 8601")] = None,
    end: Annotated[str | None, typer.Option(help="ISO 8601")] = None,
) -> None:
    """Draw a cable's waterfall with its P and S picks, and its events."""
    from rtpick.plot_fiber_picks import plot_fiber_picks
    from rtpick.vocabulary.time import parse_utc

    try:
        span = [None if text is None else parse_utc(text) for text in (start, end)]
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--start, --end") from error
    plot_fiber_picks(out, picks, recordings or (), start_ns=span[0], end_ns=span[1])
    typer.echo(f"drawn -> {out}")


def pick_cable(paths: list[Path], out: Path, weights: str, p_threshold: float, s_threshold: float) -> None:
    """Pick recordings of cables, for `rtpick pick`."""
    from rtpick.pick_fiber_files import pick_fiber_files
    from rtpick.settings.fiber import FiberPickingSettings, FiberSettings

    picking = FiberPickingSettings(weights=weights, p_threshold=p_threshold, s_threshold=s_threshold)
    summary = pick_fiber_files(paths, out, FiberSettings(picking=picking))
    refused = f", {summary.rejected_count} set aside" if summary.rejected_count else ""
    typer.echo(f"{summary.pick_count} picks from {summary.block_count} blocks{refused} -> {out}")


def associate_cable(
    picks: Path, out: Path, channels: Path | None, mode: FiberMode, velocity_model: Path | None
) -> None:
    """Associate the picks of a cable, for `rtpick associate --das`."""
    from rtpick.associate_fiber_picks import associate_fiber_picks

    result = associate_fiber_picks(
        picks, out, mode.value, channels, velocity_model=velocity_model or "iasp91"
    )
    share = result.associated_fraction
    typer.echo(f"{len(result.events)} events, {share:.0%} of {len(result.picks)} picks associated -> {out}")
