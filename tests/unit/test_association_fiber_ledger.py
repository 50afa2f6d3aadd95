"""Which event is which from review to review: told, kept, divided, merged, withdrawn, ended."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rtpick.association.fiber_fronts import Front
from rtpick.association.fiber_ledger import Ledger, settle_accounts
from rtpick.association.fiber_moveout import Attachment, Source
from rtpick.association.fiber_options import FiberOptions
from rtpick.association.fiber_pool import Pool, pool_of_picks
from rtpick.association.fiber_review import Opinion
from rtpick.vocabulary.event import EventStatus
from rtpick.vocabulary.fiber import FiberPicks
from rtpick.vocabulary.fiber_event import FiberEvent
from rtpick.vocabulary.time import to_ns

NOW_NS = 1_760_000_000_000_000_000
OPTIONS = FiberOptions()


def forty_picks() -> Pool:
    rows = np.arange(40)
    ones = np.ones(40, np.float32)
    phase = np.where(rows % 2 == 0, "P", "S")
    time_ns = NOW_NS - to_ns(9.0) + rows * 10_000_000
    return pool_of_picks(FiberPicks("ridge", rows, phase, time_ns, ones, ones))


def opinion(pool: Pool, parts: Mapping[float, range], last_s: float = -5.0) -> Opinion:
    """Say that there is an event at each origin time, with the picks of some rows."""
    source_N = np.full(len(pool), -1)
    sources = []
    for number, (origin_s, rows) in enumerate(parts.items()):
        source_N[np.isin(pool.channel_N, list(rows))] = number
        front = Front(np.arange(3), np.array([last_s - 1, last_s - 0.5, last_s]), np.array([9, 9, 9]))
        sources.append(Source(origin_s, 2.0, front, np.array([0, 39]), np.zeros(2)))
    return Opinion(tuple(sources), Attachment(source_N, np.zeros(len(pool))))


def review(ledger: Ledger, pool: Pool, parts: Mapping[float, range], last_s: float = -5.0,
           now_ns: int = NOW_NS) -> tuple[Ledger, Pool, list[FiberEvent]]:  # fmt: skip
    return settle_accounts(ledger, pool, opinion(pool, parts, last_s), now_ns, "ridge", OPTIONS)


def said(events: list[FiberEvent]) -> list[tuple[EventStatus, int]]:
    return [(event.status, event.revision) for event in events]


def test_an_event_keeps_its_name_and_small_changes_to_itself() -> None:
    ledger, pool, first = review(Ledger(), forty_picks(), {-12.0: range(20)})
    assert said(first) == [(EventStatus.NEW, 0)]
    ledger, pool, none = review(ledger, pool, {-12.05: range(21)})
    assert none == []
    ledger, pool, grown = review(ledger, pool, {-12.05: range(30)})
    assert said(grown) == [(EventStatus.UPDATE, 1)]
    ledger, pool, moved = review(ledger, pool, {-11.5: range(30)})
    assert said(moved) == [(EventStatus.UPDATE, 2)]
    ledger, pool, ended = review(ledger, pool, {-11.5: range(30)}, last_s=-16.0)
    assert said(ended) == [(EventStatus.FINAL, 3)]
    assert {event.event_id for event in first + grown + moved + ended} == {first[0].event_id}
    assert len(pool) == 10
    assert ledger.entries == ()


def test_one_event_becomes_two_and_the_greater_keeps_the_name() -> None:
    ledger, pool, (whole,) = review(Ledger(), forty_picks(), {-12.0: range(30)})
    ledger, pool, parts = review(ledger, pool, {-12.1: range(20), -11.0: range(20, 30)})
    by_status = {event.status: event for event in parts}
    assert by_status[EventStatus.UPDATE].event_id == whole.event_id
    assert len(by_status[EventStatus.UPDATE]) == 20
    assert by_status[EventStatus.NEW].event_id != whole.event_id


def test_two_events_that_are_one_are_merged_into_the_greater() -> None:
    ledger, pool, (small, great) = review(Ledger(), forty_picks(), {-12.0: range(10), -11.0: range(10, 40)})
    ledger, pool, told = review(ledger, pool, {-11.0: range(40)})
    merged = {event.status: event for event in told}
    assert merged[EventStatus.MERGE].event_id == small.event_id
    assert merged[EventStatus.MERGE].merged_into == great.event_id == merged[EventStatus.UPDATE].event_id


def test_an_event_that_nothing_is_left_of_is_withdrawn() -> None:
    ledger, pool, (first,) = review(Ledger(), forty_picks(), {-12.0: range(30)})
    ledger, pool, told = review(ledger, pool, {})
    assert said(told) == [(EventStatus.RETRACT, 1)]
    assert told[0].event_id == first.event_id
    assert ledger.entries == ()


def test_of_two_heirs_the_one_at_the_same_time_comes_first() -> None:
    ledger, pool, (first,) = review(Ledger(), forty_picks(), {-12.0: range(20)})
    ledger, pool, told = review(ledger, pool, {-30.0: range(10), -12.0: range(10, 20)})
    kept = [event for event in told if event.event_id == first.event_id]
    assert [(event.status, event.origin_ns) for event in kept] == [
        (EventStatus.UPDATE, NOW_NS - to_ns(12.0))
    ]


def test_a_front_that_is_dated_anew_stays_the_same_event() -> None:
    ledger, pool, (first,) = review(Ledger(), forty_picks(), {-12.0: range(30)})
    ledger, pool, (again,) = review(ledger, pool, {-18.0: range(30)})
    assert (again.event_id, again.status) == (first.event_id, EventStatus.UPDATE)


def test_names_are_never_given_twice() -> None:
    ledger, pool, (first,) = review(Ledger(), forty_picks(), {-12.0: range(30)})
    ledger, pool, _ = review(ledger, pool, {})
    ledger, pool, (second,) = review(ledger, pool, {-12.0: range(30)})
    assert second.event_id == f"{first.event_id}-2"
