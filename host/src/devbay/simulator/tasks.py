"""The tasks of one kubelet process, so that all end when it does and none is lost."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

_T = TypeVar("_T")


class Tasks:
    """Named tasks that end together. One that nobody waits for makes its failure heard when they end."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self._failures: list[BaseException] = []

    def start(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Start `work` as a task that nobody waits for, and that therefore may not fail."""
        self._keep(asyncio.create_task(work, name=f"kubelet: {name}"), self._failures)

    def spawn(self, name: str, work: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
        """Start `work` as a task whose result somebody waits for."""
        task = asyncio.create_task(work, name=f"kubelet: {name}")
        self._keep(task, [])
        return task

    def _keep(self, task: asyncio.Task[Any], failures: list[BaseException]) -> None:
        def done(ended: asyncio.Task[Any]) -> None:
            self._tasks.discard(ended)
            if not ended.cancelled() and (error := ended.exception()) is not None:
                failures.append(error)

        self._tasks.add(task)
        task.add_done_callback(done)

    async def cancel(self) -> None:
        """Cancel all, wait for their end, and raise the first failure that nobody has seen."""
        while self._tasks:
            tasks = tuple(self._tasks)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        if self._failures:
            raise self._failures[0]
