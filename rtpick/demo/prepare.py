"""Lay out what the demonstration needs: the recording, coordinates, a configuration, free ports."""

from __future__ import annotations

import shutil
import socket
from dataclasses import dataclass
from pathlib import Path

from rtpick.demo.recording import write_coordinates, write_recording
from rtpick.vocabulary.errors import SettingsError

MARKER = ".rtpick-demo"
CONFIGURATION = """\
# The configuration of the demonstration; see config/rtpick.yaml for every key.
sources:
  - type: seedlink
    name: demo
    host: 127.0.0.1
    port: {server_port}
    streams: ["BW.*.*.*"]
    start: all
    on_end: stop
inventory:
  files: [stations.csv]
picking:
  p_threshold: 0.2
  s_threshold: 0.2
association:
  velocity_model: iasp91
archive:
  database: sqlite:///rtpick.sqlite
  clips_directory: clips
publish:
  zeromq_bind: tcp://127.0.0.1:{zeromq_port}
health:
  port: {health_port}
logging:
  level: info
"""


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the demonstration plays.

    `recording` is the folder that the server serves; `configuration` the daemon's file.
    """

    out: Path
    recording: Path
    configuration: Path
    server_port: int
    zeromq_port: int
    health_port: int


def prepare_stage(out: Path) -> Stage:
    """Write recording, coordinates and configuration into `out`, on ports that are free now."""
    recording = out / "recording"
    refuse_foreign_folder(out)
    for stale in (recording, out / "clips"):
        shutil.rmtree(stale, ignore_errors=True)
    for stale in out.glob("rtpick.sqlite*"):
        stale.unlink()
    recording.mkdir(parents=True)
    (out / MARKER).touch()
    write_recording(recording)
    write_coordinates(out / "stations.csv")
    ports = free_ports(3)
    configuration = out / "rtpick.yaml"
    stage = Stage(out, recording, configuration, *ports)
    configuration.write_text(
        CONFIGURATION.format(
            server_port=stage.server_port, zeromq_port=stage.zeromq_port, health_port=stage.health_port
        )
    )
    return stage


def refuse_foreign_folder(out: Path) -> None:
    """Begin only where there is nothing, or an earlier demonstration, to be overwritten.

    Raises
    ------
    SettingsError
        If the folder holds anything else.
    """
    if out.is_dir() and any(out.iterdir()) and not (out / MARKER).exists():
        raise SettingsError(f"{out} is not empty and not of an earlier demonstration: name another folder")


def free_ports(count: int) -> list[int]:
    """Ports on loopback that nobody listens on, all different."""
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()
