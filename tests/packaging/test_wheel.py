"""The package as users get it: a wheel, installed into a fresh environment, away from the checkout."""

from __future__ import annotations

import os
import shutil
import site
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = ("rtpick", "pyproject.toml", "README.md", "LICENSE")
DATA = (
    "networks/shipped/default.safetensors",
    "networks/shipped/default.json",
    "networks/shipped/MODEL_CARD.md",
    "publish/schemas/pick-1.json",
    "publish/schemas/event-1.json",
    "publish/schemas/fiber_picks-1.json",
    "publish/schemas/fiber_event-1.json",
    "archive/migrations/versions/v0001_first_tables.py",
)
LOADS = """
import pathlib, sys, tempfile
import rtpick
from rtpick.archive.catalog import Catalog
from rtpick.networks import load_network
from rtpick.publish.messages import read_schema

assert pathlib.Path(rtpick.__file__).is_relative_to(sys.prefix), rtpick.__file__
assert load_network("default").metadata.name == "default"
assert read_schema("pick")["title"] and read_schema("event")["title"]
with tempfile.TemporaryDirectory() as folder, Catalog.open(f"sqlite:///{folder}/new.sqlite") as catalog:
    assert catalog.picks() == []
print("all there")
"""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def run(*command: str, cwd: Path | None = None) -> str:
    """Run a command without what the surroundings say of Python's paths, and give its output."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Built from a copy of the sources, with nothing fetched."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in SOURCES:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, source / name)
    for stale in source.rglob("__pycache__"):
        shutil.rmtree(stale)
    options = ("--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--wheel-dir", str(folder))
    run(sys.executable, "-m", "pip", "wheel", *options, str(source))
    (built,) = folder.glob("rtpick-*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """A fresh environment with the wheel, and the libraries of this one behind it."""
    folder = tmp_path_factory.mktemp("fresh") / "venv"
    venv.create(folder, with_pip=True, symlinks=True)
    python = folder / "bin" / "python"
    run(str(python), "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", str(wheel))
    (packages,) = folder.glob("lib/python3*/site-packages")
    (packages / "libraries.pth").write_text("\n".join(site.getsitepackages()) + "\n")
    return folder


def test_the_wheel_holds_code_and_data_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "rtpick").rglob("*.py")}
    assert modules <= names
    assert {f"rtpick/{name}" for name in DATA} <= names
    foreign = {name for name in names if not name.startswith("rtpick")}
    assert foreign == set()
    assert not [name for name in names if "__pycache__" in name or name.startswith("rtpick/tests")]


def test_weights_schemas_and_migrations_load_from_the_wheel(installed, tmp_path):
    told = run(str(installed / "bin" / "python"), "-c", LOADS, cwd=tmp_path)
    assert told.strip() == "all there"


def test_the_command_runs_from_the_wheel(installed, tmp_path):
    command = str(installed / "bin" / "rtpick")
    shown = run(command, "--help", cwd=tmp_path)
    for name in ("demo", "run", "check", "pick", "serve", "associate", "bench"):
        assert name in shown
    assert run(command, "version", cwd=tmp_path) == run(sys.executable, "-m", "rtpick", "version")


def test_the_demonstration_runs_from_the_wheel(installed, tmp_path):
    run(str(installed / "bin" / "rtpick"), "demo", "--speed", "60", "--out", "demo", cwd=tmp_path)
    for name in ("events.xml", "picks.csv", "events.csv", "record_section.png"):
        assert (tmp_path / "demo" / name).stat().st_size > 0
