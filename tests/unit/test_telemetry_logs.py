"""Logs: one line an event, in both formats, without secrets; an outage is told once."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from rtpick.settings.schema import LoggingSettings
from rtpick.telemetry.logs import OutageLog, configure_logging

FORMATS = ["console", "json"]


@pytest.fixture(autouse=True)
def restore_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def configure(form: str, level: str = "info") -> tuple[structlog.stdlib.BoundLogger, io.StringIO]:
    stream = io.StringIO()
    settings = LoggingSettings.model_validate({"format": form, "level": level})
    return configure_logging(settings, stream), stream


@pytest.mark.parametrize("form", FORMATS)
def test_an_event_is_one_line(form: str) -> None:
    log, stream = configure(form)
    log.info("started", health_port=9464, detail="one\ntwo\x1b[31m\u2028three")
    (line,) = stream.getvalue().splitlines()
    assert "started" in line
    assert "9464" in line


def test_json_can_be_read() -> None:
    log, stream = configure("json")
    log.warning("source silent", source="ring", path=object)
    event = json.loads(stream.getvalue())
    assert (event["event"], event["level"], event["source"]) == ("source silent", "warning", "ring")
    assert event["time"].endswith("Z")


@pytest.mark.parametrize("form", FORMATS)
def test_an_exception_is_one_line_with_its_place(form: str) -> None:
    log, stream = configure(form)
    try:
        raise ValueError("bad\nthing")
    except ValueError:
        log.exception("worker failed")
    (line,) = stream.getvalue().splitlines()
    assert "ValueError: bad\\n" in line.replace("\\\\n", "\\n")
    assert "test_an_exception_is_one_line_with_its_place" in line


@pytest.mark.parametrize("form", FORMATS)
def test_secrets_are_hidden(form: str) -> None:
    log, stream = configure(form)
    log.info(
        "opening",
        password="hunter2",
        auth_token="hunter2",
        url="postgresql://me:hunter2@db/x",
        nested={"Password": "hunter2", "list": ["amqp://a:hunter2@b"]},
        error=ValueError("cannot reach postgresql://me:hunter2@db/x"),
        password_file="/etc/rtpick/password",
    )
    logging.getLogger("some.library").warning("connecting to postgresql://me:hunter2@db/x")
    assert "hunter2" not in stream.getvalue()
    assert "/etc/rtpick/password" in stream.getvalue()


@pytest.mark.parametrize("form", FORMATS)
def test_libraries_are_heard_and_levels_kept(form: str) -> None:
    _, stream = configure(form)
    logging.getLogger("obspy").warning("odd %s", "record")
    logging.getLogger("obspy").debug("even %s", "record")
    logging.getLogger("sqlalchemy.engine").info("SELECT 1")
    assert "odd record" in stream.getvalue()
    assert "even record" not in stream.getvalue()
    assert "SELECT" not in stream.getvalue()


def test_a_reload_changes_the_level_of_a_logger_in_use() -> None:
    log, _ = configure("console", "warning")
    log.info("before")
    _, stream = configure("json", "debug")
    log.debug("after")
    assert json.loads(stream.getvalue())["event"] == "after"


def test_an_outage_is_told_once_and_its_end_once() -> None:
    log, stream = configure("json")
    outages = OutageLog(log)
    outages.works("database", 0)
    for second in range(5):
        outages.failed("database", "locked", second * 10**9)
    outages.works("database", 10 * 10**9)
    outages.works("database", 11 * 10**9)
    first, last = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert (first["event"], first["reason"]) == ("database failed", "locked")
    assert (last["event"], last["outage_s"], last["failures"]) == ("database works again", 10.0, 5)
