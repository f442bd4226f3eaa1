"""Runs the table of `devbay.session` for one resource: commands become calls, what happens becomes events."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Iterator
from pathlib import Path
from typing import Any

import structlog

from devbay.errors import KubeletDirectoryError, KubeletUnavailable, RegistrationRefused
from devbay.kubelet.client import Registrar
from devbay.kubelet.directory import KubeletDirectory
from devbay.kubelet.endpoint import MOST_BYTES, DeviceList, Endpoint, ListTooLong
from devbay.kubelet.service import Advertised, Service
from devbay.retry import REGISTRATION
from devbay.session import Command, Event, State, step

_STREAM_PATIENCE = 5.0
"""Seconds that a kubelet which accepted a registration may take to open its stream."""


_REPAIRED = {
    Event.STREAM_ENDED: "the kubelet's stream ended",
    Event.SOCKET_LOST: "the socket's file is gone",
}


class Registration:
    """One resource's life with the kubelet, from `start` to `stop`. All methods belong to the event loop.

    Attributes:
        resource: its name.
        state: where it stands.
        reason: why it is not further, in words; empty while nothing is wrong.
        tally: what happened to it.
    """

    def __init__(  # noqa: PLR0913 - what it works with, and two limits that tests set
        self,
        resource: str,
        service: Service,
        directory: KubeletDirectory,
        registrar: Registrar,
        pauses: Iterable[float] = REGISTRATION,
        *,
        most: int = MOST_BYTES,
    ) -> None:
        self.resource = resource
        self.state = State.STOPPED
        self.reason = ""
        self.tally = service.tally
        self._service = service
        self._directory = directory
        self._registrar = registrar
        self._pauses = pauses
        self._pause: Iterator[float] = iter(pauses)
        self._devices = DeviceList(most)
        self._listed = False
        self._wanted = False
        self._too_long = ""
        self._endpoint: Endpoint | None = None
        self._socket: Path | None = None
        self._closing: asyncio.Task[None] | None = None
        self._work: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._unsubscribe: Callable[[], None] = lambda: None
        self._since = 0.0
        self._said = ""
        self._log = structlog.get_logger().bind(resource=resource, backend=service.backend)

    @property
    def streams(self) -> int:
        """How many streams of the kubelet are open."""
        return self._endpoint.streams if self._endpoint else 0

    @property
    def socket(self) -> str:
        """The name of the socket that is served; empty while none is."""
        return self._socket.name if self._socket else ""

    def start(self) -> None:
        """Begin to serve and to register, and go on for ever; where no list ever fitted, once one does."""
        self._wanted = True
        if self._too_long and not self._listed:
            return
        self._unsubscribe = self._directory.subscribe(lambda: self._on(Event.KUBELET_UP))
        self._on(Event.START)

    def publish(self, devices: Iterable[Advertised]) -> bool:
        """Make `devices` the list that the kubelet reads; return whether that changed it.

        One that is too long for it is an error in the log, and the last that fitted stays.
        """
        try:
            changed = self._devices.publish(devices)
        except ListTooLong as error:
            self._refuse(f"{error}; give {self.resource} fewer replicas, or its devices to several resources")
            return False
        held_back, self._too_long, self._listed = bool(self._too_long) and not self._listed, "", True
        if held_back:
            self.reason = ""
            if self._wanted:
                self.start()
        return changed

    def _refuse(self, problem: str) -> None:
        if not self._listed:
            self.reason = problem
        kept = "the kubelet keeps the last list that fitted" if self._listed else "nothing is registered"
        (self._log.debug if problem == self._too_long else self._log.error)(
            "the list of devices is too long", reason=problem, consequence=kept
        )
        self._too_long = problem

    async def withdraw(self, patience: float = 1.0) -> None:
        """Tell the kubelet that nothing is left, then stop."""
        self._wanted = False
        self.publish(())
        if self.state is State.STREAMING:
            await self._devices.delivered(patience)
        await self.stop()

    async def stop(self) -> None:
        """Close the streams and the server, and remove the socket."""
        self._wanted = False
        self._unsubscribe()
        self._unsubscribe = lambda: None
        self._on(Event.STOP)
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _on(self, event: Event, reason: str = "") -> None:
        transition = step(self.state, event)
        if transition is None:
            return
        if event is Event.KUBELET_UP or (event is Event.STREAM_ENDED and self._lasted()):
            self._pause = iter(self._pauses)
        if self.state is State.STREAMING and event is not Event.STOP:
            self.tally.restarts += 1
        if transition.state is not self.state:
            self._since = asyncio.get_running_loop().time()
        self.state = transition.state
        self._tell(event, reason)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for command in transition.commands:
            self._do(command)

    def _do(self, command: Command) -> None:
        match command:
            case Command.BIND:
                self._close()
                self._replace_work(self._bind())
            case Command.REGISTER:
                self._replace_work(self._register())
            case Command.CLOSE:
                self._replace_work(None)
                self._close()
            case Command.PAUSE:
                self._later(next(self._pause))
            case Command.EXPECT_STREAM:
                self._later(_STREAM_PATIENCE)

    def _later(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._on, Event.DUE)

    def _replace_work(self, work: Coroutine[Any, Any, None] | None) -> None:
        if self._work is not None and self._work is not asyncio.current_task():
            self._work.cancel()
        self._work = self._spawn(work, "registration") if work else None

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=f"{self.resource}-{name}")
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            # A mistake of ours must not leave the resource in a state that nothing ever leaves.
            self._log.error("internal error; trying again", exc_info=error)
            self._on(Event.UNREACHABLE, f"internal error: {error!r}")

    def _close(self) -> None:
        """Let go of the endpoint; `_closing` is done when its streams are."""
        endpoint, path = self._endpoint, self._socket
        self._endpoint = self._socket = None
        if endpoint is not None and path is not None:
            self._directory.release(path)
            self._closing = self._spawn(endpoint.close(), "close")

    async def _bind(self) -> None:
        if self._closing is not None:  # an old stream that ends late would take the new one with it
            await asyncio.wait({self._closing})
        if not self._directory.answers():
            self._on(Event.UNREACHABLE, "the kubelet does not answer")
            return
        # A closed endpoint's news is late news, and nobody's.
        endpoint = Endpoint(
            self.resource,
            self._service,
            self._devices,
            opened=lambda: self._of(endpoint, Event.STREAM_OPENED),
            ended=lambda: self._of(endpoint, Event.STREAM_ENDED),
        )
        try:
            path = self._directory.new_socket(self.resource)
            await endpoint.serve(path)
        except KubeletDirectoryError as error:
            self._on(Event.BIND_FAILED, str(error))
            return
        except asyncio.CancelledError:
            await endpoint.close()
            raise
        self._endpoint, self._socket = endpoint, path
        self._log.info("serving", socket=path.name)
        self._directory.bound(path, lambda: self._of(endpoint, Event.SOCKET_LOST))
        self._on(Event.BOUND)

    async def _register(self) -> None:
        endpoint, path = self._endpoint, self._socket
        if endpoint is None or path is None:
            return
        try:
            await self._registrar.register(self.resource, path.name, endpoint.options)
        except KubeletUnavailable as error:
            self._on(Event.UNREACHABLE, str(error))
        except RegistrationRefused as error:
            self.tally.refusals += 1
            self._on(Event.REFUSED, str(error))
        else:
            self.tally.registrations += 1
            self._log.info("registered", socket=path.name)
            self._on(Event.ACCEPTED)

    def _of(self, endpoint: Endpoint, event: Event) -> None:
        if endpoint is self._endpoint:
            self._on(event)

    def _lasted(self) -> bool:
        """Whether the state has been held long enough that its end is no failure of this round."""
        return asyncio.get_running_loop().time() - self._since > _STREAM_PATIENCE

    def _tell(self, event: Event, reason: str) -> None:
        """Log what changed: a new reason once, its repeats quietly."""
        if self.state is State.STREAMING:
            self.reason = self._said = ""
        elif event in _REPAIRED:
            self.reason = _REPAIRED[event]
            self._log.info("registering again", reason=self.reason)
        elif reason:
            self.reason = reason
            # That the kubelet is away is said once, by its directory, and not by each resource.
            quiet = reason == self._said or event is Event.UNREACHABLE
            self._said = reason
            (self._log.debug if quiet else self._log.warning)("not registered", reason=reason)
