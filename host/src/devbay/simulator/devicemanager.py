"""The device manager's side towards plugins: connected, listing, gone; capacity; the checkpoint; lazy freeing.

One object per kubelet process: a restart makes a new one, which knows of the old one what the checkpoint says.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from devbay.simulator import capacity, checkpoint, wire
from devbay.simulator.devices import Change, Device, DeviceSets
from devbay.simulator.endpoints import Endpoints, Options, Plugin
from devbay.simulator.events import DevicesReceived, Freed, ResourceExpired
from devbay.simulator.process import Process
from devbay.simulator.records import Records


class DeviceManager:
    """The state of one kubelet process about devices.

    `active_pods` returns the uids of the pods that still count (DM/manager.go:557-578).
    """

    def __init__(self, process: Process, active_pods: Callable[[], set[str]]) -> None:
        self._process = process
        self._active_pods = active_pods
        self.devices = DeviceSets()
        self.endpoints = Endpoints(process.behaviour.overlap == "keyed", process.rng)
        self.records = Records()
        self.sources_ready = False
        self.told_of: set[str] = set()
        """The uids of the pods that this process has heard of, from a file or the API server."""
        self.admitting: str | None = None
        """The uid of the pod last in admission: it is not freed though it is not yet active."""
        self.in_flight: list[InFlight] = []
        self.pods_changed: Callable[[str, Mapping[str, list[str]]], None] = lambda _resource, _pods: None
        """Is told of a resource which pods are to be synced at once, by uid, and for which ids."""

    # Plugins come, list and go.

    def connected(self, resource: str, plugin: Plugin, options: Options) -> None:
        """Take over a plugin whose options are known (DM/manager.go:228-243)."""
        self.endpoints.connect(resource, plugin, options)

    def disconnected(self, resource: str, socket: str) -> None:
        """Mark a resource unhealthy whose plugin is gone; its endpoint stays, stopped (DM/manager.go:247-257)."""
        if self.endpoints.disconnect(resource, socket, self._process.now):
            self.devices.mark_unhealthy(resource)

    def received(self, resource: str, socket: str, devices: Sequence[Device]) -> None:
        """Apply a ListAndWatch message, whichever stream it came by, and write the checkpoint (DM/manager.go:267)."""
        change = self.devices.replace(resource, devices)
        self.save()
        self._process.journal.add(
            DevicesReceived(
                at=self._process.now,
                resource=resource,
                endpoint=Path(socket).name,
                healthy=change.healthy,
                unhealthy=change.unhealthy,
            )
        )
        self._report(resource, devices, change)
        pods = self._pods_to_update(resource, change.changed)
        if pods:
            self.pods_changed(resource, pods)

    def _pods_to_update(self, resource: str, changed: Sequence[str]) -> dict[str, list[str]]:
        """Return the pods that hold devices with a new word, or that are back (DM/manager.go:277-294, behaviour 53).

        To 1.36 one that holds the id is looked for, whatever the resource: the first in a Go map's order.
        """
        pods: dict[str, list[str]] = {}
        for device_id in changed if self._process.behaviour.resource_health else ():
            everyone = self.records.holders(device_id)
            own = [(uid, name) for uid, name in everyone if name == resource]
            holders = own if self._process.behaviour.health_by_resource else everyone
            if not holders:
                continue
            uid, found = self._process.rng.choice(holders) if len(holders) > 1 else holders[0]
            pods.setdefault(uid, []).append(device_id)
            if own and found != resource:
                self._process.journal.finding(
                    resource,
                    f"device {device_id} changed, and the kubelet updates the pod that holds {device_id} of {found} "
                    "instead: it looks by the id alone; ids should be unique on the node",
                )
        return pods

    def _report(self, resource: str, devices: Sequence[Device], change: Change) -> None:
        """Say loudly what a real kubelet would crash on or get wrong without a word (behaviour 30)."""
        finding = self._process.journal.finding
        if change.duplicates:
            finding(resource, f"listed more than once: {', '.join(change.duplicates)}; the kubelet's counts are wrong")
        for flight in self.in_flight:
            for lost in flight.ids.intersection(change.vanished) if flight.resource == resource else ():
                # DM/manager.go:923 reads the topology of a device that is no longer in the map.
                crash = "this would crash a real kubelet" if self._process.behaviour.panics_on_vanished else "lost"
                finding(resource, f"device {lost} left the list while Allocate for it was in flight: {crash}")
        held = self.records.allocated().get(resource, set())
        for lost in held.intersection(change.vanished):
            finding(
                resource,
                f"device {lost} left the list while a container holds it: the kubelet goes on reporting it as Healthy "
                "in the pod's status; list it as Unhealthy instead",
            )
        empty = [device.id for device in devices if device.topology_sent and not device.numa_nodes]
        if empty:
            finding(resource, f"topology without nodes hides {', '.join(empty)} from GetAllocatableResources; omit it")
        negative = [device.id for device in devices if any(node < 0 for node in device.numa_nodes)]
        if negative:
            finding(resource, f"negative NUMA node sent for {', '.join(negative)}; omit the topology instead")

    # Capacity.

    def read_capacity(self) -> capacity.Reading:
        """Answer a node-status update: only here is a grace period found to be over (DM/manager.go:444-496)."""
        reading = self.peek_capacity()
        for resource in reading.expired:
            self.endpoints.forget(resource)
            self.devices.forget(resource)
            self._process.journal.add(ResourceExpired(at=self._process.now, resource=resource))
        if reading.expired:
            self.save()
        return reading

    def peek_capacity(self) -> capacity.Reading:
        """Return what a node-status update would be told now, without doing what it would do."""
        return capacity.read(self.devices, self.endpoints, self._process.now, self._process.timing.grace)

    # The checkpoint.

    def save(self) -> None:
        """Write the checkpoint: per message, per allocation, per expiry; not otherwise (behaviour 27)."""
        checkpoint.write(self._process.directory, checkpoint.of(self.records, self.devices.healthy))

    def load(self) -> None:
        """Read the checkpoint of the process before; a corrupt one is not fatal (DM/manager.go:349-352, 520-546)."""
        try:
            saved = checkpoint.read(self._process.directory)
        except checkpoint.CorruptCheckpoint as error:
            self._process.journal.finding("", f"Continue after failing to read checkpoint file: {error}")
            return
        if saved is None:
            return
        self.records = checkpoint.records(saved, wire.stored_answer)
        self.devices.allocated = self.records.allocated()
        for resource in saved.registered:
            self.devices.restore(resource)
            self.endpoints.restore(resource, self._process.now)

    # Freeing.

    def free_stale(self) -> None:
        """Free the devices of pods that are gone: there is no call for it, only this (DM/manager.go:557-578).

        Called before an allocation, not when a pod goes (behaviour 46).
        """
        if not self.sources_ready:
            return
        stale = self.records.pods() - self._active_pods() - {self.admitting}
        if not stale:
            return
        before = self.devices.allocated
        self.records.delete(stale)
        self.recount()
        for resource, ids in sorted(before.items()):
            freed = ids - self.devices.allocated.get(resource, set())
            if freed:
                self._process.journal.add(Freed(at=self._process.now, resource=resource, ids=tuple(sorted(freed))))

    def recount(self) -> None:
        """Take the allocated devices anew from the records."""
        self.devices.allocated = self.records.allocated()


@dataclass(slots=True, eq=False)
class InFlight:
    """An Allocate that is not answered yet."""

    resource: str
    ids: frozenset[str] = field(default_factory=frozenset)
