"""A cut of a fiber's record with what is known of its phases: what a cable's network learns from.

Shape suffixes: K fiber channel, T time, N picks.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from rtpick.vocabulary.errors import RtpickError

SAMPLING_RATE_HZ = 100.0
PHASES = ("P", "S")

FloatKT = NDArray[np.float32]


class DasSampleError(RtpickError, ValueError):
    """A sample of a fiber whose arrays do not belong together."""


def no_channels() -> NDArray[np.int64]:
    """Return the channels of no pick."""
    return np.empty(0, np.int64)


def no_phases() -> NDArray[np.str_]:
    """Return the phases of no pick."""
    return np.empty(0, "U1")


def no_times() -> NDArray[np.float64]:
    """Return the onsets of no pick."""
    return np.empty(0)


@dataclass(frozen=True, slots=True, eq=False)
class DasSample:
    """Samples of neighbouring channels and the onsets that a careful eye would mark in them.

    Attributes
    ----------
    samples_KT
        (channel, time) float32, any unit; 0 where a channel is dead or a stretch was masked.
    channel_N
        Row of each pick, 0-based.
    phase_N
        ``"P"`` or ``"S"``, dtype ``U1``.
    sample_N
        Onset of each pick in samples from the first column; fractions allowed.
    event_N
        Which of the sample's earthquakes the pick belongs to; picks of one are consistent in time.
    known_KT
        Where the targets hold, noise included. False around onsets that are there but too weak to be asked
        for. None where all is known.
    sampling_rate_hz, channel_spacing_m
        Of the rows and columns as they are; resampling changes them.
    kind
        Where the sample came from: ``synthetic``, ``station``, ``noise``, ``recorded``.

    Raises
    ------
    DasSampleError
        If arrays have different lengths, or a pick lies outside of the samples.
    """

    samples_KT: FloatKT
    channel_N: NDArray[np.int64] = field(default_factory=no_channels)
    phase_N: NDArray[np.str_] = field(default_factory=no_phases)
    sample_N: NDArray[np.float64] = field(default_factory=no_times)
    event_N: NDArray[np.int64] = field(default_factory=no_channels)
    known_KT: NDArray[np.bool_] | None = None
    sampling_rate_hz: float = SAMPLING_RATE_HZ
    channel_spacing_m: float = 10.0
    kind: str = "synthetic"

    def __post_init__(self) -> None:
        lengths = {len(self.channel_N), len(self.phase_N), len(self.sample_N), len(self.event_N)}
        if len(lengths) > 1:
            raise DasSampleError(f"picks have {sorted(lengths)} entries: give as many of each")
        if self.known_KT is not None and self.known_KT.shape != self.samples_KT.shape:
            raise DasSampleError(f"mask {self.known_KT.shape} and samples {self.samples_KT.shape} differ")
        self._refuse_picks_outside()

    def _refuse_picks_outside(self) -> None:
        channel_count, sample_count = self.samples_KT.shape
        inside_N = (self.channel_N >= 0) & (self.channel_N < channel_count)
        inside_N &= (self.sample_N >= 0) & (self.sample_N < sample_count)
        if not inside_N.all():
            raise DasSampleError(f"{np.sum(~inside_N)} picks lie outside of {self.samples_KT.shape}")

    @property
    def is_noise(self) -> bool:
        """Whether nothing is to be picked."""
        return len(self.sample_N) == 0


def choose_picks(sample: DasSample, chosen_N: NDArray[np.bool_]) -> DasSample:
    """Keep some picks of a sample; what is known of it is for the caller to say."""
    return replace(
        sample,
        channel_N=sample.channel_N[chosen_N],
        phase_N=sample.phase_N[chosen_N],
        sample_N=sample.sample_N[chosen_N],
        event_N=sample.event_N[chosen_N],
        known_KT=None,
    )


def mark_known(
    known_KT: NDArray[np.bool_],
    channel_N: NDArray[np.int64],
    sample_N: NDArray[np.float64],
    reach: int,
    known: bool,
) -> None:
    """Mark in place what lies around picks as known, or as unknown."""
    for channel, onset in zip(channel_N, sample_N.astype(np.int64), strict=True):
        known_KT[channel, max(onset - reach, 0) : max(onset + reach + 1, 0)] = known
