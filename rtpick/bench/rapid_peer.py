"""RAPID's Slipstream on the same records, with the same weights and threads.

RAPID (PyPI rapid-seis) stands on SeisBench (GPL-3) and is no part of this package: it is imported only here,
and only where it is installed. It reads a folder of miniSEED a station and loads weights by name, so both are
laid out for it first; writing them is outside the time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rtpick.bench.measurement import Absent, Throughput
from rtpick.bench.resident import watch_resident
from rtpick.bench.seisbench_peer import WINDOW_SAMPLES, torch_threads, translate_network
from rtpick.bench.synthetic_network import SyntheticNetwork, group_by_channel, select_stations
from rtpick.networks import Network
from rtpick.runtime.clock import monotonic_s

NAME = "RAPID Slipstream"
WEIGHTS_NAME = "rtpick"


@dataclass(frozen=True, slots=True)
class SlipstreamSetting:
    """Options of `slipstream`."""

    overlap_samples: int
    batch_size: int
    precision: str

    @property
    def stride_samples(self) -> int:
        """Samples between two windows."""
        return WINDOW_SAMPLES - self.overlap_samples


def measure_slipstream(
    network: Network, waveforms: SyntheticNetwork, settings: Sequence[SlipstreamSetting], threads: int
) -> list[Throughput] | Absent:
    """Time `slipstream` with each of `settings`; reading the files and loading the weights are part of it.

    Returns
    -------
    list of Throughput, or Absent
    """
    if find_spec("rapid") is None or find_spec("seisbench") is None:
        return Absent(NAME, "pip install rapid-seis")
    with TemporaryDirectory() as name, torch_threads(threads):
        folder = Path(name)
        write_stations(waveforms, folder / "all")
        write_stations(select_stations(waveforms, 1), folder / "one")
        with cached_weights(network, folder / "weights"):
            _run(folder / "one", settings[0], threads)
            return [_measure(folder / "all", waveforms, setting, threads) for setting in settings]


def write_stations(waveforms: SyntheticNetwork, folder: Path) -> None:
    """Write a folder a station, a file a channel."""
    for channel, content in group_by_channel(waveforms.records).items():
        station = folder / channel.station
        station.mkdir(parents=True, exist_ok=True)
        (station / f"{channel}.mseed").write_bytes(content)


@contextmanager
def cached_weights(network: Network, folder: Path) -> Iterator[None]:
    """Let SeisBench find our weights under a name of its cache, and nothing else, meanwhile."""
    import seisbench

    before = seisbench.cache_model_root
    (folder / "phasenet").mkdir(parents=True)
    seisbench.cache_model_root = folder
    translate_network(network).save(folder / "phasenet" / WEIGHTS_NAME, version_str="1")
    try:
        yield
    finally:
        seisbench.cache_model_root = before


def _run(folder: Path, setting: SlipstreamSetting, threads: int) -> dict[str, Any]:
    from rapid import slipstream  # type: ignore[import-untyped]

    found: dict[str, Any] = slipstream(
        folder,
        folder.with_name("results"),
        model=f"PhaseNet/{WEIGHTS_NAME}",
        dtype=setting.precision,
        batch_size=setting.batch_size,
        torch_threads=threads,
        overlap_samples=setting.overlap_samples,
    )
    return found


def _measure(
    folder: Path, waveforms: SyntheticNetwork, setting: SlipstreamSetting, threads: int
) -> Throughput:
    with watch_resident() as resident:
        began_s = monotonic_s()
        found = _run(folder, setting, threads)
        wall_s = monotonic_s() - began_s
    return Throughput(
        subject=f"{NAME} {version('rapid-seis')}",
        setting=f"batch {setting.batch_size}, {setting.precision}, from files",
        station_count=waveforms.station_count,
        station_seconds=waveforms.station_seconds,
        window_samples=WINDOW_SAMPLES,
        stride_samples=setting.stride_samples,
        windows=int(found["summary"]["batch_shape"][0]),
        picks=sum(len(times) for station in found["picks"].values() for times in station.values()),
        wall_s=wall_s,
        resident_peak_bytes=resident.peak_bytes,
    )
