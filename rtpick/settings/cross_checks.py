"""What no single key can tell: names given twice, pairs that contradict each other."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from rtpick.settings.schema import SeedLinkSettings, Settings
from rtpick.settings.sources_das import ZeroMqDasSettings
from rtpick.settings.tree import Finding, Path, Tree, dotted
from rtpick.vocabulary.codes import StationId
from rtpick.vocabulary.time import parse_utc

_STARTS = ("resume", "now", "all")
_TRANSPORTS = ("tcp", "ipc")


def cross_check(settings: Settings, tree: Tree) -> list[Finding]:
    """Find what is wrong among keys that are each right."""
    found = [
        *_check_names(settings),
        *_check_sources(settings),
        *_check_inventory(settings),
        *_check_fibers(settings),
        *_check_picking(settings),
        *_check_publish(settings),
    ]
    return [Finding(tree.place(path), dotted(path), message) for path, message in found]


def _check_names(settings: Settings) -> Iterator[tuple[Path, str]]:
    first: dict[str, int] = {}
    for index, source in enumerate(settings.sources):
        if source.name in first:
            other = f"sources.{first[source.name]}"
            yield (
                ("sources", index, "name"),
                f"{source.name!r} is also the name of {other}; give each its own",
            )
        first.setdefault(source.name, index)


def _check_sources(settings: Settings) -> Iterator[tuple[Path, str]]:
    for index, source in enumerate(settings.sources):
        for stream in () if isinstance(source, ZeroMqDasSettings) else source.streams:
            if stream.count(".") != 3:
                message = f"{stream!r} has not four codes; write NET.STA.LOC.CHA, such as BW.*.*.HH?"
                yield ("sources", index, "streams"), message
        if isinstance(source, SeedLinkSettings):
            for key, message in _check_seedlink(source):
                yield ("sources", index, key), message


def _check_inventory(settings: Settings) -> Iterator[tuple[Path, str]]:
    if not settings.inventory.files and len(settings.cables) < len(settings.sources):
        message = "is empty, and there are stations; write at least one StationXML or CSV of coordinates"
        yield ("inventory", "files"), message


def _check_fibers(settings: Settings) -> Iterator[tuple[Path, str]]:
    """A cable is known by its fiber's name: two sources of one would be two clocks of one cable."""
    first: dict[str, str] = {}
    for index, source in enumerate(settings.sources):
        if not isinstance(source, ZeroMqDasSettings):
            continue
        if source.cable in first:
            key = "fiber" if source.fiber else "name"
            message = f"{source.cable!r} is also the fiber of {first[source.cable]}; give each its own"
            yield ("sources", index, key), message
        first.setdefault(source.cable, source.name)
    for name in settings.fiber.fibers:
        if name not in first:
            known = ", ".join(sorted(first)) or "none"
            yield ("fiber", "fibers", name), f"no source has this fiber; the fibers are {known}"


def _check_seedlink(source: SeedLinkSettings) -> Iterator[tuple[str, str]]:
    if source.start not in _STARTS and not _is_time(source.start):
        yield "start", f"{source.start!r} is no start; write resume, now, all, or 2010-05-27T16:24:00Z"
    if source.reconnect_max_s < source.reconnect_min_s:
        yield "reconnect_max_s", f"is below reconnect_min_s; write at least {source.reconnect_min_s:g}"
    if source.password_file and not source.username:
        yield "password_file", "has no user that it belongs to; add username"
    if source.username and not source.password_file:
        yield "username", "has no password; add password_file, the path of a file that holds it"
    if source.token_file and source.username:
        yield "token_file", "stands beside username; a server takes either a token or a password, keep one"
    if source.ca_file and not source.tls:
        yield "ca_file", "has no use without TLS; add tls: true"


def _check_picking(settings: Settings) -> Iterator[tuple[Path, str]]:
    for code in settings.picking.station_thresholds:
        try:
            StationId.parse(code)
        except ValueError as error:
            yield ("picking", "station_thresholds", code), str(error)


def _check_publish(settings: Settings) -> Iterator[tuple[Path, str]]:
    address = settings.publish.zeromq_bind
    if address is not None and urlsplit(address).scheme not in _TRANSPORTS:
        message = f"{address!r} is no ZeroMQ address; write tcp://127.0.0.1:5556"
        yield ("publish", "zeromq_bind"), message


def _is_time(text: str) -> bool:
    try:
        parse_utc(text)
    except ValueError:
        return False
    return True
