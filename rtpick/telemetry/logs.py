"""One line an event on standard error, for a person or for a machine; never a secret."""

from __future__ import annotations

import logging
import re
import sys
import traceback
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog
from structlog.stdlib import BoundLogger

from rtpick.settings.schema import LoggingSettings
from rtpick.vocabulary.time import to_s

_SECRET_KEY = re.compile(r"password|passwd|secret|token|credential|authorization|api_?key", re.IGNORECASE)
_SECRET_IN_URL = re.compile(r"(://[^:/@\s]+:)[^@\s]+@")
_HIDDEN = "***"
# Their own chatter; what matters in it, our own sessions tell.
_QUIET_LOGGERS = ("alembic", "sqlalchemy", "matplotlib", "seedlink_client", "asyncio", "urllib3")

EventDict = MutableMapping[str, Any]


def configure_logging(settings: LoggingSettings, stream: TextIO | None = None) -> BoundLogger:
    """Set logging up for the process, for our own events and for those of libraries.

    Parameters
    ----------
    settings : LoggingSettings
        Level and format.
    stream : file, optional
        Standard error if absent.

    Returns
    -------
    BoundLogger
        The daemon's logger; calling again, as a reload does, changes level and format at once.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_formatter(settings.format))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.level.upper())
    for name in _QUIET_LOGGERS:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_shared_processors(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=BoundLogger,
    )
    logger: BoundLogger = structlog.stdlib.get_logger("rtpick")
    return logger


def _shared_processors() -> list[structlog.typing.Processor]:
    return [
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        _flatten_exception,
        hide_secrets,
        _keep_one_line,
    ]


def _formatter(form: str) -> structlog.stdlib.ProcessorFormatter:
    renderer: structlog.typing.Processor
    if form == "json":
        renderer = structlog.processors.JSONRenderer(default=str, ensure_ascii=False)
    else:
        renderer = structlog.dev.ConsoleRenderer(colors=False, timestamp_key="time", pad_event_to=0)
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_shared_processors(),
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )


def hide_secrets(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Replace what is named like a secret, and passwords inside addresses, wherever they are.

    Examples
    --------
    >>> hide_secrets(None, "info", {"event": "open", "url": "postgresql://me:hunter2@db/x", "token": "abc"})
    {'event': 'open', 'url': 'postgresql://me:***@db/x', 'token': '***'}
    """
    for key, value in event.items():
        if key.startswith("_"):
            continue
        if _SECRET_KEY.search(key) and not key.endswith("_file"):
            event[key] = _HIDDEN
        else:
            event[key] = _hide(value)
    return event


def _hide(value: Any) -> Any:
    if isinstance(value, str):
        return _SECRET_IN_URL.sub(rf"\1{_HIDDEN}@", value)
    if isinstance(value, dict):
        return hide_secrets(None, "", dict(value))
    if isinstance(value, list | tuple):
        return [_hide(item) for item in value]
    if isinstance(value, BaseException):
        return _hide(str(value))
    return value


def _flatten_exception(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Write an exception with where it came from in one line, innermost call last."""
    information = event.pop("exc_info", None)
    error = sys.exc_info()[1] if information is True else information
    error = error[1] if isinstance(error, tuple) else error
    if isinstance(error, BaseException):
        frames = traceback.extract_tb(error.__traceback__)
        path = " > ".join(f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames)
        event["trace"] = f"{type(error).__name__}: {error} [{path}]"
    return event


def _keep_one_line(_logger: object, _method: str, event: EventDict) -> EventDict:
    # A server's text must not be able to forge a line of the log.
    for key, value in event.items():
        if isinstance(value, str) and not key.startswith("_"):
            event[key] = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in value)
    return event


class OutageLog:
    """Tells an outage once and its end once, with how long it took and how often it was met.

    Parameters
    ----------
    logger : BoundLogger
        Where to tell.
    """

    def __init__(self, logger: BoundLogger) -> None:
        self._logger = logger
        self._since_ns: dict[str, int] = {}
        self._failures: dict[str, int] = {}

    def failed(self, thing: str, reason: str, now_ns: int) -> None:
        """Something failed, perhaps again."""
        if thing not in self._since_ns:
            self._since_ns[thing] = now_ns
            self._logger.warning(f"{thing} failed", reason=reason)
        self._failures[thing] = self._failures.get(thing, 0) + 1

    def works(self, thing: str, now_ns: int) -> None:
        """Something works, perhaps again."""
        since_ns = self._since_ns.pop(thing, None)
        if since_ns is not None:
            failures = self._failures.pop(thing)
            outage_s = round(to_s(now_ns - since_ns), 1)
            self._logger.info(f"{thing} works again", outage_s=outage_s, failures=failures)
