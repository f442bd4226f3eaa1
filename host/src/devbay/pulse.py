"""Whether the event loop runs, and how late it is: told by the loop, read by any thread.

A loop that hangs cannot say so itself. It leaves the time of its last beat here, and whoever reads sees how old that
is.
"""

import asyncio
import time
from collections import deque

BEAT = 0.5
"""Seconds between two beats."""

_REMEMBERED = 120
"""Beats: a minute, so that whoever looks once a minute misses no lag."""


class Pulse:
    """The heartbeat of one event loop."""

    def __init__(self) -> None:
        self._last: float | None = None
        self._lags: deque[float] = deque(maxlen=_REMEMBERED)

    async def run(self) -> None:
        """Beat, until cancelled."""
        while True:
            due = time.monotonic() + BEAT
            await asyncio.sleep(BEAT)
            now = time.monotonic()
            self._lags.append(max(0.0, now - due))
            self._last = now

    def start(self) -> None:
        """Count from now: a loop that never comes to its first beat is late too."""
        self._last = time.monotonic()

    @property
    def overdue(self) -> float:
        """Seconds by which the next beat is late now; 0 while it is not."""
        last = self._last
        return 0.0 if last is None else max(0.0, time.monotonic() - last - BEAT)

    @property
    def lag(self) -> float:
        """The longest that the loop kept anything waiting during the last minute, in seconds."""
        return max((*self._lags.copy(), self.overdue))
