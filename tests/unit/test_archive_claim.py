"""One writer a database: who comes second is told, and a crash gives the claim back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from rtpick.archive.catalog import Catalog
from rtpick.check import examine_configuration
from rtpick.vocabulary.errors import ArchiveError

HOLDER = """
import sys, time
from rtpick.archive.catalog import Catalog
catalog = Catalog.open(sys.argv[1], claim=True)
print("claimed", flush=True)
time.sleep(600)
"""


def hold(url: str) -> subprocess.Popen[str]:
    """Another process that has claimed the database."""
    process = subprocess.Popen([sys.executable, "-c", HOLDER, url], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "claimed\n"
    return process


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/rtpick.sqlite"


def test_a_second_writer_is_told_who_the_first_is_and_what_to_do(url: str) -> None:
    with hold(url) as first:
        with pytest.raises(ArchiveError, match=rf"process {first.pid}\) writes to it; stop it, or"):
            Catalog.open(url, claim=True)
        Catalog.open(url).close()  # readers may
        first.kill()
    Catalog.open(url, claim=True).close()


def test_a_link_to_the_database_is_the_same_database(tmp_path: Path, url: str) -> None:
    with Catalog.open(url, claim=True):
        (tmp_path / "link.sqlite").symlink_to(tmp_path / "rtpick.sqlite")
        with pytest.raises(ArchiveError, match="another rtpick"):
            Catalog.open(f"sqlite:///{tmp_path}/link.sqlite", claim=True)


def test_closing_gives_the_claim_back(url: str) -> None:
    Catalog.open(url, claim=True).close()
    Catalog.open(url, claim=True).close()


def test_a_removed_lock_file_is_made_again_and_who_took_it_goes_first(tmp_path: Path, url: str) -> None:
    with Catalog.open(url, claim=True) as catalog:
        (tmp_path / "rtpick.sqlite.lock").unlink()
        catalog.commit([])
        with pytest.raises(ArchiveError, match="another rtpick"):
            Catalog.open(url, claim=True)
        (tmp_path / "rtpick.sqlite.lock").unlink()
        with Catalog.open(url, claim=True) as other:
            for _ in range(2):
                with pytest.raises(ArchiveError, match="another rtpick"):
                    catalog.commit([])
            other.commit([])
        catalog.commit([])


def test_a_database_that_cannot_be_opened_is_not_claimed(tmp_path: Path, url: str) -> None:
    (tmp_path / "rtpick.sqlite").write_text("no database at all, but long enough to be read as one" * 50)
    with pytest.raises(ArchiveError, match="not a SQLite database"):
        Catalog.open(url, claim=True)
    (tmp_path / "rtpick.sqlite").unlink()
    Catalog.open(url, claim=True).close()


def test_check_tells_that_a_daemon_runs_on_the_database(tmp_path: Path, url: str) -> None:
    (tmp_path / "stations.csv").write_text(
        "network,station,latitude,longitude,elevation_m\nBW,UH1,48.1,11.6,500\n"
    )
    (tmp_path / "rtpick.yaml").write_text(
        f"sources:\n  - {{type: archive, name: files, path: {tmp_path}}}\n"
        f"inventory:\n  files: [stations.csv]\narchive:\n  database: {url}\n"
    )
    with hold(url) as first:
        findings = {item.name: item for item in examine_configuration(tmp_path / "rtpick.yaml")}
        first.kill()
    assert not findings["database"].well
    assert f"process {first.pid}" in findings["database"].detail
