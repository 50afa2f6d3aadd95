"""Picks of a cable in, events out: the associator of a fiber as a stage.

Reviews happen at absolute multiples of a tick of event time, on the picks in canonical order (time,
channel, phase); so nothing depends on how picks were cut into batches, nor on their order as long as
they come before the watermark passes them. A pick that comes later is counted, and votes late.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from rtpick.association.fiber_ledger import Ledger, settle_accounts
from rtpick.association.fiber_options import DEFAULT, FiberOptions
from rtpick.association.fiber_pool import EMPTY, IntArray, Pool, pool_of_hints, pool_of_picks
from rtpick.association.fiber_review import judge, review
from rtpick.vocabulary.fiber import FiberEventHints, FiberPicks
from rtpick.vocabulary.fiber_event import FiberEvent
from rtpick.vocabulary.time import to_ns

_LONG_AGO_NS = -(2**62)
_STEPS_KEPT_NS = to_ns(15.0)


def _no_times() -> npt.NDArray[np.int64]:
    return np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class FiberAssociatorState:
    """The associator of one fiber between two steps; never changed in place.

    Parameters
    ----------
    fiber : str
    options : FiberOptions
    pool, incoming : Pool
        Picks before and after the last review.
    ledger : Ledger
    reviewed_ns : int
        Time of the last review.
    mixed_ns : ndarray of int64
        Recent steps of the interrogator.
    channels : tuple of int
        Lowest and highest channel number ever seen.
    late : int
        Picks that came after a review had passed them.
    """

    fiber: str
    options: FiberOptions = DEFAULT
    pool: Pool = EMPTY
    incoming: Pool = EMPTY
    ledger: Ledger = field(default_factory=Ledger)
    reviewed_ns: int = _LONG_AGO_NS
    mixed_ns: IntArray = field(default_factory=_no_times)
    channels: tuple[int, int] = (2**62, -(2**62))
    late: int = 0

    @property
    def live_channels(self) -> int:
        """How many channels deliver, as far as is known."""
        return self.options.live_channels or max(self.channels[1] - self.channels[0] + 1, 1)


def step(
    state: FiberAssociatorState,
    picks: FiberPicks | None,
    watermark_ns: int,
    hints: FiberEventHints | None = None,
) -> tuple[FiberAssociatorState, list[FiberEvent]]:
    """Take picks in and review what is complete; return what is to be published.

    Parameters
    ----------
    state : FiberAssociatorState
    picks : FiberPicks or None
    watermark_ns : int
        No earlier pick is expected any more.
    hints : FiberEventHints or None
        What the event heads of the network say; an expected P and S each vote beside the picks.

    Notes
    -----
    At the start nothing is known of noise, and a wave needs only the fewest channels. In a gap nothing
    happens but that events end. `finish` ends the stream.
    """
    if picks is not None and len(picks):
        state = _taken(state, pool_of_picks(picks))
    if hints is not None and len(hints):
        state = _taken(state, pool_of_hints(hints, state.options.vp_vs))
    said: list[FiberEvent] = []
    while (now_ns := _next_review_ns(state)) is not None and now_ns <= watermark_ns:
        state, news = _review(state, now_ns)
        said.extend(news)
    return state, said


def finish(state: FiberAssociatorState) -> tuple[FiberAssociatorState, list[FiberEvent]]:
    """Let every event run to its end, as when no pick ever comes again."""
    newest = [int(pool.time_ns_N[-1]) for pool in (state.pool, state.incoming) if len(pool)]
    if not newest:
        return state, []
    horizon_s = state.options.memory_s + 2.0 * state.options.tick_s
    return step(state, None, max(newest) + to_ns(horizon_s))


def _taken(state: FiberAssociatorState, fresh: Pool) -> FiberAssociatorState:
    low, high = int(fresh.channel_N.min()), int(fresh.channel_N.max())
    return replace(
        state,
        incoming=state.incoming.joined(fresh),
        channels=(min(state.channels[0], low), max(state.channels[1], high)),
        late=state.late + int(np.count_nonzero(fresh.time_ns_N < state.reviewed_ns)),
    )


def _next_review_ns(state: FiberAssociatorState) -> int | None:
    """Return the next tick at which there is anything to review."""
    tick_ns = to_ns(state.options.tick_s)
    if len(state.pool):
        return state.reviewed_ns + tick_ns
    if len(state.incoming):
        first_ns = max(int(state.incoming.time_ns_N[0]), state.reviewed_ns)
        return (first_ns // tick_ns + 1) * tick_ns
    return None


def _review(state: FiberAssociatorState, now_ns: int) -> tuple[FiberAssociatorState, list[FiberEvent]]:
    """Look at all picks before a moment, and forget the oldest."""
    options = state.options
    cut = int(np.searchsorted(state.incoming.time_ns_N, now_ns))
    pool = state.pool.joined(state.incoming.where(slice(None, cut)))
    pool, mixed_ns = judge(pool, now_ns, state.mixed_ns, state.live_channels)
    opinion = review(pool, now_ns, state.live_channels, options)
    ledger, pool, said = settle_accounts(state.ledger, pool, opinion, now_ns, state.fiber, options)
    return replace(
        state,
        pool=pool.where(pool.time_ns_N >= now_ns - to_ns(options.memory_s)),
        incoming=state.incoming.where(slice(cut, None)),
        ledger=ledger,
        reviewed_ns=now_ns,
        mixed_ns=mixed_ns[mixed_ns > now_ns - _STEPS_KEPT_NS],
    ), said
