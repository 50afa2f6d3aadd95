"""What pydantic found wrong, in words that say what to write instead."""

from __future__ import annotations

import json
from collections.abc import Iterable
from difflib import get_close_matches
from functools import cache
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from rtpick.settings.schema import Settings
from rtpick.settings.tree import Finding, Path, Tree, dotted

Schema = dict[str, Any]

_SHOWN_CHARACTERS = 60
_BOUNDS = {
    "exclusiveMinimum": "above",
    "minimum": "at least",
    "exclusiveMaximum": "below",
    "maximum": "at most",
}
_SECRET_WORDS = ("password", "token", "secret")


def explain(error: ValidationError, tree: Tree) -> list[Finding]:
    """Turn a validation error into findings with places."""
    return [
        _explain_one(details, tree) for details in error.errors(include_url=False) if not _is_echo(details)
    ]


@cache
def settings_schema() -> Schema:
    """The JSON schema of the whole configuration."""
    return Settings.model_json_schema()


def resolve_reference(schema: Schema) -> Schema:
    """Follow a ``$ref``; a default or a description beside it stays."""
    if "$ref" not in schema:
        return schema
    name = str(schema["$ref"]).rsplit("/", 1)[-1]
    beside = {key: value for key, value in schema.items() if key != "$ref"}
    return {**settings_schema()["$defs"][name], **beside}


def _is_echo(details: ErrorDetails) -> bool:
    """A list whose items are wrong counts as too short as well; the items are told already."""
    return details["type"] == "too_short" and bool(details["input"])


def _explain_one(details: ErrorDetails, tree: Tree) -> Finding:
    path, schema, parent = _locate(details["loc"])
    kind = details["type"]
    if kind == "missing":
        message = _explain_missing(path, schema)
    elif kind == "extra_forbidden":
        message = _explain_unknown(str(path[-1]), parent)
    elif kind in ("union_tag_invalid", "union_tag_not_found"):
        path = (*path, "type")
        message = _explain_tag(details, schema)
    else:
        message = f"{_show(details['input'])} does not fit; write {expectation(schema)}{_example(schema)}"
    return Finding(tree.place(path), dotted(path), message)


def _locate(location: Iterable[str | int]) -> tuple[Path, Schema, Schema]:
    """Walk the schema along a pydantic location, leaving out the tags of unions that it contains."""
    path: list[str | int] = []
    schema, parent = settings_schema(), settings_schema()
    for part in location:
        if part in schema.get("discriminator", {}).get("mapping", {}):
            schema = resolve_reference({"$ref": schema["discriminator"]["mapping"][part]})
            continue
        path.append(part)
        parent, schema = schema, _child_schema(schema, part)
    return tuple(path), schema, parent


def _child_schema(schema: Schema, part: str | int) -> Schema:
    if isinstance(part, int):
        return resolve_reference(schema.get("items", {}))
    rest = schema.get("additionalProperties")
    found = schema.get("properties", {}).get(part, rest if isinstance(rest, dict) else {})
    return resolve_reference(found)


def _explain_missing(path: Path, schema: Schema) -> str:
    what = "section" if "properties" in schema else "key"
    return f"this {what} is missing; add {path[-1]}: {expectation(schema)}{_example(schema)}"


def _explain_unknown(key: str, parent: Schema) -> str:
    known = sorted(parent.get("properties", {}))
    close = get_close_matches(key, known, n=1)
    if _is_secret(key) and not key.endswith("_file"):
        files = [name for name in known if name.endswith("_file") and _is_secret(name)]
        return f"secrets are read from files alone; write {' or '.join(files) or 'the path of a file'}"
    if close:
        return f"unknown key; did you mean {close[0]}?"
    return f"unknown key; the keys here are {', '.join(known)}"


def _is_secret(key: str) -> bool:
    return any(word in key.lower() for word in _SECRET_WORDS)


def _explain_tag(details: ErrorDetails, schema: Schema) -> str:
    tags = sorted(schema["discriminator"]["mapping"])
    if details["type"] == "union_tag_not_found":
        return f"this key is missing; add type: {' or '.join(tags)}"
    tag = str(details.get("ctx", {}).get("tag", ""))
    close = get_close_matches(tag, tags, n=1)
    return f"{tag!r} is not known; write {close[0] if close else ' or '.join(tags)}"


def expectation(schema: Schema) -> str:
    """Say in words what a part of the schema takes.

    Examples
    --------
    >>> expectation({"type": "number", "exclusiveMinimum": 0, "maximum": 5})
    'a number above 0 and at most 5'
    """
    schema = resolve_reference(schema)
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(expectation(option) for option in schema["anyOf"]))
    if "enum" in schema:
        return "one of " + ", ".join(str(value) for value in schema["enum"])
    if "const" in schema:
        return str(schema["const"])
    if "properties" in schema:
        return "a section with the keys " + ", ".join(sorted(schema["properties"]))
    return _plain_expectation(schema)


def _plain_expectation(schema: Schema) -> str:
    kind = schema.get("type")
    if kind in ("number", "integer"):
        return ("a number" if kind == "number" else "a whole number") + _bounds(schema)
    if kind == "array":
        return "a list" + (" of at least one item" if schema.get("minItems") else "")
    if kind == "string":
        return _text_expectation(schema)
    words = {"boolean": "true or false", "null": "null", "object": "a section"}
    return words.get(str(kind), "a value")


def _text_expectation(schema: Schema) -> str:
    if "pattern" in schema:
        return f"text that matches {schema['pattern']}"
    return "a path" if schema.get("format") == "path" else "text (in quotes where it could be something else)"


def _bounds(schema: Schema) -> str:
    limits = [f"{word} {schema[key]:g}" for key, word in _BOUNDS.items() if key in schema]
    return f" {' and '.join(limits)}" if limits else ""


def _example(schema: Schema) -> str:
    default = schema.get("default")
    return "" if default in (None, [], {}) or isinstance(default, dict) else f", such as {_show(default)}"


def _show(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "..."
