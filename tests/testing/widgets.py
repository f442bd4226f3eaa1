"""A backend that keeps the whole contract, and its rig: what the wrong ones beside it differ from in one thing."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from asyncinotify import Inotify, Mask

from devbay.api import (
    HEALTHY,
    BackendUnavailable,
    ContainerEdits,
    Device,
    DeviceNode,
    Health,
    Node,
    hookimpl,
    unhealthy,
)
from devbay.testing import DIRECTORY, CharacterDevice, FakeNode, Rig, Tree

CLASS = "/sys/class/widget"
RESOURCE = "example.com/widget"
FEW = 10
"""More devices than these have no device nodes: they take long to make, and no case looks at so many."""


class Backend:
    """Widgets: a file each in ``/sys/class/widget``, and a device node."""

    @hookimpl
    def discover(self, node: Node) -> list[Device]:
        """Return the widgets."""
        return list(self.widgets(node))

    @hookimpl
    def check(self, node: Node, devices: Sequence[Device]) -> Mapping[str, Health]:
        """Return what each widget's status says."""
        return {device.id: self.status(node, device) for device in devices}

    @hookimpl
    def watch(self, node: Node, wake: Callable[[], None], stop: threading.Event) -> None:
        """Listen to the class directory."""
        with Inotify(sync_timeout=0.1) as inotify:
            inotify.add_watch(node.locate(CLASS), Mask.CREATE | Mask.DELETE)
            while not stop.is_set():
                if inotify.sync_get() is not None:
                    wake()

    @hookimpl
    def affinity(self, a: Device, b: Device) -> float:
        """Return that widgets with numbers of one parity are close."""
        return float(int(a.id[-1]) % 2 == int(b.id[-1]) % 2)

    @hookimpl
    def edit(self, devices: Sequence[Device]) -> ContainerEdits:
        """Return the widgets' device nodes and ids."""
        return ContainerEdits(
            env={"WIDGETS": ",".join(device.id for device in devices)},
            device_nodes=[DeviceNode(path=path) for device in devices for path in device.paths],
        )

    def widgets(self, node: Node) -> Iterator[Device]:
        """Yield the widgets of the class directory."""
        place = node.locate(CLASS)
        if not place.is_dir():
            raise BackendUnavailable(f"{CLASS} does not exist: no driver of widgets is loaded")
        for name in sorted(path.name for path in place.iterdir()):
            yield Device(id=name, resource=RESOURCE, paths=(f"/dev/{name}",))

    def status(self, node: Node, device: Device) -> Health:
        """Return what a widget's status says."""
        try:
            text = node.locate(f"{CLASS}/{device.id}").read_text().strip()
        except OSError as error:
            return unhealthy(f"its status cannot be read: {error.strerror}")
        return HEALTHY if text == "online" else unhealthy(f"its status is {text}, not online")


class Careful(Backend):
    """The same, and what is done around a container: only what was prepared is released."""

    def __init__(self) -> None:
        self.prepared: set[str] = set()

    @hookimpl
    def prepare(self, devices: Sequence[Device]) -> None:
        """Switch the widgets on."""
        self.prepared.update(device.id for device in devices)

    @hookimpl
    def release(self, resource: str, devices: Sequence[Device]) -> None:
        """Switch the widgets off, which were switched on."""
        if resource != RESOURCE or not {device.id for device in devices} <= self.prepared:
            raise AssertionError(f"{devices} of {resource} were not prepared")


def rig(backend: object, node: FakeNode) -> Rig:
    """Give three widgets."""

    def set_devices(count: int) -> None:
        files: Tree = {CLASS: DIRECTORY}
        for number in range(count):
            files[f"{CLASS}/widget{number}"] = "online\n"
            if count <= FEW:
                files[f"/dev/widget{number}"] = CharacterDevice()
        node.replace(files)

    def fail(device: Device) -> None:
        node.add({f"{CLASS}/{PurePosixPath(device.paths[0]).name}": "broken\n"})

    def mend(device: Device) -> None:
        node.add({f"{CLASS}/{PurePosixPath(device.paths[0]).name}": "online\n"})

    def remove(device: Device) -> None:
        node.remove(f"{CLASS}/{PurePosixPath(device.paths[0]).name}", *device.paths)

    set_devices(3)
    return Rig(backend, node.node, set_devices=set_devices, fail=fail, mend=mend, remove=remove)
