"""What is believed at one moment of event time: loose picks, open events, background."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from rtpick.association.background import BLOCK_S, BLOCKS, Background, count_stray, quiet_background, roll
from rtpick.association.signal import Hypothesis, Signal
from rtpick.association.world import World


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """Belief after the picks so far, in canonical order; never changed in place.

    Parameters
    ----------
    now_s : float
        Event time.
    loose : tuple of Signal
        Young picks that no event holds, in canonical order.
    open : tuple of Hypothesis
        Events that may still take picks, oldest supposition first.
    background : Background
    """

    now_s: float
    loose: tuple[Signal, ...]
    open: tuple[Hypothesis, ...]
    background: Background


def first_view(world: World, time_s: float) -> View:
    """Believe nothing yet."""
    return View(time_s, (), (), quiet_background(len(world.sites.codes), time_s))


def exchange(view: View, old: Iterable[Hypothesis], new: Iterable[Hypothesis]) -> View:
    """Replace open events; picks that lose their event become loose, picks that gain one do not."""
    old, new = list(old), list(new)
    gone = {id(h) for h in old}
    freed = [m.signal for h in old for m in h.members]
    taken = {m.signal.pick_id for h in new for m in h.members}
    pool = {s.pick_id: s for s in (*view.loose, *freed) if s.pick_id not in taken}
    loose = tuple(sorted(pool.values(), key=lambda s: s.key))
    keys = {h.key: h for h in new}
    stay = [keys.pop(h.key, None) if id(h) in gone else h for h in view.open]
    return replace(view, loose=loose, open=(*(h for h in stay if h is not None), *keys.values()))


def expire(world: World, view: View, now_s: float) -> View:
    """Let go of loose picks that are no longer young; they count as strays."""
    oldest_s = now_s - world.young_s
    old = [s for s in view.loose if s.time_s < oldest_s]
    if not old:
        return replace(view, now_s=now_s)
    background = count_stray(view.background, [s.station for s in old])
    return View(now_s, tuple(s for s in view.loose if s.time_s >= oldest_s), view.open, background)


def turn_block(view: View) -> View:
    """Close the background's block that ends now."""
    return replace(view, background=roll(view.background))


def skip_silence(view: View, now_s: float) -> View:
    """Forget the background after a silence longer than its memory."""
    if now_s - view.background.next_roll_s < BLOCKS * BLOCK_S or view.open or view.loose:
        return view
    return replace(view, background=quiet_background(len(view.background.live_S), now_s))
