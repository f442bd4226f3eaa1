"""One backend at work: its threads, its deadlines, its looks at the hardware, and what they found.

A `Runner` asks its backend when a scan is due or the hardware woke it, and reports each look as a `Report`: a value,
on the event loop. Nothing a backend does reaches further than its reports: a call that raises, hangs, exits or answers
nonsense becomes a reason in one. The backend's first thread looks and prepares, the second waits for events, a third
answers `edit`, so that a pod's admission never waits for a scan, and a fourth `affinity`, which may take long or hang
and costs no device its health.
"""

import asyncio
import contextlib
import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeVar

import structlog

from devbay import contract
from devbay.errors import BackendBug, BackendUnavailable, CallTimeout, DevbayError
from devbay.model import ContainerEdits, Device, Health, Node, unhealthy
from devbay.plugins import Backend
from devbay.preference import Affinity
from devbay.questions import Questions
from devbay.retry import BACKEND, Pauses
from devbay.settings import DeadlineSection
from devbay.tally import CallTally
from devbay.threads import CallFailed, Turn, Worker

T = TypeVar("T")

_SETTLE = 0.02
"""Seconds between two looks at least: events that come in a burst are one look."""


_LASTING = 60.0
"""Seconds that a `watch` has to last for its end to be no sequel of the one before."""


