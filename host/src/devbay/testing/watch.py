"""A backend's `watch` at work in a thread, and what is heard of it."""

import threading
import time
from collections.abc import Callable

from devbay.testing.trial import Trial

_SETTLED = 0.1
"""Seconds without a wake after which a watch is taken to have begun, and what it said at its beginning to be over."""
_RESTLESS = 2.0
"""Seconds after which a watch that wakes all the time is taken as it is."""
_TURN = 0.01


class Watch:
    """A `watch` that was called. Its thread is left behind if it never ends.

    Attributes:
        failure: what it raised, if it did.
        stop: what tells it to end.
    """

    def __init__(self, trial: Trial) -> None:
        self.failure: BaseException | None = None
        self.stop = threading.Event()
        self._wakes = 0
        self._last = time.monotonic()
        self._thread = threading.Thread(target=self._run, args=(trial,), name="watch", daemon=True)
        self._thread.start()

    @property
    def ended(self) -> bool:
        """Whether it returned or raised."""
        return not self._thread.is_alive()

    def settle(self) -> None:
        """Wait until it has been quiet for a moment, if it ever is; nothing tells that it listens."""
        self._until(lambda: self.ended or time.monotonic() - self._last > _SETTLED, _RESTLESS)

    def count(self, seconds: float, enough: int) -> int:
        """Return how many times it wakes the host within `seconds`, or as soon as that is `enough`."""
        before = self._wakes
        self._until(lambda: self._wakes - before >= enough, seconds)
        return self._wakes - before

    def hears(self, change: Callable[[], object], seconds: float) -> bool:
        """Return whether it wakes the host within `seconds` of a change."""
        before = self._wakes
        change()
        return self._until(lambda: self._wakes > before, seconds)

    def end(self, seconds: float) -> bool:
        """Set `stop`; return whether it ends within `seconds`."""
        self.stop.set()
        self._thread.join(seconds)
        return self.ended

    def _until(self, condition: Callable[[], bool], seconds: float) -> bool:
        end = time.monotonic() + seconds
        while not condition() and time.monotonic() < end:
            time.sleep(_TURN)
        return condition()

    def _run(self, trial: Trial) -> None:
        try:
            trial.watch(self._wake, self.stop)
        except BaseException as error:  # noqa: BLE001 - someone else's code in a thread: what it raises is told
            self.failure = error

    def _wake(self) -> None:
        self._wakes += 1
        self._last = time.monotonic()
