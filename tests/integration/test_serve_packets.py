"""``rtpick serve --packet-samples``: the same samples in shorter packets."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from seedlink_client import SeedLink

from rtpick.demo.recording import write_recording
from rtpick.ingest.archive_replay import index_archive, iterate_packets
from rtpick.ingest.miniseed import decode_record
from rtpick.vocabulary.waveform import Packet

CHANNEL = "BW.UH1..SHZ"


def samples_of(packets: list[Packet]) -> np.ndarray:
    mine = sorted((p for p in packets if str(p.channel) == CHANNEL), key=lambda packet: packet.start_ns)
    return np.concatenate([packet.samples for packet in mine])


def wait_for_listener(port: int) -> None:
    for _ in range(1200):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return


def test_a_recording_is_cut_into_packets_of_so_many_samples(tmp_path: Path, free_port: int) -> None:
    write_recording(tmp_path)
    command = [sys.executable, "-m", "rtpick", "serve", str(tmp_path), "--port", str(free_port)]
    command += ["--speed", "0", "--end", "--packet-samples", "50"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            wait_for_listener(free_port)
            client = SeedLink("127.0.0.1", free_port, timeout=60)
            client.add_stream("*", seqnum=0)
            with client:
                records = [bytes(item.payload) for item in client.collect(reconnect=False)]
        finally:
            process.kill()
    received = [decode_record(item, source="", sequence=None, received_ns=0) for item in records]
    expected = [item for item in iterate_packets(index_archive([tmp_path])) if isinstance(item, Packet)]
    assert max(len(packet.samples) for packet in received) == 50
    assert np.array_equal(samples_of(received), samples_of(expected))
