"""What a backend is asked, and what its answers are made into. All of it runs in the backend's threads, and may block.

Each question calls one hook, has the answer judged by `devbay.contract`, and adds what the host knows better than a
backend need: whether a device node is there, which NUMA nodes it is close to, what is a device node at all. Threads,
deadlines and what becomes of failures are `devbay.runner`'s.
"""

import itertools
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from devbay import contract, edits, numa
from devbay.model import HEALTHY, ContainerEdits, Device, Health, Node, unhealthy
from devbay.plugins import Backend
from devbay.preference import Affinity
from devbay.threads import describe


@dataclass(frozen=True, slots=True)
class Questions:
    """Asks one backend, with its settings, about one node. What it raises is the backend's, or `ContractViolation`."""

    backend: Backend
    node: Node
    settings: Any

    def discover(self) -> tuple[tuple[Device, ...], tuple[contract.Rejection, ...]]:
        """Return the devices that are here, and the items of the answer that cannot be used."""
        devices, rejected = contract.accept_devices(self.backend.discover(self.node, self.settings))
        return tuple(map(self._placed, devices)), rejected

    def check(self, devices: Sequence[Device]) -> dict[str, Health]:
        """Return the health of each device by id: by its device nodes, where the backend has no word on it."""
        if "check" in self.backend.hooks:
            return contract.accept_health(self.backend.check(self.node, self.settings, devices), devices)
        return {device.id: self._presence(device) for device in devices}

    def edit(self, resource: str, devices: Sequence[Device]) -> ContainerEdits:
        """Return what a container needs, as it can be delivered."""
        accepted = contract.accept_edits(self.backend.edit(self.node, self.settings, resource, devices))
        return edits.deliverable(accepted, self._is_device_node)

    def affinities(
        self,
        devices: Sequence[Device],
        close: dict[tuple[str, str], float],
        *,
        enough: Callable[[], bool],
        fault: Callable[[str], None],
    ) -> Affinity:
        """Fill `close` pair by pair, so that what came in time counts, until `enough`; `fault` is told of failures."""
        for a, b in itertools.combinations(devices, 2):
            if enough():
                break
            try:
                closeness = contract.accept_affinity(self.backend.affinity(self.node, self.settings, a, b))
            except BaseException as error:  # noqa: BLE001 - whatever it is, it costs the closeness of these two
                fault(describe(error))
                continue
            if closeness:
                close[a.id, b.id] = closeness
        return Affinity.of(close)  # here, and not on the loop: it weighs all pairs

    def explain(self, device: Device) -> str:
        """Return why a device is here, in the backend's words."""
        return contract.accept_explanation(self.backend.explain(self.node, self.settings, device))

    def _placed(self, device: Device) -> Device:
        """Return the device with the NUMA nodes that its device nodes tell, where its backend gave none."""
        if device.numa_nodes or not device.paths:
            return device
        return replace(device, numa_nodes=numa.numa_nodes(self.node, device.paths))

    def _presence(self, device: Device) -> Health:
        for path in device.paths:
            try:
                self.node.locate(path).stat()
            except FileNotFoundError:
                return unhealthy(f"device node {path} is missing")
            except OSError as error:
                return unhealthy(f"device node {path} cannot be looked at: {error.strerror}")
            except ValueError as error:  # a NUL, or what no file system can hold
                return unhealthy(f"device node {path!r} is no path: {error}")
        return HEALTHY

    def _is_device_node(self, path: str) -> bool:
        try:
            mode = self.node.locate(path).stat().st_mode
        except OSError:
            return True  # not for us to say: the runtime's error will name the path
        return stat.S_ISCHR(mode) or stat.S_ISBLK(mode)
