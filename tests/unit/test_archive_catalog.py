"""The catalogue on SQLite: exact round trips, repeats without effect, failures with a remedy."""

from __future__ import annotations

import dataclasses
import itertools
import math
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, event, text

from rtpick.archive.catalog import Catalog
from rtpick.archive.schema import newest_revision
from rtpick.archive.tables import metadata
from rtpick.vocabulary.codes import ChannelId, StationId
from rtpick.vocabulary.errors import ArchiveError, StorageFullError
from rtpick.vocabulary.event import Arrival, Event, EventStatus, Magnitude, Origin
from rtpick.vocabulary.pick import Latency, Pick, PickStatus
from rtpick.vocabulary.waveform import ChannelLock, Gap, GapCause, Progress

T0_NS = 1_274_977_471_800_000_001
fresh = itertools.count()
UH1 = ChannelId("BW", "UH1", "", "SHZ")

names = st.text("ABCxyz019_-./é", min_size=1, max_size=20)
times = st.integers(-(2**63), 2**63 - 1)
# SQLite keeps no sign of zero.
floats = st.floats().filter(lambda value: value != 0 or math.copysign(1, value) > 0)
channels = st.builds(ChannelId, names, names, st.sampled_from(["", "00"]), st.sampled_from(["SHZ", "HHN"]))
picks = st.builds(
    Pick, names, channels, st.sampled_from("PS"), times, floats, floats, floats, floats, floats, names,
    st.sampled_from(PickStatus), st.integers(0, 10_000), st.sampled_from(["counts", "m/s"]),
    st.builds(Latency, floats, floats, floats, floats),
)
origins = st.builds(
    Origin, times, *([floats] * 6), st.booleans(), *([floats] * 3),
    st.one_of(st.just(()), st.tuples(*([floats] * 9))),
)
arrivals = st.builds(Arrival, names, names, st.sampled_from("PS"), times, *([floats] * 4))
magnitudes = st.none() | st.builds(Magnitude, floats, names, floats, st.integers(0, 10_000))
events = st.builds(
    Event, names, st.integers(0, 10_000), st.sampled_from(EventStatus), origins,
    st.lists(arrivals, max_size=6).map(tuple), magnitudes, st.none() | names, names,
)


def same(one: object, other: object) -> bool:
    """Equality in which NaN equals NaN."""
    return repr(one) == repr(other)


def make_pick(number: int = 0, **changes: object) -> Pick:
    pick = Pick(f"p{number}", UH1, "P", T0_NS + number, 0.9, 0.05, 12.5, 8.0, 1.0, "default-12345678")
    return dataclasses.replace(pick, **changes)


def make_event(event_id: str = "e1", revision: int = 0, **changes: object) -> Event:
    origin = Origin(T0_NS, 48.05, 11.64, 4.8, 0.1, 0.5, 1.0, False, 0.08, 120.0, 0.02)
    arrival = Arrival("p0", "BW.UH1", "P", T0_NS, 0.01, 0.03, 12.0)
    event = Event(event_id, revision, EventStatus.NEW, origin, (arrival,), Magnitude(2.1, "ML", 0.2, 4))
    return dataclasses.replace(event, **changes)


def make_progress(sequence: int | None = 7) -> Progress:
    lock = ChannelLock(UH1, 50.0, -1_234_567)
    return Progress("bavaria", StationId("BW", "UH1"), sequence, T0_NS, T0_NS - 1, (lock,))


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/data/rtpick.sqlite"


@pytest.fixture
def catalog(url: str) -> Iterator[Catalog]:
    with Catalog.open(url) as opened:
        yield opened


@pytest.fixture(scope="module")
def roomy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    """One catalogue for many examples; each example uses ids of its own."""
    with Catalog.open(f"sqlite:///{tmp_path_factory.mktemp('archive')}/rtpick.sqlite") as opened:
        yield opened


@settings(max_examples=60, deadline=None)
@given(pick=picks)
def test_a_pick_comes_back_bit_by_bit(roomy: Catalog, pick: Pick) -> None:
    pick = dataclasses.replace(pick, pick_id=f"{pick.pick_id}{next(fresh)}")
    roomy.commit([pick])
    found = [item for item in roomy.picks() if item.pick_id == pick.pick_id]
    assert same(found, [pick])


