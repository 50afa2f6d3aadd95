"""The sinks: who is told what has been committed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from rtpick.archive.catalog import Catalog
from rtpick.archive.fiber_rows import FiberBatch
from rtpick.archive.reads import Told
from rtpick.publish.csv_fiber_tables import FiberTables
from rtpick.publish.csv_tables import CsvTables
from rtpick.publish.quakeml import QuakeMLDirectory
from rtpick.publish.zeromq import Publisher
from rtpick.settings.schema import PublishSettings
from rtpick.vocabulary.event import Event
from rtpick.vocabulary.fiber_event import FiberEvent
from rtpick.vocabulary.pick import Pick

News = Sequence[Told]


class Sink(Protocol):
    """Somebody who is told; telling the same again is harmless.

    Attributes
    ----------
    name : str
        The label of its metrics, and of its place in the outbox.
    """

    name: str

    def tell(self, news: News, catalog: Catalog) -> None:
        """Tell revisions in order; OSError where that is not possible now."""

    def close(self) -> None:
        """Let go of what is open."""


def open_sinks(settings: PublishSettings) -> tuple[Sink, ...]:
    """Open every sink that is set.

    Raises
    ------
    OSError
        If a socket cannot be bound or a folder cannot be made.
    """
    sinks: list[Sink] = []
    if settings.zeromq_bind:
        sinks.append(ZeroMQSink(settings.zeromq_bind))
    if settings.quakeml_directory:
        sinks.append(QuakeMLSink(QuakeMLDirectory(settings.quakeml_directory)))
    if settings.csv_directory:
        sinks.append(CsvSink(settings.csv_directory))
    return tuple(sinks) or (Nobody(),)


class ZeroMQSink:
    """Messages to subscribers, at least once: what was under way at a kill is sent again."""

    name = "zeromq"

    def __init__(self, address: str) -> None:
        self._publisher = Publisher(address)

    def tell(self, news: News, catalog: Catalog) -> None:
        """Send each revision."""
        for item in news:
            self._publisher.publish(item.picks if isinstance(item, FiberBatch) else item)

    def close(self) -> None:
        """Let the socket deliver what it holds, and close."""
        self._publisher.close()


class QuakeMLSink:
    """One document a revision of an event, exactly once: writing it again gives the same bytes."""

    name = "quakeml"

    def __init__(self, directory: QuakeMLDirectory) -> None:
        self._directory = directory

    def tell(self, news: News, catalog: Catalog) -> None:
        """Write the documents of the events among the news."""
        for item in news:
            if isinstance(item, Event):
                self._directory.write(item, catalog.picks_of(item))

    def close(self) -> None:
        """Nothing is open."""


class CsvSink:
    """Rows of tables, exactly once: a row that is there is not written again."""

    name = "csv"

    def __init__(self, directory: Path) -> None:
        self._tables = CsvTables(directory)
        self._fiber_tables = FiberTables(directory)

    def tell(self, news: News, catalog: Catalog) -> None:
        """Append final picks and revisions of events; those of fibers into tables of their own."""
        self._tables.append([item for item in news if isinstance(item, Pick | Event)])
        batches = [(item.batch_id, item.picks) for item in news if isinstance(item, FiberBatch)]
        self._fiber_tables.append(batches, [item for item in news if isinstance(item, FiberEvent)])

    def close(self) -> None:
        """Nothing is open."""


class Nobody:
    """Stands in where no sink is set, so that the outbox is emptied all the same."""

    name = "nobody"

    def tell(self, news: News, catalog: Catalog) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""
