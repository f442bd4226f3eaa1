"""Capacity and allocatable: what the node's status says of each resource. Pure.

Two layers, as in the kubelet: the device manager's reading (DM/manager.go:444-496), which is also the moment at which
a grace period is found to be over, and the node object that readings are written into (KL/nodestatus/setters.go:265).
"""

from dataclasses import dataclass, field

from devbay.simulator.devices import DeviceSets
from devbay.simulator.endpoints import Endpoints


@dataclass(frozen=True, slots=True)
class Reading:
    """The device manager's answer to a node-status update.

    Attributes:
        capacity: healthy and unhealthy devices by resource.
        allocatable: healthy devices by resource; devices in use are not subtracted.
        expired: resources whose grace is over.
    """

    capacity: dict[str, int]
    allocatable: dict[str, int]
    expired: tuple[str, ...]


def read(devices: DeviceSets, endpoints: Endpoints, now: float, grace: float) -> Reading:
    """Count the devices, and find the resources that have been without a plugin for longer than `grace`."""
    capacity: dict[str, int] = {}
    allocatable: dict[str, int] = {}
    expired: set[str] = set()
    for resource in devices.healthy.keys() | devices.unhealthy.keys():
        endpoint = endpoints.current.get(resource)
        if endpoint is None or endpoint.expired(now, grace):
            expired.add(resource)
            continue
        healthy = devices.healthy.get(resource)
        if healthy is not None:
            allocatable[resource] = len(healthy)
        capacity[resource] = len(healthy or ()) + len(devices.unhealthy.get(resource, ()))
    return Reading(capacity, allocatable, tuple(sorted(expired)))


@dataclass(slots=True)
class NodeStatus:
    """The node object's numbers. It lives in the API server, so it outlasts the kubelet's process."""

    capacity: dict[str, int] = field(default_factory=dict)
    allocatable: dict[str, int] = field(default_factory=dict)

    def write(self, reading: Reading) -> None:
        """Write a reading into the node: expired resources become 0, they do not go (KL/nodestatus/setters.go:273)."""
        self.capacity |= reading.capacity
        for resource in reading.expired:
            self.capacity[resource] = 0
        # Allocatable starts as a copy of capacity, then the healthy counts are written over it.
        self.allocatable = {**self.capacity, **reading.allocatable}

    def zero(self) -> None:
        """Set every resource to 0: the node registers anew without a checkpoint (KL/kubelet_node_status.go:236)."""
        self.capacity = dict.fromkeys(self.capacity, 0)
        self.allocatable = dict.fromkeys(self.allocatable, 0)
