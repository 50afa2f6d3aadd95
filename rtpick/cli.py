"""The command line: one function a command; what a command does lives in its root."""

from __future__ import annotations

import sys
from enum import IntEnum, StrEnum
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from rtpick import __version__
from rtpick.vocabulary.errors import RtpickError

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Real-time seismic phase picking, association and learning.",
)


class Stacking(StrEnum):
    """How overlapping windows become one curve."""

    MEAN = "mean"
    MAX = "max"


class Stride(IntEnum):
    """Samples between windows; 256 is the whole stride of the network."""

    EIGHTH = 32
    QUARTER = 64
    HALF = 128
    WHOLE = 256
    DOUBLE = 512


class Compatible(StrEnum):
    """Whose picks to give exactly."""

    SEISBENCH = "seisbench"


class AmplitudeUnit(StrEnum):
    """What amplitudes of picks are given in."""

    AUTO = "auto"
    COUNTS = "counts"
    VELOCITY = "m/s"


class Peer(StrEnum):
    """Whom to compare with."""

    PYOCTO = "pyocto"
    GAMMA = "gamma"
    NONE = "none"


class Precision(StrEnum):
    """What the network computes in."""

    AUTO = "auto"
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"


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
    out: Annotated[Path, typer.Option(help="folder for the results")] = Path("demo"),
) -> None:
    """Play a real recording through a real SeedLink server into the daemon; show picks and events."""
    from rtpick.demo.show import run_demo

    run_demo(out, speed)


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
    paths: Annotated[list[Path], typer.Argument(help="miniSEED files, folders or an SDS archive")],
    out: Annotated[Path, typer.Option("-o", "--out", help="table of picks")] = Path("picks.csv"),
    weights: Annotated[str, typer.Option(help="a name or a file of weights")] = "default",
    stride: Annotated[Stride, typer.Option(help="samples between windows")] = Stride.WHOLE,
    stacking: Annotated[Stacking, typer.Option(help="how windows are stacked")] = Stacking.MEAN,
    p_threshold: Annotated[float, typer.Option(min=0.01, max=0.99)] = 0.3,
    s_threshold: Annotated[float, typer.Option(min=0.01, max=0.99)] = 0.3,
    compatible: Annotated[Compatible | None, typer.Option(help="give exactly another picker's picks")] = None,
) -> None:
    """Pick recorded waveforms with the daemon's engine, as fast as it goes."""
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
    stations: Annotated[Path, typer.Option(help="CSV of coordinates or StationXML")],
    out: Annotated[Path, typer.Option("-o", "--out", help="folder for the results")],
    velocity_model: Annotated[Path | None, typer.Option(help="CSV of depth_km, vp, vs; else iasp91")] = None,
    arrival_column: Annotated[str | None, typer.Option(help="column of arrival epochs")] = None,
    plot: Annotated[bool, typer.Option("--plot", help="also draw catalogue.png")] = False,
    amplitude_unit: Annotated[AmplitudeUnit, typer.Option(help="of the picks")] = AmplitudeUnit.AUTO,
) -> None:
    """Associate a pick list into located events with the daemon's associator."""
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


bench_app = typer.Typer(no_args_is_help=True, help="Measure this machine.")
app.add_typer(bench_app, name="bench")


@bench_app.command("stations")
def bench_stations(
    stations: Annotated[int, typer.Option(min=1, max=65_536, help="three-component stations")] = 200,
    seconds: Annotated[float, typer.Option(min=60, help="seconds of data a station")] = 300.0,
    stride: Annotated[int, typer.Option(help="samples between windows")] = 256,
    weights: Annotated[str, typer.Option(help="a name or a file of weights")] = "default",
    threads: Annotated[int, typer.Option(min=0, help="for every network; 0: one a core")] = 0,
    precision: Annotated[Precision, typer.Option(help="of our network")] = Precision.AUTO,
    repeat: Annotated[float, typer.Option(min=1, help="seconds for 3 earthquakes a station")] = 900.0,
    peer_stations: Annotated[int, typer.Option(min=0, help="stations for other pickers; 0: leave out")] = 100,
    latency: Annotated[bool, typer.Option("--latency", help="also measure delays in real time")] = False,
    paced_seconds: Annotated[float, typer.Option(min=5, help="seconds of each real-time run")] = 60.0,
    json_path: Annotated[Path | None, typer.Option("--json", help="file for the figures")] = None,
) -> None:
    """Measure the whole path, records in to picks told, beside other pickers on the same data."""
    from rtpick.bench.stations import bench_station_network

    bench_station_network(
        stations,
        seconds,
        stride,
        weights=weights,
        threads=threads,
        precision=precision.value,
        repeat_s=repeat,
        peer_stations=peer_stations,
        latency=latency,
        paced_s=paced_seconds,
        json_path=json_path,
    )


@bench_app.command("associate")
def bench_associate(
    scenarios: Annotated[Path | None, typer.Option(help="folder of scenarios: picks with truth")] = None,
    scenario: Annotated[list[str] | None, typer.Option(help="made here: calm, swarm, hush")] = None,
    seed: Annotated[list[int] | None, typer.Option(help="for those that are made here")] = None,
    real: Annotated[Path | None, typer.Option(help="folder of real pick lists with catalogues")] = None,
    peer: Annotated[list[Peer] | None, typer.Option(help="other associators; both if left out")] = None,
    peer_python: Annotated[Path, typer.Option(help="interpreter that has them")] = Path(sys.executable),
    patience: Annotated[float, typer.Option(min=1, help="seconds for a peer on one pick list")] = 3600.0,
    out: Annotated[Path, typer.Option("-o", "--out", help="for the figures")] = Path("bench-associate"),
) -> None:
    """Compare associators on the same picks with the truth, or with catalogues."""
    from rtpick.bench.association.command import Wishes, bench_association

    peers = tuple(item.value for item in peer or list(Peer) if item is not Peer.NONE)
    wishes = Wishes(peers, str(peer_python), patience, out)
    bench_association(wishes, scenarios, scenario or (), seed or (1,), real)
