"""Which devices a pod had best get, of those that are free.

Pure and never refusing: what the kubelet says must be included is included, the answer has the size that was asked for
wherever that many are available, and the same question gets the same answer. Two shares of one device are not given
while another device is free, and the set comes from as few NUMA nodes as can hold it: from the one that it fills best,
so that roomier ones stay whole for larger requests.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from devbay.model import Device
from devbay.sharing import device_id


def prefer(
    devices: Mapping[str, Device], available: Sequence[str], must_include: Sequence[str], size: int
) -> tuple[str, ...]:
    """Return `size` of the `available` ids, `must_include` first; fewer only where fewer are available.

    Args:
        devices: what is known of the devices, by device id; an id that is not in it has no NUMA node.
        available: ids to choose from; shares count one each.
        must_include: ids that the answer must contain.
        size: how many ids are wanted, those of `must_include` counted.
    """
    chosen = list(dict.fromkeys(must_include))
    free = sorted(set(available) - set(chosen))
    nodes = {share: _nodes(devices, share) for share in (*chosen, *free)}
    home = _home(chosen, free, nodes, size)
    taken: dict[str, int] = defaultdict(int)
    for share in chosen:
        taken[device_id(share)] += 1
    order: list[tuple[int, bool, str]] = []
    for share in free:  # a device's shares stand behind each other, so that its next comes after others' first
        order.append((taken[device_id(share)], not nodes[share] & home, share))
        taken[device_id(share)] += 1
    missing = max(0, size - len(chosen))
    return (*chosen, *(share for _, _, share in sorted(order)[:missing]))


def _nodes(devices: Mapping[str, Device], share: str) -> frozenset[int]:
    device = devices.get(device_id(share))
    return frozenset(device.numa_nodes) if device else frozenset()


def _home(chosen: list[str], free: list[str], nodes: Mapping[str, frozenset[int]], size: int) -> frozenset[int]:
    """Return the NUMA nodes to take from first: one that suffices and is filled best, else the fullest few."""
    settled = frozenset().union(*(nodes[share] for share in chosen))
    room: dict[int, int] = defaultdict(int)
    for share in free:
        for node in nodes[share]:
            room[node] += 1
    missing = size - len(chosen)
    enough = [node for node in room if room[node] >= missing]
    if enough:
        return frozenset({min(enough, key=lambda node: (node not in settled, room[node], node))})
    home: set[int] = set()
    for node in sorted(room, key=lambda node: (node not in settled, -room[node], node)):
        if sum(room[n] for n in home) >= missing:
            break
        home.add(node)
    return frozenset(home)
