"""`rtpick bench`: measurements that anyone can repeat."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from rtpick.cli.words import Peer, Precision

bench_app = typer.Typer(no_args_is_help=True, help="Measure this machine.")

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


@bench_app.command("das")
def bench_das(
    channels: Annotated[int, typer.Option(min=1, max=100_000, help="of each cable")] = 1000,
    rate: Annotated[float, typer.Option(min=1, max=10_000, help="samples a second")] = 100.0,
    cables: Annotated[int, typer.Option(min=1, max=64)] = 1,
    seconds: Annotated[float, typer.Option(min=10, help="seconds of data a cable")] = 60.0,
    block: Annotated[float, typer.Option(min=0.05, help="seconds of a block")] = 1.0,
    paced: Annotated[bool, typer.Option("--paced", help="as fast as a cable delivers, not faster")] = False,
    weights: Annotated[str, typer.Option(help="a network, random-small or random-full")] = "random-small",
    json_path: Annotated[Path | None, typer.Option("--json", help="file for the figures")] = None,
) -> None:
    """Measure how many channels of fiber this machine picks, and where the time goes."""
    from rtpick.bench.fiber import bench_fibers

    bench_fibers(
        channels,
        rate,
        cables=cables,
        seconds=seconds,
        block_s=block,
        paced=paced,
        weights=weights,
        json_path=json_path,
    )


@bench_app.command("das-associate")
def bench_das_associate(
    scenarios: Annotated[Path, typer.Option(help="folder of scenarios: a cable's picks with truth")],
    out: Annotated[Path, typer.Option("-o", "--out", help="for the figures")] = Path("bench-das-associate"),
) -> None:
    """Compare the stream's events of a cable with those of histograms, and both with the truth."""
    from rtpick.bench.fiber_association import bench_fiber_association

    bench_fiber_association(scenarios, out)
