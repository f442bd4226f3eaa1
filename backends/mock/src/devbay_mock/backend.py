"""The backend: the host's questions, each handed to the module that knows.

`discover`, `check`, `affinity` and `close` run in one thread and share what is remembered here; `edit` and `watch` run
in others and touch none of it.
"""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence

from devbay.api import BackendUnavailable, ContainerEdits, Device, Health, Node, hookimpl
from devbay_mock import container, health, tree, watcher
from devbay_mock.maker import Maker, Plan
from devbay_mock.places import Places, places
from devbay_mock.settings import Settings

log = logging.getLogger(__name__)


class Backend:
    """Accelerators on a directory tree."""

    def __init__(self) -> None:
        self._maker: tuple[Places, Maker] | None = None
        self._places: Places | None = None
        self._known: frozenset[str] = frozenset()
        self._trouble = ""

    @hookimpl
    def settings(self) -> type[Settings]:
        """Return the type of the section ``mock``."""
        return Settings

    @hookimpl
    def discover(self, node: Node, settings: Settings) -> list[Device]:
        """Return the devices of the tree, which is made first if the settings say so.

        A device whose file was there once stays a device while its directory is there: `check` then says that the file
        is missing, which tells more than a device that is gone.
        """
        here = places(node, settings)
        trouble = self._make(here, settings)
        if here != self._places:
            self._places, self._known = here, frozenset()
        try:
            found = tree.devices(here, settings, self._known)
        except BackendUnavailable as error:
            raise BackendUnavailable(trouble or str(error)) from None
        if trouble and not found:
            raise BackendUnavailable(trouble)
        self._known = frozenset(device.id for device in found)
        return found

    @hookimpl
    def check(self, node: Node, settings: Settings, devices: Sequence[Device]) -> Mapping[str, Health]:
        """Return what each device's files say about its health."""
        here = places(node, settings)
        return {device.id: health.judge(here, settings, device.id) for device in devices}

    @hookimpl
    def watch(self, node: Node, settings: Settings, wake: Callable[[], None], stop: threading.Event) -> None:
        """Call `wake` when something in the tree or among the device files changes."""
        watcher.watch(node, settings, wake, stop)

    @hookimpl
    def affinity(self, a: Device, b: Device) -> float:
        """Return 1 for two devices on one NUMA node, otherwise 0."""
        return float(not set(a.numa_nodes).isdisjoint(b.numa_nodes))

    @hookimpl
    def explain(self, node: Node, settings: Settings, device: Device) -> str:
        """Return which files say what of a device."""
        return health.explain(places(node, settings), settings, device.id)

    @hookimpl
    def edit(self, settings: Settings, resource: str, devices: Sequence[Device]) -> ContainerEdits:
        """Return what a container gets."""
        return container.edits(settings, resource, devices)

    @hookimpl
    def close(self) -> None:
        """Remove what was made."""
        if self._maker is not None:
            _, maker = self._maker
            self._maker = None
            maker.unmake()

    def _make(self, here: Places, settings: Settings) -> str:
        """Make what is to be made, and return what was in the way of it."""
        try:
            if self._maker is not None and (not settings.count or self._maker[0].tree != here.tree):
                self.close()
            if settings.count:
                self._maker = self._maker or (here, Maker(here.tree))
                self._maker[1].make(_plan(here, settings))
        except OSError as error:
            trouble = f"the tree cannot be made: {error.filename or here.root}: {error.strerror}"
        else:
            trouble = ""
        if trouble and trouble != self._trouble:
            log.warning("%s", trouble)
        self._trouble = trouble
        return trouble


def _plan(here: Places, settings: Settings) -> Plan:
    numbers = range(settings.count)
    return Plan(
        device_dir=here.devices,
        device_prefix=here.device_prefix,
        numa_nodes={
            f"{settings.prefix}{settings.start + i}": str(i % settings.numa_nodes) if settings.numa_nodes else "-1"
            for i in numbers
        },
    )
