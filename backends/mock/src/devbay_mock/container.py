"""What a container gets for its devices. Pure: settings and devices in, edits out, but for the annotation of the time.

Whether the node has the library is not looked up here: `devbay_mock.tree` looked, and made it a fact of the device.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from devbay.api import ContainerEdits, Device, DeviceNode, Mount
from devbay_mock.settings import Settings, Variable


def edits(settings: Settings, resource: str, devices: Sequence[Device]) -> ContainerEdits:
    """Return what a container needs to use `devices` together, in the request's order."""
    nodes = [
        DeviceNode(path=_container_path(settings, index, device), host_path=device.paths[0])
        for index, device in enumerate(devices)
    ]
    return ContainerEdits(
        env=_env(settings, devices, nodes),
        device_nodes=tuple(nodes) if settings.device_nodes else (),
        mounts=_mounts(devices),
        annotations=_annotations(resource, devices) if settings.annotations else {},
    )


def _container_path(settings: Settings, index: int, device: Device) -> str:
    if not settings.container_path:
        return device.paths[0]
    return settings.container_path.replace("{index}", str(index)).replace("{id}", device.id)


def _env(settings: Settings, devices: Sequence[Device], nodes: Sequence[DeviceNode]) -> dict[str, str]:
    ids = ",".join(device.id for device in devices)
    values: Mapping[Variable, str] = {
        "VISIBLE_DEVICES": ids,
        "DRIVER_VERSION": settings.driver_version,
        "ID": ids,
        "PATH": ",".join(node.path for node in nodes),
        "COUNT": str(len(devices)),
    }
    return {f"{settings.env_prefix}_{name}": values[name] for name in settings.env}


def _mounts(devices: Sequence[Device]) -> tuple[Mount, ...]:
    """Return each library directory once: two mounts at one place are what a runtime refuses."""
    libraries = dict.fromkeys(str(d.attributes["library"]) for d in devices if "library" in d.attributes)
    return tuple(Mount(container_path=path, host_path=path, read_only=True) for path in libraries)


def _annotations(resource: str, devices: Sequence[Device]) -> dict[str, str]:
    domain = resource.partition("/")[0]
    return {
        f"{domain}/device-allocated": ",".join(device.id for device in devices),
        f"{domain}/allocation-time": datetime.now(UTC).isoformat(timespec="seconds"),
    }
