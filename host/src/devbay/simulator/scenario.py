"""A day in the life of a node, played on a simulated kubelet: each step really happens, is measured, and is told.

Written for `devbay simulate --scenario day` and for anyone who has a `Kubelet` and a device plugin: what is told comes
from the kubelet's events, what is measured is the difference of their times. A kubelet cannot make a device fail, so
either the tree of a mock backend is given, in which the day writes, or a person is asked to do it.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from devbay.simulator.events import Allocated, DevicesReceived, KubeletStarted, Registered
from devbay.simulator.kubelet import Kubelet
from devbay.simulator.pods import Container, Pod

Fact: TypeAlias = str | int | float

POD = "day"
CONTAINER = "main"
_GAP = 0.3
"""Seconds for which the kubelet is away at its restart: long enough for every plugin to notice."""


class StepFailed(Exception):  # noqa: N818 - says what happened
    """A part of the day did not happen; the text says which, and what was there instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One part of the day that happened.

    Attributes:
        name: a word for programs: register, pod, failure, recovery, restart or delete.
        title: what happened, as a headline.
        detail: the same with names and numbers.
        seconds: how long it took, from its cause to its effect at the kubelet.
        facts: the names and numbers.
    """

    name: str
    title: str
    detail: str
    seconds: float
    facts: Mapping[str, Fact] = field(default_factory=dict, hash=False)


class Day:
    """A scripted day on a running `kubelet`.

    `tell` gets every step when it has happened. `ask` gets what a person must do, where `tree` is None. `tree` is a
    mock backend's tree, ``<tree>/<device>/status``. `resource` chooses the resource to play with; without it, it is
    the first that has a device. `limit` is how many seconds each step may take.
    """

    def __init__(  # noqa: PLR0913 - one page of choices, all named and with defaults
        self,
        kubelet: Kubelet,
        *,
        tell: Callable[[Step], object],
        ask: Callable[[str], object],
        tree: Path | None = None,
        resource: str = "",
        limit: float = 30.0,
    ) -> None:
        self._kubelet = kubelet
        self._tell = tell
        self._ask = ask
        self._tree = tree
        self._resource = resource
        self._limit = limit
        self._steps: list[Step] = []

    async def play(self) -> list[Step]:
        """Play the day from morning to evening, and return its steps. Raises `StepFailed` at the first that fails."""
        await self.register()
        await self.pod()
        device = await self.failure()
        await self.recovery(device)
        await self.restart()
        await self.delete()
        return self._steps

    async def register(self) -> None:
        """Wait for a resource with a device that can be allocated."""
        began = self._kubelet.events_of(KubeletStarted)[-1].at

        def ready() -> bool:
            counts = self._kubelet.allocatable
            usable = sorted(name for name, count in counts.items() if count and self._resource in ("", name))
            self._resource = usable[0] if usable else self._resource
            return bool(usable)

        await self._wait(ready, f"a device of {self._resource or 'any resource'} to allocate; is a plugin running?")
        call = [event for event in self._kubelet.events_of(Registered) if event.resource == self._resource][-1]
        self._done(
            "register",
            "A resource is registered",
            f"{self._resource} from {call.endpoint}: {self._count()}",
            self._listed_after(call.at - call.seconds).at - began,
            resource=self._resource,
            endpoint=call.endpoint,
            capacity=self._kubelet.capacity[self._resource],
            allocatable=self._kubelet.allocatable[self._resource],
        )

    async def pod(self) -> None:
        """Create a pod that asks for one device."""
        pod = Pod(name=POD, containers=(Container(name=CONTAINER, limits={self._resource: 1}),))
        with self._failing(f"pod {POD} to get one {self._resource}"):
            status = await self._kubelet.create_pod(pod)
            if status.phase != "Running":
                raise ValueError(f"{status.reason} {status.message or status.containers[0].message}".strip())
            calls = [event for event in self._kubelet.events_of(Allocated) if event.pod == POD]
            if not calls:
                raise ValueError(f"{self._resource} went away, so nothing was allocated")
        given = status.container(CONTAINER)
        ids = ", ".join(given.devices.get(self._resource, ()))
        gives = [
            *(f"{name}={value}" for name, value in sorted(given.env.items())),
            *(node.path for node in given.device_nodes),
            *(f"mount {mount.container_path}" for mount in given.mounts),
            *given.cdi_names,
        ]
        self._done(
            "pod",
            "A pod's container gets a device",
            f"{ids} of {self._resource}: {', '.join(gives) or 'the plugin gave nothing with it'}",
            calls[-1].seconds,
            device=ids,
            **{f"env {name}": value for name, value in sorted(given.env.items())},
            device_nodes=", ".join(node.path for node in given.device_nodes),
            mounts=", ".join(mount.container_path for mount in given.mounts),
            cdi_names=", ".join(given.cdi_names),
        )

    async def failure(self) -> str:
        """Let a device fail that no container holds, if there is one; return its id."""
        devices = [device for device in self._kubelet.devices(self._resource).values() if device.healthy]
        device = min(devices, key=lambda device: (device.allocated, device.id)).id
        before = self._kubelet.allocatable[self._resource]
        began = self._set(device, "offline", f"Make device {device} of {self._resource} fail.")
        await self._wait(lambda: not self._healthy(device), f"device {device} to be reported unhealthy")
        self._done(
            "failure",
            "A device fails",
            f"{device} is unhealthy: {self._count()}, {before} before",
            self._changed_after(began, device, healthy=False) - began,
            device=device,
            capacity=self._kubelet.capacity[self._resource],
            allocatable=self._kubelet.allocatable[self._resource],
            allocatable_before=before,
        )
        return device

    async def recovery(self, device: str) -> None:
        """Let the device recover."""
        began = self._set(device, "online", f"Repair device {device} of {self._resource}.")
        await self._wait(lambda: self._healthy(device), f"device {device} to be reported healthy again")
        self._done(
            "recovery",
            "The device recovers",
            f"{device} is healthy: {self._count()}",
            self._changed_after(began, device, healthy=True) - began,
            device=device,
            capacity=self._kubelet.capacity[self._resource],
            allocatable=self._kubelet.allocatable[self._resource],
        )

    async def restart(self) -> None:
        """Restart the kubelet, and wait until every resource that was there is back."""
        before = {
            name: self._kubelet.allocatable.get(name, 0) for name, r in self._kubelet.resources.items() if r.streaming
        }
        with self._failing("the kubelet to restart"):
            await self._kubelet.restart(_GAP)
        began = self._kubelet.events_of(KubeletStarted)[-1].at

        def missing() -> list[str]:
            counts = self._kubelet.allocatable
            return [name for name, count in before.items() if counts.get(name, 0) != count]

        await self._wait(lambda: not missing(), f"{', '.join(before)} to come back", missing)
        first = {
            name: next(
                event.at - began
                for event in self._kubelet.events_of(DevicesReceived)
                if event.resource == name and event.at >= began
            )
            for name in before
        }
        seconds = max(first.values(), default=0.0)
        self._done(
            "restart",
            "The kubelet restarts",
            f"{len(before)} of {len(before)} resources back {seconds * 1000:.0f} ms after its new socket",
            seconds,
            resources=len(before),
            **{f"milliseconds {name}": round(taken * 1000, 1) for name, taken in sorted(first.items())},
        )

    async def delete(self) -> None:
        """Delete the pod."""
        began = self._kubelet.clock()
        with self._failing(f"pod {POD} to go"):
            await self._kubelet.delete_pod(POD)
        self._done(
            "delete",
            "The pod is deleted",
            "its plugin is not told: the kubelet frees the device when it next allocates one",
            self._kubelet.clock() - began,
            pods=len(self._kubelet.pods),
        )

    # How it is done.

    def _done(self, name: str, title: str, detail: str, seconds: float, **facts: Fact) -> None:
        step = Step(name=name, title=title, detail=detail, seconds=seconds, facts=facts)
        self._steps.append(step)
        self._tell(step)

    async def _wait(self, predicate: Callable[[], bool], what: str, missing: Callable[[], list[str]] = list) -> None:
        try:
            await self._kubelet.wait_until(predicate, self._limit, what)
        except TimeoutError as error:
            lacking = f" Missing: {', '.join(missing())}." if missing() else ""
            raise StepFailed(f"{error}{lacking}") from error

    @staticmethod
    @contextlib.contextmanager
    def _failing(what: str) -> Iterator[None]:
        try:
            yield
        except (TimeoutError, KeyError, ValueError) as error:
            raise StepFailed(f"waited for {what}: {error}") from error

    def _set(self, device: str, status: str, by_hand: str) -> float:
        """Make a device's status so, or ask for it; return when."""
        if self._tree is None:
            began = self._kubelet.clock()
            self._ask(f"{by_hand} Waiting for it for {self._limit:g} s.")
            return began
        file = self._tree / device.partition("::")[0] / "status"
        began = self._kubelet.clock()
        try:
            if not file.is_file():
                raise StepFailed(f"{file} is not there; is {self._tree} the tree of the backend that serves {device}?")
            file.write_text(f"{status}\n")
        except OSError as error:
            raise StepFailed(f"cannot write {file}: {error.strerror}") from error
        return began

    def _healthy(self, device: str) -> bool:
        known = self._kubelet.devices(self._resource).get(device)
        return known is not None and known.healthy

    def _listed_after(self, at: float) -> DevicesReceived:
        return next(
            event
            for event in self._kubelet.events_of(DevicesReceived)
            if event.resource == self._resource and event.at >= at
        )

    def _changed_after(self, at: float, device: str, *, healthy: bool) -> float:
        return next(
            event.at
            for event in self._kubelet.events_of(DevicesReceived)
            if event.resource == self._resource and event.at >= at and (device in event.healthy) is healthy
        )

    def _count(self) -> str:
        return (
            f"capacity {self._kubelet.capacity[self._resource]}, "
            f"allocatable {self._kubelet.allocatable[self._resource]}"
        )
