"""Who may import whom, and which room opens the door to which library."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "rtpick"

FLOORS = {
    "vocabulary": 0,
    "settings": 1,
    "telemetry": 1,
    "networks": 1,
    "numeric": 1,
    "ingest": 2,
    "buffer": 2,
    "picking": 2,
    "association": 2,
    "archive": 2,
    "publish": 2,
    "learning": 2,
    "runtime": 3,
    "daemon": 4,
    "demo": 4,
    "bench": 4,
    "pick_files": 4,
    "pick_fiber_files": 4,
    "associate_picks": 4,
    "associate_fiber_picks": 4,
    "fiber_table": 4,
    "pick_table": 4,
    "plot_fiber_picks": 4,
    "relocate_catalogue": 4,
    "serve": 4,
    "serve_das": 4,
    "record": 4,
    "record_files": 4,
    "check": 4,
    "cli": 5,
    "__main__": 6,
}
# On one floor, only these lean on a neighbour; `runtime` on nothing above `telemetry`.
NEIGHBOURS = {
    ("picking", "buffer"),
    ("telemetry", "settings"),
    ("publish", "archive"),
    ("learning", "picking"),
    ("learning", "buffer"),
    ("learning", "archive"),
    ("learning", "ingest"),
    # Benchmarks measure the very parts that the daemon runs.
    ("bench", "daemon"),
    ("bench", "demo"),
    ("bench", "associate_picks"),
    ("bench", "associate_fiber_picks"),
    ("bench", "fiber_table"),
    ("bench", "pick_table"),
    ("associate_picks", "pick_table"),
    ("associate_fiber_picks", "fiber_table"),
    ("plot_fiber_picks", "fiber_table"),
    ("relocate_catalogue", "associate_picks"),
    ("relocate_catalogue", "pick_table"),
    ("record", "record_files"),
}
RUNTIME_MAY = {"vocabulary", "telemetry", "runtime"}

# A room, or a module of it.
DOORS = {
    "alembic": {"archive"},
    "h5py": {"learning", "ingest"},
    "matplotlib": {"publish"},
    "numba": {"numeric"},
    "obspy": {"ingest", "publish.quakeml", "publish.quakeml_origin", "association.traveltime"},
    "openvino": {"picking"},
    "pandas": {"learning", "associate_picks", "pick_table", "relocate_catalogue"}
    | {"associate_fiber_picks", "fiber_table", "pick_fiber_files"},
    "prometheus_client": {"telemetry", "runtime.health"},
    "psycopg": {"archive"},
    "pydantic": {"settings"},
    "pydantic_core": {"settings"},
    "pymseed": {"ingest"},
    "safetensors": {"networks"},
    "seedlink_client": {"ingest"},
    "sklearn": {"association.fiber_histogram"},
    "sqlalchemy": {"archive"},
    "structlog": {"telemetry"},
    "torch": {"networks", "picking", "learning"},
    "yaml": {"settings.load"},
    "zmq": {"ingest", "publish"},
    "threading": {"runtime"},
    "multiprocessing": {"runtime"},
    "signal": {"runtime"},
    "queue": {"runtime"},
    "sched": set(),
    # For the name of torch's own refusal alone; test_habits forbids to load anything.
    "pickle": {"networks.seisbench", "networks.eqnet_checkpoint"},
    "requests": set(),
}
# Composition roots may name what they wire, and the demonstration and the benchmarks look in from outside.
ROOTS_MAY = {
    "daemon": {"prometheus_client", "structlog"},
    "demo": {"zmq", "obspy"},
    "bench": {"obspy", "torch", "pymseed", "prometheus_client", "structlog", "seisbench", "rapid", "zmq"}
    | {"pandas", "pyocto", "gamma"},
}
EVERYWHERE = {"numpy", "scipy"}
ABOVE_FLOOR_3 = {"rich", "typer"}
PROGRESS_BARS = {"learning": {"rich", "openvino", "obspy"}}


@dataclass(frozen=True)
class Import:
    """One import statement: from which module of ours, of what."""

    importer: str
    imported: str
    line: int

    @property
    def room(self) -> str:
        return self.importer.split(".")[0]

    def __str__(self) -> str:
        return f"rtpick.{self.importer}:{self.line} imports {self.imported}"


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def imports_of(path: Path) -> Iterator[Import]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(module_name(path), alias.name, node.lineno)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import hides the room"
            yield Import(module_name(path), node.module or "", node.lineno)


IMPORTS = [found for path in sorted(PACKAGE.rglob("*.py")) for found in imports_of(path)]
OWN = [found for found in IMPORTS if found.imported.split(".")[0] == "rtpick"]
FOREIGN = [found for found in IMPORTS if found.imported.split(".")[0] not in ("rtpick", "__future__")]


def is_upward(found: Import) -> bool:
    target = found.imported.split(".")[1]
    if target == found.room:
        return False
    if found.room == "runtime":
        return target not in RUNTIME_MAY
    same_floor = FLOORS[target] == FLOORS[found.room]
    return FLOORS[target] > FLOORS[found.room] or (same_floor and (found.room, target) not in NEIGHBOURS)


def may_open(found: Import) -> bool:
    library, room = found.imported.split(".")[0], found.room
    if library in DOORS.keys() - ROOTS_MAY.get(room, set()) - PROGRESS_BARS.get(room, set()):
        return bool({room, ".".join(found.importer.split(".")[:2])} & DOORS[library])
    if library in sys.stdlib_module_names or library in EVERYWHERE:
        return True
    if library in ABOVE_FLOOR_3 and FLOORS[room] > 3:
        return True
    return library in ROOTS_MAY.get(room, set()) | PROGRESS_BARS.get(room, set())


def test_there_is_something_to_look_at() -> None:
    assert len(OWN) > 50
    assert len(FOREIGN) > 100


def test_every_room_has_a_floor() -> None:
    rooms = {
        path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()
    }
    assert rooms - {"__init__"} <= set(FLOORS)


def test_imports_go_downward_only() -> None:
    inside = [found for found in OWN if found.room in FLOORS and "." in found.imported]
    assert [str(found) for found in inside if is_upward(found)] == []


def test_each_library_has_its_doors() -> None:
    assert [str(found) for found in FOREIGN if found.room in FLOORS and not may_open(found)] == []


def test_there_are_no_cycles_between_rooms() -> None:
    edges = {(found.room, found.imported.split(".")[1]) for found in OWN if "." in found.imported}
    edges = {(one, other) for one, other in edges if one != other}
    assert not {(one, other) for one, other in edges if (other, one) in edges}


@pytest.mark.parametrize(
    ("importer", "imported", "upward"),
    [
        ("buffer.ring", "rtpick.picking.engine", True),
        ("picking.picker", "rtpick.buffer.stage", False),
        ("vocabulary.time", "rtpick.settings.load", True),
        ("runtime.worker", "rtpick.archive.catalog", True),
        ("ingest.seedlink", "rtpick.archive.catalog", True),
        ("daemon.run", "rtpick.archive.catalog", False),
    ],
)
def test_the_rule_itself(importer: str, imported: str, upward: bool) -> None:
    assert is_upward(Import(importer, imported, 1)) is upward


@pytest.mark.parametrize(
    ("importer", "imported", "allowed"),
    [
        ("settings.load", "yaml", True),
        ("settings.explain", "yaml", False),
        ("buffer.ring", "torch", False),
        ("publish.quakeml", "obspy.core.event", True),
        ("publish.zeromq", "obspy", False),
        ("archive.catalog", "threading", False),
        ("cli", "typer", True),
        ("buffer.ring", "rich", False),
        ("buffer.ring", "some_new_library", False),
    ],
)
def test_the_doors_themselves(importer: str, imported: str, allowed: bool) -> None:
    assert may_open(Import(importer, imported, 1)) is allowed
