"""Habits that a reader can rely on: no wall clock, no pickle, small functions, small modules."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "rtpick"
MODULES = sorted(PACKAGE.rglob("*.py"))
MAXIMUM_MODULE_LINES = 320
MAXIMUM_BODY_LINES = 45

WALL_CLOCK = {
    "time.time",
    "time.time_ns",
    "time.localtime",
    "time.gmtime",
    "datetime.now",
    "datetime.utcnow",
    "datetime.today",
    "datetime.datetime.now",
    "datetime.datetime.utcnow",
    "date.today",
}
MONOTONIC = {"time.monotonic", "time.perf_counter", "time.monotonic_ns", "time.perf_counter_ns", "time.sleep"}
UNSAFE = {
    "eval",
    "exec",
    "yaml.load",
    "yaml.unsafe_load",
    "torch.load",
    "pickle.load",
    "pickle.loads",
    "os.system",
}
# Measuring one's own speed is no logic.
MEASURERS = ("bench", "learning")
CLOCK = PACKAGE / "runtime" / "clock.py"


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def place(path: Path, node: ast.AST) -> str:
    return f"{path.relative_to(PACKAGE)}:{getattr(node, 'lineno', 0)}"


def wall_clock_calls(tree: ast.AST, measures: bool) -> list[ast.Call]:
    found = []
    for name, node in calls(tree):
        now_without_arguments = name.endswith("UTCDateTime") and not node.args and not node.keywords
        utcnow = name.endswith("UTCDateTime.now")
        forbidden = name in WALL_CLOCK or (name in MONOTONIC and not measures)
        if forbidden or now_without_arguments or utcnow:
            found.append(node)
    return found


def from_imports(tree: ast.AST) -> set[str]:
    return {
        f"{node.module}.{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def test_the_clock_is_asked_in_one_place() -> None:
    found = []
    for path in MODULES:
        tree = ast.parse(path.read_text("utf-8"))
        measures = path.relative_to(PACKAGE).parts[0] in MEASURERS
        if path != CLOCK:
            found += [place(path, node) for node in wall_clock_calls(tree, measures)]
            found += [f"{path}: {name}" for name in from_imports(tree) & (WALL_CLOCK | MONOTONIC)]
    assert found == []


@pytest.mark.parametrize(
    ("code", "count"),
    [
        ("time.time()", 1),
        ("datetime.now(UTC)", 1),
        ("UTCDateTime()", 1),
        ("obspy.UTCDateTime.now()", 1),
        ("UTCDateTime(ns=5)", 0),
        ("time.monotonic()", 1),
        ("clock()", 0),
    ],
)
def test_the_rule_of_the_clock_itself(code: str, count: int) -> None:
    assert len(wall_clock_calls(ast.parse(code), measures=False)) == count


def test_nothing_is_unpickled_or_evaluated() -> None:
    found = []
    for path in MODULES:
        for name, node in calls(ast.parse(path.read_text("utf-8"))):
            safe = any(k.arg == "weights_only" and ast.unparse(k.value) == "True" for k in node.keywords)
            allows = any(k.arg == "allow_pickle" and ast.unparse(k.value) != "False" for k in node.keywords)
            if allows or (name in UNSAFE and not safe):
                found.append(place(path, node))
    assert found == []


def test_no_error_is_swallowed() -> None:
    found = []
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ExceptHandler) and is_swallowing(node):
                found.append(place(path, node))
    assert found == []


def is_swallowing(handler: ast.ExceptHandler) -> bool:
    """A bare or general handler that does nothing with what it caught."""
    caught = ast.unparse(handler.type) if handler.type else "BaseException"
    inside = [node for statement in handler.body for node in ast.walk(statement)]
    used = any(isinstance(node, ast.Name) and node.id == handler.name for node in inside)
    raised = any(isinstance(node, ast.Raise) for node in inside)
    return caught in ("Exception", "BaseException") and not (used or raised)


@pytest.mark.parametrize(
    ("handler", "swallows"),
    [
        ("except: pass", True),
        ("except Exception: pass", True),
        ("except Exception as e: x = 1", True),
        ("except BaseException as e: self.failure = e", False),
        ("except Exception: raise", False),
        ("except KeyError: pass", False),
    ],
)
def test_the_rule_of_swallowing_itself(handler: str, swallows: bool) -> None:
    (statement,) = ast.parse(f"try: x\n{handler}").body
    assert isinstance(statement, ast.Try)
    assert is_swallowing(statement.handlers[0]) is swallows


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    body = function.body
    if isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
        body = body[1:]
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def functions() -> Iterator[tuple[Path, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield path, node


def test_functions_are_small() -> None:
    sizes = {f"{place(path, node)} {node.name}": body_lines(node) for path, node in functions()}
    assert {name: size for name, size in sizes.items() if size > MAXIMUM_BODY_LINES} == {}
    ordered = sorted(sizes.values())
    assert ordered[len(ordered) // 2] <= 9
    assert ordered[len(ordered) * 9 // 10] <= 30


def test_modules_are_of_one_idea() -> None:
    sizes = {str(path.relative_to(PACKAGE)): len(path.read_text("utf-8").splitlines()) for path in MODULES}
    assert {name: size for name, size in sizes.items() if size > MAXIMUM_MODULE_LINES} == {}


def test_there_are_no_drawers() -> None:
    drawers = {"utils", "util", "common", "helpers", "helper", "misc", "manager", "base"}
    assert [str(path) for path in MODULES if path.stem in drawers] == []


def test_every_module_says_what_it_is() -> None:
    silent = [path for path in MODULES if path.read_text("utf-8").strip() and not docstring(path)]
    assert [str(path.relative_to(PACKAGE)) for path in silent] == []


def docstring(path: Path) -> str | None:
    return ast.get_docstring(ast.parse(path.read_text("utf-8")))
