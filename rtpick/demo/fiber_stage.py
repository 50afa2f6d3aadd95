"""Lay out what the cable's demonstration needs: the recording, a configuration, free ports."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from rtpick.demo.fiber_recording import write_fiber_recording
from rtpick.demo.prepare import MARKER, free_ports, refuse_foreign_folder

QUIET_S = 60.0
CONFIGURATION = """\
# The configuration of the cable's demonstration; see config/rtpick.yaml for every key.
sources:
  - type: zeromq-das
    name: interrogator
    address: tcp://127.0.0.1:{publisher_port}
    format: asn
    fiber: porotomo
    quantity: strain_rate
inventory:
  files: []
archive:
  database: sqlite:///rtpick.sqlite
publish:
  zeromq_bind: tcp://127.0.0.1:{zeromq_port}
  csv_directory: tables
health:
  port: {health_port}
"""


@dataclass(frozen=True, slots=True)
class FiberStage:
    """Where the demonstration plays; `recording` is the file that is published."""

    out: Path
    recording: Path
    configuration: Path
    publisher_port: int
    zeromq_port: int
    health_port: int


def prepare_fiber_stage(out: Path) -> FiberStage:
    """Write recording and configuration into `out`, on ports that are free now.

    Raises
    ------
    SettingsError
        If the recording's package is not installed, or the folder is somebody else's.
    """
    refuse_foreign_folder(out)
    shutil.rmtree(out / "tables", ignore_errors=True)
    for stale in out.glob("rtpick.sqlite*"):
        stale.unlink()
    out.mkdir(parents=True, exist_ok=True)
    recording = write_fiber_recording(out, QUIET_S)
    (out / MARKER).touch()
    publisher, zeromq, health = free_ports(3)
    configuration = out / "rtpick.yaml"
    configuration.write_text(
        CONFIGURATION.format(publisher_port=publisher, zeromq_port=zeromq, health_port=health)
    )
    return FiberStage(out, recording, configuration, publisher, zeromq, health)