@settings(max_examples=60, deadline=None)
@given(event=events)
def test_an_event_comes_back_bit_by_bit(roomy: Catalog, event: Event) -> None:
    event = dataclasses.replace(event, event_id=f"{event.event_id}{next(fresh)}")
    roomy.commit([event])
    assert same(roomy.revisions(event.event_id), [event])
    assert any(same(item, event) for item in roomy.events())


@pytest.mark.parametrize("sequence", [None, 0, 2**53 + 1, 2**64 - 1])
def test_resume_points_and_gaps_come_back(catalog: Catalog, sequence: int | None) -> None:
    gap = Gap(UH1, T0_NS, T0_NS + 5, GapCause.OVERLOAD)
    catalog.commit([gap, make_progress(sequence)])
    assert catalog.gaps() == [gap]
    assert catalog.gaps(since_ns=T0_NS + 1) == []
    assert catalog.progress() == [make_progress(sequence)]


def test_a_second_catalogue_reads_what_the_first_committed(url: str, catalog: Catalog) -> None:
    catalog.commit([make_pick(), make_event(), make_progress()])
    with Catalog.open(url) as other:
        assert other.picks() == [make_pick()]
        assert other.events() == [make_event()]
        assert other.progress() == [make_progress()]


def test_repeating_a_commit_changes_nothing(catalog: Catalog) -> None:
    items = [make_pick(0), make_pick(1), make_event(), make_progress()]
    catalog.commit(items)
    catalog.mark_published(catalog.unpublished())
    catalog.commit(items)
    assert catalog.unpublished() == []
    assert catalog.picks() == items[:2]
    assert catalog.revisions("e1") == [make_event()]


def preliminary(revision: int) -> Pick:
    return make_pick(revision=revision, status=PickStatus.PRELIMINARY, probability=revision / 10)


@settings(max_examples=40, deadline=None)
@given(order=st.permutations(range(4)), cuts=st.sets(st.integers(1, 3)))
def test_the_most_decided_revision_stays_in_any_order(
    tmp_path_factory: pytest.TempPathFactory, order: list[int], cuts: set[int]
) -> None:
    revisions = [preliminary(0), preliminary(3), make_pick(revision=1), make_pick(revision=2)]
    shuffled = [revisions[index] for index in order]
    bounds = [0, *sorted(cuts), 4]
    with Catalog.open(f"sqlite:///{tmp_path_factory.mktemp('order')}/rtpick.sqlite") as catalog:
        for first, last in itertools.pairwise(bounds):
            catalog.commit(shuffled[first:last])
        assert catalog.picks() == [make_pick(revision=2)]
        assert catalog.unpublished() == [make_pick(revision=2)]


def some_items() -> list[object]:
    """A busy minute: revisions of two picks and of two events, gaps, resume points."""
    return [
        preliminary(0),
        make_progress(1),
        make_pick(1),
        make_event("e1", 0),
        preliminary(1),
        Gap(UH1, T0_NS, T0_NS + 5, GapCause.MISSING),
        make_event("e1", 1, status=EventStatus.UPDATE),
        make_pick(revision=2),
        make_event("e2", 0),
        make_progress(2),
        Gap(UH1, T0_NS, T0_NS + 9, GapCause.MISSING),
        make_event("e2", 1, status=EventStatus.RETRACT),
        make_progress(3),
    ]


def contents(catalog: Catalog) -> list[object]:
    waiting = sorted(catalog.unpublished(), key=repr)
    revisions = [catalog.revisions("e1"), catalog.revisions("e2")]
    return [catalog.picks(), catalog.events(), revisions, catalog.gaps(), catalog.progress(), waiting]


