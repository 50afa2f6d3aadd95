"""The real recording that synthetic networks are made from: one station, three components, three events."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
from scipy.signal import resample_poly

from rtpick.bench.synthetic_network import COMPONENTS, SAMPLING_RATE_HZ
from rtpick.demo.recording import write_recording
from rtpick.ingest.archive_replay import index_archive, iterate_packets
from rtpick.vocabulary.errors import RecordError
from rtpick.vocabulary.waveform import Packet

STREAMS = ("BW.UH3..SH?",)


def read_reference() -> npt.NDArray[np.float64]:
    """Read BW.UH3 and bring it to 100 Hz: counts, (3, T), components Z, N, E."""
    with TemporaryDirectory() as folder:
        write_recording(Path(folder))
        items = list(iterate_packets(index_archive([folder], STREAMS)))
    packets = [item for item in items if isinstance(item, Packet)]
    traces = [join(packets, component) for component in COMPONENTS]
    shortest = min(map(len, traces))
    return np.stack([trace[:shortest] for trace in traces])


def join(packets: list[Packet], component: str) -> npt.NDArray[np.float64]:
    """Put one component's packets together and resample them.

    Raises
    ------
    RecordError
        If there are none.
    """
    own = sorted((p for p in packets if p.channel.component == component), key=lambda packet: packet.start_ns)
    if not own:
        raise RecordError(f"the recording has no component {component}: install the package again")
    samples = np.concatenate([packet.samples for packet in own]).astype(np.float64)
    up = round(SAMPLING_RATE_HZ / own[0].sampling_rate_hz)
    resampled: npt.NDArray[np.float64] = resample_poly(samples - samples.mean(), up, 1)
    return resampled
