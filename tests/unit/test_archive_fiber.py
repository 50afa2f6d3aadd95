"""What is kept of fibers: exact round trips, nothing twice, the latest revision, told once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rtpick.archive.catalog import Catalog
from rtpick.archive.fiber_rows import FiberBatch
from rtpick.archive.prune import Mark
from rtpick.vocabulary.event import EventStatus
from rtpick.vocabulary.fiber import FiberPicks, FiberProgress
from rtpick.vocabulary.fiber_event import FiberCurve, FiberEvent
from rtpick.vocabulary.time import NS_PER_S

T0_NS = 1_700_000_000 * NS_PER_S + 1


def make_picks(first: int = 0, count: int = 6, fiber: str = "north") -> FiberPicks:
    number = np.arange(first, first + count)
    phase = np.where(number % 2, "S", "P").astype("U1")
    amplitude = np.where(number == first, np.nan, number).astype(np.float32)
    probability = (0.3 + 0.01 * number).astype(np.float32)
    return FiberPicks(fiber, 7 + number, phase, T0_NS + number * NS_PER_S, probability, amplitude, "m-1")


def make_event(revision: int = 0, status: EventStatus = EventStatus.NEW) -> FiberEvent:
    picks, numbers = make_picks(), np.array([0, 40])
    curve = FiberCurve(numbers, T0_NS + numbers[::-1], T0_NS + 9 + numbers)
    columns = picks.channel_number_N, picks.phase_N, picks.time_ns_N, np.full(6, 0.1, np.float32)
    return FiberEvent("e1", "north", revision, status, T0_NS, 2.5, *columns, curve)


def same(one: object, other: object) -> bool:
    """Equality field by field, in which NaN equals NaN; types too."""
    names = one.__slots__  # type: ignore[attr-defined]
    for name in names:
        a, b = getattr(one, name), getattr(other, name)
        if isinstance(a, FiberCurve):
            equal = same(a, b)
        elif isinstance(a, np.ndarray):
            equal = a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
        else:
            equal = a == b
        if not equal:
            return False
    return True


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog.open(f"sqlite:///{tmp_path}/rtpick.sqlite") as opened:
        yield opened


def test_picks_come_back_as_they_were(catalog: Catalog) -> None:
    catalog.commit([make_picks(), make_picks(fiber="south")])
    (north,) = catalog.fiber_picks("north")
    assert same(north, make_picks())
    assert len(catalog.fiber_picks()) == 2
    (some,) = catalog.fiber_picks("north", T0_NS + 2 * NS_PER_S, T0_NS + 4 * NS_PER_S)
    assert some.channel_number_N.tolist() == [9, 10]


def test_picks_that_are_told_again_cut_otherwise_are_kept_once(catalog: Catalog) -> None:
    catalog.commit([make_picks(0, 6)])
    catalog.commit([make_picks(3, 6), make_picks(3, 6)])
    catalog.commit([make_picks(0, 9)])
    numbers = [number for batch in catalog.fiber_picks() for number in batch.channel_number_N.tolist()]
    assert numbers == list(range(7, 16))


def test_the_latest_revision_stays_and_what_is_decided_too(catalog: Catalog) -> None:
    catalog.commit([make_event(0), make_event(1, EventStatus.UPDATE)])
    (event,) = catalog.fiber_events()
    assert same(event, make_event(1, EventStatus.UPDATE))
    catalog.commit([make_event(2, EventStatus.FINAL)])
    catalog.commit([make_event(7, EventStatus.UPDATE)])
    (event,) = catalog.fiber_events("north", T0_NS)
    assert (event.revision, event.status) == (2, EventStatus.FINAL)
    assert catalog.fiber_events("north", T0_NS + 1) == []


def test_the_outbox_holds_batches_and_latest_revisions(catalog: Catalog) -> None:
    catalog.commit([make_picks(), make_event(0)])
    catalog.commit([make_event(1, EventStatus.UPDATE), make_picks()])
    batch, event = catalog.unpublished()
    assert isinstance(batch, FiberBatch)
    assert same(batch.picks, make_picks())
    assert isinstance(event, FiberEvent)
    assert event.revision == 1
    catalog.mark_published([batch, event])
    assert catalog.unpublished() == []


def test_progress_moves(catalog: Catalog) -> None:
    for settled in (1, 5):
        catalog.commit([FiberProgress("ring", "north", settled, None if settled == 1 else 2**63 + 1)])
    assert catalog.fiber_progress() == [FiberProgress("ring", "north", 5, 2**63 + 1)]
    assert catalog.newest_settled_ns() == 5


def test_old_batches_leave_when_they_are_told(catalog: Catalog) -> None:
    catalog.commit([make_picks(0), replace(make_picks(100), fiber="south"), make_event()])
    for expected in (2, 1):
        mark: Mark | None = Mark()
        while mark is not None:
            mark = catalog.prune(T0_NS + 50 * NS_PER_S, mark).mark
        assert len(catalog.fiber_picks()) == expected
        catalog.mark_published(catalog.unpublished())
    assert len(catalog.fiber_events()) == 1
