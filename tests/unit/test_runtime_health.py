"""The health server over real HTTP."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

import pytest
from prometheus_client import CollectorRegistry, Gauge

from rtpick.runtime.health import Finding, HealthServer
from rtpick.runtime.worker import Worker


@pytest.fixture
def server():
    registry = CollectorRegistry()
    scrapes = Gauge("scrapes", "how often", registry=registry)
    findings = {"alive": [Finding("pick", True, "beats")], "ready": [Finding("source a", False, "no route")]}
    health = HealthServer(
        "127.0.0.1", 0, registry, lambda: findings["alive"], lambda: findings["ready"], scrapes.inc
    )
    worker = Worker("health", health.serve)
    worker.start()
    yield f"http://127.0.0.1:{health.port}"
    worker.stop()
    assert worker.join(5.0)
    assert worker.failure is None


def fetch(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refusal:
        return refusal.code, refusal.read().decode()


def test_well_is_200_and_failing_is_503_with_the_reason(server):
    assert fetch(server + "/healthz")[0] == 200
    status, body = fetch(server + "/readyz")
    assert status == 503
    assert json.loads(body)["findings"] == [{"name": "source a", "ok": False, "detail": "no route"}]


def test_metrics_are_refreshed_at_each_scrape(server):
    assert "scrapes 1.0" in fetch(server + "/metrics")[1]
    assert "scrapes 2.0" in fetch(server + "/metrics")[1]


def test_another_path_is_404_and_says_what_there_is(server):
    status, body = fetch(server + "/else")
    assert status == 404
    assert "/metrics" in body
