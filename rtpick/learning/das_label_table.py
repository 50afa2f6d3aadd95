"""A labelled stretch of a fiber's record, and its picks as a table in QuakeFlow's columns.

Shape suffixes: K fiber channel, T time, N picks.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rtpick.learning.das_sample import FloatKT, no_channels, no_phases, no_times
from rtpick.vocabulary.time import NS_PER_S, format_utc

COLUMNS = (
    "event_id",
    "channel_index",
    "phase_index",
    "phase_time",
    "phase_score",
    "phase_type",
    "dt_s",
    "origin_id",
    "origin_index",
    "origin_time",
    "ps_center",
    "ps_interval",
)
NO_ORIGIN = -1


@dataclass(frozen=True, slots=True, eq=False)
class LabelledFiber:
    """A stretch of a fiber's record and its picks.

    Attributes
    ----------
    event_id
        Name of the stretch, and of its files.
    start_ns
        Time of the first sample.
    interval_s, channel_spacing_m
        Between columns, and between rows.
    samples_KT
        (channel, time) float32.
    channel_N
        Row of each pick.
    phase_N
        ``"P"`` or ``"S"``.
    sample_N
        Onset in samples; files hold whole ones.
    score_N
        Of the picker, 0 to 1.
    origin_N
        Which earthquake of the stretch each pick belongs to, -1 for none.
    origin_sample_N
        When that earthquake happened, in samples from the start; NaN where unknown.
    unit
        Of the samples.
    """

    event_id: str
    start_ns: int
    interval_s: float
    channel_spacing_m: float
    samples_KT: FloatKT
    channel_N: NDArray[np.int64] = field(default_factory=no_channels)
    phase_N: NDArray[np.str_] = field(default_factory=no_phases)
    sample_N: NDArray[np.float64] = field(default_factory=no_times)
    score_N: NDArray[np.float64] = field(default_factory=no_times)
    origin_N: NDArray[np.int64] = field(default_factory=no_channels)
    origin_sample_N: NDArray[np.float64] = field(default_factory=no_times)
    unit: str = ""


def picks_table(labelled: LabelledFiber) -> pd.DataFrame:
    """Lay picks out in the columns of the layout.

    `ps_center` and `ps_interval` are filled where an earthquake has both phases on a channel.
    """
    whole_N = np.round(labelled.sample_N).astype(np.int64)
    center_N, interval_N = _pairs(labelled, whole_N)
    origin_sample_N = (
        labelled.origin_sample_N if len(labelled.origin_sample_N) else np.full(len(whole_N), np.nan)
    )
    values = (
        labelled.event_id,
        labelled.channel_N,
        whole_N,
        [_time_text(labelled, sample) for sample in whole_N],
        labelled.score_N if len(labelled.score_N) else np.ones(len(whole_N)),
        labelled.phase_N,
        labelled.interval_s,
        labelled.origin_N if len(labelled.origin_N) else np.full(len(whole_N), NO_ORIGIN),
        origin_sample_N,
        [None if np.isnan(sample) else _time_text(labelled, sample) for sample in origin_sample_N],
        center_N,
        interval_N,
    )
    return pd.DataFrame(dict(zip(COLUMNS, values, strict=True)), index=range(len(whole_N)))


def _pairs(
    labelled: LabelledFiber, whole_N: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    center_N, interval_N = np.full(len(whole_N), np.nan), np.full(len(whole_N), np.nan)
    rows_of: dict[tuple[int, int], dict[str, int]] = {}
    for row, (channel, origin) in enumerate(zip(labelled.channel_N, labelled.origin_N, strict=False)):
        if origin >= 0:
            rows_of.setdefault((int(channel), int(origin)), {})[str(labelled.phase_N[row])] = row
    for rows in rows_of.values():
        if len(rows) == 2:
            both = [rows["P"], rows["S"]]
            center_N[both] = whole_N[both].sum() / 2
            interval_N[both] = whole_N[rows["S"]] - whole_N[rows["P"]]
    return center_N, interval_N


def _time_text(labelled: LabelledFiber, sample: float) -> str:
    """Write a sample's time to the millisecond, as the layout does."""
    time_ns = labelled.start_ns + round(float(sample) * labelled.interval_s * NS_PER_S)
    nearest_ns = (time_ns + 500_000) // 1_000_000 * 1_000_000
    return f"{format_utc(nearest_ns)[:23]}+00:00"
