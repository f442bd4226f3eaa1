"""How log lines look: JSON where a machine reads them, columns on a terminal. One event a line, on stderr."""

import logging
import sys
import time
from typing import Any, TextIO, cast

import structlog

from devbay.chronicle import Chronicle
from devbay.cli import writing
from devbay.settings import LogSection

CHRONICLE = Chronicle()
"""The last events of this process."""

_LEVELS = {"exception": "error", "warn": "warning", "fatal": "critical"}

_CHAIN: list[Any] = []
"""What every logger that was ever bound goes through: changed in place, so that a change reaches all of them."""


def configure(section: LogSection) -> None:
    """Make structlog, and everything that uses the standard library's logging, write as `section` says from now on."""
    console = section.format == "console" or (section.format == "auto" and sys.stderr.isatty())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="%H:%M:%S.%f" if console else "iso", utc=not console),
    ]
    renderer: list[Any] = (
        [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=24)]
        if console
        else [structlog.processors.format_exc_info, _in_order, structlog.processors.JSONRenderer(default=str)]
    )
    stream = cast("TextIO", writing.writer(sys.stderr, _dropped))
    level = logging.getLevelName(section.level.upper())
    _CHAIN[:] = [_remember, _Threshold(level), *shared, *renderer]
    structlog.configure(
        processors=_CHAIN,
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG),
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer]
        )
    )
    logging.basicConfig(handlers=[handler], level=max(level, logging.WARNING), force=True)
    logging.captureWarnings(capture=True)


class _Threshold:
    """Drops lines below a level. Not structlog's own filter, which a logger keeps for as long as it lives."""

    def __init__(self, level: int) -> None:
        self._level = level

    def __call__(self, _logger: object, method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        if structlog.processors.NAME_TO_LEVEL[method] < self._level:
            raise structlog.DropEvent
        return event


def _in_order(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Put what every line has first, as a person reads: when, how grave, what; then whose."""
    first = {key: event[key] for key in ("timestamp", "level", "event") if key in event}
    return {**first, **event}


def _remember(_logger: object, method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Keep what is at least information for the page, whatever is logged."""
    if structlog.processors.NAME_TO_LEVEL[method] >= logging.INFO:
        CHRONICLE.add(time.time(), {**event, "level": _LEVELS.get(method, method)})
    return event


def _dropped(lines: int) -> None:
    CHRONICLE.dropped += lines
    structlog.get_logger().warning("lines of the log were dropped: nobody read them", lines=lines)
