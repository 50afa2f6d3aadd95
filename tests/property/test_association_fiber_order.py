"""However a cable's picks are cut, repeated or, within the watermark, shuffled: the same events."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
from hypothesis import given, settings
from hypothesis import strategies as st

from rtpick.association.fiber_associate import FiberAssociatorState, finish, step
from rtpick.association.fiber_options import FiberOptions
from rtpick.bench.fiber_scene import Scene, SceneEvent, make_picks
from rtpick.vocabulary.event import EventStatus
from rtpick.vocabulary.fiber import FiberPicks
from rtpick.vocabulary.fiber_event import FiberEvent
from rtpick.vocabulary.time import to_ns

OPTIONS = FiberOptions().for_cable(400, 20.0)
EVENTS = (SceneEvent(15.0, 5.0, 9.0), SceneEvent(19.0, 7.0, 9.0), SceneEvent(40.0, -20.0, 15.0, 12.0, 0.3))
SCENE = Scene(EVENTS, 400, 20.0, 70.0, 0.02, (30.0,))
PICKS, OF_N = make_picks(SCENE)
BUDGET_NS = to_ns(3.0)


def some(rows: npt.NDArray[np.int64]) -> FiberPicks:
    return replace(
        PICKS,
        **{
            name: getattr(PICKS, name)[rows]
            for name in ("channel_number_N", "phase_N", "time_ns_N", "probability_N", "amplitude_N")
        },
    )


def play(order: npt.NDArray[np.int64], cuts: list[int]) -> list[FiberEvent]:
    """Feed picks in an order, cut into batches; the watermark follows the newest pick at the budget."""
    state, said, newest_ns = FiberAssociatorState("ridge", OPTIONS), [], 0
    for rows in np.split(order, sorted(cuts)):
        newest_ns = max(newest_ns, int(PICKS.time_ns_N[rows].max(initial=0)))
        state, news = step(state, some(rows), newest_ns - BUDGET_NS)
        said.extend(news)
    assert state.late == 0
    return said + finish(state)[1]


def summary(event: FiberEvent) -> tuple[object, ...]:
    return (
        event.event_id, event.revision, event.status, event.origin_ns, event.time_ns_M.tolist(),
        event.channel_number_M.tolist(), event.phase_M.tolist(), event.merged_into,
    )  # fmt: skip


USUAL = [summary(event) for event in play(np.arange(len(PICKS)), [])]


def test_there_is_something_to_compare() -> None:
    assert sum(event[2] is EventStatus.FINAL for event in USUAL) == len(EVENTS)


@settings(max_examples=12, deadline=None)
@given(
    cuts=st.lists(st.integers(0, len(PICKS)), max_size=40),
    seed=st.integers(0, 2**32 - 1),
    repeated=st.floats(0, 0.3),
)
def test_batches_order_and_repetition_change_nothing(cuts: list[int], seed: int, repeated: float) -> None:
    rng = np.random.default_rng(seed)
    rows = np.concatenate((np.arange(len(PICKS)), np.flatnonzero(rng.random(len(PICKS)) < repeated)))
    shown_ns = PICKS.time_ns_N[rows] + rng.integers(0, BUDGET_NS, len(rows))
    order = rows[np.argsort(shown_ns, kind="stable")]
    assert [summary(event) for event in play(order, cuts)] == USUAL


def test_picks_behind_the_watermark_are_counted_and_vote_late() -> None:
    begin_ns = int(PICKS.time_ns_N[0])
    early = PICKS.time_ns_N < begin_ns + to_ns(21.0)
    back = early & (PICKS.channel_number_N % 2 == 0) & (PICKS.time_ns_N > begin_ns + to_ns(10.0))
    state = FiberAssociatorState("ridge", OPTIONS)
    state, said = step(state, some(np.flatnonzero(~back & early)), begin_ns + to_ns(22.0))
    state, more = step(state, some(np.flatnonzero(back)), begin_ns + to_ns(22.0))
    assert state.late > 0.8 * np.count_nonzero(back)
    ended = [e for e in said + more + finish(state)[1] if e.status is EventStatus.FINAL]
    assert sum(len(event) for event in ended) > 0.8 * np.count_nonzero(early & (OF_N < 2) & (OF_N >= 0))
