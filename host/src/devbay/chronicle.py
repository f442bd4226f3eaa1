"""The last things that happened, for people to read: a bounded ring of events with their times."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_KEPT = 100
"""Events that are remembered; older ones are in the log."""

_GRAVE = 30
"""Warnings and errors that are remembered beside them: a busy node's allocations push everything else out."""

_LONGEST = 400
"""Characters of one detail that are kept."""

_BOUND = ("timestamp", "level", "event", "backend", "resource", "device")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing that happened.

    Attributes:
        at: when, in seconds since the epoch.
        level: how grave: ``info``, ``warning``, ``error`` or ``critical``.
        text: what.
        backend: whose; empty where it is nobody's.
        resource: which resource; empty where it is about none.
        device: which device; empty where it is about none.
        details: what else is known, as text.
    """

    at: float
    level: str
    text: str
    backend: str = ""
    resource: str = ""
    device: str = ""
    details: Mapping[str, str] = field(default_factory=dict, hash=False)


class Chronicle:
    """Remembers the last events. Written and read by any thread.

    Attributes:
        dropped: lines that were remembered here and could not be written anywhere else.
    """

    def __init__(self) -> None:
        self.dropped = 0
        self._last: deque[Entry] = deque(maxlen=_KEPT)
        self._grave: deque[Entry] = deque(maxlen=_GRAVE)

    def add(self, at: float, line: Mapping[str, Any]) -> None:
        """Take in a line of the log, as structlog's processors see it."""
        known = {name: _text(line[name]) for name in ("backend", "resource", "device") if line.get(name)}
        details = {
            name: _text(value)
            for name, value in line.items()
            if name not in _BOUND and name != "exc_info" and value not in ("", None)
        }
        entry = Entry(
            at=at, level=str(line.get("level", "info")), text=_text(line.get("event", "")), details=details, **known
        )
        self._last.append(entry)
        if entry.level != "info":
            self._grave.append(entry)

    def read(self) -> tuple[Entry, ...]:
        """Return what is remembered, the latest first."""
        last, grave = self._last.copy(), self._grave.copy()
        older = [entry for entry in grave if not last or entry.at < last[0].at]
        return (*reversed(last), *reversed(older))


def _text(value: object) -> str:
    said = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return said if len(said) <= _LONGEST else f"{said[:_LONGEST]}…"
