"""`rtpick.yaml` and the environment to `Settings`; every mistake is told with file, line and column."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path

import yaml
from pydantic import ValidationError

from rtpick.settings.cross_checks import cross_check
from rtpick.settings.explain import explain
from rtpick.settings.resolve import resolve_paths
from rtpick.settings.schema import Settings
from rtpick.settings.tree import Finding, Place, Plain, Tree, dotted
from rtpick.settings.tree import Path as KeyPath
from rtpick.vocabulary.errors import SettingsError

PREFIX = "RTPICK__"
MAXIMUM_BYTES = 1_000_000
MAXIMUM_DEPTH = 20
MAXIMUM_VALUES = 100_000


def load_settings(path: Path, environment: Mapping[str, str] | None = None) -> Settings:
    """Read a configuration file, apply the environment, and check everything.

    Parameters
    ----------
    path : Path
        YAML. Relative paths inside are taken from this file's folder.
    environment : mapping, optional
        The process's own if absent. ``RTPICK__PICKING__P_THRESHOLD=0.2`` sets ``picking.p_threshold``,
        ``RTPICK__SOURCES__0__HOST=...`` the first source's host; values are read as YAML.

    Raises
    ------
    SettingsError
        One line for each mistake: ``file:line:column: path.to.key: what is wrong; what to write``.
    """
    tree, findings = _read_file(path)
    findings += _apply_environment(tree, os.environ if environment is None else environment)
    if findings:
        raise _error(path, findings)
    settings = _validate(path, tree)
    findings = cross_check(settings, tree)
    if findings:
        raise _error(path, findings)
    return resolve_paths(settings, path.resolve().parent)


def _validate(path: Path, tree: Tree) -> Settings:
    try:
        # As JSON, and strictly: a list may become a tuple, but true is no number and "5" neither.
        return Settings.model_validate_json(json.dumps(tree.values), strict=True)
    except ValidationError as error:
        raise _error(path, explain(error, tree)) from None


def _error(path: Path, findings: list[Finding]) -> SettingsError:
    lines = [str(finding) for finding in sorted(set(findings))]
    if len(lines) == 1:
        return SettingsError(lines[0])
    return SettingsError("\n".join([f"{path}: {len(lines)} mistakes", *lines]))


def _read_file(path: Path) -> tuple[Tree, list[Finding]]:
    text = _read_text(path)
    try:
        return _compose(path, text)
    except yaml.MarkedYAMLError as error:
        raise SettingsError(_explain_yaml(path, text, error)) from None
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1
        raise SettingsError(f"{path}:{line}: {error.reason} ({error.character!r}); remove it") from None


def _compose(path: Path, text: str) -> tuple[Tree, list[Finding]]:
    loader = _Loader(text)
    loader.name = str(path)
    try:
        node = loader.get_single_node()
        if node is None:
            raise SettingsError(f"{path}:1:1: the file is empty; start from config/rtpick.yaml")
        reader = NodeReader(loader)
        values = reader.read(node, ())
    finally:
        loader.dispose()
    return Tree(values, reader.places), reader.findings


def _read_text(path: Path) -> str:
    if path.is_dir():
        raise SettingsError(f"{path}: is a folder; name the file, such as {path / 'rtpick.yaml'}")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SettingsError(
            f"{path}: cannot be read ({error.strerror}); start from config/rtpick.yaml"
        ) from error
    if len(content) > MAXIMUM_BYTES:
        raise SettingsError(
            f"{path}: has {len(content)} bytes; a configuration has less than {MAXIMUM_BYTES}"
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise SettingsError(f"{path}:{line}: is not UTF-8; save the file as UTF-8") from error


def _explain_yaml(path: Path, text: str, error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    if mark is None:
        return f"{path}: {error.problem}"
    lines = text.splitlines()
    remedy = _remedy(lines[mark.line] if mark.line < len(lines) else "")
    context = f" {error.context}" if error.context else ""
    return f"{path}:{mark.line + 1}:{mark.column + 1}: bad YAML{context}: {error.problem}; {remedy}"


def _remedy(line: str) -> str:
    if "\t" in line:
        return "indent with blanks, not with tabs"
    if "*" in line or "?" in line:
        return 'put patterns in quotes, such as "BW.*.*.HH?"'
    return "check indentation, colons and quotes"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


class _Loader(yaml.SafeLoader):
    """YAML's safe types, less its surprises: dates stay text, 1e-3 is a number, 1:30 is text."""


