"""The simulated kubelet for tests that are not asynchronous: the same object, its loop in another thread."""

from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, TypeVar

from devbay.simulator import Container, DeviceStatus, Event, Kubelet, Pod, PodStatus
from devbay.testing.background import BackgroundLoop

T = TypeVar("T")

_PATIENCE = 20.0
"""Seconds until a state that never comes fails its test: long, since a loaded machine is no failure."""


class SimulatedKubelet:
    """A kubelet on a directory of its own, and a runtime that looks for CDI files in its folder ``cdi``.

    `options` are those of `devbay.simulator.Kubelet`.

    Attributes:
        kubelet: the simulator itself, for what is not repeated here; `run` calls its coroutines.
        loop: where it lives, and a host beside it.
    """

    def __init__(self, directory: Path, **options: Any) -> None:
        self.loop = BackgroundLoop()
        options = {"cdi_dirs": (directory / "cdi",)} | options
        self.kubelet = self.loop.call(lambda: Kubelet(directory, **options))
        self.loop.run(self.kubelet.start())

    @property
    def directory(self) -> Path:
        """Where plugins register: the kubelet's device plugin directory."""
        return self.kubelet.directory

    @property
    def capacity(self) -> Mapping[str, int]:
        """The node's capacity by resource."""
        return self.loop.call(lambda: self.kubelet.capacity)

    @property
    def allocatable(self) -> Mapping[str, int]:
        """The node's allocatable by resource: healthy devices, those in use included."""
        return self.loop.call(lambda: self.kubelet.allocatable)

    @property
    def pods(self) -> Mapping[str, PodStatus]:
        """The pods bound to the node, by name."""
        return self.loop.call(lambda: self.kubelet.pods)

    @property
    def events(self) -> list[Event]:
        """Everything that happened so far, in order."""
        return self.loop.call(lambda: list(self.kubelet.events))

    def devices(self, resource: str) -> Mapping[str, DeviceStatus]:
        """Return the devices of a resource by id, as listed last."""
        return self.loop.call(lambda: self.kubelet.devices(resource))

    def wait_for(self, resource: str, count: int) -> None:
        """Wait until so many devices of a resource are allocatable; TimeoutError says what was there instead."""
        what = f"{count} allocatable {resource}"
        self.wait_until(lambda: self.kubelet.allocatable.get(resource, 0) == count, what)

    def wait_until(self, condition: Callable[[], bool], what: str = "a condition", seconds: float = _PATIENCE) -> None:
        """Wait until `condition` holds, asked on the kubelet's loop: use `kubelet` in it, and not these methods."""
        self.run(self.kubelet.wait_until(condition, seconds, what))

    def create_pod(self, pod: Pod) -> PodStatus:
        """Bind a pod to the node; return once it is rejected or the start of each container was tried."""
        return self.run(self.kubelet.create_pod(pod))

    def give(self, resource: str, count: int = 1, *, pod: str = "pod") -> PodStatus:
        """Create a pod whose one container, ``main``, asks for devices of a resource; return what became of it."""
        container = Container(name="main", limits={resource: count})
        return self.create_pod(Pod(name=pod, containers=(container,)))

    def delete_pod(self, name: str) -> None:
        """Delete a pod."""
        self.run(self.kubelet.delete_pod(name))

    def restart(self) -> None:
        """Restart the kubelet: sockets are deleted, and plugins must register again."""
        self.run(self.kubelet.restart())

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Return what a coroutine of the simulator returns."""
        return self.loop.run(work)

    def close(self) -> None:
        """End the kubelet and its loop."""
        try:
            self.loop.run(self.kubelet.close())
        finally:
            self.loop.stop()
