"""How often each station picks without an event, and which stations are alive.

Counted in fixed blocks of event time and remembered for an hour, so that what is believed at any
time depends on that hour alone.

Arrays: S station.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from rtpick.association.velocity import FloatArray

BLOCK_S = 300.0
BLOCKS = 12
_PRIOR_COUNT = 5.0
_PRIOR_S = 1800.0

CountArray = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Picks of one span of event time: all of them, and those that no event claimed."""

    index: int
    heard_S: CountArray
    stray_S: CountArray


@dataclass(frozen=True, slots=True, eq=False)
class Background:
    """What is believed now, and the counts of the current and of past blocks.

    Parameters
    ----------
    log_rate_S : ndarray of float64
        Natural log of the stray picks a second of one phase.
    live_S : ndarray of float64
        1 where the station was heard within memory.
    current : Block
    past : tuple of Block
    first_index : int
        Block of the first pick ever; nothing was observed before it.
    belief : int
        Fingerprint of rates and live stations.
    """

    log_rate_S: FloatArray
    live_S: FloatArray
    current: Block
    past: tuple[Block, ...] = ()
    first_index: int = 0
    belief: int = 0

    @property
    def next_roll_s(self) -> float:
        """Time at which the current block ends."""
        return (self.current.index + 1) * BLOCK_S


def quiet_background(station_count: int, time_s: float) -> Background:
    """Begin with no station heard and the rate that is assumed before anything is known."""
    index = int(time_s // BLOCK_S)
    log_rate = np.full(station_count, np.log(_PRIOR_COUNT / _PRIOR_S / 2))
    live = np.zeros(station_count)
    return Background(log_rate, live, _empty(index, station_count), (), index, _fingerprint(log_rate, live))


def _fingerprint(log_rate_S: FloatArray, live_S: FloatArray) -> int:
    return hash((log_rate_S.tobytes(), live_S.tobytes()))


def _empty(index: int, station_count: int) -> Block:
    return Block(index, np.zeros(station_count, np.int32), np.zeros(station_count, np.int32))


def hear(background: Background, station: int) -> Background:
    """Count a pick of a station, which is alive from now on."""
    current = background.current
    heard = current.heard_S.copy()
    heard[station] += 1
    block = Block(current.index, heard, current.stray_S)
    if background.live_S[station] > 0.0:
        return replace(background, current=block)
    live = background.live_S.copy()
    live[station] = 1.0
    return replace(background, current=block, live_S=live, belief=_fingerprint(background.log_rate_S, live))


def count_stray(background: Background, stations: list[int]) -> Background:
    """Count picks that no event claimed while they were young."""
    if not stations:
        return background
    current = background.current
    stray = current.stray_S.copy()
    np.add.at(stray, stations, 1)
    return replace(background, current=Block(current.index, current.heard_S, stray))


def roll(background: Background) -> Background:
    """Close the current block and believe what the last hour says."""
    current = background.current
    past = tuple(b for b in (*background.past, current) if b.index > current.index - BLOCKS)
    covered_s = min(current.index + 1 - background.first_index, BLOCKS) * BLOCK_S
    stray = np.sum([block.stray_S for block in past], axis=0)
    heard = np.sum([block.heard_S for block in past], axis=0)
    rate = (_PRIOR_COUNT + stray) / (_PRIOR_S + covered_s) / 2
    fresh = _empty(current.index + 1, len(heard))
    log_rate, live = np.log(rate), (heard > 0).astype(np.float64)
    return Background(log_rate, live, fresh, past, background.first_index, _fingerprint(log_rate, live))
