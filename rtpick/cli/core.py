"""The command line: one function a command; what a command does lives in its root."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from rtpick import __version__
from rtpick.cli.bench import bench_app
from rtpick.cli.fiber import FIBER_SUFFIXES, associate_cable, fiber_app, pick_cable, plot_app
from rtpick.cli.words import AmplitudeUnit, Compatible, FiberMode, Stacking, Stride
from rtpick.vocabulary.errors import RtpickError

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Real-time seismic phase picking, association and learning.",
)
app.add_typer(fiber_app)
app.add_typer(bench_app, name="bench")
app.add_typer(plot_app, name="plot")


def main() -> NoReturn:
    """Run the command line; one clear line on standard error for whatever went wrong."""
    try:
        app(standalone_mode=True)
    except RtpickError as error:
        typer.secho(f"rtpick: {error}", err=True, fg=typer.colors.RED)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(0)


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


@app.command()
def demo(
    speed: Annotated[float, typer.Option(min=0.1, max=1000, help="times faster than real time")] = 10.0,
    out: Annotated[Path | None, typer.Option(help="folder for the results; demo, or demo-das")] = None,
    das: Annotated[bool, typer.Option("--das", help="a cable instead of stations")] = False,
) -> None:
    """Play a real recording through a real server into the daemon; show picks and events."""
    if das:
        from rtpick.demo.fiber_show import run_fiber_demo

        run_fiber_demo(out or Path("demo-das"), speed)
        return
    from rtpick.demo.show import run_demo

    run_demo(out or Path("demo"), speed)


@app.command()
def run(config: Annotated[Path, typer.Argument(help="rtpick.yaml")]) -> None:
    """Run the daemon until SIGTERM."""
    from rtpick.daemon.run import run_daemon

    run_daemon(config)


@app.command()
def check(config: Annotated[Path, typer.Argument(help="rtpick.yaml")]) -> None:
    """Try everything that a configuration names; exit status 0 means that the daemon can start."""
    from rtpick.check import check_configuration

    if not check_configuration(config):
        raise typer.Exit(1)


@app.command()
def pick(
    paths: Annotated[
        list[Path], typer.Argument(help="miniSEED files, folders or an SDS archive; or HDF5 files of a cable")
    ],
    out: Annotated[Path, typer.Option("-o", "--out", help="table of picks")] = Path("picks.csv"),
    weights: Annotated[str, typer.Option(help="a name or a file of weights")] = "default",
    stride: Annotated[Stride, typer.Option(help="samples between windows")] = Stride.WHOLE,
    stacking: Annotated[Stacking, typer.Option(help="how windows are stacked")] = Stacking.MEAN,
    p_threshold: Annotated[float, typer.Option(min=0.01, max=0.99)] = 0.3,
    s_threshold: Annotated[float, typer.Option(min=0.01, max=0.99)] = 0.3,
    compatible: Annotated[Compatible | None, typer.Option(help="give exactly another picker's picks")] = None,
) -> None:
    """Pick recorded waveforms with the daemon's engine, as fast as it goes."""
    if any(path.suffix.lower() in FIBER_SUFFIXES for path in paths):
        pick_cable(paths, out, weights, p_threshold, s_threshold)
        return
    from rtpick.pick_files import pick_paths
    from rtpick.settings.schema import PickingSettings

    settings = PickingSettings(
        weights=weights,
        stride_samples=stride.value,
        stacking=stacking.value,
        p_threshold=p_threshold,
        s_threshold=s_threshold,
    )
    summary = pick_paths(paths, out, picking=settings, compatible=compatible.value if compatible else None)
    rejected = f", {summary.rejected_count} set aside" if summary.rejected_count else ""
    typer.echo(f"{len(summary.picks)} picks from {summary.packet_count} records{rejected} -> {out}")


