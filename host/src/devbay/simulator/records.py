"""Who was given what: the kubelet's record of devices by pod, container and resource. Pure.

It outlives pods until the next lazy freeing, and kubelets through the checkpoint.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from devbay.simulator.answers import Answer
from devbay.simulator.devices import Device

NO_NODE = -1
"""The key under which devices without NUMA nodes are recorded (DM/manager.go:751-757)."""


@dataclass(frozen=True, slots=True)
class Record:
    """What one container was given of one resource.

    Attributes:
        by_node: device ids by NUMA node; a device on several nodes is under each (DM/manager.go:927-930).
        answer: the plugin's answer, given again at every restart of the container.
    """

    by_node: Mapping[int, tuple[str, ...]] = field(hash=False)
    answer: Answer

    @property
    def ids(self) -> frozenset[str]:
        """The device ids."""
        return frozenset(device for ids in self.by_node.values() for device in ids)


def by_node(ids: Iterable[str], known: Mapping[str, Device]) -> dict[int, tuple[str, ...]]:
    """Sort `ids` under their NUMA nodes; one that is no longer known goes where those without a node are."""
    nodes: dict[int, list[str]] = {}
    for device_id in ids:
        device = known.get(device_id)
        for node in (device.numa_nodes if device else ()) or (NO_NODE,):
            nodes.setdefault(node, []).append(device_id)
    return {node: tuple(devices) for node, devices in nodes.items()}


@dataclass(slots=True)
class Records:
    """Every record, by pod uid, container and resource."""

    _records: dict[tuple[str, str, str], Record] = field(default_factory=dict)

    def insert(self, uid: str, container: str, resource: str, record: Record) -> None:
        """Remember `record`, replacing an earlier one."""
        self._records[uid, container, resource] = record

    def ids(self, uid: str, container: str, resource: str) -> frozenset[str] | None:
        """Return the devices that a container holds of a resource, or None without a record."""
        record = self._records.get((uid, container, resource))
        return None if record is None else record.ids

    def of_pod(self, uid: str, resource: str) -> frozenset[str]:
        """Return the devices of a resource that a pod's containers hold together."""
        found = (record.ids for (owner, _, name), record in self._records.items() if (owner, name) == (uid, resource))
        return frozenset().union(*found)

    def of_container(self, uid: str, container: str) -> dict[str, Record]:
        """Return a container's records by resource."""
        return {
            resource: record
            for (owner, name, resource), record in self._records.items()
            if (owner, name) == (uid, container)
        }

    def pods(self) -> set[str]:
        """Return the uids of all pods with a record."""
        return {uid for uid, _, _ in self._records}

    def delete(self, uids: Iterable[str]) -> None:
        """Forget the records of these pods."""
        gone = set(uids)
        self._records = {key: record for key, record in self._records.items() if key[0] not in gone}

    def allocated(self) -> dict[str, set[str]]:
        """Return all devices on record, by resource."""
        devices: dict[str, set[str]] = {}
        for (_, _, resource), record in self._records.items():
            devices.setdefault(resource, set()).update(record.ids)
        return devices

    def holders(self, device_id: str) -> list[tuple[str, str]]:
        """Return (pod uid, resource) of every record with this device id, whatever the resource, sorted."""
        return sorted({(uid, name) for (uid, _, name), record in self._records.items() if device_id in record.ids})

    def items(self) -> Iterator[tuple[tuple[str, str, str], Record]]:
        """Iterate over ((pod uid, container, resource), record)."""
        return iter(self._records.items())
