"""`rtpick bench stations`: the whole path on this machine, beside other pickers on the same waveforms."""

from __future__ import annotations

import itertools
import sys
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from structlog.stdlib import BoundLogger

from rtpick import __version__
from rtpick.bench.feed import Pace
from rtpick.bench.latency import PacedFigures, weigh_paced
from rtpick.bench.machine import describe_machine
from rtpick.bench.measurement import Absent, Throughput
from rtpick.bench.offline import measure_offline
from rtpick.bench.ours import OurSettings, run_ours
from rtpick.bench.rapid_peer import SlipstreamSetting, measure_slipstream
from rtpick.bench.reference import read_reference
from rtpick.bench.report import Figures, OurFigures, Residency, print_report, write_json
from rtpick.bench.seisbench_peer import (
    DEFAULT_OVERLAP,
    WINDOW_SAMPLES,
    ClassifySetting,
    measure_classify,
    measure_reading,
)
from rtpick.bench.synthetic_network import START_NS, SyntheticNetwork, build_network, select_stations
from rtpick.bench.waveforms import SAMPLING_RATE_HZ, Reference
from rtpick.bench.whereabouts import WORKERS
from rtpick.networks import Network, load_network
from rtpick.settings.schema import BufferSettings, EngineSettings, LoggingSettings, PickingSettings
from rtpick.telemetry.logs import configure_logging
from rtpick.vocabulary.time import to_ns

PLAIN_WIDTH = 140
LATENCY_STRIDES = (256, 128, 64)
HISTORY_S = 100.0  # data delivered at once, so that every station is known before the clock runs
LOAD = 0.7  # of what the machine can carry, in the paced runs


@dataclass(frozen=True, slots=True)
class Bench:
    """What all measurements share."""

    network: Network
    reference: Reference
    repeat_s: float
    threads: int
    precision: str
    cores: int
    log: BoundLogger
    console: Console

    def settings(self, stride_samples: int) -> OurSettings:
        """Our settings at a hop; all else as the daemon has it by default."""
        picking = PickingSettings.model_validate({"stride_samples": stride_samples})
        engine = EngineSettings.model_validate({"threads": self.threads, "precision": self.precision})
        return OurSettings(picking, engine, BufferSettings())

    def draw(self, station_count: int, seconds: float) -> SyntheticNetwork:
        """Make a network's records."""
        return build_network(self.reference, station_count, seconds, self.repeat_s)


def bench_station_network(
    station_count: int,
    seconds: float,
    stride_samples: int,
    *,
    weights: str = "default",
    threads: int = 0,
    precision: str = "auto",
    repeat_s: float = 900.0,
    peer_stations: int = 100,
    latency: bool = False,
    paced_s: float = 60.0,
    json_path: Path | None = None,
) -> Figures:
    """Measure throughput, memory and, if wanted, latency; print the figures.

    Parameters
    ----------
    station_count : int
        Three-component stations at 100 Hz.
    seconds : float
        Data of each, as fast as it goes.
    stride_samples : int
        Hop of our windows.
    weights : str
        As `load_network` takes them; the peers get the same.
    threads : int
        For our network and the peers' torch; 0 for as many as there are cores.
    precision : str
        Of our network, as in `EngineSettings`; the peers' is theirs.
    repeat_s : float
        Each station hears the recording, three earthquakes in 230 s, once in this time.
    peer_stations : int
        How many of the stations the peers are given; 0 leaves the peers out.
    latency : bool
        Also run at the records' own pace, at hops of 256, 128 and 64 samples.
    paced_s : float
        Seconds of each paced run.
    json_path : Path or None
        File for the figures.
    """
    console = Console(width=None if sys.stdout.isatty() else PLAIN_WIDTH)
    machine = describe_machine()
    log = configure_logging(LoggingSettings(level="warning"))
    threads = threads or machine.cores
    bench = Bench(
        load_network(weights), read_reference(), repeat_s, threads, precision, machine.cores, log, console
    )
    console.print(f"making {station_count} stations of {seconds:g} s ...")
    waveforms = bench.draw(station_count, seconds)
    ours = pick_at_full_speed(bench, waveforms, stride_samples)
    offline = measure_offline(bench.network, waveforms, bench.settings(stride_samples))
    compared = select_stations(waveforms, peer_stations)
    del waveforms
    peers, absent = measure_peers(bench, compared, stride_samples) if peer_stations else ((), ())
    figures = Figures(
        machine=machine,
        weights=bench.network.model_version,
        threads=bench.threads,
        repeat_s=repeat_s,
        ours=ours,
        offline=offline,
        peers=peers,
        absent=absent,
        reading_s=measure_reading(compared) if peers else None,
        paced=measure_latency(bench, ours.throughput, station_count, paced_s) if latency else (),
    )
    print_report(figures, console)
    if json_path is not None:
        write_json(figures, json_path)
    return figures


