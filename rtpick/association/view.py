"""What is believed at one moment of event time: loose picks, open events, background."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from rtpick.association.background import BLOCK_S, BLOCKS, Background, count_stray, quiet_background, roll
from rtpick.association.signal import NOBODY, Hypothesis, Pool, pool_of
from rtpick.association.world import World


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """Belief after the picks so far; never changed in place.

    Parameters
    ----------
    now_s : float
        Event time.
    loose : Pool
        Young picks that no event holds.
    open : tuple of Hypothesis
        Events that may still take picks, oldest supposition first.
    background : Background
    """

    now_s: float
    loose: Pool
    open: tuple[Hypothesis, ...]
    background: Background


def first_view(world: World, time_s: float) -> View:
    """Believe nothing yet."""
    return View(time_s, NOBODY, (), quiet_background(world.prior, len(world.sites.codes), time_s))


def exchange(view: View, old: Iterable[Hypothesis], new: Iterable[Hypothesis]) -> View:
    """Replace open events; picks that lose their event become loose, picks that gain one do not."""
    old, new = list(old), list(new)
    gone = {id(h) for h in old}
    taken = {signal for h in new for signal in h.pool.signals}
    freed = [signal for h in old for signal in h.pool.signals if signal not in taken]
    loose = view.loose
    stays = [signal not in taken for signal in loose.signals]
    if not all(stays):
        loose = loose.where(np.array(stays))
    if freed:
        loose = loose.merged(pool_of(sorted(freed, key=lambda s: s.key)))
    keys = {h.key: h for h in new}
    stay = [keys.pop(h.key, None) if id(h) in gone else h for h in view.open]
    return replace(view, loose=loose, open=(*(h for h in stay if h is not None), *keys.values()))


def expire(world: World, view: View, now_s: float) -> View:
    """Let go of loose picks that are no longer young; they count as strays."""
    oldest_s = now_s - world.young_s
    if not view.loose.signals or view.loose.signals[0].time_s >= oldest_s:
        return View(now_s, view.loose, view.open, view.background)
    young = view.loose.within(oldest_s, np.inf)
    gone, crowd = len(view.loose) - len(young), view.loose.crowd
    known = count_stray(view.background, crowd.station_N[:gone], crowd.loudness_N[:gone])
    return View(now_s, young, view.open, known)


def turn_block(view: View) -> View:
    """Close the background's block that ends now."""
    return replace(view, background=roll(view.background))


def skip_silence(world: World, view: View, now_s: float) -> View:
    """Forget the background after a silence longer than its memory."""
    if now_s - view.background.next_roll_s < BLOCKS * BLOCK_S or view.open or view.loose.signals:
        return view
    return replace(view, background=quiet_background(world.prior, len(world.sites.codes), now_s))
