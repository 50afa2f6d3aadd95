"""Tell the world what has been committed: ZeroMQ, QuakeML and CSV, at least once, same identities."""

from __future__ import annotations

from collections.abc import Sequence

from structlog.stdlib import BoundLogger

from rtpick.archive.catalog import Catalog
from rtpick.daemon.links import Result
from rtpick.publish.csv_tables import CsvTables
from rtpick.publish.quakeml import QuakeMLDirectory
from rtpick.publish.zeromq import Publisher
from rtpick.settings.schema import PublishSettings
from rtpick.telemetry.metrics import Metrics
from rtpick.vocabulary.event import Event
from rtpick.vocabulary.pick import Pick


class Announcer:
    """Send picks and events where the configuration says; a channel that fails does not stop the rest.

    Raises
    ------
    OSError
        At construction, if a socket cannot be bound or a folder cannot be made.
    """

    def __init__(self, settings: PublishSettings, metrics: Metrics, log: BoundLogger) -> None:
        self._publisher = Publisher(settings.zeromq_bind) if settings.zeromq_bind else None
        self._quakeml = QuakeMLDirectory(settings.quakeml_directory) if settings.quakeml_directory else None
        self._tables = CsvTables(settings.csv_directory) if settings.csv_directory else None
        self._metrics = metrics
        self._log = log

    def announce_backlog(self, catalog: Catalog) -> None:
        """Announce what was committed but not announced before the last end."""
        backlog = catalog.unpublished()
        if backlog:
            self._log.info("announcing what the last run left", count=len(backlog))
            self._send(catalog, backlog)
            catalog.mark_published(backlog)

    def announce(self, catalog: Catalog, results: Sequence[Result]) -> None:
        """Announce the picks and events among committed results."""
        news = [result for result in results if isinstance(result, Pick | Event)]
        if news:
            self._send(catalog, news)
            catalog.mark_published(news)

    def close(self) -> None:
        """Let the socket deliver what it holds, and close."""
        if self._publisher is not None:
            self._publisher.close()

    def _send(self, catalog: Catalog, news: Sequence[Pick | Event]) -> None:
        for item in news:
            if self._publisher is not None:
                self._publisher.publish(item)
        try:
            self._write(catalog, news)
        except OSError as error:
            self._metrics.record_publish_failure()
            self._log.error("could not write the published files", error=str(error))

    def _write(self, catalog: Catalog, news: Sequence[Pick | Event]) -> None:
        if self._tables is not None:
            self._tables.append(news)
        if self._quakeml is None:
            return
        for event in news:
            if isinstance(event, Event):
                self._quakeml.write(event, catalog.picks_of(event))
