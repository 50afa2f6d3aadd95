"""A phase pick and its revisions."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from rtpick.vocabulary.codes import ChannelId, StationId

Rank = tuple[bool, int]


class PickStatus(StrEnum):
    """How far a pick is decided."""

    PRELIMINARY = "preliminary"
    FINAL = "final"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Latency:
    """Wall-clock seconds that a pick spent in each stage; measured, never used.

    `network_s` from the newest sample's time to its receipt (meaningless in a replay), `buffer_s`
    from receipt to the complete window, `batch_s` in the pool, `compute_s` in the network.
    """

    network_s: float = 0.0
    buffer_s: float = 0.0
    batch_s: float = 0.0
    compute_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Pick:
    """One revision of a phase arrival seen at a station.

    Parameters
    ----------
    pick_id : str
        Deterministic; the same in every revision and every replay.
    channel : ChannelId
        The channel that the phase is reported on (Z for P, the first horizontal for S).
    phase_hint : str
        ``"P"`` or ``"S"``.
    time_ns : int
        Onset.
    probability : float
        Height of the stacked curve, 0..1.
    uncertainty_s : float
        From the width of the curve's peak.
    amplitude : float
        Peak of the raw samples behind the onset, in `amplitude_unit`; NaN where unknown.
    snr : float
        RMS behind the onset over RMS before it; NaN where unknown.
    coverage : float
        Valid fraction of the three components in the windows behind the pick, 0..1.
    model_version : str
    status : PickStatus
    revision : int
        0 at birth.
    amplitude_unit : str
        ``"counts"`` or ``"m/s"``.
    latency : Latency
    """

    pick_id: str
    channel: ChannelId
    phase_hint: str
    time_ns: int
    probability: float
    uncertainty_s: float
    amplitude: float
    snr: float
    coverage: float
    model_version: str
    status: PickStatus = PickStatus.FINAL
    revision: int = 0
    amplitude_unit: str = "counts"
    latency: Latency = Latency()

    @property
    def station_id(self) -> StationId:
        """The station of the pick."""
        return self.channel.station_id

    @property
    def rank(self) -> Rank:
        """How decided the revision is; the one of the highest rank stands."""
        return rank_of(self.status, self.revision)


def rank_of(status: PickStatus, revision: int) -> Rank:
    """How decided a pick is: anything decided outranks anything preliminary, then the revision counts.

    A run that resumes may reach its decision in fewer revisions than the run before it.

    Examples
    --------
    >>> rank_of(PickStatus.FINAL, 1) > rank_of(PickStatus.PRELIMINARY, 3)
    True
    """
    return status is not PickStatus.PRELIMINARY, revision
