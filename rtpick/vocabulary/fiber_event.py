"""An event as a cable sees it: an origin time and the picks along the cable.

Arrays: M pick of the event, K channel of the curve.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rtpick.vocabulary.event import EventStatus
from rtpick.vocabulary.waveform import Float32Array


@dataclass(frozen=True, slots=True, eq=False)
class FiberCurve:
    """When P and S of an event pass a cable, as its picks tell; to be interpolated between channels."""

    channel_number_K: npt.NDArray[np.int64]
    p_ns_K: npt.NDArray[np.int64]
    s_ns_K: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class FiberEvent:
    """One revision of an event on one fiber.

    Parameters
    ----------
    event_id : str
        Deterministic, and the same in all revisions.
    fiber : str
    revision : int
    status : EventStatus
    origin_ns : int
        Origin time by Wadati's relation.
    ps_s : float
        Median time between P and S.
    channel_number_M : ndarray of int64
    phase_M : ndarray of str, dtype ``U1``
    time_ns_M : ndarray of int64
        Channel, phase and time name a pick of the fiber.
    residual_s_M : ndarray of float32
        How late each pick is against the curve.
    curve : FiberCurve
    merged_into : str or None
        The surviving event when `status` is MERGE.
    """

    event_id: str
    fiber: str
    revision: int
    status: EventStatus
    origin_ns: int
    ps_s: float
    channel_number_M: npt.NDArray[np.int64]
    phase_M: npt.NDArray[np.str_]
    time_ns_M: npt.NDArray[np.int64]
    residual_s_M: Float32Array
    curve: FiberCurve
    merged_into: str | None = None

    def __len__(self) -> int:
        return len(self.time_ns_M)
