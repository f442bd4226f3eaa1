"""The tasks of one kubelet process, so that all end when it does and none is lost."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

_T = TypeVar("_T")


class Tasks:
    """Named tasks that end together. A task that fails makes itself heard when they end."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self._failures: list[BaseException] = []

    def start(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Start `work` as a task that nobody waits for."""
        self._keep(asyncio.create_task(work, name=f"kubelet: {name}"))

    def spawn(self, name: str, work: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
        """Start `work` as a task called `name`."""
        task = asyncio.create_task(work, name=f"kubelet: {name}")
        self._keep(task)
        return task

    def _keep(self, task: asyncio.Task[Any]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failures.append(error)

    async def cancel(self) -> None:
        """Cancel all, wait for their end, and raise the first bug that one of them died of."""
        while self._tasks:
            tasks = tuple(self._tasks)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        if self._failures:
            failures, self._failures = self._failures, []
            raise failures[0]
