"""Pages and files that are derived from the code, or that the code is derived from, agree with it."""

from __future__ import annotations

import ast
import configparser
from pathlib import Path

from rtpick.telemetry.catalogue import CATALOGUE, manual_page

ROOT = Path(__file__).parents[2]


def test_the_metrics_page_is_up_to_date() -> None:
    page = (ROOT / "deploy" / "metrics.md").read_text()
    assert page == manual_page(), "write it anew: python -m rtpick.telemetry.catalogue > deploy/metrics.md"


def test_every_metric_tells_what_it_is() -> None:
    assert len({family.name for family in CATALOGUE}) == len(CATALOGUE)
    assert all(len(family.help) > 10 and not family.help.endswith(".") for family in CATALOGUE)


def test_metrics_are_made_in_telemetry_alone() -> None:
    makers = {"Counter", "Gauge", "Histogram", "Summary", "Info"}
    found = []
    for path in sorted((ROOT / "rtpick").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module == "prometheus_client":
                made = makers & {alias.name for alias in node.names}
                found += [str(path)] if made and path.parent.name != "telemetry" else []
    assert found == []


def test_the_unit_runs_what_the_package_offers() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(ROOT / "systemd" / "rtpick.service")
    service = unit["Service"]
    assert service["Type"] == "notify"
    assert service["ExecStart"] == "/opt/rtpick/.venv/bin/rtpick run /etc/rtpick/rtpick.yaml"
    assert service["ExecReload"] == "/bin/kill -HUP $MAINPID"
    assert service["Restart"] == "on-failure"
    assert float(service["WatchdogSec"]) > 0
    assert service["StateDirectory"] == "rtpick"
