"""Samples on their way from the wire to a curve of probabilities.

Arrays: C component, T time, B batch, P phase. A missing sample is NaN from the ring onward:
an array of samples is its own validity mask.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from rtpick.vocabulary.codes import ChannelId, InstrumentId, StationId

Float32Array = npt.NDArray[np.float32]


class GapCause(StrEnum):
    """Why samples are missing."""

    MISSING = "missing"
    CLOCK_JUMP = "clock_jump"
    OVERLOAD = "overload"
    CORRUPT = "corrupt"


class RejectCause(StrEnum):
    """Why samples or records were set aside; bounded, for the metric's label."""

    DUPLICATE = "duplicate"
    OVERLAP = "overlap"
    LATE = "late"
    FUTURE = "future"
    CLOCK_JUMP = "clock_jump"
    RATE = "rate"
    SPIKE = "spike"
    CORRUPT = "corrupt"
    DATE = "date"
    NOT_SEISMIC = "not_seismic"
    NOT_SELECTED = "not_selected"
    OVERLOAD = "overload"


@dataclass(frozen=True, slots=True, eq=False)
class Packet:
    """One channel's contiguous samples as a source delivered them.

    Parameters
    ----------
    channel : ChannelId
    start_ns : int
        Time of the first sample.
    sampling_rate_hz : float
    samples : ndarray, shape (T,)
        int32 counts, float32 or float64.
    source : str
        Name of the source in the configuration.
    sequence : int or None
        The source's own number of the record, None where it has none.
    received_ns : int
        Wall time of the receipt; for measuring only.
    """

    channel: ChannelId
    start_ns: int
    sampling_rate_hz: float
    samples: npt.NDArray[np.generic]
    source: str = ""
    sequence: int | None = None
    received_ns: int = 0

    @property
    def end_ns(self) -> int:
        """Time just after the last sample (exclusive)."""
        return self.start_ns + round(len(self.samples) * 1e9 / self.sampling_rate_hz)


@dataclass(frozen=True, slots=True)
class Gap:
    """A span without samples, ``[start_ns, end_ns)``."""

    channel: ChannelId
    start_ns: int
    end_ns: int
    cause: GapCause


@dataclass(frozen=True, slots=True)
class Rejection:
    """Samples or a record set aside, and why; it becomes a count."""

    channel: ChannelId | None
    cause: RejectCause
    sample_count: int = 0
    detail: str = ""


@dataclass(frozen=True, slots=True)
class EndOfStream:
    """A source has delivered all that it will ever deliver."""

    source: str


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """The input of the network for one instrument.

    Parameters
    ----------
    instrument : InstrumentId
    start_index : int
        Grid index of the first sample at the network's rate.
    phase_ns : int
        Offset of the samples from the grid (mean over the components).
    samples_CT : ndarray of float32, shape (3, T)
        Raw samples in the network's component order, NaN where missing.
    coverage : float
        Valid fraction of the three components, 0..1.
    completed_ns : int
        Wall time at which the packet that completed the window was received.
    """

    instrument: InstrumentId
    start_index: int
    phase_ns: int
    samples_CT: Float32Array
    coverage: float
    completed_ns: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class WindowBatch:
    """Windows of several instruments, to be inferred together; row b belongs to `windows[b]`."""

    windows: tuple[Window, ...]
    samples_BCT: Float32Array


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """The samples around a pick, cut while the ring still has them.

    Parameters
    ----------
    pick_id : str
    instrument : InstrumentId
    start_ns : int
    sampling_rate_hz : float
    component_order : str
        ``"ENZ"``: the rows of `samples_CT`.
    samples_CT : ndarray of float32, shape (3, T)
        NaN where missing.
    """

    pick_id: str
    instrument: InstrumentId
    start_ns: int
    sampling_rate_hz: float
    component_order: str
    samples_CT: Float32Array


@dataclass(frozen=True, slots=True)
class ChannelLock:
    """Where a channel's samples lie against the grid; kept so that a restart finds the same indices."""

    channel: ChannelId
    sampling_rate_hz: float
    phase_ns: int


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a station is done: nothing before it is needed once it is on disk.

    Parameters
    ----------
    source : str
    station : StationId
    sequence : int or None
        Last record that need not be delivered again.
    packet_start_ns : int
        Start time of that record.
    settled_ns : int
        Every pick with an earlier onset is final.
    locks : tuple of ChannelLock
    """

    source: str
    station: StationId
    sequence: int | None
    packet_start_ns: int
    settled_ns: int
    locks: tuple[ChannelLock, ...] = ()