@settings(max_examples=12, deadline=None)
@given(cuts=st.sets(st.integers(1, 12)), repeats=st.lists(st.integers(1, 3), min_size=13, max_size=13))
def test_however_commits_are_cut_and_repeated_the_contents_are_the_same(
    tmp_path_factory: pytest.TempPathFactory, cuts: set[int], repeats: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("cuts")
    with Catalog.open(f"sqlite:///{folder}/whole.sqlite") as whole:
        whole.commit(some_items())
        expected = contents(whole)
    bounds = [0, *sorted(cuts), len(some_items())]
    with Catalog.open(f"sqlite:///{folder}/parts.sqlite") as parts:
        for (first, last), times in zip(itertools.pairwise(bounds), repeats, strict=False):
            for _ in range(times):
                parts.commit(some_items()[first:last])
        assert contents(parts) == expected


def test_an_event_revision_never_changes(catalog: Catalog) -> None:
    catalog.commit([make_event(revision=0), make_event(revision=1, status=EventStatus.UPDATE)])
    catalog.commit([make_event(revision=1, status=EventStatus.RETRACT), make_event(revision=0)])
    assert [item.status for item in catalog.revisions("e1")] == [EventStatus.NEW, EventStatus.UPDATE]
    assert catalog.events() == [make_event(revision=1, status=EventStatus.UPDATE)]


def test_a_late_older_revision_does_not_become_the_latest(catalog: Catalog) -> None:
    catalog.commit([make_event(revision=2)])
    catalog.commit([make_event(revision=1)])
    assert [item.revision for item in catalog.revisions("e1")] == [1, 2]
    assert [item.revision for item in catalog.events()] == [2]


def test_picks_and_events_are_found_by_time_and_status(catalog: Catalog) -> None:
    catalog.commit([make_pick(n) for n in range(4)] + [preliminary(0)])
    catalog.commit([make_event("e1"), make_event("e2", status=EventStatus.FINAL)])
    assert [item.pick_id for item in catalog.picks(T0_NS + 1, T0_NS + 3)] == ["p1", "p2"]
    assert catalog.picks(status=PickStatus.PRELIMINARY) == []
    assert [item.event_id for item in catalog.events(status=EventStatus.FINAL)] == ["e2"]
    assert catalog.events(since_ns=T0_NS + 1) == []


def test_the_outbox_keeps_order_until_told(url: str) -> None:
    with Catalog.open(url) as catalog:
        catalog.commit([make_pick(1), make_pick(0)])
        catalog.commit([make_event(revision=0), make_event(revision=1)])
    with Catalog.open(url) as catalog:
        waiting = catalog.unpublished()
        assert waiting == [make_pick(1), make_pick(0), make_event(revision=0), make_event(revision=1)]
        catalog.mark_published(waiting[:3])
        assert catalog.unpublished() == waiting[3:]
        assert catalog.unpublished(limit=0) == []


def test_a_revision_that_came_while_the_former_was_told_still_waits(catalog: Catalog) -> None:
    catalog.commit([preliminary(0)])
    told = catalog.unpublished()
    catalog.commit([make_pick(revision=1)])
    catalog.mark_published(told)
    assert catalog.unpublished() == [make_pick(revision=1)]


def test_a_commit_that_fails_leaves_nothing(catalog: Catalog) -> None:
    broken = dataclasses.replace(make_progress(), settled_ns=2**63)
    with pytest.raises((ArchiveError, OverflowError)):
        catalog.commit([make_pick(), make_event(), broken])
    assert catalog.picks() == []
    assert catalog.unpublished() == []


def test_many_picks_in_one_commit(catalog: Catalog) -> None:
    many = [make_pick(number) for number in range(3000)]
    catalog.commit(many)
    catalog.commit(many[:1500])
    assert catalog.picks() == many
    catalog.mark_published(many)
    assert catalog.unpublished() == []


def test_the_picks_of_an_event_are_found(catalog: Catalog) -> None:
    catalog.commit([make_pick(0), make_pick(1), make_event()])
    assert catalog.picks_of(make_event()) == [make_pick(0)]


def test_the_catalogue_describes_itself(url: str, catalog: Catalog) -> None:
    catalog.commit([make_pick(0), make_pick(1), make_event()])
    assert catalog.describe() == f"{url}: 2 picks, 1 events, 0 gaps, 0 resume points, 3 not yet published"


def limit_pages(catalog: Catalog, pages: int) -> None:
    """Let SQLite itself refuse to grow, as it does on a full disk."""

    @event.listens_for(catalog._reader, "checkout")
    def limit(connection: sqlite3.Connection, *_: object) -> None:
        connection.execute(f"PRAGMA max_page_count={pages}")


def test_a_full_disk_is_said_and_overcome(catalog: Catalog) -> None:
    many = [make_pick(number) for number in range(3000)]
    limit_pages(catalog, 50)
    with pytest.raises(StorageFullError, match=r"rtpick\.sqlite.*free some space"):
        catalog.commit([*many, make_progress()])
    assert catalog.picks() == []
    assert catalog.progress() == []
    limit_pages(catalog, 1_000_000)
    catalog.commit([*many, make_progress()])
    assert catalog.picks() == many
    assert catalog.progress() == [make_progress()]


def mount_small(folder: Path) -> bool:
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def test_a_really_full_device(tmp_path: Path) -> None:
    if not mount_small(tmp_path):
        pytest.skip("mounting a small file system needs rights that this user has not")
    try:
        many = [make_pick(number) for number in range(6000)]
        with Catalog.open(f"sqlite:///{tmp_path}/rtpick.sqlite") as catalog:
            with pytest.raises(StorageFullError, match="free some space"):
                commit_in_parts(catalog, many)
            before = catalog.picks()
            subprocess.run(["mount", "-o", "remount,size=32m", str(tmp_path)], check=True)
            commit_in_parts(catalog, many)
            assert len(before) < len(many)
            assert catalog.picks() == many
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def commit_in_parts(catalog: Catalog, many: list[Pick]) -> None:
    for first in range(0, len(many), 500):
        catalog.commit(many[first : first + 500])


def test_a_locked_database_is_said_and_overcome(
    url: str, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    with catalog._reader.connect() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout=50")
    with sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None) as holder:
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(ArchiveError, match="another process holds the database"):
            catalog.commit([make_pick()])
        assert catalog.picks() == []
        holder.execute("ROLLBACK")
    catalog.commit([make_pick()])
    assert catalog.picks() == [make_pick()]


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("rtpick.sqlite", "not a URL; write sqlite:///"),
        ("mysql://root:hunter2@db/x", "'mysql' is not known"),
        ("sqlite://", "keeps nothing"),
        ("sqlite:////proc/nowhere/rtpick.sqlite", "database"),
    ],
)
def test_a_wrong_address_is_told_with_the_remedy(url: str, message: str) -> None:
    with pytest.raises(ArchiveError, match=message) as caught:
        Catalog.open(url)
    assert "hunter2" not in str(caught.value)


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a database, only a few words " * 100)
    with pytest.raises(ArchiveError, match=r"notes\.txt.*not a SQLite database"):
        Catalog.open(f"sqlite:///{tmp_path}/notes.txt")


