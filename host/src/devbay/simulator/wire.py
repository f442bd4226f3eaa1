"""The device plugin protocol's messages as values, and back; only `client` and `registry` see messages beside it."""

from collections.abc import Iterable

from devbay._proto import deviceplugin_v1beta1_pb2 as pb
from devbay.model import DeviceNode, Mount
from devbay.simulator.answers import Answer
from devbay.simulator.devices import Device
from devbay.simulator.endpoints import Options

LIMIT = 4 * 1024 * 1024
"""The longest message that a Go gRPC peer accepts by default, in bytes; the kubelet changes nothing about it."""

SERVICE = "/v1beta1.DevicePlugin/"


def options(message: pb.DevicePluginOptions) -> Options:
    """Return a plugin's options."""
    return Options(message.pre_start_required, message.get_preferred_allocation_available)


def devices(messages: Iterable[pb.Device]) -> list[Device]:
    """Return the devices of one ListAndWatch message, in its order."""
    return [
        Device(
            message.ID,
            message.health,
            tuple(node.ID for node in message.topology.nodes),
            message.HasField("topology"),
        )
        for message in messages
    ]


def answer(message: pb.ContainerAllocateResponse) -> Answer:
    """Return one container's answer. Nothing is checked: the kubelet checks nothing."""
    return Answer(
        env=dict(message.envs),
        mounts=tuple(
            Mount(container_path=mount.container_path, host_path=mount.host_path, read_only=mount.read_only)
            for mount in message.mounts
        ),
        device_nodes=tuple(
            DeviceNode(path=node.container_path, host_path=node.host_path, permissions=node.permissions)
            for node in message.devices
        ),
        annotations=dict(message.annotations),
        cdi_names=tuple(device.name for device in message.cdi_devices),
        raw=message.SerializeToString(deterministic=True),
    )


def stored_answer(raw: bytes) -> Answer:
    """Return an answer from the bytes of a checkpoint."""
    return answer(pb.ContainerAllocateResponse.FromString(raw))
