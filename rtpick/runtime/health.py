"""/metrics, /healthz and /readyz over HTTP, on localhost unless told otherwise."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from rtpick.runtime.worker import Worker

REQUEST_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at, whether it is well, and what it showed."""

    name: str
    well: bool
    detail: str


Examine = Callable[[], list[Finding]]


class HealthServer:
    """Answer the three questions of a monitoring system.

    Parameters
    ----------
    examine_alive, examine_ready : callable
        Give the findings; the answer is 200 when all are well, else 503, with the findings as JSON.
    on_scrape : callable
        Called before the metrics are written: refresh gauges here.

    Raises
    ------
    OSError
        If the address cannot be bound.
    """

    def __init__(
        self,
        host: str,
        port: int,
        registry: CollectorRegistry,
        examine_alive: Examine,
        examine_ready: Examine,
        on_scrape: Callable[[], None],
    ) -> None:
        routes = {
            "/healthz": lambda: _verdict(examine_alive()),
            "/readyz": lambda: _verdict(examine_ready()),
            "/metrics": lambda: _metrics(registry, on_scrape),
        }
        self._server = ThreadingHTTPServer((host, port), _handler(routes))
        self._server.daemon_threads = True
        self._server.timeout = 0.5
        self.port: int = self._server.server_address[1]

    def serve(self, worker: Worker) -> None:
        """Body of the health worker."""
        while not worker.stopping:
            self._server.handle_request()
            worker.beat()
        self._server.server_close()


Answer = tuple[int, str, bytes]


def _verdict(findings: list[Finding]) -> Answer:
    well = all(finding.well for finding in findings)
    body = {
        "status": "ok" if well else "failing",
        "findings": [{"name": f.name, "ok": f.well, "detail": f.detail} for f in findings],
    }
    return (200 if well else 503), "application/json", json.dumps(body, indent=1).encode()


def _metrics(registry: CollectorRegistry, on_scrape: Callable[[], None]) -> Answer:
    on_scrape()
    return 200, CONTENT_TYPE_LATEST, generate_latest(registry)


def _handler(routes: dict[str, Callable[[], Answer]]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = REQUEST_TIMEOUT_S

        def do_GET(self) -> None:
            route = routes.get(self.path.partition("?")[0])
            self._answer(route() if route else (404, "text/plain", b"try /metrics, /healthz, /readyz\n"))

        def _answer(self, answer: Answer) -> None:
            status, content_type, body = answer
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            """Scrapes are not worth a line."""

    return Handler
