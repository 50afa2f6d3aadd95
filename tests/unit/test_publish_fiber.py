"""Picks and events of fibers told: messages that the schemas describe, tables in which nothing is twice."""

from __future__ import annotations

import csv
import json
from contextlib import suppress
from pathlib import Path

import numpy as np
import zmq
from jsonschema import Draft202012Validator

from rtpick.publish.csv_fiber_tables import EVENT_COLUMNS, PICK_COLUMNS, FiberTables
from rtpick.publish.fiber_messages import encode_fiber_message
from rtpick.publish.messages import read_schema
from rtpick.publish.zeromq import Publisher, topic_of
from rtpick.vocabulary.event import EventStatus
from rtpick.vocabulary.fiber import FiberPicks
from rtpick.vocabulary.fiber_event import FiberCurve, FiberEvent
from rtpick.vocabulary.time import NS_PER_S

# Two seconds before midnight.
T0_NS = 1_700_006_398 * NS_PER_S
NUMBER = np.arange(4)
PHASE = np.array(["P", "P", "S", "S"])
TIME = T0_NS + NUMBER * NS_PER_S
ONES = np.ones(4, np.float32)
PICKS = FiberPicks("north", NUMBER, PHASE, TIME, ONES / 2, np.array([np.nan, 1, 2, 3], np.float32), "m")
CURVE = FiberCurve(NUMBER, TIME[::-1].copy(), TIME + NS_PER_S)
EVENT = FiberEvent("e", "north", 1, EventStatus.FINAL, T0_NS, 2.0, NUMBER, PHASE, TIME, ONES, CURVE)


def test_messages_are_as_the_schemas_say() -> None:
    for kind, item in (("fiber_picks", PICKS), ("fiber_event", EVENT)):
        schema, message = read_schema(kind), json.loads(encode_fiber_message(item))
        Draft202012Validator.check_schema(schema)
        check = Draft202012Validator(schema)
        check.validate(message)
        assert set(schema["properties"]) == set(schema["required"]) == set(message)
        for key in message:
            assert not check.is_valid({name: value for name, value in message.items() if name != key}), key


def test_what_a_message_says() -> None:
    picks, event = (json.loads(encode_fiber_message(item)) for item in (PICKS, EVENT))
    assert (picks["begin"], picks["since_begin_s"]) == ("2023-11-14T23:59:58.000000000Z", [0, 1, 2, 3])
    assert picks["amplitude"] == [None, 1, 2, 3]
    assert (event["p_count"], event["s_count"], event["apex_channel"]) == (2, 2, 3)
    assert event["curve"]["s_since_origin_s"] == [1, 2, 3, 4]
    assert (topic_of(PICKS), topic_of(EVENT)) == ("fiber_picks.north", "fiber_event.north.final")


def rows(path: Path) -> list[list[str]]:
    return list(csv.reader(path.read_text().splitlines()))


def test_tables_take_each_row_once_on_its_day(tmp_path: Path) -> None:
    for _ in range(2):
        tables = FiberTables(tmp_path)
        for _ in range(2):
            tables.append([("b1", PICKS)], [EVENT])
    first, second = (rows(tmp_path / f"fiber-picks-2023-11-{day}.csv") for day in (14, 15))
    assert first[0] == second[0] == PICK_COLUMNS
    assert [row[1] for row in first[1:]] == ["0", "1"]
    assert [row[1] for row in second[1:]] == ["2", "3"]
    assert first[1][5] == ""
    events = rows(tmp_path / "fiber-events-2023-11-14.csv")
    assert events[0] == EVENT_COLUMNS
    assert [row[0] for row in events[1:]] == ["e"]


def test_a_row_that_was_cut_off_is_written_again(tmp_path: Path) -> None:
    path = tmp_path / "fiber-picks-2023-11-14.csv"
    FiberTables(tmp_path).append([("b1", PICKS)], [])
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        FiberTables(tmp_path).append([("b1", PICKS)], [])
        assert path.read_bytes() == whole


def test_subscribers_hear_picks_and_events_of_a_fiber() -> None:
    publisher, context = Publisher("tcp://127.0.0.1:*"), zmq.Context()
    try:
        socket = context.socket(zmq.SUB)
        socket.setsockopt(zmq.RCVTIMEO, 100)
        socket.setsockopt_string(zmq.SUBSCRIBE, "fiber_")
        socket.connect(publisher.address)
        heard: dict[bytes, bytes] = {}
        for _ in range(100):
            publisher.publish(PICKS)
            publisher.publish(EVENT)
            with suppress(zmq.Again):
                topic, message = socket.recv_multipart()
                heard[topic] = message
            if len(heard) == 2:
                break
        assert heard == {
            b"fiber_picks.north": encode_fiber_message(PICKS),
            b"fiber_event.north.final": encode_fiber_message(EVENT),
        }
    finally:
        context.destroy(linger=0)
        publisher.close()
