"""What is too old to be kept leaves the database, a few rows between two commits."""

from __future__ import annotations

from structlog.stdlib import BoundLogger

from rtpick.archive.catalog import Catalog
from rtpick.archive.prune import Mark
from rtpick.runtime.clock import monotonic_s, wall_ns
from rtpick.telemetry.metrics import Metrics
from rtpick.vocabulary.errors import ArchiveError
from rtpick.vocabulary.time import to_ns

DAY_S = 86_400.0
SWEEP_INTERVAL_S = DAY_S / 4
RETRY_S = 60.0


class Retention:
    """Sweep the database now and then.

    Parameters
    ----------
    days : float or None
        How much event time is kept, counted back from the newest settled samples (never from later
        than now); None keeps everything.
    """

    def __init__(self, days: float | None, metrics: Metrics, log: BoundLogger) -> None:
        self._days = days
        self._metrics = metrics
        self._log = log
        self._next_s = monotonic_s()
        self._before_ns = 0
        self._mark: Mark | None = None
        self._rows = 0

    def step(self, catalog: Catalog) -> None:
        """Remove a few rows, if it is time."""
        if self._days is None or monotonic_s() < self._next_s:
            return
        try:
            self._sweep(catalog, self._days)
        except ArchiveError as error:
            self._next_s = monotonic_s() + RETRY_S
            self._log.warning("could not remove old rows; tried again", error=str(error))

    def _sweep(self, catalog: Catalog, days: float) -> None:
        if self._mark is None:
            newest_ns = catalog.newest_settled_ns()
            self._before_ns = min(newest_ns or 0, wall_ns()) - to_ns(days * DAY_S)
            self._mark = Mark()
        done = catalog.prune(self._before_ns, self._mark)
        self._mark = done.mark
        self._rows += done.rows
        self._metrics.record_pruned(done.table, done.rows)
        if done.mark is None:
            self._log.info("old rows removed", rows=self._rows)
            self._rows = 0
            self._next_s = monotonic_s() + SWEEP_INTERVAL_S
