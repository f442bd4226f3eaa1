"""Values to the kubelet's messages and back. Pure; no other module of the host builds or reads a message."""

from collections.abc import Iterable

from devbay._proto import deviceplugin_v1beta1_pb2 as pb
from devbay.kubelet.service import Advertised, Given

HEALTHY = "Healthy"
UNHEALTHY = "Unhealthy"


def device_list(devices: Iterable[Advertised]) -> bytes:
    """Return a serialised ListAndWatchResponse, sorted by id.

    Topology is left out where the NUMA nodes are unknown: set but empty it would hide the device from
    GetAllocatableResources (Kubernetes: pkg/kubelet/cm/container_manager.go:291).
    """
    message = pb.ListAndWatchResponse()
    for device in sorted(devices, key=lambda d: d.id):
        entry = message.devices.add(ID=device.id, health=HEALTHY if device.healthy else UNHEALTHY)
        for node in device.numa_nodes:
            entry.topology.nodes.add(ID=node)
    return message.SerializeToString(deterministic=True)


def container_response(given: Given) -> pb.ContainerAllocateResponse:
    """Return what the kubelet is told about one container. Hooks cannot be told this way and are left out."""
    edits = given.edits
    return pb.ContainerAllocateResponse(
        envs=dict(edits.env),
        annotations=dict(edits.annotations),
        devices=[
            pb.DeviceSpec(container_path=node.path, host_path=node.host_path, permissions=node.permissions)
            for node in edits.device_nodes
        ],
        mounts=[
            pb.Mount(container_path=mount.container_path, host_path=mount.host_path, read_only=mount.read_only)
            for mount in edits.mounts
        ],
        cdi_devices=[pb.CDIDevice(name=name) for name in given.cdi_devices],
    )


def allocate_response(containers: Iterable[Given]) -> bytes:
    """Return a serialised AllocateResponse: one answer per container request, in order."""
    message = pb.AllocateResponse(container_responses=[container_response(given) for given in containers])
    return message.SerializeToString(deterministic=True)


def preferred_response(containers: Iterable[Iterable[str]]) -> bytes:
    """Return a serialised PreferredAllocationResponse."""
    message = pb.PreferredAllocationResponse()
    for ids in containers:
        message.container_responses.add(deviceIDs=ids)
    return message.SerializeToString()
