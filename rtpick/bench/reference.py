"""The real recording that networks are made from: one station, three components, three earthquakes."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
from scipy.signal import resample_poly

from rtpick.bench.waveforms import COMPONENTS, SAMPLING_RATE_HZ, Reference
from rtpick.demo.recording import write_recording
from rtpick.ingest.archive_replay import index_archive, iterate_packets
from rtpick.vocabulary.errors import RecordError
from rtpick.vocabulary.waveform import Packet

STREAMS = ("BW.UH3..SH?",)
QUIET_S = (90, 200)  # between the second earthquake and the third


def read_reference() -> Reference:
    """Read BW.UH3 and bring it to 100 Hz."""
    with TemporaryDirectory() as folder:
        write_recording(Path(folder))
        items = list(iterate_packets(index_archive([folder], STREAMS)))
    packets = [item for item in items if isinstance(item, Packet)]
    traces = [join(packets, component) for component in COMPONENTS]
    shortest = min(map(len, traces))
    recording_CT = np.stack([trace[:shortest] for trace in traces])
    first, last = (second * SAMPLING_RATE_HZ for second in QUIET_S)
    return Reference(recording_CT, recording_CT[:, first:last])


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
