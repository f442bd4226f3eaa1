"""The health of devices as a pod's status tells it: allocatedResourcesStatus of a container. Pure.

DM/manager.go:1136-1198, behaviour 52. It is made anew only when a pod is synced, so it may be older than the list.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from devbay.simulator.devices import HEALTHY, Device
from devbay.simulator.records import Record

Health: TypeAlias = Literal["Healthy", "Unhealthy"]
"""What a pod's status says of a device. Unknown, the third word of the API, is never said of a plugin's device."""


@dataclass(frozen=True, slots=True)
class ResourceHealth:
    """The health of one device: an entry of ``allocatedResourcesStatus[].resources``.

    Attributes:
        resource_id: the device's id.
        health: Healthy, or Unhealthy for whatever other word its plugin sent.
    """

    resource_id: str
    health: Health


@dataclass(frozen=True, slots=True)
class AllocatedResourceStatus:
    """The devices that a container holds of one resource: an entry of ``allocatedResourcesStatus``.

    Attributes:
        name: the resource.
        resources: its devices' health, sorted by id (in a kubelet in random order).
    """

    name: str
    resources: tuple[ResourceHealth, ...]


def allocated_resources_status(
    records: Mapping[str, Record], known: Mapping[str, Mapping[str, Device]]
) -> tuple[AllocatedResourceStatus, ...]:
    """Return a container's allocatedResourcesStatus from its records and from what plugins listed last.

    A device that is not listed any more is Healthy, and a plugin that is gone leaves its last words standing.
    """
    return tuple(
        AllocatedResourceStatus(
            resource, tuple(ResourceHealth(name, _health(name, known.get(resource, {}))) for name in sorted(record.ids))
        )
        for resource, record in sorted(records.items())
        if record.ids
    )


def _health(device_id: str, listed: Mapping[str, Device]) -> Health:
    device = listed.get(device_id)
    return "Healthy" if device is None or device.health == HEALTHY else "Unhealthy"