def pick_at_full_speed(bench: Bench, waveforms: SyntheticNetwork, stride_samples: int) -> OurFigures:
    """Run ours as fast as it goes."""
    bench.console.print("picking them ...")
    outcome = run_ours(bench.network, waveforms, bench.settings(stride_samples), bench.log)
    throughput = Throughput(
        subject=f"rtpick {__version__}",
        setting=f"{outcome.engine}, records in to picks told",
        station_count=waveforms.station_count,
        station_seconds=waveforms.station_seconds,
        window_samples=bench.network.metadata.window_samples,
        stride_samples=stride_samples,
        windows=outcome.windows,
        picks=outcome.picks,
        wall_s=outcome.wall_s,
        resident_peak_bytes=outcome.resident.peak_bytes,
    )
    return OurFigures(
        throughput=throughput,
        engine=outcome.engine,
        mean_batch=outcome.windows / max(outcome.batches, 1),
        network_share=outcome.network_s / outcome.wall_s,
        processor_share=outcome.processor_s / outcome.wall_s / bench.cores,
        shares={name: outcome.whereabouts.shares(name) for name in WORKERS.values()},
        residency=Residency.of(outcome.resident, waveforms.payload_bytes),
    )


def measure_peers(
    bench: Bench, waveforms: SyntheticNetwork, stride_samples: int
) -> tuple[tuple[Throughput, ...], tuple[Absent, ...]]:
    """Run what is installed of the other pickers: as they come, in larger batches, and at our hop."""
    bench.console.print(f"other pickers on {waveforms.station_count} of the stations ...")
    same_hop = WINDOW_SAMPLES - stride_samples
    classify = (
        ClassifySetting(DEFAULT_OVERLAP, 256),
        ClassifySetting(DEFAULT_OVERLAP, 32),
        ClassifySetting(same_hop, 256),
        ClassifySetting(same_hop, 32),
    )
    slipstream = (
        SlipstreamSetting(0, 256, "bf16"),
        SlipstreamSetting(0, 256, "fp32"),
        SlipstreamSetting(same_hop, 256, "fp32"),
        SlipstreamSetting(same_hop, 32, "fp32"),
    )
    results = (
        measure_classify(bench.network, waveforms, classify, bench.threads),
        measure_slipstream(bench.network, waveforms, slipstream, bench.threads),
    )
    present = [result for result in results if not isinstance(result, Absent)]
    absent = tuple(result for result in results if isinstance(result, Absent))
    return tuple(itertools.chain.from_iterable(present)), absent


def measure_latency(
    bench: Bench, reached: Throughput, station_count: int, paced_s: float
) -> tuple[PacedFigures, ...]:
    """Run ours at the records' own pace at each hop, with as many stations as it carries well."""
    runs = []
    for stride_samples in LATENCY_STRIDES:
        capacity = LOAD * reached.windows_per_s * stride_samples / SAMPLING_RATE_HZ
        carried = max(min(station_count, int(capacity)), 1)
        bench.console.print(f"{carried} stations at a hop of {stride_samples} at their own pace ...")
        waveforms = bench.draw(carried, HISTORY_S + paced_s)
        from_ns = START_NS + to_ns(HISTORY_S)
        outcome = run_ours(
            bench.network, waveforms, bench.settings(stride_samples), bench.log, Pace(from_ns)
        )
        runs.append(weigh_paced(outcome, waveforms, from_ns, stride_samples, bench.cores))
    return tuple(runs)
