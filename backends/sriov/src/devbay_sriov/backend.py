"""The backend: the host's questions, each handed to the module that knows.

`discover`, `check`, `affinity` and `release` run in one thread and share what is remembered here; `edit` and `watch`
run in others. `edit` reads one reference that `discover` replaces as a whole.
"""

import logging
import os
import threading
from collections.abc import Callable, Mapping, Sequence

from devbay.api import BackendUnavailable, ContainerEdits, Device, Health, Node, hookimpl
from devbay_sriov import affinity, container, health, offers, pools, watcher
from devbay_sriov.chardevs import VHOST_NET, CharacterDevices
from devbay_sriov.deviceinfo import Files
from devbay_sriov.functions import Function
from devbay_sriov.lookup import Looks
from devbay_sriov.pooling import Pools, Resource
from devbay_sriov.scan import Scan
from devbay_sriov.settings import Settings
from devbay_sriov.source import Source
from devbay_sriov.usage import Usage

log = logging.getLogger(__name__)


class Backend:
    """Network virtual functions, subfunctions and other PCI functions."""

    def __init__(self) -> None:
        self._source = Source()
        self._files = Files()
        self._known: dict[str, Device] = {}
        self._resources: Mapping[str, Resource] | None = None
        self._left_out: Mapping[str, str] = {}
        self._blindness = ""

    @hookimpl
    def settings(self) -> type[Settings]:
        """Return the type of the section ``sriov``."""
        return Settings

    @hookimpl
    def discover(self, node: Node, settings: Settings) -> list[Device]:
        """Return the functions that the pools select.

        One that was offered and has lost its driver stays: `check` then says so, which tells more than a device that
        is gone.
        """
        asked = self._asked(node, settings)
        functions, usage = _look(node, asked)
        division = pools.divide(asked.resources, functions.values(), self._rules(node, settings, usage))
        self._tell(division.left_out, usage.blindness)
        chardevs = CharacterDevices(f"{node.sys}", f"{node.dev}")
        has_vhost_net = all(map(chardevs.has, VHOST_NET))
        found = {
            share.function.id: offers.device(share, has_vhost_net=has_vhost_net, revision=self._source.revision)
            for share in division.shares.values()
        }
        for name, device in self._known.items():
            if name not in found and name in functions and not functions[name].driver:
                found[name] = device
        self._known = found
        if settings.device_info_dir:
            self._files.keep(node.locate(settings.device_info_dir), found.values(), functions)
        return list(found.values())

    @hookimpl
    def check(self, node: Node, settings: Settings, devices: Sequence[Device]) -> Mapping[str, Health]:
        """Return what each function's entry in sysfs says about its health."""
        return {device.id: health.judge(node, device, pf_link=settings.pf_link) for device in devices}

    @hookimpl
    def watch(self, node: Node, settings: Settings, wake: Callable[[], None], stop: threading.Event) -> None:
        """Call `wake` when the kernel tells of functions, interfaces or routes, or the pools' file changes."""
        watcher.watch(node, settings, wake, stop)

    @hookimpl
    def affinity(self, a: Device, b: Device) -> float:
        """Return how close two functions are: on one physical function, one PCIe switch, one NUMA node."""
        return affinity.closeness(a, b)

    @hookimpl
    def edit(self, node: Node, settings: Settings, resource: str, devices: Sequence[Device]) -> ContainerEdits:
        """Return what a container gets."""
        resources = self._resources
        if resources is None:
            resources = _by_name(Source().pools(node, settings))
        return container.edits(resource, devices, resources.get(resource))

    @hookimpl
    def release(self, node: Node, settings: Settings, devices: Sequence[Device]) -> None:
        """Remove what was kept for Multus of devices that are not offered any longer."""
        if settings.device_info_dir:
            self._files.let_go(node.locate(settings.device_info_dir), devices, self._known.values())

    def explain(self, node: Node, settings: Settings, device_id: str) -> list[str]:
        """Return, selector by selector, why a function is or is not in each pool."""
        asked = self._asked(node, settings)
        functions, usage = _look(node, asked)
        if device_id not in functions:
            return [f"{device_id} is no function of the PCI classes that the pools ask for"]
        return pools.story(asked.resources, functions[device_id], self._rules(node, settings, usage))

    def _asked(self, node: Node, settings: Settings) -> Pools:
        asked = self._source.pools(node, settings)
        self._resources = _by_name(asked)
        return asked

    def _rules(self, node: Node, settings: Settings, usage: Usage) -> pools.Rules:
        directory = node.locate(settings.device_info_dir) if settings.device_info_dir else None

        def was_in(resource: Resource, function: Function) -> bool:
            known = self._known.get(function.id)
            if known is not None:
                return known.resource == resource.full_name
            return directory is not None and self._files.has(directory, resource.full_name, function.id)

        return pools.Rules(lookup=Looks(f"{node.sys}"), uses=usage, was_in=was_in)

    def _tell(self, left_out: Mapping[str, str], blindness: str) -> None:
        for name, reason in left_out.items():
            if self._left_out.get(name) != reason:
                log.info("%s is not offered: %s", name, reason)
        if blindness and blindness != self._blindness:
            log.warning("%s", blindness)
        self._left_out, self._blindness = left_out, blindness


def _by_name(asked: Pools) -> dict[str, Resource]:
    return {resource.full_name: resource for resource in asked.resources}


def _look(node: Node, asked: Pools) -> tuple[dict[str, Function], Usage]:
    """Return the functions of the classes that the pools ask for, and what the node uses them for.

    Raises:
        BackendUnavailable: there is no PCI bus to look at.
    """
    if not os.path.isdir(f"{node.sys}/bus/pci/devices"):  # noqa: PTH112 - as in `sysfs`
        raise BackendUnavailable(f"{node.sys}/bus/pci/devices does not exist: this machine has no PCI bus")
    classes = frozenset(each for resource in asked.resources for each in resource.classes)
    scan = Scan(f"{node.sys}", f"{node.dev}", classes)
    functions = {function.id: function for function in scan.functions()} if classes else {}
    return functions, Usage(f"{node.sys}", f"{node.proc}")