@app.command()
def serve(
    folder: Annotated[Path, typer.Argument(help="folder of miniSEED, or an SDS archive")],
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one")] = 18000,
    speed: Annotated[float, typer.Option(min=0, help="times faster than real time; 0: all at once")] = 1.0,
    now: Annotated[bool, typer.Option("--now", help="shift the times to now")] = False,
    end: Annotated[bool, typer.Option("--end", help="end the stream after the last record")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="begin to play when the first client streams")] = False,
    host: Annotated[str, typer.Option(help="address to listen on")] = "127.0.0.1",
    packet_samples: Annotated[
        int | None, typer.Option(min=1, help="cut into packets of so many samples")
    ] = None,
) -> None:
    """Serve a folder of miniSEED over SeedLink (v3.1 and v4.0), as if it were live."""
    from rtpick.serve import serve_folder

    serve_folder(
        folder,
        host=host,
        port=port,
        speed=speed,
        shift_to_now=now,
        end=end,
        packet_samples=packet_samples,
        wait_for_client=wait,
    )


@app.command()
def associate(
    picks: Annotated[Path, typer.Option(help="table of picks, in order of arrival")],
    out: Annotated[Path, typer.Option("-o", "--out", help="folder for the results")],
    stations: Annotated[Path | None, typer.Option(help="CSV of coordinates or StationXML")] = None,
    velocity_model: Annotated[Path | None, typer.Option(help="CSV of depth_km, vp, vs; else iasp91")] = None,
    arrival_column: Annotated[str | None, typer.Option(help="column of arrival epochs")] = None,
    plot: Annotated[bool, typer.Option("--plot", help="also draw catalogue.png")] = False,
    amplitude_unit: Annotated[AmplitudeUnit, typer.Option(help="of the picks")] = AmplitudeUnit.AUTO,
    das: Annotated[bool, typer.Option("--das", help="picks of a cable, by channel")] = False,
    channels: Annotated[Path | None, typer.Option(help="--das: where channels lie, CSV or GeoJSON")] = None,
    mode: Annotated[FiberMode, typer.Option(help="--das: how")] = FiberMode.STREAM,
) -> None:
    """Associate a pick list into located events with the daemon's associator."""
    if das:
        associate_cable(picks, out, channels, mode, velocity_model)
        return
    if stations is None:
        raise typer.BadParameter("name the stations, or --das for picks of a cable", param_hint="--stations")
    from rtpick.associate_picks import associate_table

    result = associate_table(
        picks,
        stations,
        velocity_model,
        out,
        arrival_column=arrival_column,
        plot=plot,
        amplitude_unit=amplitude_unit.value,
    )
    for note in result.notes:
        typer.secho(f"note: {note}", err=True, fg=typer.colors.YELLOW)
    typer.echo(f"{len(result.events)} events -> {out}")


@app.command()
def relocate(
    catalogue: Annotated[Path, typer.Argument(help="QuakeML, or a folder that rtpick associate wrote")],
    stations: Annotated[list[Path], typer.Option(help="CSV of coordinates or StationXML")],
    out: Annotated[Path, typer.Option("-o", "--out", help="QuakeML file, or folder as the catalogue is")],
    picks: Annotated[Path | None, typer.Option(help="table of picks behind a folder's assignments")] = None,
    velocity_model: Annotated[Path | None, typer.Option(help="CSV of depth_km, vp, vs; else iasp91")] = None,
    farthest_km: Annotated[float, typer.Option(min=0.01, help="between two linked events")] = 10.0,
    neighbours: Annotated[int, typer.Option(min=1, help="linked to each event")] = 12,
    fewest: Annotated[int, typer.Option(min=4, help="phases that linked events share")] = 6,
) -> None:
    """Move the events of a catalogue against each other by double differences of their arrivals."""
    from rtpick.association.double_difference import DifferenceRules
    from rtpick.relocate_catalogue import describe_relocation, relocate_catalogue

    rules = DifferenceRules(farthest_km=farthest_km, neighbours=neighbours, fewest=fewest)
    improved = relocate_catalogue(
        catalogue, stations, out, picks=picks, velocity_model=velocity_model, rules=rules
    )
    typer.echo(f"{describe_relocation(improved)} -> {out}")
