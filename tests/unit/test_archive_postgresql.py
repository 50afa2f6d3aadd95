"""The catalogue on a real PostgreSQL server of the test's own, on a socket in a temporary folder."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from rtpick.archive.catalog import Catalog
from rtpick.archive.prune import Mark
from rtpick.archive.tables import metadata
from rtpick.vocabulary.codes import ChannelId, StationId
from rtpick.vocabulary.errors import ArchiveError, StorageFullError
from rtpick.vocabulary.event import Arrival, Event, EventStatus, Magnitude, Origin
from rtpick.vocabulary.pick import Pick, PickStatus
from rtpick.vocabulary.waveform import ChannelLock, Gap, GapCause, Progress

T0_NS = 1_274_977_471_800_000_001
NAN = float("nan")
UH1 = ChannelId("BW", "UH1", "", "SHZ")


def binary(name: str) -> Path | None:
    """The newest server binary, which Debian keeps out of the PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return found[-1] if found else (Path(path) if (path := shutil.which(name)) else None)


def as_server_user(*command: object, check: bool = True) -> None:
    # The server refuses to run as root; Debian's package brings a user for it.
    prefix = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    words = [*prefix, *map(str, command)]
    subprocess.run(words, check=check, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")


class Server:
    """A PostgreSQL server that can be stopped the hard way."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.url = f"postgresql:///postgres?host={folder}&user=postgres"

    def control(self, *command: str, check: bool = True) -> None:
        as_server_user(binary("pg_ctl"), "-D", self.data, "-w", "-t", "60", *command, check=check)

    def start(self) -> None:
        options = f"-c listen_addresses='' -c unix_socket_directories={self.folder} -c fsync=off"
        self.control("start", "-l", str(self.folder / "log"), "-o", options)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    if binary("initdb") is None or binary("pg_ctl") is None:
        pytest.skip("no PostgreSQL server here (Debian: apt-get install postgresql)")
    folder = Path(tempfile.mkdtemp(prefix="rtpick-pg-"))
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
    running = Server(folder)
    as_server_user(binary("initdb"), "-D", running.data, "-U", "postgres", "-A", "trust", "-E", "UTF8")
    running.start()
    yield running
    running.control("stop", "-m", "immediate", check=False)
    shutil.rmtree(folder)


@pytest.fixture
def catalog(server: Server) -> Iterator[Catalog]:
    with Catalog.open(server.url) as opened:
        yield opened
        with opened._writer.begin() as connection:
            for table in reversed(metadata.sorted_tables):
                connection.execute(table.delete())


def make_pick(number: int = 0, revision: int = 0, status: PickStatus = PickStatus.FINAL) -> Pick:
    return Pick(f"p{number}", UH1, "P", T0_NS + number, 0.1 + 0.2, NAN, NAN, 8.0, 1.0, "m", status, revision)


def make_event(revision: int = 0) -> Event:
    origin = Origin(T0_NS, 48.05, 11.64, 4.8, 0.1, NAN, 1.0, True, 0.08, 120.0, 0.02, (1.0, NAN, 1e-300))
    arrivals = tuple(Arrival(f"p{n}", "BW.UH1", "P", T0_NS, 0.01, NAN, 12.0) for n in range(3))
    return Event("e1", revision, EventStatus.NEW, origin, arrivals, Magnitude(2.1, "ML", NAN, 4))


def make_progress(sequence: int) -> Progress:
    lock = ChannelLock(UH1, 50.0, -1_234_567)
    return Progress("bavaria", StationId("BW", "UH1"), sequence, T0_NS, T0_NS - 1, (lock,))


def test_everything_comes_back(catalog: Catalog) -> None:
    gap = Gap(UH1, T0_NS, T0_NS + 5, GapCause.MISSING)
    catalog.commit([make_pick(), make_event(), gap, make_progress(2**64 - 1)])
    assert repr(catalog.picks()) == repr([make_pick()])
    assert repr(catalog.events()) == repr([make_event()])
    assert repr(catalog.unpublished()) == repr([make_pick(), make_event()])
    assert catalog.gaps() == [gap]
    assert catalog.progress() == [make_progress(2**64 - 1)]


def test_repeats_and_older_revisions_change_nothing(catalog: Catalog) -> None:
    catalog.commit([make_pick(revision=1), make_event(0), make_event(1)])
    catalog.mark_published(catalog.unpublished())
    undecided = make_pick(revision=2, status=PickStatus.PRELIMINARY)
    catalog.commit([undecided, make_pick(revision=0), make_event(0)])
    assert [pick.revision for pick in catalog.picks()] == [1]
    assert [event.revision for event in catalog.events()] == [1]
    assert catalog.unpublished() == []


def test_many_picks(catalog: Catalog) -> None:
    many = [make_pick(number) for number in range(2000)]
    catalog.commit(many)
    catalog.commit(many)
    assert len(catalog.unpublished()) == len(catalog.picks()) == 2000


def test_migrations_and_tables_agree(catalog: Catalog) -> None:
    with catalog._reader.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_a_server_that_dies_is_said_and_overcome(server: Server, catalog: Catalog) -> None:
    catalog.commit([make_pick(0)])
    server.control("stop", "-m", "immediate")
    with pytest.raises(ArchiveError, match="check that the server runs"):
        catalog.commit([make_pick(1)])
    server.start()
    catalog.commit([make_pick(1)])
    assert [pick.pick_id for pick in catalog.picks()] == ["p0", "p1"]


def test_a_connection_cut_inside_a_commit_leaves_nothing(catalog: Catalog) -> None:
    with pytest.raises(ArchiveError, match="check that the server runs"):
        catalog.commit(CutsConnection([make_pick(), make_progress(1)], catalog))
    assert catalog.picks() == []
    catalog.commit([make_pick(), make_progress(1)])
    assert catalog.progress() == [make_progress(1)]


def test_old_rows_go_and_what_is_needed_stays(catalog: Catalog) -> None:
    last = dataclasses.replace(make_event(1), status=EventStatus.FINAL)
    catalog.commit([*(make_pick(number) for number in range(5)), make_event(0), last])
    catalog.commit([Gap(UH1, T0_NS, T0_NS + 5, GapCause.MISSING), make_progress(3)])
    catalog.mark_published(catalog.unpublished())
    mark: Mark | None = Mark()
    while mark is not None:
        mark = catalog.prune(T0_NS + 10, mark).mark
    assert [pick.pick_id for pick in catalog.picks()] == ["p0", "p1", "p2"]
    assert repr(catalog.revisions("e1")) == repr([last])
    assert catalog.gaps() == []
    assert catalog.progress() == [make_progress(3)]


def test_one_writer_at_a_time_even_after_the_server_died(server: Server, catalog: Catalog) -> None:
    with Catalog.open(server.url, claim=True) as first:
        with pytest.raises(ArchiveError, match=r"another rtpick \(session \d+ from this machine\) writes"):
            Catalog.open(server.url, claim=True)
        server.control("restart", "-m", "immediate")
        first.commit([make_pick(0)])
        with pytest.raises(ArchiveError, match="another rtpick"):
            Catalog.open(server.url, claim=True)
        server.control("restart", "-m", "immediate")
        with Catalog.open(server.url, claim=True):
            for _ in range(2):
                with pytest.raises(ArchiveError, match="another rtpick"):
                    first.commit([make_pick(1)])
        first.commit([make_pick(1)])
    Catalog.open(server.url, claim=True).close()


class CutsConnection(list):  # type: ignore[type-arg]
    """Items during whose last reading every connection to the server is ended from outside."""

    def __init__(self, items: list[object], catalog: Catalog) -> None:
        super().__init__(items)
        self.catalog, self.readings = catalog, 0

    def __iter__(self) -> Iterator[object]:
        self.readings += 1
        if self.readings == 4:
            with self.catalog._reader.connect() as connection:
                connection.exec_driver_sql(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE application_name = 'rtpick' AND pid <> pg_backend_pid()"
                )
        return super().__iter__()


def test_a_full_device_is_said_and_overcome(server: Server) -> None:
    folder = server.folder / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small file system needs rights that this user has not")
    try:
        fill_and_recover(server, folder)
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def fill_and_recover(server: Server, folder: Path) -> None:
    shutil.chown(folder, "postgres", "postgres")
    many = [make_pick(number) for number in range(8000)]
    with Catalog.open(server.url) as catalog, catalog._reader.connect() as connection:
        raw = connection.execution_options(isolation_level="AUTOCOMMIT")
        raw.exec_driver_sql(f"CREATE TABLESPACE small LOCATION '{folder}'")
        raw.exec_driver_sql("ALTER TABLE pick SET TABLESPACE small")
        with pytest.raises(StorageFullError, match="free some space"):
            catalog.commit(many)
        subprocess.run(["mount", "-o", "remount,size=64m", str(folder)], check=True)
        catalog.commit(many)
        assert len(catalog.picks()) == len(many)
        raw.exec_driver_sql("DELETE FROM outbox")
        raw.exec_driver_sql("TRUNCATE pick")
        raw.exec_driver_sql("ALTER TABLE pick SET TABLESPACE pg_default")
        raw.exec_driver_sql("DROP TABLESPACE small")


def test_a_server_that_is_not_there(free_port: int) -> None:
    with pytest.raises(ArchiveError, match="check that the server runs") as caught:
        Catalog.open(f"postgresql://rtpick:hunter2@127.0.0.1:{free_port}/picks")
    assert "hunter2" not in str(caught.value)
