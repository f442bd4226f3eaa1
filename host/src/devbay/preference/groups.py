"""Groups of devices that a person would want to keep whole: by NUMA node, by parent, by affinity."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from devbay.model import Device
from devbay.preference.affinity import Affinity


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Devices that belong together.

    Attributes:
        by: what makes them a group: ``NUMA node``, ``parent`` or ``affinity``.
        name: which one: the node's number, the parent's id; for affinity the first device's id.
        devices: their ids, sorted; at least two.
    """

    by: str
    name: str
    devices: tuple[str, ...]

    def __str__(self) -> str:
        return f"affinity group of {self.name}" if self.by == "affinity" else f"{self.by} {self.name}"


def groups(devices: Mapping[str, Device], affinity: Affinity) -> list[Group]:
    """Return the groups among `devices`: those of a NUMA node, of a parent, and those closest to each other."""
    nodes: dict[int, list[str]] = defaultdict(list)
    parents: dict[str, list[str]] = defaultdict(list)
    for device in devices.values():
        for node in device.numa_nodes:
            nodes[node].append(device.id)
        if device.parent is not None:
            parents[device.parent].append(device.id)
    linked = _linked(devices, affinity)
    return [
        *(_group("NUMA node", str(node), nodes[node]) for node in sorted(nodes) if len(nodes[node]) > 1),
        *(_group("parent", parent, parents[parent]) for parent in sorted(parents) if len(parents[parent]) > 1),
        *(_group("affinity", min(one), one) for one in sorted(linked, key=min) if len(one) > 1),
    ]


def _group(by: str, name: str, devices: Iterable[str]) -> Group:
    return Group(by=by, name=name, devices=tuple(sorted(devices)))


def _linked(devices: Iterable[str], affinity: Affinity) -> list[set[str]]:
    """Return devices linked by pairs that are as close as any pair of either of the two."""
    rows = {one: {other: score for other, score in affinity.row(one).items() if score > 0} for one in devices}
    closest = {
        one: max((score for other, score in row.items() if other in rows), default=0) for one, row in rows.items()
    }
    seen: set[str] = set()
    found = []
    for start in rows:
        if start in seen:
            continue
        group, waiting = set[str](), [start]
        while waiting:
            one = waiting.pop()
            if one not in group:
                group.add(one)
                waiting += (
                    other
                    for other, score in rows[one].items()
                    if other in rows and score == closest[one] == closest[other]
                )
        seen |= group
        found.append(group)
    return found
