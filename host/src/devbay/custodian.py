"""Asks the kubelet who holds what, and has devices released whose holder is gone.

What follows from its answers, its silence and its requests is decided in `devbay.custody`; here are the questions, the
clock and the calls.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import structlog

from devbay import custody
from devbay.custody import Custody, CustodyPolicy, Release
from devbay.holders import Holders, Replica
from devbay.podresources import PodResources, Silent, Why

_RELEASE_PATIENCE = 2.0
"""Seconds that a container waits for the release of devices it is given: the kubelet admits no other pod meanwhile."""


class Custodian:
    """Knows which advertised ids may be in use. All methods belong to the event loop.

    Attributes:
        holders: who held what at the last answer; None before the first.
        reason: why the kubelet does not say; empty while it does.
    """

    def __init__(
        self,
        kubelet: PodResources | None,
        release: Callable[[Release], Coroutine[Any, Any, None]],
        *,
        interval: float,
        policy: CustodyPolicy,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Know what `kubelet` says, None where it is not to be asked, every `interval` seconds.

        `release` is awaited for devices that nobody holds any more.
        """
        self.holders: Holders | None = None
        self.reason = "" if kubelet else "the configuration has it not asked"
        self._kubelet = kubelet
        self._release = release
        self._interval = interval
        self._clock = clock
        self._custody = Custody(policy=policy)
        self._said: Why | None = None
        self._releases: set[asyncio.Task[None]] = set()
        self._log = structlog.get_logger()

    @property
    def held(self) -> frozenset[Replica] | None:
        """Every advertised id that a container may be using; None where that cannot be told."""
        return self._custody.held

    async def watch(self, looked: Callable[[], None]) -> None:
        """Ask again and again, until cancelled; `looked` is called after each time."""
        while True:
            await self._look()
            looked()
            await asyncio.sleep(self._interval)

    async def allocated(self, resource: str, ids: Sequence[str]) -> None:
        """Take in that a container is given ids. Returns when it may have them: who had them before has let go."""
        self._custody, releases = custody.allocated(self._custody, resource, ids, self._clock())
        if tasks := self._start(releases):
            _, late = await asyncio.wait(tasks, timeout=_RELEASE_PATIENCE)
            if late:
                self._log.warning("devices are given while they are still being released", resource=resource)

    def close(self) -> None:
        """Wait for no release that is under way."""
        for task in self._releases:
            task.cancel()

    async def _look(self) -> None:
        if self._kubelet is None:
            return
        answer = await self._kubelet.list()
        if isinstance(answer, Silent):
            self._custody, _ = custody.look(self._custody, None)
            self._say(answer)
            return
        if self._said is not None:
            self._log.info("the kubelet says who holds what")
        self._said, self.reason = None, ""
        self.holders = answer.holders
        self._custody, releases = custody.look(self._custody, answer)
        self._start(releases)

    def _say(self, silent: Silent) -> None:
        self.reason = silent.reason
        level = self._log.debug if silent.why is self._said else self._log.info
        level("the kubelet does not say who holds what; vanished devices stay listed for a while", reason=silent.reason)
        self._said = silent.why

    def _start(self, releases: Sequence[Release]) -> list[asyncio.Task[None]]:
        tasks = []
        for release in releases:
            if (
                release.taken_by is not None
            ):  # what would be done to the devices now would be done to the next container
                self._log.info("not released: in use again", resource=release.resource, devices=list(release.devices))
                continue
            task = asyncio.create_task(self._release(release), name=f"{release.resource}-release")
            self._releases.add(task)
            task.add_done_callback(self._releases.discard)
            tasks.append(task)
        return tasks
