"""The list of what happened, and waiting for something to happen."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import TypeVar

from devbay.simulator.events import Event, Finding

_E = TypeVar("_E", bound=Event)

_POLL = 0.02
"""Seconds after which a waiting predicate is asked again without an event: it may look at more than our own state."""


class Journal:
    """An append-only list of events with listeners and waiters.

    `clock` gives every event its time.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.events: list[Event] = []
        self._listeners: list[Callable[[Event], object]] = []
        self._changed = asyncio.Event()

    def add(self, event: Event) -> None:
        """Append an event, and tell everyone."""
        self.events.append(event)
        for listener in tuple(self._listeners):
            listener(event)
        self.touch()

    def finding(self, resource: str, message: str) -> None:
        """Append a finding."""
        self.add(Finding(at=self.clock(), resource=resource, message=message))

    def touch(self) -> None:
        """Let waiters ask again: something changed that is no event."""
        self._changed.set()
        self._changed = asyncio.Event()

    def subscribe(self, listener: Callable[[Event], object]) -> Callable[[], None]:
        """Call `listener` with every event from now on, until the returned function is called."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def of(self, kind: type[_E]) -> list[_E]:
        """Return the events of one kind, in order."""
        return [event for event in self.events if isinstance(event, kind)]

    async def wait_until(
        self, predicate: Callable[[], bool], seconds: float, what: str, state: Callable[[], str]
    ) -> None:
        """Return once `predicate` is true; raise TimeoutError naming `what` and the `state` after so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                while not predicate():
                    changed = self._changed
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(_POLL):  # not wait_for, which may swallow the outer one's end
                            await changed.wait()
        except TimeoutError:
            last = "; ".join(str(event) for event in self.events[-5:])
            raise TimeoutError(
                f"waited {seconds:g} s for {what}, which did not happen. State: {state()}. "
                f"Last events: {last or 'none'}"
            ) from None
