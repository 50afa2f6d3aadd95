"""Stations over ZeroMQ: the same picks as from a SeedLink server."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator

import pytest
import zmq

from rtpick.demo.prepare import free_ports
from rtpick.ingest.archive_replay import index_archive
from rtpick.ingest.seedlink_server_replay import replay_records

pytestmark = pytest.mark.slow

SOURCE = """\
  - type: zeromq-stations
    name: {name}
    address: {address}
"""


@pytest.fixture
def publisher() -> Iterator[tuple[zmq.Socket[bytes], str]]:
    context = zmq.Context()
    socket = context.socket(zmq.XPUB)
    socket.setsockopt(zmq.SNDHWM, 0)
    address = f"tcp://127.0.0.1:{free_ports(1)[0]}"
    socket.bind(address)
    yield socket, address
    context.destroy(linger=0)


def test_stations_over_zeromq_are_picked_as_those_of_a_server(
    make_rig, undisturbed, publisher: tuple[zmq.Socket[bytes], str]
) -> None:
    socket, address = publisher
    rig = make_rig()
    text = rig.stage.configuration.read_text()
    begin, end = text.index("sources:\n") + len("sources:\n"), text.index("inventory:")
    source = SOURCE.format(name="field", address=address)
    rig.stage.configuration.write_text(text[:begin] + source + text[end:])
    daemon = rig.start_daemon()
    assert socket.recv().startswith(b"\x01")
    for number, record in enumerate(replay_records(index_archive([rig.stage.recording]), 0, None)):
        extra = json.dumps({"seq": number}).encode()
        socket.send_multipart([str(record.channel).encode(), record.payload, extra])
    expected = {pick.pick_id for pick in undisturbed.final_picks()}
    # The last windows are not complete, and their picks not final: nobody said that the stream ends.
    rig.wait_for(lambda: len(found(rig)) >= len(expected) // 2)
    assert rig.metric("rtpick_packets_total", source="field") > 0
    rig.wait_for(lambda: rig.fetch("/readyz")[0] == 200)
    daemon.send_signal(signal.SIGTERM)
    rig.expect_end(daemon)
    assert found(rig) <= expected


def found(rig) -> set[str]:
    """Names of the final picks on disk."""
    time.sleep(0.2)
    return {pick.pick_id for pick in rig.final_picks()} if rig.database.exists() else set()