class State(Enum):
    """How a backend is doing."""

    STARTING = "starting"
    READY = "ready"
    UNAVAILABLE = "unavailable"
    """Its driver or hardware is absent: a normal state."""
    FAILING = "failing"
    """Its last answer was an error or no answer at all."""
    HUNG = "hung"
    """A call ran past its deadline and has not returned yet."""

    @property
    def is_normal(self) -> bool:
        """Whether this is how a backend may well be: at work, or with nothing to work on."""
        return self in (State.STARTING, State.READY, State.UNAVAILABLE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What one look found.

    Attributes:
        backend: whose look it was.
        state: how the backend is.
        reason: why it is not ready; empty if it is.
        found: each device with its health; None where the devices could not be asked for.
        rejected: items of the answer that cannot be used.
    """

    backend: str
    state: State
    reason: str = ""
    found: tuple[tuple[Device, Health], ...] | None = None
    rejected: tuple[contract.Rejection, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long a backend may take, and how often it is asked.

    Attributes:
        deadlines: seconds per call.
        scan_interval: seconds between two looks when nothing calls for one.
        pauses: between tries, after a failure.
    """

    deadlines: DeadlineSection
    scan_interval: float
    pauses: Pauses = BACKEND


class Runner:
    """Runs one backend until `stop`. All methods belong to the event loop, but for `dead`.

    Attributes:
        backend: it.
        calls: what its hooks did.
    """

    def __init__(
        self,
        backend: Backend,
        node: Node,
        settings: Any,
        timing: Timing,
        report: Callable[[Report], None],
    ) -> None:
        self.backend = backend
        self._node = node
        self._settings = settings
        self._timing = timing
        self._deadlines = timing.deadlines
        self._report = report
        self._questions = Questions(backend, node, settings)
        self._log = structlog.get_logger().bind(backend=backend.name)
        self._looker = Worker(f"{backend.name}-look")
        self._editor = Worker(f"{backend.name}-edit", freed=self.wake)
        self._pairer = Worker(f"{backend.name}-affinity")
        self._ahead = asyncio.Lock()
        self._woken = asyncio.Event()
        self._stop = threading.Event()
        self._waking = threading.Lock()
        self._wake_sent = False
        self._said: set[str] = set()
        self._loop = asyncio.get_running_loop()
        self._watcher: Worker | None = None
        self.calls = CallTally()

    @property
    def stuck(self) -> tuple[str, ...]:
        """The calls that ran past their deadline and have not returned, in words."""
        workers = (self._looker, self._editor, self._pairer)
        return tuple(worker.stuck for worker in workers if worker.stuck is not None)

    @property
    def abandoned(self) -> int:
        """How many calls ran past their deadline so far."""
        return self._looker.abandoned + self._editor.abandoned + self._pairer.abandoned

    @property
    def dead(self) -> tuple[str, ...]:
        """The names of its threads that ended and never should have. Any thread may ask."""
        workers = {"look": self._looker, "edit": self._editor, "affinity": self._pairer, "watch": self._watcher}
        return tuple(f"{self.backend.name}-{role}" for role, worker in workers.items() if worker and not worker.alive)

    async def run(self) -> None:
        """Look at the hardware, again and again, and report. Ends when cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._scan(), name=f"{self.backend.name}-scan")
            if "watch" in self.backend.hooks:
                tasks.create_task(self._watch(), name=f"{self.backend.name}-watch")

    async def look(self) -> Report:
        """Ask once what is here and how it is."""
        try:
            devices, rejected = await self._ask(self._questions.discover, "discover", self._deadlines.discover)
        except DevbayError as error:
            return self._no_answer(error)
        try:
            health = await self._ask(lambda: self._questions.check(devices), "check", self._deadlines.check)
        except DevbayError as error:
            report = self._no_answer(error)
            found = tuple((device, unhealthy(report.reason)) for device in devices)
            return Report(
                backend=self.backend.name, state=report.state, reason=report.reason, found=found, rejected=rejected
            )
        if (stuck := self._editor.stuck) is not None:  # a pod that got one of them could not be told what it needs
            health = dict.fromkeys(health, unhealthy(f"{self.backend}: {stuck}"))
        found = tuple((device, health[device.id]) for device in devices)
        state = State.READY if stuck is None else State.HUNG
        return Report(backend=self.backend.name, state=state, reason=stuck or "", found=found, rejected=rejected)

    def wake(self) -> None:
        """Have the hardware looked at soon."""
        self._woken.set()

    def retime(self, timing: Timing) -> None:
        """Go by other deadlines and intervals from the next call on."""
        self._timing = timing
        self._deadlines = timing.deadlines
        self.wake()  # out of a pause of the old length

    async def edit(self, resource: str, devices: Sequence[Device]) -> ContainerEdits:
        """Return what a container needs for these devices, as it can be delivered.

        Raises:
            CallTimeout: the backend did not answer in time.
            BackendBug: it raised, or answered what no container can be given.
        """
        deadline = self._deadlines.edit
        return await self._ask(
            lambda: self._questions.edit(resource, devices), "edit", deadline, total=2 * deadline, worker=self._editor
        )

    async def edit_ahead(self, resource: str, devices: Sequence[Device]) -> ContainerEdits:
        """Return what `edit` does, asked before anyone needs it: one at a time, so that a pod waits for one at most."""
        async with self._ahead:
            return await self.edit(resource, devices)

    async def prepare(self, resource: str, devices: Sequence[Device]) -> None:
        """Have devices made ready for a container that is about to be created. Raises as `edit` does."""
        deadline = self._deadlines.prepare
        await self._ask(
            lambda: self.backend.prepare(self._node, self._settings, resource, devices),
            "prepare",
            deadline,
            total=deadline,  # the kubelet waits 30 s, whatever for
        )

    async def release(self, resource: str, devices: Sequence[Device], turn: Turn) -> None:
        """Tell the backend that nobody holds these devices any more, unless `turn` is dropped before it is told.

        Raises as `edit` does. A turn that did not come is dropped then: what is said to have failed is never begun.
        """

        def release() -> None:
            if turn.begin():
                self.backend.release(self._node, self._settings, resource, devices)

        try:
            await self._ask(release, "release", self._deadlines.release)
        except DevbayError:
            turn.drop()
            raise

    async def affinities(self, devices: Sequence[Device]) -> tuple[Affinity, str]:
        """Return how close each two of `devices` are, and why not all could be asked; empty if all were. Never fails.

        An error, or an answer that is no number, counts as "not close"; so does what did not come in time.
        """
        close: dict[tuple[str, str], float] = {}
        enough = threading.Event()
        try:
            ask = self._ask(
                lambda: self._questions.affinities(
                    devices,
                    close,
                    enough=lambda: enough.is_set() or self._stop.is_set(),
                    fault=self._affinity_fault,
                ),
                "affinity",
                self._deadlines.affinity,
                worker=self._pairer,
            )
            return await ask, ""
        except DevbayError as error:
            self._affinity_fault(str(error))
            return Affinity.of(close.copy()), str(error)
        finally:
            enough.set()

    async def explain(self, device: Device) -> str:
        """Return why a device is here, as its backend says; empty where it says nothing. Raises as `edit` does."""
        if "explain" not in self.backend.hooks:
            return ""
        return await self._ask(lambda: self._questions.explain(device), "explain", self._deadlines.check)

    async def stop(self) -> None:
        """End the backend's threads, as far as they end; takes no longer than the deadline for `close`."""
        self._stop.set()
        if "close" in self.backend.hooks:
            try:
                deadline = self._deadlines.close
                await self._ask(self.backend.close, "close", deadline, total=deadline)
            except DevbayError as error:
                self._log.warning("backend did not close", reason=str(error))
        self._looker.end()
        self._editor.end()
        self._pairer.end()

    async def _scan(self) -> None:
        pauses: Iterator[float] | None = None
        while True:
            self._woken.clear()
            report = await self.look()
            self._report(report)
            pause = self._timing.scan_interval
            if report.state is State.FAILING:
                pauses = pauses or iter(self._timing.pauses)
                pause = min(next(pauses), pause)
            else:
                pauses = None
            if self._looker.stuck is not None:  # one call at a time: until it returns there is nothing to ask
                await self._looker.free.wait()
                self._log.info("backend answers again")
                continue
            await asyncio.sleep(min(_SETTLE, pause))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):  # not wait_for: Python 3.11's can swallow a cancellation
                    await self._woken.wait()

    async def _watch(self) -> None:
        pauses = iter(self._timing.pauses)
        for attempt in itertools.count(1):
            worker = self._watcher = Worker(f"{self.backend.name}-watch")
            began = self._loop.time()
            try:
                await worker.call(self._watch_call, what="watch", deadline=None)
                reason = "it returned"
            except CallFailed as error:
                reason = f"it raised {error.description}"
            finally:
                worker.end()
            level = self._log.warning if attempt == 1 else self._log.debug
            level("watch ended; scans go on", reason=reason, distribution=str(self.backend))
            if self._loop.time() - began > _LASTING:
                pauses = iter(self._timing.pauses)
            await asyncio.sleep(next(pauses))

    def _watch_call(self) -> object:
        return self.backend.watch(self._node, self._settings, self._wake_from_thread, self._stop)

    def _wake_from_thread(self) -> None:
        # One message to the loop at a time: a storm of them would fill the pipe that signals come through.
        with self._waking:
            if self._wake_sent or self._stop.is_set():
                return
            self._wake_sent = True
        self._loop.call_soon_threadsafe(self._take_wake)

    def _take_wake(self) -> None:
        with self._waking:
            self._wake_sent = False
        self._woken.set()

    async def _ask(
        self,
        function: Callable[[], T],
        hook: str,
        deadline: float,
        *,
        total: float | None = None,
        worker: Worker | None = None,
    ) -> T:
        """Call a hook in its thread; whatever goes wrong becomes one of our errors, naming the backend."""
        started = self._loop.time()
        try:
            return await (worker or self._looker).call(function, what=hook, deadline=deadline, total=total)
        except CallTimeout as error:
            self.calls.failed(hook)
            if worker is not self._pairer:
                self.wake()  # so that the devices turn unhealthy now, and not at the next scan
            raise CallTimeout(f"{self.backend}: {error}") from None
        except CallFailed as error:
            if isinstance(error.__cause__, BackendUnavailable):
                raise BackendUnavailable(error.text) from None
            self.calls.failed(hook)
            if isinstance(error.__cause__, contract.ContractViolation):
                raise BackendBug(f"{self.backend}: {error.text}") from None
            raise BackendBug(f"{self.backend}: {hook} raised {error.description}") from None
        finally:
            self.calls.took(hook, self._loop.time() - started)

    def _no_answer(self, error: DevbayError) -> Report:
        match error:
            case BackendUnavailable():
                state, reason = State.UNAVAILABLE, str(error) or "its driver or hardware is absent"
            case CallTimeout():
                state, reason = State.HUNG, str(error)
            case _:
                state, reason = State.FAILING, str(error)
        return Report(backend=self.backend.name, state=state, reason=reason)

    def _affinity_fault(self, reason: str) -> None:
        """Say once per cause that two devices are not known to be close; any thread may."""
        if reason not in self._said:
            self._said.add(reason)
            self._log.warning("affinity is not known", reason=reason, distribution=str(self.backend))
