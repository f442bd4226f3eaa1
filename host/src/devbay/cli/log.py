"""How log lines look: JSON where a machine reads them, columns on a terminal. One event a line, on stderr."""

import contextlib
import logging
import sys
from typing import Any, TextIO, cast

import structlog

from devbay.settings import LogSection


def configure(section: LogSection) -> None:
    """Make structlog, and everything that uses the standard library's logging, write as `section` says."""
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
    stream = cast("TextIO", _Unbreakable(sys.stderr))
    level = logging.getLevelName(section.level.upper())
    structlog.configure(
        processors=[*shared, *renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(stream),
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


def _in_order(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Put what every line has first, as a person reads: when, how grave, what; then whose."""
    first = {key: event[key] for key in ("timestamp", "level", "event") if key in event}
    return {**first, **event}


class _Unbreakable:
    """A stream whose reader may be gone or whose disk may be full: a line that cannot be written is lost, no more."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError, ValueError):
            return self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()
