"""Messages: valid against the schemas that ship, equal for equal items, and told over real ZeroMQ."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterator

import pytest
import zmq
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from rtpick.publish.messages import encode_message, read_schema
from rtpick.publish.zeromq import HIGH_WATER_MARK, Publisher, topic_of
from rtpick.vocabulary.codes import ChannelId
from rtpick.vocabulary.errors import SourceError
from rtpick.vocabulary.event import Arrival, Event, EventStatus, Magnitude, Origin
from rtpick.vocabulary.pick import Latency, Pick, PickStatus

T0_NS = 1_274_977_471_800_000_001
UH1 = ChannelId("BW", "UH1", "", "SHZ")
PICK = Pick("p0", UH1, "P", T0_NS, 0.9, 0.05, 12.5, 8.0, 1.0, "default-12345678")
ORIGIN = Origin(T0_NS, 48.05, 11.64, 4.8, 0.1, 0.5, 1.0, False, 0.08, 120.0, 0.02)
ARRIVAL = Arrival("p0", "BW.UH1", "P", T0_NS, 0.01, 0.03, 12.0)
EVENT = Event("e1", 0, EventStatus.NEW, ORIGIN, (ARRIVAL,), Magnitude(2.1, "ML", 0.2, 4))

floats = st.floats()
times = st.integers(0, 4_000_000_000_000_000_000)
picks = st.builds(
    Pick, st.text(min_size=1), st.just(PICK.channel), st.sampled_from("PS"), times,
    st.floats(0, 1) | st.just(float("nan")), floats, floats, floats, floats, st.text(),
    st.sampled_from(PickStatus), st.integers(0), st.just("counts"), st.builds(Latency, floats, floats),
)  # fmt: skip
origins = st.builds(
    Origin, times, st.floats(-90, 90), st.floats(-180, 180), floats, floats, floats, floats, st.booleans(),
    floats, st.floats(0, 360), floats,
)  # fmt: skip
arrivals = st.builds(Arrival, st.text(min_size=1), st.text(), st.sampled_from("PS"), times, *([floats] * 4))
events = st.builds(
    Event, st.text(min_size=1), st.integers(0), st.sampled_from(EventStatus), origins,
    st.lists(arrivals, max_size=3).map(tuple),
    st.none() | st.builds(Magnitude, floats, st.text(), floats, st.integers(0)), st.none() | st.text(),
)  # fmt: skip


def validator(kind: str) -> Draft202012Validator:
    schema = read_schema(kind)
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


@settings(max_examples=80, deadline=None)
@given(pick=picks)
def test_every_pick_message_is_valid(pick: Pick) -> None:
    validator("pick").validate(json.loads(encode_message(pick)))


@settings(max_examples=80, deadline=None)
@given(event=events)
def test_every_event_message_is_valid(event: Event) -> None:
    validator("event").validate(json.loads(encode_message(event)))


@pytest.mark.parametrize("item", [PICK, EVENT])
def test_the_schema_refuses_what_is_wrong(item: Pick | Event) -> None:
    message = json.loads(encode_message(item))
    check = validator("pick" if isinstance(item, Pick) else "event")
    for key in message:
        assert not check.is_valid({name: value for name, value in message.items() if name != key}), key
    assert not check.is_valid({**message, "schema": "rtpick/pick/2"})
    assert not check.is_valid({**message, "status": "perhaps"})
    assert check.is_valid({**message, "a_field_of_a_later_version": 1})


def test_the_schemas_name_every_field() -> None:
    for kind, item in (("pick", PICK), ("event", EVENT)):
        assert set(read_schema(kind)["properties"]) == set(json.loads(encode_message(item)))


def test_what_is_not_known_is_null() -> None:
    message = json.loads(encode_message(dataclasses.replace(PICK, snr=float("nan"), amplitude=float("inf"))))
    assert message["snr"] is None
    assert message["amplitude"] is None
    assert message["time"] == "2010-05-27T16:24:31.800000001Z"


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    opened = Publisher("tcp://127.0.0.1:*")
    yield opened
    opened.close()


@pytest.fixture
def context() -> Iterator[zmq.Context[zmq.Socket[bytes]]]:
    opened = zmq.Context()
    yield opened
    opened.destroy(linger=0)


def subscribe(context: zmq.Context[zmq.Socket[bytes]], publisher: Publisher, topic: str) -> zmq.Socket[bytes]:
    socket = context.socket(zmq.SUB)
    socket.setsockopt(zmq.RCVTIMEO, 5000)
    socket.setsockopt_string(zmq.SUBSCRIBE, topic)
    socket.connect(publisher.address)
    wait_until_heard(socket, publisher, topic)
    return socket


def wait_until_heard(socket: zmq.Socket[bytes], publisher: Publisher, topic: str) -> None:
    """A subscription takes effect some time after the connection: knock until one knock comes through."""
    for _ in range(500):
        publisher.publish(EVENT if topic.startswith("event") else PICK)
        if socket.poll(10):
            break
    while socket.poll(50):
        socket.recv_multipart()


def test_a_subscriber_hears_what_it_asked_for(
    publisher: Publisher, context: zmq.Context[zmq.Socket[bytes]]
) -> None:
    socket = subscribe(context, publisher, "pick.BW.UH1")
    other = dataclasses.replace(PICK, channel=ChannelId("BW", "UH2", "", "SHZ"))
    for item in (other, EVENT, dataclasses.replace(PICK, revision=5)):
        assert publisher.publish(item)
    topic, message = socket.recv_multipart()
    assert topic == b"pick.BW.UH1"
    assert json.loads(message)["revision"] == 5


def test_events_are_told_by_status(publisher: Publisher, context: zmq.Context[zmq.Socket[bytes]]) -> None:
    socket = subscribe(context, publisher, "event.")
    publisher.publish(dataclasses.replace(EVENT, status=EventStatus.RETRACT))
    assert socket.recv_multipart()[0] == b"event.retract"


def test_nobody_and_a_stalled_subscriber_never_hold_it_up(
    publisher: Publisher, context: zmq.Context[zmq.Socket[bytes]]
) -> None:
    stalled = context.socket(zmq.SUB)
    stalled.setsockopt(zmq.RCVHWM, 1)
    stalled.setsockopt(zmq.SUBSCRIBE, b"")
    stalled.connect(publisher.address)
    began = time.monotonic()
    for _ in range(4 * HIGH_WATER_MARK):
        assert publisher.publish(PICK)
    assert time.monotonic() - began < 60


def test_an_address_in_use_is_told(publisher: Publisher) -> None:
    with pytest.raises(SourceError, match=r"zeromq_bind: cannot bind tcp://127\.0\.0\.1.*in use"):
        Publisher(publisher.address)


def test_a_wrong_address_is_told() -> None:
    with pytest.raises(SourceError, match=r"zeromq_bind: cannot bind nonsense.*name a free address"):
        Publisher("nonsense")


def test_topics() -> None:
    assert topic_of(PICK) == "pick.BW.UH1"
    assert topic_of(EVENT) == "event.new"
