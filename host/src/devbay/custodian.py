"""Asks the kubelet who holds what, and has devices released whose holder is gone.

What follows from its answers, its silence and its requests is decided in `devbay.custody`; here are the questions, the
clock and the calls.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import Any

import structlog

from devbay import custody
from devbay.custody import Custody, CustodyPolicy, Release
from devbay.errors import CallTimeout
from devbay.holders import Holders, Occupancy, Replica
from devbay.podresources import PodResources, Silent, Why
from devbay.sharing import device_ids
from devbay.threads import Turn

_RELEASE_PATIENCE = 2.0
"""Seconds that a container waits for a release of its devices to begin: the kubelet admits no other pod meanwhile."""

_AFTER_ALLOCATE = 0.1
"""Seconds until the kubelet is asked who was given devices: a pod may end before the next question is due."""


@dataclass(frozen=True, slots=True, eq=False)
class _Ending:
    """A release that is under way: the result is whether it is at work no more."""

    release: Release
    turn: Turn
    task: asyncio.Task[bool]

    def concerns(self, resource: str, devices: Sequence[str]) -> bool:
        """Whether anything is to be done to one of these."""
        return self.release.resource == resource and not set(devices).isdisjoint(self.release.devices)


class Custodian:
    """Knows which advertised ids may be in use. All methods belong to the event loop.

    Attributes:
        holders: who held what at the last answer; None before the first.
        reason: why the kubelet does not say; empty while it does.
    """

    def __init__(
        self,
        kubelet: PodResources | None,
        release: Callable[[Release, Turn], Coroutine[Any, Any, bool]],
        *,
        interval: float,
        policy: CustodyPolicy,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Know what `kubelet` says, None where it is not to be asked, every `interval` seconds.

        `release` is awaited for devices that nobody holds any more. It drops a turn that did not come, and returns
        whether it is at work no more.
        """
        self.holders: Holders | None = None
        self.reason = "" if kubelet else "the configuration has it not asked"
        self._kubelet = kubelet
        self._release = release
        self._interval = interval
        self._clock = clock
        self._custody = Custody(policy=policy)
        self._said: Why | None = None
        self._endings: set[_Ending] = set()
        self._woken = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._log = structlog.get_logger()

    @property
    def occupancy(self) -> Occupancy[Replica]:
        """Which advertised ids containers use, as far as it is known."""
        return self._custody.occupancy

    async def watch(self, looked: Callable[[], None]) -> None:
        """Ask again and again, until cancelled; `looked` is called after each time."""
        while True:
            self._woken.clear()
            await self._look()
            looked()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._interval):
                    await self._woken.wait()

    async def allocated(self, resource: str, ids: Sequence[str]) -> None:
        """Take in that a container is given ids. Returns when it may have them: nothing is done to them any more.

        A release that has not begun in time is not made: it would be done to the new container. One that has begun is
        waited for.

        Raises:
            CallTimeout: one that has begun is past its deadline and still at work.
        """
        self._custody, releases = custody.allocated(self._custody, resource, ids, self._clock())
        self._start(releases)
        self._look_soon()
        devices = device_ids(ids)
        endings = [ending for ending in self._endings if ending.concerns(resource, devices)]
        if not endings:
            return
        _, late = await asyncio.wait([ending.task for ending in endings], timeout=_RELEASE_PATIENCE)
        for ending in endings:
            if ending.task in late and ending.turn.drop():
                ending.task.cancel()
            if ending.turn.dropped:
                self._say_not_released(ending.release)
        begun = [ending.task for ending in endings if not ending.turn.dropped]
        if begun:
            await asyncio.wait(begun)
        if not all(task.result() for task in begun):
            raise CallTimeout(f"{resource}: {', '.join(devices)}: the release after the last pod is still at work")

    def govern(self, policy: CustodyPolicy) -> None:
        """Go by other rules from now on."""
        self._custody = replace(self._custody, policy=policy)

    def close(self) -> None:
        """Wait for no release that is under way."""
        for ending in self._endings:
            ending.task.cancel()
        if self._timer is not None:
            self._timer.cancel()

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

    def _look_soon(self) -> None:
        def look() -> None:
            self._timer = None
            self._woken.set()

        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_AFTER_ALLOCATE, look)

    def _start(self, releases: Sequence[Release]) -> None:
        for release in releases:
            if release.taken_by is not None:  # what would be done now would be done to the next container
                self._say_not_released(release)
            else:
                self._begin(release, Turn())

    def _begin(self, release: Release, turn: Turn) -> None:
        task = asyncio.create_task(self._end(release, turn), name=f"{release.resource}-release")
        ending = _Ending(release, turn, task)
        self._endings.add(ending)
        task.add_done_callback(lambda _: self._endings.discard(ending))

    async def _end(self, release: Release, turn: Turn) -> bool:
        try:
            return await self._release(release, turn)
        finally:
            if turn.dropped:
                self._custody = custody.postponed(self._custody, release)

    def _say_not_released(self, release: Release) -> None:
        self._log.info("not released: in use again", resource=release.resource, devices=list(release.devices))
