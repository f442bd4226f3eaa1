"""What the web's thread may know of the host: its status, asked of the event loop, and whether that lives.

Nothing here waits for the host's loop longer than a moment: a loop that hangs is what a probe is there to tell.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import NamedTuple

from devbay.pulse import Pulse
from devbay.status import Status

_PATIENCE = 0.5
"""Seconds that the loop may take for a status. The kubelet's probes wait for one second by default."""

_FRESH = 0.25
"""Seconds that a status is shown again before a new one is asked for, so that many readers cost what one does."""

_STUCK = 5.0
"""Seconds without a beat after which the loop counts as hanging; everything of ours takes milliseconds."""


class Sight(NamedTuple):
    """The latest status that could be had. `late` tells that the loop did not give a newer one when asked."""

    status: Status | None
    late: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The host, as far as its witness asks it.

    Attributes:
        status: returns what it knows; to be called on its loop.
        pulse: the heartbeat of that loop.
        dead: returns the names of threads and tasks that ended and never should; any thread may call it.
    """

    status: Callable[[], Status]
    pulse: Pulse
    dead: Callable[[], Sequence[str]]


class Witness:
    """Looks at the host from another thread. Made on the host's loop, used on the web's."""

    def __init__(self, subject: Subject, *, patience: float = _PATIENCE, stuck: float = _STUCK) -> None:
        """Look at `subject`: a status may take `patience` seconds, and `stuck` seconds without a beat are a fault."""
        self._patience = patience
        self._stuck = stuck
        self._subject = subject
        self._loop = asyncio.get_running_loop()
        self._last: Status | None = None
        self._looked = float("-inf")
        self._asking: Future[Status] | None = None

    async def look(self) -> Sight:
        """Return the host's status, or the last one known where its loop does not answer."""
        if time.monotonic() - self._looked < _FRESH:
            return Sight(self._last, late=False)
        asked = self._asking = self._asking or self._ask()
        await asyncio.wait({asyncio.wrap_future(asked)}, timeout=self._patience)
        if not asked.done():
            return Sight(self._last, late=True)
        self._asking = None
        self._last, self._looked = asked.result(), time.monotonic()
        return Sight(self._last, late=False)

    def ailments(self) -> tuple[str, ...]:
        """Return what is dead of the host, a sentence each; nothing while it lives."""
        found = [f"{name} has ended, which it never should" for name in self._subject.dead()]
        if (overdue := self._subject.pulse.overdue) > self._stuck:
            found.append(f"the event loop has not answered for {overdue:.0f} s")
        return tuple(found)

    @property
    def lag(self) -> float:
        """The longest that the loop kept anything waiting during the last minute, in seconds."""
        return self._subject.pulse.lag

    def _ask(self) -> Future[Status]:
        answer: Future[Status] = Future()

        def tell() -> None:
            try:
                answer.set_result(self._subject.status())
            except Exception as error:  # noqa: BLE001 - whoever asked is told, in its own thread
                answer.set_exception(error)

        try:
            self._loop.call_soon_threadsafe(tell)
        except RuntimeError as error:  # the loop is closed: the process ends
            answer.set_exception(error)
        return answer
