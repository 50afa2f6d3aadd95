"""Samples and picks of a fiber-optic cable.

Arrays: K fiber channel, T time, N picks. A missing sample is NaN from the ring onward, as for stations.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from rtpick.vocabulary.waveform import Float32Array, GapCause


class Quantity(StrEnum):
    """What an interrogator's samples measure; a network refuses what it was not trained on."""

    STRAIN = "strain"
    STRAIN_RATE = "strain_rate"
    PHASE_RATE = "phase_rate"
    COUNTS = "counts"


@dataclass(frozen=True, slots=True)
class FiberLayout:
    """Which channels of a fiber a source delivers, how often, and what they measure.

    Parameters
    ----------
    fiber : str
        Name of the cable.
    first_channel : int
        `channel_number` of the first row of a block.
    channel_count : int
    channel_step : int
        Difference of the channel numbers of two neighbouring rows.
    channel_spacing_m : float
        Along the cable, between two neighbouring rows.
    sampling_rate_hz : float
    gauge_length_m : float
        NaN where unknown.
    quantity : Quantity
    unit : str
        ``"1/s"``, ``"rad/s"``, ``"counts"``, ...
    first_distance_m : float
        Of the first row, along the cable.
    """

    fiber: str
    first_channel: int
    channel_count: int
    channel_spacing_m: float
    sampling_rate_hz: float
    quantity: Quantity = Quantity.STRAIN_RATE
    unit: str = "1/s"
    gauge_length_m: float = float("nan")
    channel_step: int = 1
    first_distance_m: float = 0.0

    @property
    def channel_numbers(self) -> npt.NDArray[np.int64]:
        """Channel number of every row."""
        return self.first_channel + self.channel_step * np.arange(self.channel_count)

    @property
    def distances_m(self) -> npt.NDArray[np.float64]:
        """Distance of every row along the cable."""
        rows_K = np.arange(self.channel_count, dtype=np.float64)
        return self.first_distance_m + self.channel_spacing_m * rows_K


@dataclass(frozen=True, slots=True, eq=False)
class DasBlock:
    """All channels of a fiber over one span of time, as a source delivered them.

    Parameters
    ----------
    layout : FiberLayout
    start_ns : int
        Time of the first sample.
    samples_KT : ndarray, shape (channel, time)
        Any integer or float type; NaN where missing.
    source : str
        Name of the source in the configuration.
    sequence : int or None
        The source's own number of the block, None where it has none.
    received_ns : int
        Wall time of the receipt; for measuring only.
    """

    layout: FiberLayout
    start_ns: int
    samples_KT: npt.NDArray[np.generic]
    source: str = ""
    sequence: int | None = None
    received_ns: int = 0

    @property
    def end_ns(self) -> int:
        """Time just after the last sample (exclusive)."""
        sample_count: int = self.samples_KT.shape[1]
        return self.start_ns + round(sample_count * 1e9 / self.layout.sampling_rate_hz)


class FiberRejectCause(StrEnum):
    """Why a message or samples of a fiber were set aside; bounded, for the metric's label."""

    DUPLICATE = "duplicate"
    OVERLAP = "overlap"
    LATE = "late"
    CLOCK_JUMP = "clock_jump"
    FUTURE = "future"
    DATE = "date"
    CORRUPT = "corrupt"
    LENGTH = "length"
    NO_HEADER = "no_header"
    LAYOUT = "layout"
    FILTER = "filter"
    TOO_LARGE = "too_large"
    OVERLOAD = "overload"


@dataclass(frozen=True, slots=True)
class FiberRejection:
    """A message or samples of a fiber that were set aside, and why; it becomes a count.

    Parameters
    ----------
    fiber : str
    cause : FiberRejectCause
    sample_count : int
        Time samples times channels; 0 where the message could not be read so far.
    detail : str
        One sentence for a person.
    """

    fiber: str
    cause: FiberRejectCause
    sample_count: int = 0
    detail: str = ""


@dataclass(frozen=True, slots=True)
class FiberGap:
    """A span of a fiber without samples, ``[start_ns, end_ns)``, that is no longer waited for.

    Parameters
    ----------
    fiber : str
    start_ns, end_ns : int
        Equal where only the source's own numbers tell that something was lost.
    cause : GapCause
    sample_count : int
        Time samples times channels.
    block_count : int or None
        How many blocks, where the source numbers them.
    """

    fiber: str
    start_ns: int
    end_ns: int
    cause: GapCause
    sample_count: int = 0
    block_count: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class FiberPicks:
    """Final phase picks on the channels of one fiber, a row each, ordered by time and channel.

    Parameters
    ----------
    fiber : str
    channel_number_N : ndarray of int64
    phase_N : ndarray of str, dtype ``U1``
        ``"P"`` or ``"S"``.
    time_ns_N : ndarray of int64
    probability_N : ndarray of float32
    amplitude_N : ndarray of float32
        Peak of the raw samples behind the onset, in the layout's unit; NaN where unknown.
    model_version : str
    """

    fiber: str
    channel_number_N: npt.NDArray[np.int64]
    phase_N: npt.NDArray[np.str_]
    time_ns_N: npt.NDArray[np.int64]
    probability_N: Float32Array
    amplitude_N: Float32Array
    model_version: str = ""

    def __len__(self) -> int:
        return len(self.time_ns_N)


@dataclass(frozen=True, slots=True, eq=False)
class FiberEventHints:
    """What the event heads of a network say of a channel: when an event passes it, and when it happened.

    Parameters
    ----------
    fiber : str
    channel_number_N : ndarray of int64
    center_ns_N : ndarray of int64
        The middle between P and S.
    origin_ns_N : ndarray of int64
    probability_N : ndarray of float32
    """

    fiber: str
    channel_number_N: npt.NDArray[np.int64]
    center_ns_N: npt.NDArray[np.int64]
    origin_ns_N: npt.NDArray[np.int64]
    probability_N: Float32Array

    def __len__(self) -> int:
        return len(self.center_ns_N)


@dataclass(frozen=True, slots=True)
class FiberProgress:
    """How far a fiber is done: every pick with an earlier onset is out.

    Parameters
    ----------
    source, fiber : str
    settled_ns : int
    sequence : int or None
        Last block that need not be delivered again.
    """

    source: str
    fiber: str
    settled_ns: int
    sequence: int | None = None
