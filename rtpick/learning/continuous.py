"""Continuous miniSEED recordings as arrays of three components at 100 Hz.

Shape suffixes: C component (E, N, Z), T time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import obspy
from numpy.typing import NDArray

from rtpick.learning.dataset import SAMPLING_RATE_HZ, DatasetError, Recording
from rtpick.learning.resample import resample_rate

# Slots of E, N, Z; borehole and array sensors name their horizontals 1 and 2.
SLOT = {"E": 0, "2": 0, "N": 1, "1": 1, "Z": 2}
MIN_SECONDS = 10.0


def read_continuous(folder: Path, held_out: Iterable[str] = ()) -> list[Recording]:
    """Read every miniSEED recording below a folder, one entry per station and stretch of time.

    Parameters
    ----------
    folder
        Its sub-folders hold ``*.mseed`` files at any depth.
    held_out
        Names of sub-folders that must not be read, for example those that a demonstration is judged on.

    Returns
    -------
    list of Recording
        Of kind ``continuous``, in an order that depends only on the file names. What was sampled faster than
        100 Hz comes twice: resampled, and sample by sample as if it had been 100 Hz, which turns the ice- and
        mine-quakes of dense arrays into slower, larger ones.

    Raises
    ------
    DatasetError
        If nothing readable is there.
    """
    skip = set(held_out)
    campaigns = [path for path in sorted(folder.iterdir()) if path.is_dir() and path.name not in skip]
    recordings = [recording for campaign in campaigns for recording in _read_campaign(campaign)]
    if not recordings:
        raise DatasetError(f"{folder} holds no miniSEED below its folders: give the folder of the campaigns")
    return recordings


def _read_campaign(campaign: Path) -> list[Recording]:
    groups: dict[str, list[obspy.Trace]] = defaultdict(list)
    for path in sorted(campaign.rglob("*.mseed")):
        for trace in obspy.read(str(path)):
            if trace.stats.component in SLOT:
                # Cuts of several events share a station: the file's name and hour keep them apart.
                key = trace.stats.starttime.strftime("%Y%m%dT%H")
                groups[f"{campaign.name}.{path.parent.name}.{trace.id[:-1]}.{key}"].append(trace)
    recordings = [r for name, traces in sorted(groups.items()) for r in _to_recordings(name, traces)]
    return [r for r in recordings if r.samples_CT.shape[1] >= MIN_SECONDS * SAMPLING_RATE_HZ]


def _to_recordings(name: str, traces: list[obspy.Trace]) -> list[Recording]:
    rate_hz = traces[0].stats.sampling_rate
    samples_CT = _lay_out(traces, rate_hz)
    recordings = [Recording(name, "continuous", resample_rate(samples_CT, rate_hz, SAMPLING_RATE_HZ))]
    if rate_hz > SAMPLING_RATE_HZ:
        recordings.append(Recording(f"{name}.slowed", "continuous", samples_CT))
    return recordings


def _lay_out(traces: list[obspy.Trace], rate_hz: float) -> NDArray[np.float32]:
    start = min(trace.stats.starttime for trace in traces)
    stop = max(trace.stats.endtime for trace in traces)
    samples_CT = np.full((3, round((stop - start) * rate_hz) + 1), np.nan, dtype=np.float32)
    for trace in traces:
        first = round((trace.stats.starttime - start) * rate_hz)
        samples = trace.data.astype(np.float64)
        # Offsets are removed before the samples lose bits to float32.
        samples_CT[SLOT[trace.stats.component], first : first + len(samples)] = samples - samples.mean()
    return samples_CT
