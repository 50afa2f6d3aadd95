"""How soon picks are told when records come in at their own pace.

Two spans are told apart. *Computing*: from the receipt of the packet that completes a window to the
publication of the picks found in it. *Waiting* comes before: an onset must be packed by the digitiser, be in
a window (hop), and stand clear of the newest sample (guard).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from rtpick.bench.ours import OurOutcome
from rtpick.bench.publication import first_told
from rtpick.bench.synthetic_network import START_NS, Record, SyntheticNetwork
from rtpick.vocabulary.codes import ChannelId
from rtpick.vocabulary.time import to_s

STAGES = ("buffer", "batch", "compute")


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Median, 95th percentile, maximum (seconds) of `count` values; NaN of none."""

    count: int
    p50_s: float
    p95_s: float
    maximum_s: float

    @classmethod
    def of(cls, values_s: Sequence[float]) -> Self:
        """Take them."""
        if not values_s:
            return cls(0, *[float("nan")] * 3)
        return cls(len(values_s), *(float(q) for q in np.quantile(values_s, (0.5, 0.95, 1.0))))


@dataclass(frozen=True, slots=True)
class PacedFigures:
    """What a run at the records' own pace showed.

    Parameters
    ----------
    station_count : int
    stride_samples : int
    seconds : float
        Span that was paced.
    windows_per_s : float
    processor_share : float
        Processor time over wall time and cores, whole process, history included.
    window_to_publication : Quantiles
        From the receipt of the packet that completes the window to the publication of its picks.
    arrival_to_preliminary : Quantiles
        From the receipt of the packet that holds the onset to the publication of the first pick of it.
    onset_to_preliminary : Quantiles
        From the onset itself; the time to fill a packet is part of it.
    stages : dict of str to Quantiles
        Parts of `window_to_publication`.
    """

    station_count: int
    stride_samples: int
    seconds: float
    windows_per_s: float
    processor_share: float
    window_to_publication: Quantiles
    arrival_to_preliminary: Quantiles
    onset_to_preliminary: Quantiles
    stages: dict[str, Quantiles]


class Arrivals:
    """When the packet that holds a sample was received."""

    def __init__(self, records: Sequence[Record], arrived_ns: npt.NDArray[np.int64]) -> None:
        rows: dict[ChannelId, list[int]] = {}
        for row, record in enumerate(records):
            rows.setdefault(record.channel, []).append(row)
        ends_ns = np.array([record.end_ns for record in records])
        self._ends_ns = {channel: ends_ns[numbers] for channel, numbers in rows.items()}
        self._arrived_ns = {channel: arrived_ns[numbers] for channel, numbers in rows.items()}

    def at(self, channel: ChannelId, time_ns: int) -> int:
        """Wall time of the receipt of the packet in which `time_ns` lies."""
        position = int(np.searchsorted(self._ends_ns[channel], time_ns, side="right"))
        return int(self._arrived_ns[channel][min(position, len(self._arrived_ns[channel]) - 1)])


def weigh_paced(
    outcome: OurOutcome, waveforms: SyntheticNetwork, from_ns: int, stride_samples: int, cores: int
) -> PacedFigures:
    """Work out the figures of a run that was paced from the data time `from_ns` on."""
    told = first_told(outcome.publications, from_ns)
    arrivals = Arrivals(waveforms.records, outcome.feed.arrived_ns)
    latencies = [outcome.births[item.pick.pick_id].latency for item in told]
    offset_ns = outcome.feed.real_offset_ns
    return PacedFigures(
        station_count=waveforms.station_count,
        stride_samples=stride_samples,
        seconds=waveforms.seconds - to_s(from_ns - START_NS),
        windows_per_s=outcome.windows / outcome.wall_s,
        processor_share=outcome.processor_s / outcome.wall_s / cores,
        window_to_publication=Quantiles.of(
            [to_s(item.told_ns - outcome.births[item.pick.pick_id].completed_ns) for item in told]
        ),
        arrival_to_preliminary=Quantiles.of(
            [to_s(item.told_ns - arrivals.at(item.pick.channel, item.pick.time_ns)) for item in told]
        ),
        onset_to_preliminary=Quantiles.of(
            [to_s(item.told_ns - item.pick.time_ns - offset_ns) for item in told]
        ),
        stages={
            stage: Quantiles.of([getattr(latency, f"{stage}_s") for latency in latencies]) for stage in STAGES
        },
    )
