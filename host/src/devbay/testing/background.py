"""An event loop in a thread of its own, so that tests need no plugin for asynchronous code."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_PATIENCE = 60.0
"""Seconds until a call that never ends fails its test."""


class BackgroundLoop:
    """A running event loop, until `stop`. Its methods are called from any other thread."""

    def __init__(self) -> None:
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="devbay-testing", daemon=True)
        self._thread.start()
        self._ready.wait()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Return what a coroutine returns, or raise what it raises."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_PATIENCE)

    def call(self, function: Callable[[], T]) -> T:
        """Return what `function()` returns, called on the loop."""

        async def work() -> T:
            return function()

        return self.run(work())

    def stop(self) -> None:
        """End the loop; what still runs on it is cancelled first."""
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(_PATIENCE)

    def _serve(self) -> None:
        with asyncio.Runner() as runner:  # cancels, closes generators, and closes the loop
            runner.run(self._stay())

    async def _stay(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._end = asyncio.Event()
        self._ready.set()
        await self._end.wait()
