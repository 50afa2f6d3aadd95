"""Fixtures that every test may ask for."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared() -> Path:
    """The reference data beside the checkout; a test that needs it skips where it is absent."""
    folder = REPOSITORY.parent / "shared"
    if not (folder / "data" / "README.md").is_file():
        pytest.skip("reference data (../shared) is not beside this checkout")
    return folder


@pytest.fixture
def free_port() -> int:
    """A TCP port on loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Where everything that tests need was installed (RTPICK_NO_SKIPS), a skip is a failure."""
    report = yield
    excused = "gpu" in item.keywords or "hardware" in item.keywords
    forbidden = os.environ.get("RTPICK_NO_SKIPS") and not excused
    if forbidden and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
    return report
