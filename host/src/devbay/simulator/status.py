"""What the kubelet knows of devices and resources, as values for its users."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from devbay.simulator.client import PluginClient
from devbay.simulator.devices import HEALTHY, DeviceSets
from devbay.simulator.endpoints import Endpoints


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceStatus:
    """A device as the kubelet knows it.

    Attributes:
        id: its id.
        health: the word its plugin sent last.
        healthy: whether the kubelet counts it as healthy: not where its plugin is gone.
        numa_nodes: the NUMA nodes its plugin sent.
        allocated: whether a container holds it, or held it and nobody looked since.
    """

    id: str
    health: str
    healthy: bool
    numa_nodes: tuple[int, ...]
    allocated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceStatus:
    """A resource that a plugin registered, or that the checkpoint knows.

    Attributes:
        name: the resource.
        endpoint: the file name of its plugin's socket; empty where only the checkpoint knows it.
        streaming: whether its plugin's ListAndWatch stream is up.
        pre_start_required: whether the plugin wants PreStartContainer.
        preferred_allocation: whether the plugin chooses devices itself.
    """

    name: str
    endpoint: str
    streaming: bool
    pre_start_required: bool
    preferred_allocation: bool


def devices(sets: DeviceSets, resource: str) -> dict[str, DeviceStatus]:
    """Return the devices of `resource` by id, sorted."""
    healthy = sets.healthy.get(resource, set())
    allocated = sets.allocated.get(resource, set())
    return {
        name: DeviceStatus(
            id=name,
            health=device.health,
            healthy=device.health == HEALTHY and name in healthy,
            numa_nodes=device.numa_nodes,
            allocated=name in allocated,
        )
        for name, device in sorted(sets.known.get(resource, {}).items())
    }


def resources(endpoints: Endpoints, streams: Iterable[PluginClient]) -> dict[str, ResourceStatus]:
    """Return the resources by name, sorted; `streams` are the clients whose stream is up."""
    streaming = {(client.resource, client.socket) for client in streams}
    statuses = {}
    for name, endpoint in sorted(endpoints.current.items()):
        socket = endpoint.plugin.socket if endpoint.plugin else ""
        statuses[name] = ResourceStatus(
            name=name,
            endpoint=Path(socket).name,
            streaming=(name, socket) in streaming,
            pre_start_required=bool(endpoint.options and endpoint.options.pre_start_required),
            preferred_allocation=bool(endpoint.options and endpoint.options.preferred_allocation),
        )
    return statuses
