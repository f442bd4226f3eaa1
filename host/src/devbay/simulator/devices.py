"""The device sets of every resource, as the kubelet keeps them. Pure: no clock, no sockets.

Four maps by resource: the healthy and the unhealthy ids, everything a plugin listed last, and the ids given out. The
kubelet keeps them apart and lets them disagree; so does this module, since what follows from it is what plugins meet.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

HEALTHY = "Healthy"
"""The one word that counts as healthy (DM/manager.go:297); any other is unhealthy (behaviour 24)."""


@dataclass(frozen=True, slots=True)
class Device:
    """A device as one ListAndWatch message tells it.

    Attributes:
        id: its id.
        health: the word the plugin sent.
        numa_nodes: the NUMA nodes the plugin sent, unchecked.
        topology_sent: whether the message carried a topology at all, empty or not.
    """

    id: str
    health: str
    numa_nodes: tuple[int, ...] = ()
    topology_sent: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """What one message did.

    Attributes:
        healthy: ids now healthy, sorted.
        unhealthy: ids now unhealthy, sorted.
        vanished: ids that were listed before and are not now, sorted.
        duplicates: ids that the message named more than once, sorted.
        changed: ids with another word than before, and ids that were not listed before, sorted.
    """

    healthy: tuple[str, ...]
    unhealthy: tuple[str, ...]
    vanished: tuple[str, ...]
    duplicates: tuple[str, ...]
    changed: tuple[str, ...]


@dataclass(slots=True)
class DeviceSets:
    """The four maps, each by resource (DM/manager.go:62-116)."""

    healthy: dict[str, set[str]] = field(default_factory=dict)
    unhealthy: dict[str, set[str]] = field(default_factory=dict)
    known: dict[str, dict[str, Device]] = field(default_factory=dict)
    allocated: dict[str, set[str]] = field(default_factory=dict)

    def replace(self, resource: str, devices: Sequence[Device]) -> Change:
        """Replace the lists of `resource` by one message: each is the whole truth (DM/manager.go:270-303)."""
        before = self.known.get(resource, {})
        known: dict[str, Device] = {}
        healthy: set[str] = set()
        unhealthy: set[str] = set()
        duplicates: set[str] = set()
        changed: set[str] = set()
        for device in devices:
            if device.id in known:
                duplicates.add(device.id)
            known[device.id] = device
            if device.id not in before or before[device.id].health != device.health:
                changed.add(device.id)
            # An id that comes twice with different words ends up in both sets and is counted twice.
            (healthy if device.health == HEALTHY else unhealthy).add(device.id)
        self.known[resource] = known
        self.healthy[resource] = healthy
        self.unhealthy[resource] = unhealthy
        vanished = before.keys() - known.keys()
        return Change(*map(_sorted, (healthy, unhealthy, vanished, duplicates, changed)))

    def mark_unhealthy(self, resource: str) -> None:
        """Count every healthy device of `resource` as unhealthy (DM/manager.go:419-430)."""
        gone = self.healthy.get(resource, set())
        if resource in self.healthy:
            self.healthy[resource] = set()
        self.unhealthy[resource] = self.unhealthy.get(resource, set()) | gone

    def restore(self, resource: str) -> None:
        """Know `resource` from a checkpoint: with empty sets until its plugin comes back (DM/manager.go:536-542)."""
        self.healthy[resource] = set()
        self.unhealthy[resource] = set()

    def forget(self, resource: str) -> None:
        """Drop the sets of `resource` after its grace; what was listed is never pruned (DM/manager.go:452-494)."""
        self.healthy.pop(resource, None)
        self.unhealthy.pop(resource, None)

    def is_plugin_resource(self, resource: str) -> bool:
        """Say whether containers' limits of `resource` concern the device manager (DM/manager.go:1086-1097)."""
        return resource in self.healthy or resource in self.allocated

    def has_alignment(self, resource: str) -> bool:
        """Say whether any device of `resource` has a NUMA node (DM/topology_hints.go:139-147)."""
        return any(device.numa_nodes for device in self.known.get(resource, {}).values())


def _sorted(ids: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(ids))
