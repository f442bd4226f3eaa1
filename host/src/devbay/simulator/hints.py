"""The device manager's hints: on which NUMA nodes a resource's request could be met. Pure (DM/topology_hints.go).

Devices without topology lie on no node: in a resource where others have one, they are not counted (behaviour 49).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from devbay.simulator.devices import Device, DeviceSets
from devbay.simulator.topology import Hint


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a container, or a whole pod, asks of one resource.

    Attributes:
        resource: the resource.
        count: how many devices.
        held: the devices it holds already.
        reusable: devices that an ended init container of the pod held; none for a whole pod.
    """

    resource: str
    count: int
    held: frozenset[str] = frozenset()
    reusable: frozenset[str] = frozenset()


def of_request(
    request: Request, devices: DeviceSets, machine: Sequence[int], *, all_nodes: bool
) -> tuple[Hint, ...] | None:
    """Return the hints for a request; None where the resource has no topology, none where it cannot be met.

    `machine` has the machine's NUMA nodes. With `all_nodes` (before 1.36) sets of all of them are looked at; else only
    of those on which the resource has devices.
    """
    resource = request.resource
    if not devices.has_alignment(resource):
        return None
    known = devices.known[resource]
    bearing = {node for device in known.values() for node in device.numa_nodes}
    nodes = [node for node in machine if all_nodes or node in bearing]
    if request.held:
        # A kubelet that restarted makes the same hints again (DM/topology_hints.go:57-67).
        return _generate(request.count, known, request.held, (), nodes) if len(request.held) == request.count else ()
    available = devices.healthy.get(resource, set()) - devices.allocated.get(resource, set())
    if len(available | request.reusable) < request.count:
        return ()
    return _generate(request.count, known, available, request.reusable, nodes)


def _generate(
    count: int, known: Mapping[str, Device], available: Collection[str], reusable: Collection[str], nodes: Sequence[int]
) -> tuple[Hint, ...]:
    """Return a hint for every set of nodes that can meet the request (DM/topology_hints.go:154-234)."""
    smallest = len(nodes)
    masks: list[frozenset[int]] = []
    for size in range(1, len(nodes) + 1):
        for mask in map(frozenset, combinations(nodes, size)):
            # What is preferred is decided by all devices: unhealthy ones and those in use count too.
            if size < smallest and sum(_touches(device, mask) for device in known.values()) >= count:
                smallest = size
            if _meets(count, mask, known, available, reusable):
                masks.append(mask)
    return tuple(Hint(mask, preferred=len(mask) == smallest) for mask in masks)


def _meets(
    count: int,
    mask: frozenset[int],
    known: Mapping[str, Device],
    available: Collection[str],
    reusable: Collection[str],
) -> bool:
    """Say whether a set of nodes has every reusable device that tells its topology, and enough devices."""
    # A device that is not listed any more crashes a kubelet of 1.36 here; to older ones it has no topology.
    placed = [known[name] for name in reusable if name in known and known[name].topology_sent]
    if not all(_touches(device, mask) for device in placed):
        return False
    return len(placed) + sum(name in known and _touches(known[name], mask) for name in available) >= count


def _touches(device: Device, mask: frozenset[int]) -> bool:
    return not mask.isdisjoint(device.numa_nodes)
