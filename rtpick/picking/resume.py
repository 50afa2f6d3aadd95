"""How far each station is done, so that a restart goes on as if nothing had happened.

A station's settled index cuts through no cluster of peaks of any of its instruments: whatever lies behind it
has never touched what lies before it. A restart that gets the samples from one window and the filters' reach
before that index makes the same windows, curves, births and revisions again.
"""

from __future__ import annotations

from collections.abc import Sequence

from rtpick.picking.lane import LaneRule
from rtpick.vocabulary.time import NS_PER_S, SampleGrid, to_ns

# The resampling filters reach 29 samples at the lower of the two rates to either side.
FILTER_SAMPLES = 64
# Features and clips look back from a pick.
LOOK_BACK_S = 2.0


def settled_ns(index: int, grid: SampleGrid) -> int:
    """Time half a sample before a settled index, so that no sample lies on it.

    Examples
    --------
    >>> settled_ns(100, SampleGrid(100.0))
    995000000
    """
    return grid.time_ns(index) - round(grid.period_ns / 2)


def settled_index_of(time_ns: int, grid: SampleGrid) -> int:
    """Undo `settled_ns`.

    Examples
    --------
    >>> settled_index_of(995000000, SampleGrid(100.0))
    100
    """
    return grid.index(time_ns + round(grid.period_ns / 2))


def first_window_after(settled: int, rule: LaneRule) -> int:
    """First window start that has a say in what is decided from a settled index on."""
    return settled - rule.surroundings - rule.window + 1


def needed_from_ns(
    settled: int, rule: LaneRule, grid: SampleGrid, rates_hz: Sequence[float], look_back_s: float
) -> int:
    """Time of the earliest sample that a restart at a settled index needs.

    Parameters
    ----------
    settled : int
        The station's settled index.
    rule : LaneRule
        Of the station.
    grid : SampleGrid
        Of the network's rate.
    rates_hz : sequence of float
        Of the station's channels.
    look_back_s : float
        How far clips reach back from a pick.
    """
    slowest_hz = min([grid.sampling_rate_hz, *rates_hz])
    windows_ns = grid.time_ns(first_window_after(settled, rule))
    looks_ns = grid.time_ns(settled) - to_ns(max(look_back_s, LOOK_BACK_S))
    return min(windows_ns, looks_ns) - round(FILTER_SAMPLES * NS_PER_S / slowest_hz)
