"""The outbox and the places of sinks in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import create_engine, text

from rtpick.archive.catalog import Catalog
from rtpick.archive.schema import _config
from rtpick.vocabulary.codes import ChannelId
from rtpick.vocabulary.pick import Pick

UH1 = ChannelId("BW", "UH1", "", "SHZ")


def make_pick(number: int, revision: int = 0) -> Pick:
    return Pick(f"p{number}", UH1, "P", number, 0.9, 0.05, 1.0, 8.0, 1.0, "m", revision=revision)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/rtpick.sqlite"


def test_positions_are_never_used_twice(url: str) -> None:
    with Catalog.open(url) as catalog:
        catalog.commit([make_pick(0), make_pick(1)])
        first = catalog.outbox()
        catalog.mark_published(catalog.unpublished())
    with Catalog.open(url) as catalog:
        catalog.commit([make_pick(2)])
        (later,) = catalog.outbox()
    assert later.position > first[-1].position


def test_the_outbox_is_read_and_counted_behind_a_place(url: str) -> None:
    with Catalog.open(url) as catalog:
        catalog.commit([make_pick(number) for number in range(5)])
        place = catalog.outbox()[1].position
        assert [item.pick_id for _, item in catalog.outbox(place, limit=2)] == ["p2", "p3"]
        assert (catalog.count_outbox(), catalog.count_outbox(place)) == (5, 3)


def test_places_outlive_the_process_and_move_apart(url: str) -> None:
    with Catalog.open(url) as catalog:
        assert catalog.places() == {}
        catalog.keep_places({"csv": 5, "quakeml": 2})
        catalog.keep_places({"quakeml": 4})
    with Catalog.open(url) as catalog:
        assert catalog.places() == {"csv": 5, "quakeml": 4}


def test_what_waited_in_an_older_database_still_waits(url: str) -> None:
    engine = create_engine(url)
    config = _config()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        cells = "'p7', 3, 'final', 'BW', 'UH1', '', 'SHZ', 'P', 7, 'counts', 'm'"
        names = "pick_id, revision, status, network, station, location, channel, phase_hint, time_ns"
        names += ", amplitude_unit, model_version"
        connection.execute(text(f"INSERT INTO pick ({names}) VALUES ({cells})"))
        rows = "(41, 'pick', 'p7', 3)"
        connection.execute(text(f"INSERT INTO outbox (position, kind, item_id, revision) VALUES {rows}"))
    engine.dispose()
    with Catalog.open(url) as catalog:
        (waiting,) = catalog.outbox()
        assert (waiting.position, waiting.item.pick_id, waiting.item.revision) == (41, "p7", 3)
        catalog.mark_published([waiting.item])
        catalog.commit([make_pick(8)])
        assert [position for position, _ in catalog.outbox()] == [42]
