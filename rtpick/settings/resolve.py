"""Relative paths of a configuration, taken from the folder of its file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from rtpick.settings.fiber import FiberSettings
from rtpick.settings.schema import Settings
from rtpick.settings.section import Section

AnySection = TypeVar("AnySection", bound=Section)

_WEIGHTS_SUFFIXES = (".safetensors", ".pt", ".pth", ".json")
_SQLITE = "sqlite:///"


def resolve_paths(settings: Settings, folder: Path) -> Settings:
    """Make every path absolute: those of type Path, and texts that may be a path or a name."""
    settings = _resolve_section(settings, folder)
    return settings.model_copy(
        update={
            "picking": _replace(
                settings.picking, "weights", resolve_weights(settings.picking.weights, folder)
            ),
            "fiber": _resolve_fiber(settings.fiber, folder),
            "association": _replace(
                settings.association,
                "velocity_model",
                resolve_velocity_model(settings.association.velocity_model, folder),
            ),
            "archive": _replace(
                settings.archive, "database", resolve_database(settings.archive.database, folder)
            ),
        }
    )


def _resolve_fiber(fiber: FiberSettings, folder: Path) -> FiberSettings:
    picking = _replace(fiber.picking, "weights", resolve_weights(fiber.picking.weights, folder))
    return fiber.model_copy(update={"picking": picking})


def resolve_weights(text: str, folder: Path) -> str:
    """A path of weights where the text looks like one, else the name as it is.

    Examples
    --------
    >>> resolve_weights("default", Path("/etc/rtpick"))
    'default'
    >>> resolve_weights("my.safetensors", Path("/etc/rtpick"))
    '/etc/rtpick/my.safetensors'
    """
    is_path = "/" in text or text.endswith(_WEIGHTS_SUFFIXES)
    return str(_resolve(Path(text), folder)) if is_path else text


def resolve_velocity_model(text: str, folder: Path) -> str:
    """A path of a velocity model where the text looks like one, else the name as it is."""
    is_path = "/" in text or text.endswith((".csv", ".txt"))
    return str(_resolve(Path(text), folder)) if is_path else text


def resolve_database(url: str, folder: Path) -> str:
    """A URL whose SQLite file is absolute.

    Examples
    --------
    >>> resolve_database("sqlite:///rtpick.sqlite", Path("/etc/rtpick"))
    'sqlite:////etc/rtpick/rtpick.sqlite'
    """
    if not url.startswith(_SQLITE) or url == _SQLITE:
        return url
    return _SQLITE + str(_resolve(Path(url.removeprefix(_SQLITE)), folder))


def _resolve_section(section: AnySection, folder: Path) -> AnySection:
    names = type(section).model_fields
    return section.model_copy(update={name: _resolve_value(getattr(section, name), folder) for name in names})


def _resolve_value(value: Any, folder: Path) -> Any:
    if isinstance(value, Path):
        return _resolve(value, folder)
    if isinstance(value, Section):
        return _resolve_section(value, folder)
    if isinstance(value, tuple):
        return tuple(_resolve_value(item, folder) for item in value)
    if isinstance(value, dict):
        return {key: _resolve_value(item, folder) for key, item in value.items()}
    return value


def _resolve(path: Path, folder: Path) -> Path:
    return folder / path.expanduser()


def _replace(section: AnySection, name: str, value: str) -> AnySection:
    return section.model_copy(update={name: value})
