"""What was measured of one picker on one set of waveforms."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Throughput:
    """A picker's work on a network and the time that it took.

    Parameters
    ----------
    subject : str
        The picker and its version.
    setting : str
        How it was run.
    station_count : int
    station_seconds : float
        Seconds of three-component data in all.
    window_samples, stride_samples : int
        Length of the network's input and the hop between two.
    windows : int
        Inputs that went through the network.
    picks : int
    wall_s : float
    resident_peak_bytes : int
        Largest resident memory of the whole process meanwhile.
    """

    subject: str
    setting: str
    station_count: int
    station_seconds: float
    window_samples: int
    stride_samples: int
    windows: int
    picks: int
    wall_s: float
    resident_peak_bytes: int

    @property
    def windows_per_s(self) -> float:
        """Windows through the network a second."""
        return self.windows / self.wall_s

    @property
    def station_seconds_per_s(self) -> float:
        """Seconds of data that a second of work gets done, over all stations."""
        return self.station_seconds / self.wall_s


@dataclass(frozen=True, slots=True)
class Absent:
    """A picker that is not installed, and how to get it."""

    subject: str
    remedy: str
