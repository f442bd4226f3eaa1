"""The backends that run here: each loaded, started, replaced and stopped by itself, as the plan has it.

A backend whose section changed is loaded anew and answers through a new `Runner` before the old one is stopped, so that
no request falls between the two; the new one looks at the hardware only when the old one has closed.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from typing import Protocol, TypeAlias

from devbay.plan import Plan, load
from devbay.plugins import Rejected
from devbay.runner import Report, Runner
from devbay.tasks import Work

KeepRunning: TypeAlias = Callable[[Work, str], asyncio.Task[None]]
"""Runs what must not end, under a name, until its task is cancelled."""


class Audience(Protocol):
    """Whoever must know what becomes of backends."""

    def reported(self, report: Report) -> None:
        """Take in what a look found."""

    def rejected(self, rejected: Rejected) -> None:
        """Take note that a backend cannot be run."""

    def replaced(self, old: Runner, new: Runner) -> None:
        """Ask `new` from now on what `old` was asked."""

    def dropped(self, runner: Runner) -> None:
        """Take back what a backend offered: it is to run here no longer."""


class Backends:
    """The enabled backends, each as far as it has come. All methods belong to the event loop.

    Attributes:
        plan: what is to run.
        runners: what runs, by name.
    """

    def __init__(self, plan: Plan, audience: Audience, keep_running: KeepRunning) -> None:
        self.plan = plan
        self.runners: dict[str, Runner] = {}
        self._audience = audience
        self._keep_running = keep_running
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._turns: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def start(self) -> None:
        """Start every enabled backend, none waiting for another; return when each runs or cannot be run."""
        await asyncio.gather(*(self.settle(installed.name) for installed in self.plan.enabled))

    async def settle(self, name: str) -> None:
        """Make one backend run as the plan has it now, or not at all."""
        async with self._turns[name]:
            old = self.runners.get(name)
            installed = next((one for one in self.plan.enabled if one.name == name), None)
            if installed is None:
                if old is not None:
                    del self.runners[name]
                    self._audience.dropped(old)
                    await self._end(old)
                return
            new = await load(self.plan, installed, self._audience.reported)
            if isinstance(new, Rejected):  # one that runs goes on as it is
                self._audience.rejected(new)
                return
            self.runners[name] = new
            if old is not None:
                self._audience.replaced(old, new)
                await self._end(old)
            self._tasks[name] = self._keep_running(new.run, f"{name}-runner")

    def retime(self) -> None:
        """Have every backend asked at the times that the plan has now."""
        for runner in self.runners.values():
            runner.retime(self.plan.timing)

    async def stop(self) -> None:
        """End all of them."""
        await asyncio.gather(*(runner.stop() for runner in self.runners.values()))

    async def _end(self, runner: Runner) -> None:
        if (task := self._tasks.pop(runner.backend.name, None)) is not None:
            task.cancel()
            await asyncio.wait({task})
        await runner.stop()
