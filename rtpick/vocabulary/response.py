"""How a channel turns ground motion into counts.

Arrays: F frequency.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from rtpick.vocabulary.codes import ChannelId

FloatArray = npt.NDArray[np.float64]
ComplexArray = npt.NDArray[np.complex128]


@dataclass(frozen=True, slots=True, eq=False)
class Response:
    """A channel's response to ground displacement while it was valid, ``[start_ns, end_ns)``.

    Parameters
    ----------
    channel : ChannelId
    start_ns, end_ns : int or None
        None where it is open.
    frequency_hz_F : ndarray of float64
        Rising.
    counts_per_m_F : ndarray of complex128
    """

    channel: ChannelId
    start_ns: int | None
    end_ns: int | None
    frequency_hz_F: FloatArray
    counts_per_m_F: ComplexArray

    def covers(self, time_ns: int) -> bool:
        """Whether the response was valid then."""
        begun = self.start_ns is None or self.start_ns <= time_ns
        return begun and (self.end_ns is None or time_ns < self.end_ns)

    def at(self, frequency_hz_F: FloatArray) -> ComplexArray:
        """Interpolate the response, counts a metre; beyond the known band its edges hold."""
        known = np.log(self.frequency_hz_F)
        wanted = np.log(np.maximum(frequency_hz_F, self.frequency_hz_F[0]))
        size = np.exp(np.interp(wanted, known, np.log(np.maximum(np.abs(self.counts_per_m_F), 1e-30))))
        turn = np.interp(wanted, known, np.unwrap(np.angle(self.counts_per_m_F)))
        answer: ComplexArray = size * np.exp(1j * turn)
        return answer


@dataclass(frozen=True, slots=True, eq=False)
class Responses:
    """The responses of a network, by channel; several epochs each."""

    epochs: dict[ChannelId, tuple[Response, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, responses: Iterable[Response]) -> Responses:
        """Sort responses by channel."""
        epochs: dict[ChannelId, tuple[Response, ...]] = {}
        for response in responses:
            epochs[response.channel] = (*epochs.get(response.channel, ()), response)
        return cls(epochs)

    def __len__(self) -> int:
        return len(self.epochs)

    def find(self, channel: ChannelId, time_ns: int) -> Response | None:
        """The response of a channel at a time, or None."""
        return next((epoch for epoch in self.epochs.get(channel, ()) if epoch.covers(time_ns)), None)