_KEPT = {
    first: [item for item in resolvers if item[0].rsplit(":", 1)[-1] in ("bool", "null")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.yaml_implicit_resolvers = _KEPT
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:int", re.compile(r"^[-+]?(0|[1-9][0-9_]*)$"), list("-+0123456789")
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(
        r"^[-+]?([0-9][0-9_]*\.[0-9_]*|\.[0-9]+|[0-9]+(?=[eE]))([eE][-+]?[0-9]+)?$|^[-+]?\.(inf|nan)$"
    ),
    list("-+0123456789."),
)


class NodeReader:
    """Turns nodes into plain values, noting places, duplicate keys and what YAML can but we cannot."""

    def __init__(self, loader: _Loader) -> None:
        self._loader = loader
        self.places: dict[KeyPath, Place] = {}
        self.findings: list[Finding] = []

    def read(self, node: yaml.Node, path: KeyPath) -> Plain:
        """Turn one node and all below it into values."""
        self.places.setdefault(path, _place(node))
        if len(path) > MAXIMUM_DEPTH or len(self.places) > MAXIMUM_VALUES:
            raise yaml.MarkedYAMLError(problem="nested too deep or too long", problem_mark=node.start_mark)
        if isinstance(node, yaml.MappingNode):
            return self._read_mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.read(item, (*path, index)) for index, item in enumerate(node.value)]
        return self._read_scalar(node, path)

    def _read_mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Plain]:
        values: dict[str, Plain] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            if key in values:
                first = self.places[(*path, key)]
                message = f"is written twice, first in line {first.line}; keep one"
                self.findings.append(Finding(_place(key_node), dotted((*path, key)), message))
                continue
            self.places[(*path, key)] = _place(key_node)
            values[key] = self.read(value_node, (*path, key))
        return values

    def _read_scalar(self, node: yaml.Node, path: KeyPath) -> Plain:
        kind = node.tag.rsplit(":", 1)[-1]
        if kind not in ("str", "int", "float", "bool", "null"):
            message = f"a value of type {node.tag} has no meaning here; write a plain value"
            self.findings.append(Finding(_place(node), dotted(path), message))
            return None
        value: Plain = self._loader.construct_object(node)
        return value


def _place(node: yaml.Node) -> Place:
    mark = node.start_mark
    return Place(str(mark.name), mark.line + 1, mark.column + 1)


def _apply_environment(tree: Tree, environment: Mapping[str, str]) -> list[Finding]:
    findings = []
    for name in sorted(environment):
        if name.upper().startswith(PREFIX):
            place = Place(f"environment {name}")
            path = _key_path(tree, name[len(PREFIX) :].split("__"))
            value = _read_value(environment[name], place)
            if isinstance(value, Finding):
                findings.append(value)
            elif not path or not tree.put(path, value, place):
                findings.append(Finding(place, dotted(path), "there is no such list item or section to set"))
    return findings


def _key_path(tree: Tree, parts: list[str]) -> KeyPath:
    """Variables are in capitals, keys as they are in the file, else in small letters."""
    path: list[str | int] = []
    for part in parts:
        holder = tree.get(path)
        if isinstance(holder, list) and part.isdigit():
            path.append(int(part))
        else:
            known = holder if isinstance(holder, dict) else {}
            path.append(next((key for key in known if key.lower() == part.lower()), part.lower()))
    return tuple(path)


def _read_value(text: str, place: Place) -> Plain | Finding:
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        return None if node is None else NodeReader(loader).read(node, ())
    except yaml.YAMLError as error:
        return Finding(place, "", f"not a value that YAML can read ({_one_line(error)}); put it in quotes")
    finally:
        loader.dispose()
