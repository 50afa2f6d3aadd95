"""What the world is told across deaths: each row of the tables once, every event, no revision backwards."""

from __future__ import annotations

import csv
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from rtpick.archive.catalog import Catalog
from rtpick.publish.messages import read_schema
from rtpick.publish.subscriber import Subscriber

pytestmark = pytest.mark.timeout(900)  # many waits, each with patience


class Listener:
    """A subscriber that stays while daemons come and go."""

    def __init__(self, address: str) -> None:
        self.heard: list[dict] = []
        self._address = address
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def _listen(self) -> None:
        subscriber = Subscriber(self._address, "pick.", "event.")
        while not self._done.is_set():
            self.heard += subscriber.messages(0.1)
        self.heard += subscriber.messages(0.5)
        subscriber.close()

    def close(self) -> None:
        self._done.set()
        self._thread.join(10)


@pytest.fixture
def listen() -> Iterator:
    listeners: list[Listener] = []

    def start(rig) -> Listener:
        listeners.append(Listener(f"tcp://127.0.0.1:{rig.stage.zeromq_port}"))
        return listeners[-1]

    yield start
    for listener in listeners:
        listener.close()


def rows(folder: Path, kind: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    for path in sorted(folder.glob(f"{kind}-*.csv")):
        with path.open(newline="") as lines:
            found += csv.DictReader(lines)
    return found


def killed_again_and_again(rig, draw: random.Random) -> None:
    """Three deaths, each after so many packets of a new life, whatever the machine's speed."""
    for latest in (150, 20, 200):
        daemon = rig.start_streaming_daemon()
        count = draw.randint(1, latest)
        rig.wait_for(lambda daemon=daemon, count=count: has_heard(rig, daemon, count))
        time.sleep(draw.uniform(0, 0.5))
        daemon.send_signal(signal.SIGKILL)
        daemon.wait(10)


def has_heard(rig, daemon, count: int) -> bool:
    """Whether so many packets have come, or the daemon has ended before."""
    try:
        return rig.metric("rtpick_packets_total") >= count
    except OSError:
        return daemon.poll() is not None


def all_revisions(rig) -> list:
    with Catalog.open(f"sqlite:///{rig.database}") as catalog:
        return [revision for event in catalog.events() for revision in catalog.revisions(event.event_id)]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [5, 6, 7, 8, 9])
def test_tables_and_subscribers_across_deaths(make_rig, undisturbed, listen, seed):
    rig = make_rig()
    rig.configure(("publish:\n", "publish:\n  csv_directory: tables\n  quakeml_directory: quakeml\n"))
    listener = listen(rig)
    rig.serve(15, "--end", "--wait")
    killed_again_and_again(rig, random.Random(seed))
    rig.run_to_the_end()
    listener.close()
    rig.assert_same_outcome(undisturbed)
    assert {event.event_id for event in rig.standing_events()} == {
        event.event_id for event in undisturbed.standing_events()
    }
    assert_each_row_once(rig)
    assert_everything_was_heard(rig, listener)


def assert_each_row_once(rig) -> None:
    """A row for each final pick and for each revision of each event, whatever was told again."""
    tables = rig.stage.out / "tables"
    picks = Counter(row["pick_id"] for row in rows(tables, "picks"))
    assert picks == Counter(pick.pick_id for pick in rig.final_picks())
    events = Counter((row["event_id"], int(row["revision"])) for row in rows(tables, "events"))
    assert events == Counter((event.event_id, event.revision) for event in all_revisions(rig))
    assert len(list((rig.stage.out / "quakeml").rglob("*.xml"))) == len(events)
    with Catalog.open(f"sqlite:///{rig.database}") as catalog:
        assert catalog.unpublished() == []


def assert_everything_was_heard(rig, listener) -> None:
    """Every event, as the schemas say, its revisions forward: what is told again was heard before."""
    validators = {kind: Draft202012Validator(read_schema(kind)) for kind in ("pick", "event")}
    for message in listener.heard:
        validators[message["schema"].split("/")[1]].validate(message)
    assert {message["schema"] for message in listener.heard} == {"rtpick/pick/1", "rtpick/event/1"}
    told: dict[str, list[int]] = {}
    for message in listener.heard:
        if "event_id" in message:
            known = told.setdefault(message["event_id"], [])
            if message["revision"] not in known:
                known.append(message["revision"])
    assert {event.event_id for event in rig.standing_events()} <= set(told)
    for event_id, revisions in told.items():
        assert revisions == sorted(revisions), event_id
