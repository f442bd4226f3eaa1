"""The host's tasks: those that must not end until it does, and errands that end by themselves."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias

Work: TypeAlias = Callable[[], Coroutine[Any, Any, None]]

_LAST_PATIENCE = 0.2
"""Seconds that our own tasks may take to end at the end; they need none."""

_AFTER_MISTAKE = 1.0
"""Seconds until a task that ended by a mistake of ours begins again."""


class Tasks:
    """Holds every task until it ends. Used on the event loop.

    `failed` is told the name and the exception of each that ended by a mistake of ours.
    """

    def __init__(self, failed: Callable[[str, Exception], None]) -> None:
        self._failed = failed
        self._lasting: set[asyncio.Task[None]] = set()
        self._errands: set[asyncio.Task[None]] = set()

    def keep_running(self, work: Work, name: str) -> None:
        """Run what must not end until the host does; a mistake of ours in it is said loudly, and it begins again."""
        self._lasting.add(self.supervised(work, name))

    def supervised(self, work: Work, name: str) -> asyncio.Task[None]:
        """Run what must not end until the task that is returned is cancelled, or the host stops."""

        async def forever() -> None:
            while True:
                await self._guarded(work(), name)
                await asyncio.sleep(_AFTER_MISTAKE)

        return self._hold(forever(), name, self._lasting)

    def cancellable(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Run what ends by itself, and is ended when the host stops."""
        self._lasting.add(self._hold(self._guarded(work, name), name, self._lasting))

    def errand(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Run what ends by itself; it is not ended when the host stops."""
        self._errands.add(self._hold(self._guarded(work, name), name, self._errands))

    def cancel(self) -> None:
        """Have everything that lasts end."""
        for task in self._lasting:
            task.cancel()

    async def ended(self) -> None:
        """Wait for the end of what was cancelled; not for long."""
        if self._lasting:
            await asyncio.wait(self._lasting, timeout=_LAST_PATIENCE)

    async def _guarded(self, work: Coroutine[Any, Any, None], name: str) -> None:
        try:
            await work
        except Exception as error:  # noqa: BLE001 - whatever it is, devices must not stay as they were for ever
            self._failed(name, error)

    def _hold(self, work: Coroutine[Any, Any, None], name: str, among: set[asyncio.Task[None]]) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name)
        among.add(task)
        task.add_done_callback(among.discard)
        return task
