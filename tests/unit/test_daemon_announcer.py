"""Each sink is told everything at its own pace, whatever befalls the others."""

from __future__ import annotations

import csv
import errno
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from rtpick.archive.catalog import Catalog
from rtpick.daemon.announcer import BATCH_ITEMS, Announcer, Line
from rtpick.publish.subscriber import Subscriber
from rtpick.settings.schema import LoggingSettings, PublishSettings
from rtpick.telemetry.logs import configure_logging
from rtpick.telemetry.metrics import Metrics
from rtpick.vocabulary.codes import ChannelId
from rtpick.vocabulary.event import Arrival, Event, EventStatus, Origin
from rtpick.vocabulary.pick import Pick
from rtpick.vocabulary.time import NS_PER_S

T0_NS = 1_274_977_471_800_000_000
UH1 = ChannelId("BW", "UH1", "", "SHZ")
LOG = configure_logging(LoggingSettings(level="error"))
MANY = 3 * BATCH_ITEMS


def make_pick(number: int) -> Pick:
    return Pick(f"p{number:05d}", UH1, "P", T0_NS + number * NS_PER_S // 100, 0.9, 0.05, 1.0, 8.0, 1.0, "m")


def make_event(number: int) -> Event:
    origin = Origin(T0_NS + number, 48.05, 11.64, 4.8, 0.1, 0.5, 1.0, False, 0.08, 120.0, 0.02)
    arrivals = (Arrival("p00000", "BW.UH1", "P", T0_NS, 0.01, 0.03, 12.0),)
    return Event(f"e{number}", 0, EventStatus.NEW, origin, arrivals)


def announcer(folder: Path, registry: CollectorRegistry | None = None, **changes: object) -> Announcer:
    values = {"csv_directory": folder / "tables", "quakeml_directory": folder / "quakeml"} | changes
    settings = PublishSettings.model_validate(values)
    return Announcer(settings, Metrics(registry or CollectorRegistry()), LOG, retry_s=0.0)


def announce(announcer: Announcer, catalog: Catalog) -> None:
    """Until nothing more can be told; a sink that refuses is tried once."""
    announcer._retry_s = 3600.0
    announcer.announce(catalog, lambda: None, for_s=60.0)
    for line in announcer.lines:
        line.retry_at_s = 0.0


def rows(folder: Path, kind: str) -> list[str]:
    tables = sorted((folder / "tables").glob(f"{kind}-*.csv"))
    return [row[0] for table in tables for row in list(csv.reader(table.open()))[1:]]


def documents(folder: Path) -> list[str]:
    return sorted(path.parent.name for path in (folder / "quakeml").glob("*/*/*.xml"))


def line_of(announcer: Announcer, name: str) -> Line:
    return next(line for line in announcer.lines if line.sink.name == name)


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog.open(f"sqlite:///{tmp_path}/rtpick.sqlite") as opened:
        yield opened


def fill(catalog: Catalog) -> None:
    for first in range(0, MANY, 100):
        catalog.commit([make_event(first), *(make_pick(first + n) for n in range(100))])


def test_a_folder_that_refuses_holds_back_nobody_else(tmp_path: Path, catalog: Catalog) -> None:
    (tmp_path / "quakeml").write_text("a file stands where the folder should be")
    registry = CollectorRegistry()
    telling = announcer(tmp_path, registry, zeromq_bind="ipc://" + str(tmp_path / "socket"))
    subscriber = Subscriber("ipc://" + str(tmp_path / "socket"))
    subscriber.messages(0.3)
    fill(catalog)
    announce(telling, catalog)
    assert len(subscriber.messages(2.0)) == MANY + 15
    assert rows(tmp_path, "picks") == [f"p{number:05d}" for number in range(MANY)]
    assert len(rows(tmp_path, "events")) == 15
    assert "quakeml" in (line_of(telling, "quakeml").trouble or "")
    assert line_of(telling, "csv").trouble is line_of(telling, "zeromq").trouble is None
    assert registry.get_sample_value("rtpick_publish_failures_total", {"sink": "quakeml"}) == 1
    assert registry.get_sample_value("rtpick_publish_failures_total", {"sink": "csv"}) is None
    assert registry.get_sample_value("rtpick_publish_waiting_items", {"sink": "quakeml"}) == MANY + 15
    (tmp_path / "quakeml").unlink()
    announce(telling, catalog)
    assert documents(tmp_path) == sorted(f"e{number}" for number in range(0, MANY, 100))
    assert catalog.unpublished() == []
    assert registry.get_sample_value("rtpick_publish_waiting_items", {"sink": "quakeml"}) == 0
    assert subscriber.messages(0.2) == []
    telling.close()
    subscriber.close()


@pytest.mark.parametrize("turns", [0, 1, 2])
def test_after_a_kill_files_hold_everything_once(tmp_path: Path, catalog: Catalog, turns: int) -> None:
    (tmp_path / "quakeml").write_text("in the way")
    fill(catalog)
    killed = announcer(tmp_path)
    for _ in range(turns):
        killed.announce(catalog, lambda: None, for_s=0.0)
    (tmp_path / "quakeml").unlink()
    announce(announcer(tmp_path), catalog)
    assert rows(tmp_path, "picks") == [f"p{number:05d}" for number in range(MANY)]
    assert len(rows(tmp_path, "events")) == len(set(rows(tmp_path, "events"))) == 15
    assert len(documents(tmp_path)) == 15
    assert catalog.unpublished() == []


def test_a_place_survives_the_kill(tmp_path: Path, catalog: Catalog) -> None:
    """What a sink has been told is not told again only because another one was behind."""
    (tmp_path / "quakeml").write_text("in the way")
    fill(catalog)
    announce(announcer(tmp_path), catalog)
    fresh = Recording("csv")
    again = announcer(tmp_path)
    line_of(again, "csv").sink = fresh
    announce(again, catalog)
    assert fresh.told == []


def test_what_waits_for_a_sink_is_bounded_and_counted(tmp_path: Path, catalog: Catalog) -> None:
    (tmp_path / "quakeml").write_text("in the way")
    registry = CollectorRegistry()
    telling = announcer(tmp_path, registry, maximum_waiting=700)
    fill(catalog)
    announce(telling, catalog)
    labels = {"sink": "quakeml"}
    assert registry.get_sample_value("rtpick_publish_given_up_total", labels) == MANY + 15 - 700
    assert catalog.count_outbox() == 700
    assert len(rows(tmp_path, "picks")) == len(catalog.picks()) == MANY
    (tmp_path / "quakeml").unlink()
    announce(telling, catalog)
    assert len(documents(tmp_path)) == 7


def test_without_a_sink_nothing_piles_up(tmp_path: Path, catalog: Catalog) -> None:
    fill(catalog)
    announce(announcer(tmp_path, csv_directory=None, quakeml_directory=None), catalog)
    assert catalog.count_outbox() == 0


def test_a_long_backlog_is_told_a_turn_at_a_time(tmp_path: Path, catalog: Catalog) -> None:
    telling = announcer(tmp_path, quakeml_directory=None)
    fill(catalog)
    telling.announce(catalog, lambda: None, for_s=0.0)
    assert catalog.count_outbox() == MANY + 15 - BATCH_ITEMS
    assert telling.has_more
    while telling.has_more:
        telling.go_on(catalog, lambda: None, for_s=0.0)
    assert catalog.count_outbox() == 0


class Recording:
    """A sink that refuses when it is told to."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.told: list[str] = []
        self.refuses = False

    def tell(self, news: list[Pick], _catalog: Catalog) -> None:
        if self.refuses:
            raise OSError(errno.ENOSPC, "no room")
        self.told += [pick.pick_id for pick in news]

    def close(self) -> None:
        pass


steps = st.lists(st.tuples(st.sets(st.integers(0, 2)), st.integers(0, 3), st.booleans()), max_size=12)


@settings(max_examples=25, deadline=None)
@given(steps=steps)
def test_whoever_refuses_and_whenever_each_is_told_all_in_order(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[set[int], int, bool]]
) -> None:
    folder = tmp_path_factory.mktemp("any")
    sinks = [Recording(name) for name in ("zeromq", "quakeml", "csv")]
    made = 0

    def start() -> Announcer:
        telling = announcer(folder)
        telling.lines = [Line(sink) for sink in sinks]
        return telling

    with Catalog.open(f"sqlite:///{folder}/rtpick.sqlite") as catalog:
        telling = start()
        for refusing, count, restarts in [*steps, (set(), 1, False)]:
            catalog.commit([make_pick(made + n) for n in range(count)])
            made += count
            for index, sink in enumerate(sinks):
                sink.refuses = index in refusing
            announce(telling, catalog)
            telling = start() if restarts else telling
        assert catalog.unpublished() == []
    for sink in sinks:
        assert sink.told == [f"p{number:05d}" for number in range(made)]
