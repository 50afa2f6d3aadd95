"""SeisBench's `classify` on the same records, with the same weights and threads.

SeisBench (GPL-3) is no part of this package: it is imported only here, and only where it is installed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from io import BytesIO
from typing import Any

import obspy
import torch

from rtpick.bench.measurement import Absent, Throughput
from rtpick.bench.resident import watch_resident
from rtpick.bench.synthetic_network import SyntheticNetwork, group_by_channel
from rtpick.networks import Network
from rtpick.runtime.clock import monotonic_s

NAME = "SeisBench classify"
WINDOW_SAMPLES = 3001
DEFAULT_OVERLAP = 1500


@dataclass(frozen=True, slots=True)
class ClassifySetting:
    """Options of `classify`."""

    overlap_samples: int
    batch_size: int

    @property
    def stride_samples(self) -> int:
        """Samples between two windows."""
        return WINDOW_SAMPLES - self.overlap_samples


def measure_classify(
    network: Network, waveforms: SyntheticNetwork, settings: Sequence[ClassifySetting], threads: int
) -> list[Throughput] | Absent:
    """Time `classify` with each of `settings`; the stream is decoded beforehand, outside the time.

    Returns
    -------
    list of Throughput, or Absent
    """
    if find_spec("seisbench") is None:
        return Absent(NAME, "pip install seisbench")
    with torch_threads(threads):
        model = translate_network(network)
        stream = read_stream(waveforms)
        model.classify(stream.slice(endtime=stream[0].stats.starttime + 40))
        return [_measure(model, stream, waveforms, setting) for setting in settings]


def measure_reading(waveforms: SyntheticNetwork) -> float:
    """Seconds that obspy takes to decode the same records, already sorted by channel."""
    began_s = monotonic_s()
    read_stream(waveforms)
    return monotonic_s() - began_s


def read_stream(waveforms: SyntheticNetwork) -> obspy.Stream:
    """Decode the records into an obspy stream, a trace a channel."""
    contents = group_by_channel(waveforms.records)
    stream = obspy.Stream()
    for content in contents.values():
        stream += obspy.read(BytesIO(content), format="MSEED")
    return stream.merge(-1)


def translate_network(network: Network) -> Any:
    """Build SeisBench's PhaseNet with the weights of ours."""
    from seisbench.models import PhaseNet

    phases = "".join(network.phases)
    model = PhaseNet(phases=phases, norm="std", component_order=network.component_order)
    state = network.architecture.state_dict()
    model.load_state_dict({seisbench_name(name): tensor for name, tensor in state.items()})
    return model.eval()


def seisbench_name(name: str) -> str:
    """Turn the name of a parameter into SeisBench's.

    Examples
    --------
    >>> seisbench_name("down.2.stride_conv.weight"), seisbench_name("up.3.bn.running_mean")
    ('down_branch.2.2.weight', 'up_branch.0.3.running_mean')
    >>> seisbench_name("input.bn.weight"), seisbench_name("output.conv.bias")
    ('in_bn.weight', 'out.bias')
    """
    part, *rest = name.split(".")
    match part:
        case "input":
            return ".".join(({"conv": "inc", "bn": "in_bn"}[rest[0]], rest[1]))
        case "output":
            return f"out.{rest[1]}"
        case "down":
            position = ["conv", "bn", "stride_conv", "stride_bn"].index(rest[1])
            return f"down_branch.{rest[0]}.{position}.{rest[2]}"
        case _:
            position = ["deconv", "deconv_bn", "conv", "bn"].index(rest[1])
            return f"up_branch.{3 - int(rest[0])}.{position}.{rest[2]}"


@contextmanager
def torch_threads(threads: int) -> Iterator[None]:
    """Give torch a number of threads meanwhile."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _measure(
    model: Any, stream: obspy.Stream, waveforms: SyntheticNetwork, setting: ClassifySetting
) -> Throughput:
    counted: list[int] = []
    hook = model.register_forward_hook(lambda module, inputs, output: counted.append(len(inputs[0])))
    with watch_resident() as resident:
        began_s = monotonic_s()
        found = model.classify(stream, overlap=setting.overlap_samples, batch_size=setting.batch_size)
        wall_s = monotonic_s() - began_s
    hook.remove()
    return Throughput(
        subject=f"{NAME} {version('seisbench')}",
        setting=f"batch {setting.batch_size}, records already decoded",
        station_count=waveforms.station_count,
        station_seconds=waveforms.station_seconds,
        window_samples=WINDOW_SAMPLES,
        stride_samples=setting.stride_samples,
        windows=sum(counted),
        picks=len(found.picks),
        wall_s=wall_s,
        resident_peak_bytes=resident.peak_bytes,
    )
