"""How often each station picks without an event, which stations are alive, and where events are due.

Counted in fixed blocks of event time and remembered for an hour, so that what is believed at any
time depends on that hour alone; what events announce fades likewise.

Arrays: S station.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from rtpick.association.delays import Delays, note_absent, note_members
from rtpick.association.evidence import Beliefs
from rtpick.association.loudness import usual_loudness
from rtpick.association.seismicity import Prior, Seismicity, age, announce
from rtpick.association.signal import Hypothesis, Pool
from rtpick.association.velocity import FloatArray
from rtpick.association.vote import IntArray

BLOCK_S = 300.0
BLOCKS = 12
_PRIOR_COUNT = 5.0
_PRIOR_S = 1800.0
_QUARANTINED_PER_S, _RELEASED_PER_S = 360.0 / 3600.0, 180.0 / 3600.0  # stray picks of both phases

CountArray = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Picks of one span of event time: all of them, and those that no event claimed.

    `measured_S` counts the strays whose loudness is known, `loudness_S` is the sum of it.
    """

    index: int
    heard_S: CountArray
    stray_S: CountArray
    measured_S: CountArray
    loudness_S: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Background:
    """What is believed now, and the counts of the current and of past blocks.

    Parameters
    ----------
    beliefs : Beliefs
    seismicity : Seismicity
    quarantined_S : ndarray of bool
        Stations that pick so often without an event that they may not found one.
    current : Block
    past : tuple of Block
    first_index : int
        Block of the first pick ever; nothing was observed before it.
    delays : Delays
    """

    beliefs: Beliefs
    seismicity: Seismicity
    quarantined_S: npt.NDArray[np.bool_]
    current: Block
    past: tuple[Block, ...] = ()
    first_index: int = 0
    delays: Delays = field(default_factory=Delays)

    @property
    def next_roll_s(self) -> float:
        """Time at which the current block ends."""
        return (self.current.index + 1) * BLOCK_S


def quiet_background(prior: Prior, station_count: int, time_s: float) -> Background:
    """Begin with no station heard and the rates that are assumed before anything is known."""
    index, seismicity = int(time_s // BLOCK_S), Seismicity(prior, time_s)
    log_rate = np.full(station_count, np.log(_PRIOR_COUNT / _PRIOR_S / 2))
    nothing = np.zeros(station_count)
    beliefs = Beliefs(log_rate, nothing, seismicity.chance, np.full(station_count, np.nan))
    nobody = np.zeros(station_count, np.bool_)
    return Background(beliefs, seismicity, nobody, _empty(index, station_count), (), index)


def _empty(index: int, station_count: int) -> Block:
    nothing_S = np.zeros(station_count, np.int32)
    return Block(index, nothing_S, nothing_S, nothing_S, np.zeros(station_count))


def _with(background: Background, beliefs: Beliefs, current: Block) -> Background:
    """Return the background after a pick; written out, for it is done for each."""
    return Background(
        beliefs, background.seismicity, background.quarantined_S, current, background.past,
        background.first_index, background.delays,
    )  # fmt: skip


def hear(background: Background, station: int) -> Background:
    """Count a pick of a station, which is alive from now on."""
    current, beliefs = background.current, background.beliefs
    heard = current.heard_S.copy()
    heard[station] += 1
    block = Block(current.index, heard, current.stray_S, current.measured_S, current.loudness_S)
    if beliefs.live_S[station] <= 0.0:
        live = beliefs.live_S.copy()
        live[station] = 1.0
        beliefs = beliefs._replace(live_S=live)
    return _with(background, beliefs, block)


def count_stray(background: Background, stations: IntArray, loudness: FloatArray) -> Background:
    """Count picks that no event claimed while they were young."""
    current, known = background.current, ~np.isnan(loudness)
    count = len(current.stray_S)
    block = Block(
        current.index,
        current.heard_S,
        current.stray_S + np.bincount(stations, minlength=count),
        current.measured_S + np.bincount(stations[known], minlength=count),
        current.loudness_S + np.bincount(stations[known], loudness[known], count),
    )
    return _with(background, background.beliefs, block)


def note_event(background: Background, event: Hypothesis, now_s: float) -> Background:
    """Expect more events near one that was found, and learn how late stations are."""
    wide_km = float(np.sqrt(0.5 * (event.covariance_44[0, 0] + event.covariance_44[1, 1])))
    seismicity = announce(age(background.seismicity, now_s), event.source, wide_km)
    beliefs = background.beliefs._replace(chance=seismicity.chance)
    delays = note_members(background.delays, event)
    return replace(background, seismicity=seismicity, beliefs=beliefs, delays=delays)


def note_strangers(background: Background, event: Hypothesis, loose: Pool) -> Background:
    """Learn how late those stations are that an event should have had."""
    return replace(background, delays=note_absent(background.delays, event, loose))


def roll(background: Background) -> Background:
    """Close the current block and believe what the last hour says."""
    current = background.current
    past = tuple(b for b in (*background.past, current) if b.index > current.index - BLOCKS)
    covered_s = min(current.index + 1 - background.first_index, BLOCKS) * BLOCK_S
    stray = np.sum([block.stray_S for block in past], axis=0)
    heard = np.sum([block.heard_S for block in past], axis=0)
    rate = (_PRIOR_COUNT + stray) / (_PRIOR_S + covered_s) / 2
    seismicity = age(background.seismicity, background.next_roll_s)
    loudness_S = usual_loudness(
        np.sum([block.measured_S for block in past], axis=0), np.sum([b.loudness_S for b in past], axis=0)
    )
    beliefs = Beliefs(np.log(rate), (heard > 0).astype(np.float64), seismicity.chance, loudness_S)
    limit = np.where(background.quarantined_S, _RELEASED_PER_S, _QUARANTINED_PER_S)
    return Background(
        beliefs, seismicity, 2.0 * rate > limit, _empty(current.index + 1, len(heard)), past,
        background.first_index, background.delays,
    )  # fmt: skip
