"""What the associator of a cable makes of scenes whose truth is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from rtpick.association.fiber_associate import FiberAssociatorState, finish, step
from rtpick.association.fiber_options import FiberOptions
from rtpick.association.fiber_snapshot import restore_snapshot, take_snapshot
from rtpick.bench.fiber_scene import Scene, SceneEvent, arrival_times_s, make_picks
from rtpick.vocabulary.event import EventStatus
from rtpick.vocabulary.fiber import FiberEventHints, FiberPicks
from rtpick.vocabulary.fiber_event import FiberEvent
from rtpick.vocabulary.time import to_ns

OPTIONS = FiberOptions().for_cable(1000, 8.0)
NEAR = SceneEvent(20.0, 5.0, 9.0)
FAR = SceneEvent(60.0, -30.0, 15.0, 12.0, 0.4, 0.9)
QUIET = Scene((NEAR, FAR))


def some(picks: FiberPicks, rows: npt.NDArray[np.bool_]) -> FiberPicks:
    return replace(
        picks,
        **{
            name: getattr(picks, name)[rows]
            for name in ("channel_number_N", "phase_N", "time_ns_N", "probability_N", "amplitude_N")
        },
    )


def told(picks: FiberPicks, options: FiberOptions = OPTIONS, hints: FiberEventHints | None = None,
         every_s: float = 1.0) -> list[FiberEvent]:  # fmt: skip
    """Play picks second by second."""
    state, said = FiberAssociatorState(picks.fiber, options), []
    begin_ns = int(picks.time_ns_N.min()) if len(picks) else int(hints.center_ns_N.min()) if hints else 0
    end_ns = begin_ns + to_ns(130.0)
    for at_ns in range(begin_ns, end_ns, to_ns(every_s)):
        now = (picks.time_ns_N >= at_ns) & (picks.time_ns_N < at_ns + to_ns(every_s))
        first = hints if at_ns == begin_ns else None
        state, news = step(state, some(picks, now), at_ns + to_ns(every_s), first)
        said.extend(news)
    return said + finish(state)[1]


def finals(said: list[FiberEvent]) -> list[FiberEvent]:
    return [event for event in said if event.status is EventStatus.FINAL]


def names(event: FiberEvent) -> set[tuple[int, str, int]]:
    columns = event.channel_number_M, event.phase_M, event.time_ns_M
    return set(zip(*(column.tolist() for column in columns), strict=True))


def recall(event: FiberEvent, picks: FiberPicks, of_N: npt.NDArray[np.int64], number: int) -> float:
    mine = names(event)
    rows = np.flatnonzero(of_N == number)
    keys = zip(picks.channel_number_N[rows].tolist(), picks.phase_N[rows].tolist(),
               picks.time_ns_N[rows].tolist(), strict=True)  # fmt: skip
    return sum(key in mine for key in keys) / len(rows)


def test_two_events_are_told_early_and_end_complete() -> None:
    picks, event_N = make_picks(QUIET)
    said = told(picks)
    ended = finals(said)
    assert [event.event_id for event in ended] == list(dict.fromkeys(event.event_id for event in said))
    assert [round((e.origin_ns - QUIET.start_ns) / 1e9) for e in ended] == [20, 60]
    assert all(recall(event, picks, event_N, n) > 0.97 for n, event in enumerate(ended))
    revisions = [event.revision for event in said if event.event_id == ended[0].event_id]
    assert revisions == list(range(len(revisions)))
    assert said[0].status is EventStatus.NEW


def test_channels_with_one_phase_alone_belong_to_the_event() -> None:
    picks, event_N = make_picks(Scene((replace(NEAR, seen_p=0.15),)))
    (event,) = finals(told(picks))
    mine = names(event)
    phases: dict[int, set[str]] = {}
    for channel, phase, _ in mine:
        phases.setdefault(channel, set()).add(phase)
    alone = sum(len(both) == 1 for both in phases.values())
    assert alone > 700
    assert {"P"} in phases.values()
    assert recall(event, picks, event_N, 0) > 0.97


def test_the_curve_lies_on_the_true_arrivals_of_a_bent_cable() -> None:
    picks, _ = make_picks(QUIET)
    curve = finals(told(picks))[0].curve
    p_K, s_K = (times[curve.channel_number_K] for times in arrival_times_s(QUIET, NEAR))
    assert np.abs((curve.p_ns_K - QUIET.start_ns) / 1e9 - p_K).max() < 0.1
    assert np.abs((curve.s_ns_K - QUIET.start_ns) / 1e9 - s_K).max() < 0.1


@pytest.mark.parametrize("seed", [1, 2])
def test_steps_of_the_interrogator_are_no_events(seed: int) -> None:
    scene = Scene(steps_s=(20.0, 24.0, 50.0, 57.0), seed=seed)
    assert told(make_picks(scene)[0]) == []


def test_a_step_does_not_hide_an_event() -> None:
    picks, event_N = make_picks(replace(QUIET, events=(NEAR,), steps_s=(15.0, 30.0)))
    (event,) = finals(told(picks))
    assert recall(event, picks, event_N, 0) > 0.95


def test_a_wave_that_is_flat_on_a_short_cable_is_no_step() -> None:
    far = SceneEvent(5.0, 100.0, 80.0, 10.0, 0.6, 0.8)
    scene = Scene((far,), 500, 1.0, 60.0)
    options = FiberOptions().for_cable(500, 1.0)
    assert options.smooth_groups == 16
    picks, event_N = make_picks(scene)
    (event,) = finals(told(picks, options))
    assert recall(event, picks, event_N, 0) > 0.97
    assert abs((event.origin_ns - scene.start_ns) / 1e9 - 5.0) < 1.0


def test_a_flooding_channel_makes_no_event() -> None:
    rng = np.random.default_rng(3)
    count = 30_000
    time_ns_N = np.sort(QUIET.start_ns + rng.integers(0, to_ns(100.0), count))
    noise = rng.integers(0, 1000, count)
    channel_N = np.where(rng.random(count) < 0.9, 10 * (noise // 200), noise)
    phase_N = np.where(rng.random(count) < 0.5, "P", "S")
    ones = np.ones(count, np.float32)
    assert told(FiberPicks("ridge", channel_N, phase_N, time_ns_N, ones, ones)) == []


def test_an_event_under_a_storm_of_false_picks_is_found_alone() -> None:
    picks, event_N = make_picks(replace(QUIET, events=(NEAR,), noise_hz=0.15))
    (event,) = finals(told(picks))
    assert recall(event, picks, event_N, 0) > 0.95
    assert abs((event.origin_ns - QUIET.start_ns) / 1e9 - 20.0) < 0.5


def test_event_heads_date_an_event_of_which_no_p_was_picked() -> None:
    picks, _ = make_picks(replace(QUIET, events=(replace(NEAR, seen_p=0.0),)))
    assert told(picks) == []
    p_K, s_K = arrival_times_s(QUIET, NEAR)
    channel_N = np.arange(0, 1000, 4)
    center_ns_N = QUIET.start_ns + (1e9 * (p_K + s_K)[channel_N] / 2).astype(np.int64)
    origin_ns_N = np.full(len(channel_N), QUIET.start_ns + to_ns(20.0))
    ones = np.ones(len(channel_N), np.float32)
    (event,) = finals(told(picks, hints=FiberEventHints("ridge", channel_N, center_ns_N, origin_ns_N, ones)))
    assert abs((event.origin_ns - QUIET.start_ns) / 1e9 - 20.0) < 0.3
    assert set(event.phase_M.tolist()) == {"S"}
    assert len(event) > 850


def test_what_was_written_down_goes_on_as_if_nothing_had_happened(tmp_path: object) -> None:
    picks, _ = make_picks(QUIET)
    begin_ns = QUIET.start_ns
    state = other = FiberAssociatorState("ridge", OPTIONS)
    for at_ns in range(begin_ns, begin_ns + to_ns(120.0), to_ns(3.0)):
        until_ns = at_ns + to_ns(3.0)
        rows = (picks.time_ns_N >= at_ns) & (picks.time_ns_N < until_ns)
        state, said = step(state, some(picks, rows), until_ns)
        np.savez(f"{tmp_path}/state.npz", **take_snapshot(other))  # type: ignore[arg-type]
        with np.load(f"{tmp_path}/state.npz", allow_pickle=False) as arrays:
            other = restore_snapshot(dict(arrays), OPTIONS)
        other, again = step(other, some(picks, rows), until_ns)
        assert [(e.event_id, e.revision, e.status, e.origin_ns, names(e)) for e in said] == [
            (e.event_id, e.revision, e.status, e.origin_ns, names(e)) for e in again
        ]
    assert state.ledger.next_number == 2


def test_no_picks_no_events() -> None:
    state = FiberAssociatorState("ridge", OPTIONS)
    assert step(state, None, QUIET.start_ns)[1] == []
    assert finish(state)[1] == []


def test_names_of_events_that_begin_with_the_same_pick_differ() -> None:
    twins = Scene((NEAR, replace(NEAR, origin_s=20.9, x_km=4.0), replace(NEAR, origin_s=22.3, y_km=8.0)))
    said = told(make_picks(twins)[0])
    born = [event.event_id for event in said if event.revision == 0]
    assert len(born) == len(set(born)) == 3
