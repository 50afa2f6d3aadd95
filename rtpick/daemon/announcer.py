"""Tell the world what has been committed: ZeroMQ, QuakeML and CSV, at least once, same identities."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from structlog.stdlib import BoundLogger

from rtpick.archive.catalog import Catalog
from rtpick.publish.csv_tables import CsvTables
from rtpick.publish.quakeml import QuakeMLDirectory
from rtpick.publish.zeromq import Publisher
from rtpick.settings.schema import PublishSettings
from rtpick.telemetry.metrics import Metrics
from rtpick.vocabulary.event import Event
from rtpick.vocabulary.pick import Pick

BATCH_ITEMS = 500


class Announcer:
    """Empty the catalogue's outbox where the configuration says; what could not be told stays in it.

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
        self._sent: set[tuple[str, int, str]] = set()
        self.trouble: str | None = None

    def announce(self, catalog: Catalog, beat: Callable[[], None]) -> None:
        """Tell what has been committed and not been told, then note that it was; `beat` after each batch."""
        try:
            while news := catalog.unpublished(BATCH_ITEMS):
                self._send(news)
                self._write(catalog, news)
                catalog.mark_published(news)
                self._sent.clear()
                beat()
                if len(news) < BATCH_ITEMS:
                    break
        except OSError as error:
            self._suffer(error)
        else:
            self._recover()

    def close(self) -> None:
        """Let the socket deliver what it holds, and close."""
        if self._publisher is not None:
            self._publisher.close()

    def _send(self, news: Sequence[Pick | Event]) -> None:
        """Send what was not sent in an attempt that failed later."""
        for item in news:
            name = item.pick_id if isinstance(item, Pick) else item.event_id
            key = name, item.revision, item.status.value
            if self._publisher is not None and key not in self._sent:
                self._publisher.publish(item)
                self._sent.add(key)

    def _write(self, catalog: Catalog, news: Sequence[Pick | Event]) -> None:
        if self._tables is not None:
            self._tables.append(news)
        if self._quakeml is None:
            return
        for event in news:
            if isinstance(event, Event):
                self._quakeml.write(event, catalog.picks_of(event))

    def _suffer(self, error: OSError) -> None:
        self._metrics.record_publish_failure()
        if self.trouble is None:
            self._log.error("could not publish; it stays in the outbox", error=str(error))
        self.trouble = str(error)

    def _recover(self) -> None:
        if self.trouble is not None:
            self._log.info("publishing goes on")
        self.trouble = None
