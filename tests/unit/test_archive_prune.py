"""Old rows go, a few at a time; what is needed stays, however old."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from rtpick.archive.catalog import Catalog
from rtpick.archive.prune import LOOK_ROWS, Mark
from rtpick.daemon.retention import Retention
from rtpick.settings.schema import LoggingSettings
from rtpick.telemetry.logs import configure_logging
from rtpick.telemetry.metrics import Metrics
from rtpick.vocabulary.codes import ChannelId, StationId
from rtpick.vocabulary.event import Arrival, Event, EventStatus, Magnitude, Origin
from rtpick.vocabulary.pick import Pick
from rtpick.vocabulary.time import NS_PER_S
from rtpick.vocabulary.waveform import Gap, GapCause, Progress

T0_NS = 1_274_977_471_800_000_000
DAY_NS = 86_400 * NS_PER_S
UH1 = ChannelId("BW", "UH1", "", "SHZ")
LOG = configure_logging(LoggingSettings(level="error"))
NEW, UPDATE, FINAL = EventStatus.NEW, EventStatus.UPDATE, EventStatus.FINAL


def make_pick(name: str, time_ns: int) -> Pick:
    return Pick(name, UH1, "P", time_ns, 0.9, 0.05, 1.0, 8.0, 1.0, "m")


def make_event(name: str, revision: int, status: EventStatus, time_ns: int, *pick_ids: str) -> Event:
    origin = Origin(time_ns, 48.05, 11.64, 4.8, 0.1, 0.5, 1.0, False, 0.08, 120.0, 0.02)
    arrivals = tuple(Arrival(pick_id, "BW.UH1", "P", time_ns, 0.01, 0.03, 12.0) for pick_id in pick_ids)
    return Event(name, revision, status, origin, arrivals, Magnitude(2.1, "ML", 0.2, 4))


def make_gap(start_ns: int, channel: ChannelId = UH1) -> Gap:
    return Gap(channel, start_ns, start_ns + 5, GapCause.MISSING)


def progress(settled_ns: int) -> Progress:
    return Progress("ring", StationId("BW", "UH1"), 7, settled_ns, settled_ns)


def sweep(catalog: Catalog, before_ns: int) -> int:
    mark: Mark | None = Mark()
    steps = 0
    while mark is not None:
        mark = catalog.prune(before_ns, mark).mark
        steps += 1
    return steps


def tell_all(catalog: Catalog) -> None:
    catalog.mark_published(catalog.unpublished(10**6))


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog.open(f"sqlite:///{tmp_path}/rtpick.sqlite") as opened:
        yield opened


def test_what_is_old_and_in_no_event_goes(catalog: Catalog) -> None:
    catalog.commit([make_pick("old", T0_NS), make_pick("young", T0_NS + 2)])
    catalog.commit([make_gap(T0_NS), make_gap(T0_NS + 2), progress(T0_NS - DAY_NS)])
    tell_all(catalog)
    sweep(catalog, T0_NS + 1)
    assert [pick.pick_id for pick in catalog.picks()] == ["young"]
    assert catalog.gaps() == [make_gap(T0_NS + 2)]
    assert catalog.progress() == [progress(T0_NS - DAY_NS)]


def test_an_event_stays_with_its_picks_but_not_with_its_past(catalog: Catalog) -> None:
    catalog.commit([make_pick(name, T0_NS) for name in ("kept", "dropped on the way")])
    first = make_event("e", 0, NEW, T0_NS, "kept", "dropped on the way")
    last = make_event("e", 2, FINAL, T0_NS, "kept")
    catalog.commit([first, make_event("e", 1, UPDATE, T0_NS, "kept"), last])
    tell_all(catalog)
    sweep(catalog, T0_NS + 1)
    assert catalog.revisions("e") == [last]
    assert [pick.pick_id for pick in catalog.picks()] == ["kept"]


@pytest.mark.parametrize("status", [NEW, UPDATE])
def test_an_event_that_may_still_change_keeps_everything(catalog: Catalog, status: EventStatus) -> None:
    catalog.commit([make_pick("before", T0_NS), make_pick("now", T0_NS)])
    revisions = [make_event("e", 0, NEW, T0_NS, "before"), make_event("e", 1, status, T0_NS, "now")]
    catalog.commit(revisions)
    tell_all(catalog)
    sweep(catalog, T0_NS + 1)
    assert catalog.revisions("e") == revisions
    assert len(catalog.picks()) == 2


@pytest.mark.parametrize("status", [EventStatus.MERGE, EventStatus.RETRACT])
def test_an_event_that_was_given_up_keeps_no_picks(catalog: Catalog, status: EventStatus) -> None:
    catalog.commit([make_pick("p", T0_NS), make_event("e", 0, NEW, T0_NS, "p")])
    catalog.commit([make_event("e", 1, status, T0_NS, "p")])
    tell_all(catalog)
    sweep(catalog, T0_NS + 1)
    assert [event.status for event in catalog.revisions("e")] == [status]
    assert catalog.picks() == []


def test_what_has_not_been_told_yet_stays(catalog: Catalog) -> None:
    items = [make_pick("p", T0_NS), make_event("e", 0, NEW, T0_NS, "p"), make_event("e", 1, FINAL, T0_NS)]
    catalog.commit(items)
    sweep(catalog, T0_NS + 1)
    assert catalog.unpublished() == items
    tell_all(catalog)
    sweep(catalog, T0_NS + 1)
    assert catalog.picks() == []
    assert catalog.revisions("e") == items[2:]


def test_a_step_is_short_and_what_stays_does_not_hold_the_sweep_up(catalog: Catalog) -> None:
    count = 3 * LOOK_ROWS
    picks = [make_pick(f"p{number:05d}", T0_NS + number // 7) for number in range(count)]
    catalog.commit(picks)
    kept = [pick.pick_id for pick in picks[: 2 * LOOK_ROWS]]
    catalog.commit([make_event("e", 0, FINAL, T0_NS, *kept)])
    channels = [ChannelId("BW", f"S{number}", "", "SHZ") for number in range(2 * LOOK_ROWS)]
    catalog.commit([make_gap(T0_NS, channel) for channel in channels])
    tell_all(catalog)
    steps = sweep(catalog, T0_NS + DAY_NS)
    assert [pick.pick_id for pick in catalog.picks()] == kept
    assert catalog.gaps() == []
    assert steps <= 1 + 4 + 2 + 1


statuses = st.sampled_from(EventStatus)
revisions = st.lists(st.tuples(statuses, st.sets(st.integers(0, 5))), min_size=1, max_size=3)
histories = st.lists(st.tuples(st.integers(0, 9), revisions), max_size=5)
times = st.lists(st.integers(0, 9), min_size=6, max_size=6)


@settings(max_examples=40, deadline=None)
@given(histories=histories, pick_times=times, told=st.integers(0, 30))
def test_exactly_what_nobody_needs_goes(
    tmp_path_factory: pytest.TempPathFactory, histories: list, pick_times: list[int], told: int
) -> None:
    """Against the rule written out over lists."""
    before = T0_NS + 5
    picks = {f"p{n}": make_pick(f"p{n}", T0_NS + time) for n, time in enumerate(pick_times)}
    events = [
        [
            make_event(f"e{number}", revision, status, T0_NS + time, *(f"p{n}" for n in sorted(named)))
            for revision, (status, named) in enumerate(history)
        ]
        for number, (time, history) in enumerate(histories)
    ]
    with Catalog.open(f"sqlite:///{tmp_path_factory.mktemp('prune')}/rtpick.sqlite") as catalog:
        catalog.commit([*picks.values(), *(event for history in events for event in history)])
        catalog.mark_published(catalog.unpublished()[:told])
        waiting = {repr(item) for item in catalog.unpublished()}
        sweep(catalog, before)
        expected = [_kept(history, before, waiting) for history in events]
        assert [catalog.revisions(f"e{number}") for number in range(len(events))] == expected
        needing = [event for history in expected for event in _needing(history, waiting)]
        needed = {pick_id for event in needing for pick_id in event.pick_ids}
        left = [
            pick for pick in picks.values()
            if pick.time_ns >= before or pick.pick_id in needed or repr(pick) in waiting
        ]  # fmt: skip
        assert sorted(catalog.picks(), key=repr) == sorted(left, key=repr)


def _kept(history: list[Event], before: int, waiting: set[str]) -> list[Event]:
    last = history[-1]
    if last.origin.time_ns >= before or last.status in (NEW, UPDATE):
        return history
    return [event for event in history if event is last or repr(event) in waiting]


def _needing(history: list[Event], waiting: set[str]) -> list[Event]:
    last = history[-1]
    if last.status in (NEW, UPDATE):
        return history
    holds = last.status not in (EventStatus.MERGE, EventStatus.RETRACT)
    return [event for event in history if repr(event) in waiting or (holds and event is last)]


def test_the_daemon_counts_back_from_the_data_and_never_from_the_future(catalog: Catalog) -> None:
    """A replay of an old recording keeps its picks; a station whose clock is wrong costs none."""
    registry = CollectorRegistry()
    catalog.commit([make_pick("old", T0_NS - 11 * DAY_NS), make_pick("young", T0_NS - 9 * DAY_NS)])
    catalog.commit([progress(T0_NS)])
    tell_all(catalog)
    Retention(None, Metrics(registry), LOG).step(catalog)
    assert len(catalog.picks()) == 2
    keeping = Retention(10.0, Metrics(CollectorRegistry()), LOG)
    for _ in range(4):
        keeping.step(catalog)
    assert [pick.pick_id for pick in catalog.picks()] == ["young"]
    catalog.commit([progress(2**62)])
    everything = Retention(30 * 365.0, Metrics(CollectorRegistry()), LOG)
    for _ in range(4):
        everything.step(catalog)
    assert len(catalog.picks()) == 1


def test_what_was_removed_is_counted_by_table(catalog: Catalog) -> None:
    registry = CollectorRegistry()
    catalog.commit([make_pick("old", T0_NS - 11 * DAY_NS), make_gap(T0_NS - 11 * DAY_NS), progress(T0_NS)])
    tell_all(catalog)
    keeping = Retention(1.0, Metrics(registry), LOG)
    for _ in range(4):
        keeping.step(catalog)
    assert registry.get_sample_value("rtpick_pruned_rows_total", {"table": "pick"}) == 1
    assert registry.get_sample_value("rtpick_pruned_rows_total", {"table": "gap"}) == 1
