"""What the picker of fibers asks of a network, wherever it runs.

B batch, P phase, K fiber channel, T time; J, U channel and time of a coarser grid.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Protocol

from rtpick.buffer.fiber_common_mode import CommonMode
from rtpick.buffer.fiber_tiles import TileGeometry
from rtpick.vocabulary.fiber import Quantity
from rtpick.vocabulary.waveform import Float32Array


@dataclass(frozen=True, slots=True, eq=False)
class FiberAnswer:
    """What a network says of a batch of tiles.

    Parameters
    ----------
    prob_BPKT : ndarray of float32
        Probability of each phase.
    center_BJU : ndarray of float32, optional
        Probability that an event's middle between P and S passes, on the coarser grid.
    travel_BJU : ndarray of float32, optional
        Samples since the event's origin, there.
    """

    prob_BPKT: Float32Array
    center_BJU: Float32Array | None = None
    travel_BJU: Float32Array | None = None


class FiberEngine(Protocol):
    """A network for tiles of a fiber."""

    @property
    def model_version(self) -> str:
        """Name and fingerprint of the weights."""

    @property
    def phases(self) -> tuple[str, ...]:
        """Of the rows of probability."""

    @property
    def sampling_rate_hz(self) -> float:
        """Rate at which samples must come."""

    @property
    def quantities(self) -> Collection[Quantity]:
        """What it was trained on."""

    @property
    def spacing_range_m(self) -> tuple[float, float]:
        """Least and largest spacing of channels that it was trained on."""

    @property
    def common_mode(self) -> CommonMode:
        """What it wants taken out of its samples."""

    @property
    def geometry(self) -> TileGeometry:
        """How it likes its tiles; the settings may say otherwise."""

    @property
    def channel_multiple(self) -> int:
        """Tiles have a multiple of so many channels."""

    @property
    def sample_multiple(self) -> int:
        """Tiles have a multiple of so many samples."""

    @property
    def event_step(self) -> tuple[int, int] | None:
        """Channels and samples between two answers about events; None where it gives none."""

    @property
    def batch_size(self) -> int:
        """Tiles that are worth a batch."""

    def infer(self, tiles_BKT: Float32Array) -> FiberAnswer:
        """Compute the probabilities; samples are NaN where missing.

        On a CPU what it says of a tile does not depend, to the last bit, on the batch that it came in.
        """


class Pending(Protocol):
    """An answer that is being worked on."""

    def done(self) -> bool:
        """Whether it is there."""

    def result(self) -> FiberAnswer:
        """Wait for it, and raise what went wrong."""


Work = Callable[[], FiberAnswer]
Submit = Callable[[Work], Pending]


@dataclass(frozen=True, slots=True, eq=False)
class _Finished:
    answer: FiberAnswer

    def done(self) -> bool:
        return True

    def result(self) -> FiberAnswer:
        return self.answer


def run_at_once(work: Work) -> Pending:
    """Do it now, and be done."""
    return _Finished(work())
