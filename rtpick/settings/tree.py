"""A configuration as plain values beside the place where each of them was written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

Path = tuple[str | int, ...]
Plain = str | int | float | bool | None | list["Plain"] | dict[str, "Plain"]


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One mistake: where it is, which key, what is wrong and what to write instead."""

    place: Place
    path: str
    message: str

    def __str__(self) -> str:
        key = f"{self.path}: " if self.path else ""
        return f"{self.place}: {key}{self.message}"


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A line of a file, counted from 1, or a variable of the environment where `line` is 0."""

    source: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.source}:{self.line}:{self.column}" if self.line else self.source


@dataclass(slots=True)
class Tree:
    """Plain values, and for each path the place of the key or item that holds it."""

    values: Plain
    places: dict[Path, Place] = field(default_factory=dict)

    def place(self, path: Path) -> Place:
        """Where `path` was written, or the nearest thing around it that was."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, Place("configuration"))

    def get(self, path: Iterable[str | int]) -> Plain:
        """The value at `path`, None where there is none."""
        value = self.values
        for part in path:
            value = _child(value, part)
        return value

    def put(self, path: Path, value: Plain, place: Place) -> bool:
        """Write a value, making what sections it needs; False where the path leads through a value."""
        holder = self.values
        for depth, part in enumerate(path[:-1], start=1):
            if _child(holder, part) is None and isinstance(holder, dict):
                holder[str(part)] = {}
                self.places[path[:depth]] = place
            holder = _child(holder, part)
        return self._put_last(holder, path, value, place)

    def _put_last(self, holder: Plain, path: Path, value: Plain, place: Place) -> bool:
        last = path[-1]
        if isinstance(holder, dict):
            holder[str(last)] = value
        elif isinstance(holder, list) and isinstance(last, int) and last < len(holder):
            holder[last] = value
        else:
            return False
        self.places[path] = place
        return True


def dotted(path: Iterable[str | int]) -> str:
    """Write a path as people do.

    Examples
    --------
    >>> dotted(("sources", 0, "port"))
    'sources.0.port'
    """
    return ".".join(str(part) for part in path)


def _child(value: Plain, part: str | int) -> Plain:
    if isinstance(value, dict):
        return value.get(str(part))
    if isinstance(value, list) and isinstance(part, int) and part < len(value):
        return value[part]
    return None
