"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from rtpick import __version__

PACKAGES = ("torch", "openvino", "numpy", "pymseed", "obspy", "seisbench", "rapid-seis")
_CPUINFO = Path("/proc/cpuinfo")


@dataclass(frozen=True, slots=True)
class Machine:
    """Processor, software and how busy the machine was already."""

    processor: str
    cores: int
    system: str
    python: str
    versions: dict[str, str]
    load_before: float


def describe_machine() -> Machine:
    """Look at the machine."""
    installed = {name: _version(name) for name in PACKAGES}
    return Machine(
        processor=_processor(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        system=platform.platform(),
        python=platform.python_version(),
        versions={"rtpick": __version__} | {name: found for name, found in installed.items() if found},
        load_before=os.getloadavg()[0],
    )


def _processor() -> str:
    lines = _CPUINFO.read_text().splitlines() if _CPUINFO.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