def test_a_database_of_a_newer_version_is_left_alone(url: str) -> None:
    Catalog.open(url).close()
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ArchiveError, match=r"newer rtpick.*upgrade rtpick"):
        Catalog.open(url)


def test_migrations_and_tables_agree(url: str) -> None:
    Catalog.open(url).close()
    with create_engine(url).connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, metadata) == []
        assert context.get_current_revision() == newest_revision()


def test_commits_reach_the_disk_before_they_return(catalog: Catalog) -> None:
    with catalog._reader.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


def test_readers_see_whole_commits_while_the_writer_writes(catalog: Catalog) -> None:
    def watch(_: int) -> list[int]:
        return [len(catalog.picks()) for _ in range(40)]

    with ThreadPoolExecutor(3) as pool:
        watching = pool.map(watch, range(3))
        for number in range(60):
            catalog.commit([make_pick(5 * number + k) for k in range(5)])
        counts = [count for seen in watching for count in seen]
    assert all(count % 5 == 0 for count in counts)
    assert len(catalog.picks()) == 300


WRITER = """
import sys
sys.path.insert(0, sys.argv[2])
from test_archive_catalog import *
with Catalog.open(sys.argv[1]) as catalog:
    for number in range(100_000):
        progress = dataclasses.replace(make_progress(number), settled_ns=T0_NS + number)
        catalog.commit([make_pick(3 * number + k) for k in range(3)] + [progress])
        print(number, flush=True)
"""


@pytest.mark.parametrize("commits", [1, 40, 150])
def test_a_killed_writer_leaves_whole_commits(url: str, commits: int) -> None:
    command = [sys.executable, "-c", WRITER, url, str(Path(__file__).parent)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        acknowledged = [int(writer.stdout.readline()) for _ in range(commits)][-1]  # type: ignore[union-attr]
        writer.kill()
    with Catalog.open(url) as catalog:
        (progress,) = catalog.progress()
        assert progress.sequence is not None
        assert progress.sequence >= acknowledged
        assert len(catalog.picks()) == 3 * (progress.sequence + 1)
        assert len(catalog.unpublished(10**6)) == 3 * (progress.sequence + 1)
